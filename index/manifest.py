"""The manifest on disk: read, checked against the parts that it names, written last."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .atomic import digest_file, write_whole
from .errors import EncoderMismatch, LibraryDamaged, LibraryMissing
from .index_types import AUTO
from .records import Manifest

if TYPE_CHECKING:
    from .encoder import Encoder

MANIFEST_NAME = "manifest.json"
VERSION = 3
OLDEST = 2  # contents are named by SHA-256; all else is the same


def read_manifest(library: Path) -> Manifest:
    """Read LIBRARY/manifest.json.

    Raises:
        LibraryMissing: there is none.
        LibraryDamaged: it cannot be read, or a newer Limner wrote it.
    """
    path = library / MANIFEST_NAME
    try:
        values = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise LibraryMissing(
            f"no library at {library}", "build one with `limner index build SOURCE --library DIR`"
        ) from exc
    except (OSError, ValueError) as exc:
        raise damaged(library, f"{MANIFEST_NAME} cannot be read") from exc
    if not isinstance(values, dict):
        raise damaged(library, f"{MANIFEST_NAME} is not a manifest")
    version = values.get("version")
    if isinstance(version, int) and version > VERSION:
        raise LibraryDamaged(f"{library} was written by a newer Limner (format {version})", "upgrade limner")
    if isinstance(version, int) and version < OLDEST:
        raise damaged(library, f"it was written by an older Limner (format {version})")
    return _checked(library, values)


def _checked(library: Path, values: dict[str, Any]) -> Manifest:
    types: dict[str, type] = {
        "version": int,
        "encoder": str,
        "fingerprint": str,
        "dimension": int,
        "count": int,
        "generation": int,
        "sources": list,
        "parts": dict,
        "next_id": int,
        "next_vector_id": int,
        "sizes": dict,
        "metadata_digest": str,
        "descriptions_digest": str,
        "strange": float,
        "index_type": str,
    }
    assert types.keys() == {field.name for field in fields(Manifest)}
    values = {"index_type": AUTO} | values  # libraries of Limner 0.1 do not say
    wrong = [name for name, kind in types.items() if not isinstance(values.get(name), kind)]
    if wrong:
        raise damaged(library, f"{MANIFEST_NAME} lacks {', '.join(wrong)}")
    known = {name: values[name] for name in types}
    sources: list[object] = known.pop("sources")
    parts: dict[str, object] = known.pop("parts")
    for name in parts:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise damaged(library, f"{MANIFEST_NAME} names a part outside the library: {name}")
    return Manifest(
        **known, sources=tuple(map(str, sources)), parts={name: str(digest) for name, digest in parts.items()}
    )


def write_manifest(library: Path, manifest: Manifest) -> None:
    """Replace LIBRARY/manifest.json; from this moment readers see the generation that it names.

    Raises:
        WriteFailed: the old manifest still stands.
    """
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, sort_keys=True)
    write_whole(library / MANIFEST_NAME, (text + "\n").encode())


def check_parts(
    library: Path,
    manifest: Manifest,
    *,
    digest: Callable[[str], bool] = lambda name: True,
    ignore: tuple[str, ...] = (),
) -> None:
    """Compare every part with its size, and those for whose name digest is true with their digest.

    Parts whose names begin as one of ignore are not looked at.

    Raises:
        LibraryDamaged: a part is gone or differs; the message names it.
    """
    for name in manifest.parts:
        if name.startswith(ignore):
            continue
        fault = part_fault(library, manifest, name, digest=digest(name))
        if fault:
            raise LibraryDamaged(
                f"the library {library} is damaged: its part {name} {fault}",
                f"`limner index verify --library {library}` names what mends it",
            )


def part_fault(library: Path, manifest: Manifest, name: str, *, digest: bool = True) -> str | None:
    """What is wrong with a part, as far as its size and, if asked for, its digest tell."""
    path = library / name
    try:
        if path.stat().st_size != manifest.sizes.get(name):
            return "was changed or cut short"
        if digest and digest_file(path) != manifest.parts[name]:
            return "was changed"
    except OSError:
        return "is missing or cannot be read"
    return None


def damaged(library: Path, what: str) -> LibraryDamaged:
    """The error for a library that does not hold together, with the way to mend it."""
    return LibraryDamaged(
        f"the library {library} is damaged: {what}",
        f"build it again with `limner index build SOURCE --library {library} --rebuild`",
    )


def mismatch(library: Path, manifest: Manifest, encoder: Encoder) -> EncoderMismatch:
    """The error for a library of one encoder and an asked-for other one."""
    other = encoder.name if encoder.name != manifest.encoder else f"other weights of {encoder.name}"
    return EncoderMismatch(
        f"the library {library} was built with {manifest.encoder}, asked for {other}",
        f"name the encoder {manifest.encoder}, or run `limner index build SOURCE --library {library}"
        f" --encoder {encoder.name} --rebuild`",
    )
