"""Folders to a library on disk, which changes all at once or not at all; a build that was killed goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from .catalogue import read_rows, schema
from .decode import MAX_BYTES, MAX_PIXELS
from .descriptions import digest_descriptions
from .difference import NewRows, described_anew, identify, number_contents
from .encoder import Encoder, load_encoder
from .engines.engine import BATCH_SIZE, NO_CONTENT, Embedded, Engine, Progress
from .engines.local import LocalEngine
from .errors import LibraryDamaged, LibraryMissing, ListsInvalid, MemoryShort, SourceMissing
from .familiar import strange_share_of_library, to_look_at
from .folder import CATALOGUE, LISTS, discard_strays, make_folder, part_paths, write_skipped
from .generation import Generation, Skipped, read_generation, read_sentence_part, sentences_of, tried_with
from .index_types import AUTO, checked_type, type_for
from .lists import Lists, check_agreement, own_lists, read_lists, unless_own
from .lock import writing
from .manifest import check_parts, mismatch, read_manifest
from .memory import check_memory
from .places import absolute, place
from .publish import Change, Space, no_change, publish, space_of
from .records import Manifest
from .said import digest_said, read_said
from .scan import Changes, Scan, compare, scan
from .sentences import SentenceEncoder, load_sentence_encoder
from .work import Work


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did; indexed + unchanged + moved pictures are in the library now."""

    indexed: int  # new, or with new content
    unchanged: int
    moved: int  # same content under another path: same id
    removed: int  # no longer in the library: gone, or no longer readable
    skipped: list[tuple[Path, str]]  # files and folders that could not be read, with the reason
    notices: list[tuple[Path, str]] = field(default_factory=list)  # what was odd in metadata files


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
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    sentences: SentenceEncoder | None = None,
    index_type: str | None = None,
    lists: Path | None = None,
    engine: Engine | None = None,
    progress: Progress = _no_progress,
) -> BuildSummary:
    """Make library hold exactly the pictures of sources: files, and folders with all that is below them.

    What library holds already is kept (same path, size and time; or same content), unless rebuild starts anew, also
    over a damaged library. Readers see the old pictures until the end. After Ctrl-C, a kill or a full disk the same
    call goes on where this one ended. engine does the work, the threads of this process if None; workers of them
    decode, two more than processors (8 at most) if None. New pictures above max_pixels or max_bytes are skipped. With
    sentences the library also holds sentence vectors of what is said of its pictures, without it none. index_type is
    a name of `index_types`, or auto: the one for so many; if None it stays as it was asked for before. lists is a file
    of `train_lists`, of which every quantised index of the library is made from then on; if None those stay that it
    has, also over rebuild with the same encoder.

    Raises:
        IndexTypeUnknown: no type has this name.
        ListsInvalid: lists is no such file, for another encoder's vectors, or for another type; nothing was read.
        MemoryShort: the index does not fit into the memory that is free; nothing was read.
        SourceMissing: a source is not there, or none holds a picture that can be read.
        LibraryMissing: library is a file, or a folder with other things in it.
        LibraryDamaged, EncoderMismatch: what is there cannot be gone on from; rebuild can.
        LibraryLocked: another build is writing.
        WriteFailed: the disk refused.
    """
    # Before the scan: what stays must not lie scattered among what the scan leaves, which could not be given back.
    import pyarrow.parquet  # noqa: F401

    sources = list(dict.fromkeys(map(absolute, sources)))
    library = Path(os.path.abspath(library))  # noqa: PTH100
    index_type = index_type and checked_type(index_type)
    given = read_lists(lists, encoder.dimension) if lists is not None else None
    found = scan(sources)
    created = make_folder(library)
    with writing(library):
        try:
            return _build(
                sources,
                found,
                library,
                encoder,
                rebuild,
                workers,
                batch_size,
                max_pixels,
                max_bytes,
                sentences,
                index_type,
                given,
                engine or LocalEngine(),
                progress,
            )
        except (SourceMissing, MemoryShort, ListsInvalid):
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
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    sentences: SentenceEncoder | None = None,
    index_type: str | None = None,
    engine: Engine | None = None,
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
        max_pixels=max_pixels,
        max_bytes=max_bytes,
        sentences=sentences,
        index_type=index_type,
        engine=engine,
        progress=progress,
    )


def compact(library: Path, *, index_type: str | None = None) -> int:
    """Write library anew without what is gone from it, and return how many bytes that gave back.

    Raises:
        LibraryMissing, LibraryDamaged, LibraryLocked, WriteFailed: as `build`.
        IndexTypeUnknown, MemoryShort: as `build`.
        ListsInvalid: the library's lists are for another type.
    """
    library = Path(os.path.abspath(library))  # noqa: PTH100
    index_type = index_type and checked_type(index_type)
    read_manifest(library)
    with writing(library):
        manifest = read_manifest(library)
        check_parts(library, manifest)
        old = read_generation(library, manifest)
        try:
            new = publish(
                library,
                old,
                no_change(manifest, old),
                encoder=space_of(manifest),
                sources=manifest.sources,
                whole=True,
                index_type=index_type,
            )
        finally:
            discard_strays(library)
    return sum(manifest.sizes.values()) - sum(new.sizes.values())


def _build(
    sources: Sequence[Path],
    found: Scan,
    library: Path,
    encoder: Encoder,
    rebuild: bool,
    workers: int | None,
    batch_size: int,
    max_pixels: int,
    max_bytes: int,
    sentences: SentenceEncoder | None,
    index_type: str | None,
    given: Lists | None,
    engine: Engine,
    progress: Progress,
) -> BuildSummary:
    old = _read_old(library, encoder, rebuild=rebuild, mended=(LISTS,) if given else ())
    lists = _lists_to_write(library, encoder, given, rebuild=rebuild)
    tried = tried_with(max_pixels, max_bytes)
    tried_before = old.skipped.broken if old.skipped.tried == tried else []
    changes = compare(
        found.pictures,
        old.stamps(),
        {path: (size, mtime_ns) for path, size, mtime_ns, _ in tried_before},
        unread_folders=[folder for folder, _ in found.unread_folders],
    )
    count = len(found.pictures)
    found.pictures.clear()  # they stand in changes, those to read in a fifth of the memory
    names = [str(source) for source in sources]
    digests = digest_said(found), digest_descriptions(library)
    said_before = read_sentence_part(library, old.manifest) if old.manifest else None
    wanted = sentences.fingerprint if sentences else None
    same_sentences = (said_before.fingerprint if said_before else None) == wanted
    work = Work(library, encoder.fingerprint, encoder.dimension)
    index_before = old.manifest.index_type if old.manifest else AUTO
    same_means = same_sentences and index_type in (None, index_before) and lists is None
    if same_means and _is_as_before(old, changes, names, digests):
        work.clear()  # of a build that was killed after its manifest
        return _leave(library, found, old, changes)
    # Now, and not after days of encoding.
    asked, made_of = index_type or index_before, lists or own_lists(library, old.manifest)
    check_agreement(made_of, asked)
    check_memory(type_for(count, asked, made_of and made_of.index_type), count, encoder.dimension)

    contents = old.contents()
    work.load(contents)
    looked_at = to_look_at(sorted([*changes.unchanged, *(file.location for file in changes.to_read)]), encoder)
    embedded = engine.embed(
        changes.to_read,
        encoder=encoder,
        contents=contents,
        work=work,
        workers=workers,
        batch_size=batch_size,
        progress=progress,
        max_pixels=max_pixels,
        max_bytes=max_bytes,
        keep_seen=frozenset(looked_at),
    )
    broken = _broken(old, changes, embedded)
    skipped = _all_skipped(found, broken, embedded)
    if not changes.unchanged and not changes.unseen and max(embedded.contents, default=NO_CONTENT) == NO_CONTENT:
        raise _none_readable(skipped)
    there = chain(changes.to_read, changes.still_broken)
    said = read_said(library, found, chain(changes.unchanged, (file.location for file in there)))
    identities = identify(changes.to_read, embedded.contents, contents, changes, old)
    next_vector_id = number_contents(
        embedded.contents, contents, old.manifest.next_vector_id if old.manifest and not rebuild else 1
    )
    described = schema().empty_table()
    if old.manifest is not None and digests != _digests(old.manifest):
        known = read_rows(part_paths(library, old.manifest, CATALOGUE))
        described = described_anew(known, set(changes.unchanged), said)
    change = Change(
        rows=NewRows(changes.to_read, identities, embedded.contents, contents, said, described),
        gone=identities.gone,
        vectors=work.vectors(contents),
        skipped=Skipped(broken, [(str(path), what) for path, what in said.notices], tried if broken else ""),
        next_id=identities.next_id,
        next_vector_id=next_vector_id,
        metadata_digest=digests[0],
        descriptions_digest=digests[1],
        strange=strange_share_of_library(looked_at, encoder, embedded.seen),
    )
    space = Space(encoder.name, encoder.fingerprint, encoder.dimension)
    try:
        write_skipped(library, [*skipped, *said.notices])
        if not (same_means and _says_the_same(old, change, names)):
            publish(
                library,
                old,
                change,
                encoder=space,
                sources=names,
                sentences=sentences,
                index_type=index_type,
                lists=lists,
            )
        work.clear()
    finally:
        discard_strays(library)
    return BuildSummary(
        identities.indexed, identities.unchanged, identities.moved, len(identities.gone), skipped, said.notices
    )


def _read_old(library: Path, encoder: Encoder, *, rebuild: bool, mended: tuple[str, ...]) -> Generation:
    """The generation to go on from; parts whose names begin as one of mended may be damaged."""
    try:
        manifest = read_manifest(library)
    except LibraryMissing:
        return Generation(library)
    except LibraryDamaged:
        if rebuild:
            return Generation(library)
        raise
    if rebuild:
        return Generation(library, next_id=manifest.next_id, version=manifest.version)
    if manifest.fingerprint != encoder.fingerprint:
        raise mismatch(library, manifest, encoder)
    return read_generation(library, manifest, ignore=mended)


def _lists_to_write(library: Path, encoder: Encoder, given: Lists | None, *, rebuild: bool) -> Lists | None:
    """The lists that the new generation does not have from the one before it."""
    try:
        manifest = read_manifest(library)
    except (LibraryMissing, LibraryDamaged):
        return given
    if not rebuild:
        return unless_own(given, library, manifest)
    if given is None and manifest.fingerprint == encoder.fingerprint:
        with suppress(LibraryDamaged):  # what is begun anew may be damaged
            return own_lists(library, manifest)
    return given


def _is_as_before(old: Generation, changes: Changes, sources: Sequence[str], digests: tuple[str, str]) -> bool:
    """Whether there is nothing to read and nothing to write."""
    return (
        old.manifest is not None
        and not changes.to_read
        and not changes.gone
        and len(changes.still_broken) == len(old.skipped.broken)
        and tuple(sources) == old.manifest.sources
        and digests == _digests(old.manifest)
    )


def _says_the_same(old: Generation, change: Change, sources: Sequence[str]) -> bool:
    """Whether a generation with this change would be the old one: files were read again, and are as they were."""
    return (
        old.manifest is not None
        and not len(change.rows)
        and not change.gone
        and change.skipped == old.skipped
        and tuple(sources) == old.manifest.sources
        and (change.metadata_digest, change.descriptions_digest) == _digests(old.manifest)
    )


def _digests(manifest: Manifest) -> tuple[str, str]:
    return manifest.metadata_digest, manifest.descriptions_digest


def _leave(library: Path, found: Scan, old: Generation, changes: Changes) -> BuildSummary:
    """The summary of a build that found nothing new; only the log may need other lines."""
    skipped = sorted(
        [*found.unread_folders, *found.skipped, *((place(path), reason) for path, _, _, reason in old.skipped.broken)]
    )
    notices = [(place(path), what) for path, what in old.skipped.notices]
    write_skipped(library, [*skipped, *notices])
    discard_strays(library)
    return BuildSummary(0, len(changes.unchanged) + len(changes.unseen), 0, 0, skipped, notices)


def _broken(old: Generation, changes: Changes, embedded: Embedded) -> list[tuple[str, int, int, str]]:
    """The files to remember as broken, by path."""
    reasons = {path: reason for path, _, _, reason in old.skipped.broken}
    broken = [(file, reasons[file.location]) for file in changes.still_broken]
    return sorted((file.location, file.size, file.mtime_ns, reason) for file, reason in (*broken, *embedded.broken))


def _all_skipped(
    found: Scan, broken: Sequence[tuple[str, int, int, str]], embedded: Embedded
) -> list[tuple[Path, str]]:
    read = dict(embedded.skipped)
    still = ((place(path), reason) for path, size, mtime_ns, reason in broken if (path, size, mtime_ns) not in read)
    return sorted([*found.unread_folders, *found.skipped, *still, *((file.path, why) for file, why in read.items())])


def _remaining_sources(library: Path, manifest: Manifest) -> list[Path]:
    """The sources without the single pictures that were deleted since."""
    sources = [place(source) for source in manifest.sources]
    missing = {str(source) for source in sources if not _exists(source)}
    if missing:
        # A folder that is not there stays among them, and is an error.
        missing &= read_generation(library, manifest).stamps().keys()
    return [source for source in sources if str(source) not in missing]


def _exists(source: Path) -> bool:
    try:
        return source.exists()
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise SourceMissing(f"{source} cannot be asked: {reason}", "check the address, and who may read it") from exc


def _none_readable(skipped: Sequence[tuple[Path, str]]) -> SourceMissing:
    path, reason = skipped[0]
    more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
    return SourceMissing("none of the pictures can be read", f"{path}: {reason}{more}")
