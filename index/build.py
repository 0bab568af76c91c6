"""Folders to a library on disk, which changes all at once or not at all; a build that was killed goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import write_failed
from .catalogue import Catalogue
from .embed import Embedded, Progress, embed
from .encoder import Encoder, load_encoder
from .errors import LibraryDamaged, LibraryMissing, SourceMissing
from .familiar import strange_share_of_library
from .lock import writing
from .manifest import check_parts, damaged, mismatch, read_manifest
from .metadata import Metadata, MetadataFound, read_metadata, title_from_name
from .publish import CATALOGUE, SENTENCES, VECTORS, WORDS, discard_strays, is_ours, publish, write_skipped
from .records import ImageRecord, Manifest
from .scan import Changes, Scan, compare, scan
from .sentences import SentenceEncoder, SentenceIndex, index_sentences, load_sentence_encoder, read_sentences
from .vectors import read_vectors
from .work import Encoded, Work

if TYPE_CHECKING:
    import numpy as np

BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did; indexed + unchanged + moved pictures are in the library now."""

    indexed: int  # new, or with new content
    unchanged: int
    moved: int  # same content under another path: same id
    removed: int  # no longer in the library: gone, or no longer readable
    skipped: list[tuple[Path, str]]  # files and folders that could not be read, with the reason
    notices: list[tuple[Path, str]] = field(default_factory=list)  # what was odd in metadata files


@dataclass(frozen=True, slots=True)
class _Old:
    """The generation before this build; without a manifest where there is none to go on from."""

    manifest: Manifest | None = None
    records: list[ImageRecord] = field(default_factory=list)
    finished: dict[str, Encoded] = field(default_factory=dict)
    next_id: int = 1
    sentences: SentenceIndex | None = None


def _no_progress(done: int, total: int) -> None:
    pass


def build(
    sources: Sequence[Path],
    library: Path,
    *,
    encoder: Encoder,
    rebuild: bool = False,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    sentences: SentenceEncoder | None = None,
    progress: Progress = _no_progress,
) -> BuildSummary:
    """Make library hold exactly the pictures of sources: files, and folders with all that is below them.

    What library holds already is kept (same path, size and time; or same content), unless rebuild starts anew, also
    over a damaged library. Readers see the old pictures until the end. After Ctrl-C, a kill or a full disk the same
    call goes on where this one ended. workers threads decode, as many as processors (8 at most) if None. With
    sentences the library also holds sentence vectors of what is said of its pictures, without it none.

    Raises:
        SourceMissing: a source is not there, or none holds a picture that can be read.
        LibraryMissing: library is a file, or a folder with other things in it.
        LibraryDamaged, EncoderMismatch: what is there cannot be gone on from; rebuild can.
        LibraryLocked: another build is writing.
        WriteFailed: the disk refused.
    """
    sources = list(dict.fromkeys(Path(os.path.abspath(source)) for source in sources))  # noqa: PTH100 (keeps links)
    library = Path(os.path.abspath(library))  # noqa: PTH100
    found = scan(sources)
    created = _make_folder(library)
    with writing(library):
        try:
            return _build(
                sources,
                found,
                library,
                encoder,
                rebuild,
                workers or min(8, os.cpu_count() or 1),
                batch_size,
                sentences,
                progress,
            )
        except SourceMissing:
            if created:
                shutil.rmtree(library, ignore_errors=True)
            raise


def update(
    library: Path,
    *,
    encoder: Encoder | None = None,
    device: str = "auto",
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    sentences: SentenceEncoder | None = None,
    progress: Progress = _no_progress,
) -> BuildSummary:
    """Bring library up to date with the sources that it was built from; the encoders are its own unless given.

    A source folder that is not there is an error, because a drive that is not plugged in does not empty a library.

    Raises:
        As `build`; EncoderUnknown, DeviceMissing: the library's encoder cannot be loaded.
    """
    manifest = read_manifest(library)
    sources = _remaining_sources(library, manifest)
    if encoder is None:
        encoder = load_encoder(manifest.encoder, device)
    if sentences is None and (name := sentences_of(library)) is not None:
        sentences = load_sentence_encoder(name, device)
    return build(
        sources,
        library,
        encoder=encoder,
        workers=workers,
        batch_size=batch_size,
        sentences=sentences,
        progress=progress,
    )


def sentences_of(library: Path) -> str | None:
    """The name of the sentence encoder that a library was built with, if with any.

    Raises:
        LibraryMissing, LibraryDamaged: as `read_manifest`.
    """
    index = _read_sentences(library, read_manifest(library))
    return index.encoder if index else None


def _build(
    sources: Sequence[Path],
    found: Scan,
    library: Path,
    encoder: Encoder,
    rebuild: bool,
    workers: int,
    batch_size: int,
    sentences: SentenceEncoder | None,
    progress: Progress,
) -> BuildSummary:
    old = _read_old(library, encoder, rebuild=rebuild)
    work = Work(library, encoder.fingerprint, encoder.dimension)
    finished = work.load() | old.finished
    unread = [folder for folder, _ in found.unread_folders]
    changes = compare(found.pictures, old.records, unread_folders=unread)
    embedded = embed(
        changes.to_read,
        encoder=encoder,
        finished=finished,
        keep=work.keep,
        workers=workers,
        batch_size=batch_size,
        progress=progress,
    )
    skipped = sorted([*found.unread_folders, *found.skipped, *embedded.skipped])
    if not changes.unchanged and not embedded.hashes:
        raise _none_readable(skipped)
    metadata = read_metadata(found.metadata_files, (file.path for file in found.pictures))
    records, summary, next_id = _assemble(found, changes, embedded, finished, old, metadata, skipped)
    try:
        write_skipped(library, [*skipped, *metadata.notices])
        names = tuple(map(str, sources))
        if records != old.records or not _stands(old, names, sentences):
            vectors = _stack(records, finished, encoder.dimension)
            publish(
                library,
                records,
                vectors,
                encoder=encoder,
                sources=sources,
                next_id=next_id,
                sentences=index_sentences(records, sentences, old.sentences) if sentences else None,
                strange=strange_share_of_library([record.path for record in records], encoder),
            )
        work.clear()
    finally:
        discard_strays(library)
    return summary


def _stands(old: _Old, sources: tuple[str, ...], sentences: SentenceEncoder | None) -> bool:
    """Whether the old generation is what this build would publish of the same records."""
    wanted = sentences.fingerprint if sentences else None
    return (
        old.manifest is not None
        and old.manifest.sources == sources
        and any(name.startswith(WORDS) for name in old.manifest.parts)
        and (old.sentences.fingerprint if old.sentences else None) == wanted
    )


def _assemble(
    found: Scan,
    changes: Changes,
    embedded: Embedded,
    finished: dict[str, Encoded],
    old: _Old,
    metadata: MetadataFound,
    skipped: list[tuple[Path, str]],
) -> tuple[list[ImageRecord], BuildSummary, int]:
    """The new catalogue, by id, with its summary and the next free id.

    A path keeps its id when its content changes; a content whose path is gone takes its id to the new path.
    """
    by_path = {record.path: record for record in old.records}
    left_behind: dict[str, list[ImageRecord]] = {}
    for record in sorted(changes.gone, key=lambda record: record.id):
        left_behind.setdefault(record.hash, []).append(record)
    seen = {file.path for file in found.pictures}
    records = [
        _describe(record, metadata.by_path.get(record.path)) if record.path in seen else record
        for record in changes.unchanged
    ]
    unchanged, indexed, moved, next_id = len(records), 0, 0, old.next_id
    for file in changes.to_read:
        digest = embedded.hashes.get(file.path)
        if digest is None:
            continue
        content = finished[digest]
        before = by_path.get(file.path)
        if before:
            image_id = before.id
            if before.hash == digest:
                unchanged += 1
            else:
                indexed += 1
        elif left_behind.get(digest):
            image_id = left_behind[digest].pop(0).id
            moved += 1
        else:
            image_id = next_id
            next_id += 1
            indexed += 1
        record = ImageRecord(
            image_id, file.path, file.size, file.mtime_ns, digest, width=content.width, height=content.height
        )
        records.append(_describe(record, metadata.by_path.get(file.path)))
    records.sort(key=lambda record: record.id)
    kept = {record.id for record in records}
    removed = sum(record.id not in kept for record in old.records)
    return records, BuildSummary(indexed, unchanged, moved, removed, skipped, metadata.notices), next_id


def _describe(record: ImageRecord, metadata: Metadata | None) -> ImageRecord:
    said = metadata or Metadata()
    return replace(
        record,
        title=said.title or title_from_name(record.path),
        caption=said.caption,
        alt=said.alt,
        keywords=said.keywords,
        creator=said.creator,
        licence=said.licence,
        credit=said.credit,
    )


def _stack(records: Sequence[ImageRecord], finished: dict[str, Encoded], dimension: int) -> np.ndarray:
    import numpy as np

    vectors = np.empty((len(records), dimension), np.float16)
    for row, record in enumerate(records):
        vectors[row] = finished[record.hash].vector
    return vectors


def _read_old(library: Path, encoder: Encoder, *, rebuild: bool) -> _Old:
    try:
        manifest = read_manifest(library)
    except LibraryMissing:
        return _Old()
    except LibraryDamaged:
        if rebuild:
            return _Old()
        raise
    if rebuild:
        return _Old(next_id=manifest.next_id)
    if manifest.fingerprint != encoder.fingerprint:
        raise mismatch(library, manifest, encoder)
    check_parts(library, manifest)
    try:
        catalogue = Catalogue.open(_part_paths(library, manifest, CATALOGUE))
        ids, vectors = read_vectors(_part_paths(library, manifest, VECTORS), manifest.dimension)
    except (OSError, ValueError) as exc:
        raise damaged(library, "its catalogue and vectors cannot be read") from exc
    records = catalogue.records()
    catalogue.close()
    if [record.id for record in records] != ids.tolist():
        raise damaged(library, "its catalogue and vectors do not fit together")
    finished = {
        record.hash: Encoded(record.hash, record.width, record.height, vector)
        for record, vector in zip(records, vectors, strict=True)
    }
    return _Old(manifest, records, finished, manifest.next_id, _read_sentences(library, manifest))


def _read_sentences(library: Path, manifest: Manifest) -> SentenceIndex | None:
    paths = _part_paths(library, manifest, SENTENCES)
    try:
        return read_sentences(paths[0]) if paths else None
    except (OSError, ValueError) as exc:
        raise damaged(library, f"its part {paths[0].name} cannot be read") from exc


def _remaining_sources(library: Path, manifest: Manifest) -> list[Path]:
    """The sources without the single pictures that were deleted since."""
    try:
        catalogue = Catalogue.open(_part_paths(library, manifest, CATALOGUE))
    except (OSError, ValueError) as exc:
        raise damaged(library, "its catalogue cannot be read") from exc
    sources = [Path(source) for source in manifest.sources]
    remaining = [source for source in sources if source.exists() or catalogue.by_path(source) is None]
    catalogue.close()
    return remaining


def _part_paths(library: Path, manifest: Manifest, folder: str) -> list[Path]:
    return [library / name for name in sorted(manifest.parts) if name.startswith(folder)]


def _make_folder(library: Path) -> bool:
    """Make sure of a folder to write to, and tell whether it is new."""
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


def _none_readable(skipped: Sequence[tuple[Path, str]]) -> SourceMissing:
    path, reason = skipped[0]
    more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
    return SourceMissing("none of the pictures can be read", f"{path}: {reason}{more}")
