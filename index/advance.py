"""From a library's generation to the next: what is compared, read, said and published, under the lock of `build`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from .catalogue import read_rows, schema
from .descriptions import digest_descriptions
from .difference import NewRows, described_anew, identify, number_contents
from .encoder import Encoder
from .engines.engine import NO_CONTENT, Embedded, Engine, Progress
from .errors import LibraryDamaged, LibraryMissing, SourceMissing
from .familiar import strange_share_of_library, to_look_at
from .folder import CATALOGUE, LISTS, discard_strays, part_paths, write_skipped
from .generation import Generation, Skipped, read_generation, read_sentence_part, tried_with
from .index_types import AUTO, type_for
from .lists import Lists, check_agreement, own_lists, unless_own
from .manifest import mismatch, read_manifest
from .memory import check_memory
from .places import place
from .publish import Change, Space, publish
from .records import Manifest
from .said import Said, digest_said, read_said
from .scan import Changes, Scan, compare
from .sentences import SentenceEncoder
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a build was asked for; see `build`."""

    sources: Sequence[Path]
    library: Path
    encoder: Encoder
    sentences: SentenceEncoder | None
    index_type: str | None
    lists: Lists | None
    rebuild: bool
    workers: int | None
    batch_size: int
    max_pixels: int
    max_bytes: int


def advance(asked: Asked, found: Scan, *, engine: Engine, progress: Progress) -> BuildSummary:
    """Bring the library to what was asked for and found, whose list of pictures is emptied.

    Raises:
        As `build`, which holds the lock.
    """
    library, encoder, sentences = asked.library, asked.encoder, asked.sentences
    old = _read_old(asked)
    index_type_before = old.manifest.index_type if old.manifest else AUTO
    lists = _lists_to_write(asked)
    changes = _compared(asked, found, old)
    count = len(found.pictures)
    found.pictures.clear()  # they stand in changes, those to read in a fifth of the memory
    sources = tuple(map(str, asked.sources))
    digests = digest_said(found), digest_descriptions(library)
    said_before = read_sentence_part(library, old.manifest) if old.manifest else None
    same_sentences = (said_before and said_before.fingerprint) == (sentences and sentences.fingerprint)
    same_means = same_sentences and asked.index_type in (None, index_type_before) and lists is None
    work = Work(library, encoder.fingerprint, encoder.dimension)
    if same_means and _is_as_before(old, changes, sources, digests):
        work.clear()  # of a build that was killed after its manifest
        return _leave(library, found, old, changes)
    # Now, and not after days of encoding.
    index_type, made_of = asked.index_type or index_type_before, lists or own_lists(library, old.manifest)
    check_agreement(made_of, index_type)
    check_memory(type_for(count, index_type, made_of and made_of.index_type), count, encoder.dimension)

    contents = old.contents()
    work.load(contents)
    looked_at = to_look_at(sorted([*changes.unchanged, *(file.location for file in changes.to_read)]), encoder)
    embedded = engine.embed(
        changes.to_read,
        encoder=encoder,
        contents=contents,
        work=work,
        workers=asked.workers,
        batch_size=asked.batch_size,
        progress=progress,
        max_pixels=asked.max_pixels,
        max_bytes=asked.max_bytes,
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
        embedded.contents, contents, old.manifest.next_vector_id if old.manifest and not asked.rebuild else 1
    )
    described = _described(library, old, set(changes.unchanged), said, digests)
    change = Change(
        rows=NewRows(changes.to_read, identities, embedded.contents, contents, said, described),
        gone=identities.gone,
        vectors=work.vectors(contents),
        skipped=Skipped(broken, [(str(path), what) for path, what in said.notices], _tried(asked) if broken else ""),
        next_id=identities.next_id,
        next_vector_id=next_vector_id,
        metadata_digest=digests[0],
        descriptions_digest=digests[1],
        strange=strange_share_of_library(looked_at, encoder, embedded.seen),
    )
    try:
        write_skipped(library, [*skipped, *said.notices])
        if not (same_means and _says_the_same(old, change, sources)):
            space = Space(encoder.name, encoder.fingerprint, encoder.dimension)
            publish(
                library,
                old,
                change,
                encoder=space,
                sources=sources,
                sentences=sentences,
                index_type=asked.index_type,
                lists=lists,
            )
        work.clear()
    finally:
        discard_strays(library)
    return BuildSummary(
        identities.indexed, identities.unchanged, identities.moved, len(identities.gone), skipped, said.notices
    )


def _read_old(asked: Asked) -> Generation:
    """The generation to go on from; lists that others were given for may be damaged."""
    try:
        manifest = read_manifest(asked.library)
    except LibraryMissing:
        return Generation(asked.library)
    except LibraryDamaged:
        if asked.rebuild:
            return Generation(asked.library)
        raise
    if asked.rebuild:
        return Generation(asked.library, next_id=manifest.next_id, version=manifest.version)
    if manifest.fingerprint != asked.encoder.fingerprint:
        raise mismatch(asked.library, manifest, asked.encoder)
    return read_generation(asked.library, manifest, ignore=(LISTS,) if asked.lists else ())


def _lists_to_write(asked: Asked) -> Lists | None:
    """The lists that the new generation does not have from the one before it."""
    try:
        manifest = read_manifest(asked.library)
    except (LibraryMissing, LibraryDamaged):
        return asked.lists
    if not asked.rebuild:
        return unless_own(asked.lists, asked.library, manifest)
    if asked.lists is None and manifest.fingerprint == asked.encoder.fingerprint:
        with suppress(LibraryDamaged):  # what is begun anew may be damaged
            return own_lists(asked.library, manifest)
    return asked.lists


def _compared(asked: Asked, found: Scan, old: Generation) -> Changes:
    """What was found against what the library has, and has tried in vain with the same limits."""
    tried = old.skipped.broken if old.skipped.tried == _tried(asked) else []
    return compare(
        found.pictures,
        old.stamps(),
        {path: (size, mtime_ns) for path, size, mtime_ns, _ in tried},
        unread_folders=[folder for folder, _ in found.unread_folders],
    )


def _tried(asked: Asked) -> str:
    return tried_with(asked.max_pixels, asked.max_bytes)


def _described(library: Path, old: Generation, unchanged: set[str], said: Said, digests: tuple[str, str]) -> Any:
    """The rows of unchanged pictures of which something else is said now."""
    if old.manifest is None or digests == _digests(old.manifest):
        return schema().empty_table()
    return described_anew(read_rows(part_paths(library, old.manifest, CATALOGUE)), unchanged, said)


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


def _none_readable(skipped: Sequence[tuple[Path, str]]) -> SourceMissing:
    path, reason = skipped[0]
    more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
    return SourceMissing("none of the pictures can be read", f"{path}: {reason}{more}")
