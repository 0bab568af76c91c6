"""A library of this machine brought to where others read it (s3://, gs://, memory://): new parts, then the manifest.

Whoever reads it there finds the old library until the manifest is replaced, which names the new parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .descriptions import DESCRIPTIONS_NAME
from .errors import LibraryDamaged, LibraryMissing, WriteFailed
from .folder import is_part
from .lock import writing
from .manifest import MANIFEST_NAME, check_parts, read_manifest
from .places import said_in_words
from .records import Manifest
from .remote import filesystem_at, manifest_at


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did, in parts."""

    copied: int
    bytes: int  # of those
    there_before: int
    removed: int  # of older generations


def _no_progress(done: int, total: int) -> None:
    pass


def push(library: Path, address: str, *, progress: Callable[[int, int], None] = _no_progress) -> Pushed:
    """Make the library at address what library is now; what is there of it already is not copied again.

    progress is told of bytes. After a kill the same call goes on: parts that arrived are named by no manifest yet, and
    are copied again.

    Raises:
        LibraryMissing, LibraryDamaged: library is not one, or not whole; nothing here can write to such an address; or
            there is another library, of another encoder or newer.
        LibraryLocked: library is being written.
        WriteFailed: the storage refused.
    """
    library = Path(os.path.abspath(library))  # noqa: PTH100
    read_manifest(library)
    system, root = filesystem_at(address)
    with writing(library):
        manifest = read_manifest(library)
        check_parts(library, manifest)
        before = _before(system, root, address, library, manifest)
        known = before.parts if before else {}
        new = [name for name, digest in manifest.parts.items() if known.get(name) != digest]
        total, done = sum(manifest.sizes[name] for name in new), 0
        for name in new:
            with _writing_to(address):
                system.put_file(str(library / name), f"{root}/{name}")
                if system.size(f"{root}/{name}") != manifest.sizes[name]:
                    raise WriteFailed(f"{address} kept only part of {name}", "run the same command again")
            done += manifest.sizes[name]
            progress(done, total)
        with _writing_to(address):
            if (library / DESCRIPTIONS_NAME).is_file():
                system.put_file(str(library / DESCRIPTIONS_NAME), f"{root}/{DESCRIPTIONS_NAME}")
            system.pipe_file(f"{root}/{MANIFEST_NAME}", (library / MANIFEST_NAME).read_bytes())
            strays = [name for name in _names(system, root) if is_part(name) and name not in manifest.parts]
            for name in strays:
                system.rm_file(f"{root}/{name}")
    return Pushed(len(new), total, len(manifest.parts) - len(new), len(strays))


def _before(system: Any, root: str, address: str, library: Path, manifest: Manifest) -> Manifest | None:
    """What is there, which must be an earlier state of the same library."""
    try:
        before = manifest_at(system, root, address)
    except LibraryMissing:
        return None
    if before.fingerprint != manifest.fingerprint:
        raise LibraryDamaged(
            f"{address} holds a library of {before.encoder}, {library} is of {manifest.encoder}",
            "name another address, or remove the library there",
        )
    same = before.parts == manifest.parts
    apart = not set(before.sources) & set(manifest.sources)  # a source may have come or gone since
    if apart or (before.generation >= manifest.generation and not same):
        raise LibraryDamaged(
            f"{address} holds another library, or a later state of {library}",
            "name another address, or remove the library there",
        )
    return before


def _names(system: Any, root: str) -> list[str]:
    """What lies below root, by its path from there."""
    return [path.removeprefix(root).lstrip("/") for path in system.find(root)]


@contextmanager
def _writing_to(address: str) -> Iterator[None]:
    try:
        with said_in_words(address):
            yield
    except OSError as exc:
        raise WriteFailed(f"cannot write to {address}: {exc.strerror or exc}", "check who may write there") from exc
