"""A library that lies elsewhere (s3://, gs://, http://, memory://): a local copy of it, verified, that is kept.

Parts never change under their digest, so of a newer generation only its new parts are copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .atomic import whole_file, write_whole
from .errors import LibraryDamaged, LibraryMissing
from .folder import discard_strays
from .lock import writing
from .manifest import MANIFEST_NAME, part_fault, read_manifest
from .places import filesystem_of, said_in_words
from .records import Manifest

_CHUNK = 1 << 22  # bytes


def copied(address: str, cache: Path | None = None) -> Path:
    """Bring the library at address up to date in the cache, the user's own if None, and return its folder there.

    What is copied is compared with the manifest's digests. Needs the package of fsspec that reads such addresses.

    Raises:
        LibraryMissing: no library is there, or nothing here can read such an address.
        LibraryDamaged: a part is gone or not what the manifest says; the copy of before stays as it was.
        LibraryLocked: another process is copying it.
        WriteFailed: the disk refused.
    """
    from platformdirs import user_cache_path

    system, root = filesystem_at(address)
    folder = (cache or user_cache_path("limner")) / "libraries" / hashlib.sha256(address.encode()).hexdigest()[:24]
    incoming = folder / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    with writing(folder):
        text = _manifest_text(system, root, address)
        write_whole(incoming / MANIFEST_NAME, text)
        manifest = read_manifest(incoming)
        for name, digest in manifest.parts.items():
            if part_fault(folder, manifest, name) is not None:
                _copy(system, f"{root}/{name}", folder / name, digest, address)
        write_whole(folder / MANIFEST_NAME, text)
        discard_strays(folder)
    return folder


def manifest_at(system: Any, root: str, address: str) -> Manifest:
    """The manifest of the library at address, whose file system and folder there are given.

    Raises:
        LibraryMissing, LibraryDamaged: no library is there, or its manifest is none.
    """
    text = _manifest_text(system, root, address)
    with TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST_NAME).write_bytes(text)
        return read_manifest(Path(folder))


def _manifest_text(system: Any, root: str, address: str) -> bytes:
    try:
        with said_in_words(address):
            return system.cat_file(f"{root}/{MANIFEST_NAME}")
    except FileNotFoundError as exc:
        raise LibraryMissing(f"no library at {address}", "check the address, and who may read it") from exc
    except (OSError, ValueError) as exc:
        raise LibraryMissing(
            f"no library can be read at {address}: {exc.strerror or exc if isinstance(exc, OSError) else exc}",
            "check the address, and who may read it",
        ) from exc


def _copy(system: Any, source: str, target: Path, digest: str, address: str) -> None:
    """Copy a part; one that is not what it should be never gets its name."""
    arriving = target.with_name(f"{target.name}.arriving")
    try:
        with _reading(address, target.name), system.open(source, "rb") as file, whole_file(arriving) as copy:
            while data := _read(file, address, target.name):
                copy.write(data)
        if copy.sha256 != digest:
            raise _damaged(address, f"its part {target.name} was changed or cut short")
        arriving.replace(target)
    finally:
        arriving.unlink(missing_ok=True)


def _read(file: Any, address: str, name: str) -> bytes:
    with _reading(address, name):
        return file.read(_CHUNK)


@contextmanager
def _reading(address: str, name: str) -> Iterator[None]:
    try:
        with said_in_words(address):
            yield
    except OSError as exc:
        raise _damaged(address, f"its part {name} is missing or cannot be read") from exc


def _damaged(address: str, what: str) -> LibraryDamaged:
    return LibraryDamaged(f"the library {address} is damaged: {what}", "copy it there again from where it was built")


def filesystem_at(address: str) -> tuple[Any, str]:
    """The file system of fsspec for an address, and the folder there.

    Raises:
        LibraryMissing: nothing here can read such an address.
    """
    try:
        return filesystem_of(address)
    except OSError as exc:
        raise LibraryMissing(
            f"nothing here can read {address}", "install the package of fsspec for it, for s3:// `limner[s3]`"
        ) from exc
