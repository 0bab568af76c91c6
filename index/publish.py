"""A generation of the library onto the disk: its parts beside the old ones, then the manifest, then the old ones go."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import TEMPORARY_SUFFIX, write_whole
from .catalogue import catalogue_bytes
from .encoder import Encoder
from .errors import LibraryDamaged, LibraryMissing
from .lexical import index_words
from .lock import HOLDER_NAME, LOCK_NAME
from .manifest import MANIFEST_NAME, VERSION, read_manifest, write_manifest
from .records import ImageRecord, Manifest
from .sentences import SentenceIndex
from .vectors import build_index, vector_tables
from .work import WORK_NAME

if TYPE_CHECKING:
    import numpy as np

CATALOGUE = "catalogue"
VECTORS = "vectors"
WORDS = "words-"
SENTENCES = "sentences-"
SKIPPED_NAME = "skipped.log"
_PART = re.compile(r"(?:catalogue/|vectors/|index-|words-|sentences-)(\d{6})(?:-\d{4})?\.(?:parquet|faiss)")
_WHERE_PARTS = (f"{CATALOGUE}/*", f"{VECTORS}/*", "index-*", "words-*", "sentences-*")
_OURS = {CATALOGUE, VECTORS, WORK_NAME, MANIFEST_NAME, SKIPPED_NAME, LOCK_NAME, HOLDER_NAME}


def publish(
    library: Path,
    records: Sequence[ImageRecord],
    vectors: np.ndarray,
    *,
    encoder: Encoder,
    sources: Sequence[Path],
    next_id: int,
    sentences: SentenceIndex | None = None,
    strange: float = 0.0,
) -> Manifest:
    """Write records, by id, and their vectors (n, d) float16 as the next generation; the manifest is replaced last.

    Raises:
        WriteFailed: the old generation stands.
    """
    import numpy as np

    generation = _last_generation(library) + 1
    ids = np.array([record.id for record in records], np.int64)
    parts: dict[str, str] = {}
    name = f"{CATALOGUE}/{generation:06d}.parquet"
    parts[name] = write_whole(library / name, catalogue_bytes(records))
    for number, table in enumerate(vector_tables(ids, vectors)):
        name = f"{VECTORS}/{generation:06d}-{number:04d}.parquet"
        parts[name] = write_whole(library / name, table)
    name = f"index-{generation:06d}.faiss"
    parts[name] = write_whole(library / name, build_index(ids, vectors).to_bytes())
    name = f"{WORDS}{generation:06d}.parquet"
    parts[name] = write_whole(library / name, index_words(records, sources).to_bytes())
    if sentences is not None:
        name = f"{SENTENCES}{generation:06d}.parquet"
        parts[name] = write_whole(library / name, sentences.to_bytes())
    manifest = Manifest(
        version=VERSION,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        dimension=encoder.dimension,
        count=len(records),
        generation=generation,
        sources=tuple(map(str, sources)),
        parts=parts,
        next_id=next_id,
        strange=strange,
    )
    write_manifest(library, manifest)
    return manifest


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
    for folder in (CATALOGUE, VECTORS):
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
    paths = (path for pattern in _WHERE_PARTS for path in library.glob(pattern))
    return [path for path in paths if _match_part(library, path)]


def _match_part(library: Path, path: Path) -> re.Match[str] | None:
    return _PART.fullmatch(path.relative_to(library).as_posix().removesuffix(TEMPORARY_SUFFIX))


def _last_generation(library: Path) -> int:
    """The highest number on any part, so that no file of a generation in use is ever overwritten."""
    matches = (_match_part(library, path) for path in _part_files(library))
    return max((int(match[1]) for match in matches if match), default=0)


def _one_line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
