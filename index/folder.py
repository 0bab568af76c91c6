"""The files of a library that are ours, by their names; no other file is ever deleted or written over."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from .atomic import TEMPORARY_SUFFIX, write_failed, write_whole
from .descriptions import DESCRIPTIONS_NAME
from .errors import LibraryDamaged, LibraryMissing
from .lock import HOLDER_NAME, LOCK_NAME
from .manifest import MANIFEST_NAME, read_manifest
from .records import Manifest
from .work import WORK_NAME

# What the names of parts begin with; the number of the generation that wrote them follows.
CATALOGUE = "catalogue/"
VECTORS = "vectors/"
INDEX = "index-"
FULL = "full-"  # what a quantised index re-scores from
LISTS = "lists-"  # that a quantised index is made of in place of its own
DUPLICATES = "duplicates-"
SKIPPED = "skipped-"
WORDS = "words-"
SENTENCES = "sentences-"
SKIPPED_NAME = "skipped.log"
_KINDS = (CATALOGUE, VECTORS, INDEX, FULL, LISTS, DUPLICATES, SKIPPED, WORDS, SENTENCES)
_PART = re.compile(rf"(?:{'|'.join(_KINDS)})(\d{{6}})(?:-\d{{4}})?\.(?:parquet|faiss|npy)")
_OURS = {"catalogue", "vectors", WORK_NAME, MANIFEST_NAME, SKIPPED_NAME, DESCRIPTIONS_NAME, LOCK_NAME, HOLDER_NAME}


def part_paths(library: Path, manifest: Manifest, kind: str) -> list[Path]:
    """The parts whose names begin so, older ones first."""
    return [library / name for name in sorted(manifest.parts) if name.startswith(kind)]


def is_part(name: str) -> bool:
    """Whether a file of this name, from the library's folder, is a part of some generation."""
    return _PART.fullmatch(name) is not None


def part_number(name: str) -> int:
    """The generation that wrote a part."""
    match = _PART.fullmatch(name)
    assert match, name
    return int(match[1])


def last_generation(library: Path) -> int:
    """The highest number on any part, so that no file of a generation in use is ever overwritten."""
    matches = (_match_part(library, path) for path in _part_files(library))
    return max((int(match[1]) for match in matches if match), default=0)


def discard_strays(library: Path) -> None:
    """Delete the parts that the manifest does not name: of older generations, and of builds that did not end."""
    try:
        kept: Collection[str] = read_manifest(library).parts
    except LibraryMissing:
        kept = ()
    except LibraryDamaged:
        return  # what cannot be told apart is left for `--rebuild`
    for path in _part_files(library):
        if path.relative_to(library).as_posix() not in kept:
            with suppress(OSError):
                path.unlink()
    for folder in ("catalogue", "vectors"):
        with suppress(OSError):
            (library / folder).rmdir()  # only where a first build left them empty


def write_skipped(library: Path, skipped: Sequence[tuple[Path, str]]) -> None:
    """Write LIBRARY/skipped.log, a line each: path, tab, reason; none when nothing was skipped.

    Raises:
        WriteFailed: the disk refused.
    """
    log = library / SKIPPED_NAME
    if skipped:
        lines = [f"{_one_line(str(path))}\t{_one_line(reason)}\n" for path, reason in skipped]
        write_whole(log, "".join(lines).encode("utf-8", "backslashreplace"))
    else:
        with suppress(OSError):
            log.unlink(missing_ok=True)


def make_folder(library: Path) -> bool:
    """Make sure of a folder to write to, and tell whether it is new.

    Raises:
        LibraryMissing: it is a file, or holds other things.
        WriteFailed: the disk refused.
    """
    try:
        if library.is_dir():
            if not is_ours(library):
                raise LibraryMissing(
                    f"no library at {library}, and the folder holds other things", "name a folder that is new or empty"
                )
            return False
        if library.exists():
            raise LibraryMissing(f"no library at {library}: it is a file", "name a folder that is new or empty")
        library.mkdir(parents=True)
    except OSError as exc:
        raise write_failed(library, exc) from exc
    return True


def is_ours(library: Path) -> bool:
    """Whether a folder is a library, one begun, or empty: a build never writes among other things.

    Raises:
        OSError: it cannot be listed, or is a file.
    """
    names = {path.name for path in library.iterdir()}
    return MANIFEST_NAME in names or all(
        name.removesuffix(TEMPORARY_SUFFIX) in _OURS or _PART.fullmatch(name.removesuffix(TEMPORARY_SUFFIX))
        for name in names
    )


def _part_files(library: Path) -> list[Path]:
    """The files that have a part's name, whole or not; no other file is ever deleted."""
    paths = (path for kind in _KINDS for path in library.glob(f"{kind}*"))
    return [path for path in paths if _match_part(library, path)]


def _match_part(library: Path, path: Path) -> re.Match[str] | None:
    return _PART.fullmatch(path.relative_to(library).as_posix().removesuffix(TEMPORARY_SUFFIX))


def _one_line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
