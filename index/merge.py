"""Several libraries of one encoder to one: no picture is opened, decoded or encoded.

To a merge the libraries are what files are to a build: what they know of a path stands for its file, their vectors for
the encoder. So ids, copies and changes come out as they do of a build of all their sources, and a merge that is done
again writes what changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .advance import BuildSummary
from .catalogue import concat_tables, each_record, read_rows, rows_of, schema
from .descriptions import Descriptions, digest_descriptions, fill, journal, read_descriptions
from .difference import identify, number_contents
from .engines.engine import Progress
from .errors import EncoderMismatch, LibraryMissing, MemoryShort
from .folder import CATALOGUE, VECTORS, discard_strays, make_folder, part_paths
from .generation import Generation, Skipped, read_generation, read_sentence_part
from .index_types import AUTO, QUANTISED, checked_type, type_for
from .lists import Lists, check_agreement, own_digest, own_lists, unless_own
from .lock import writing
from .manifest import check_parts, damaged, read_manifest
from .memory import check_memory
from .publish import Change, TableRows, publish, space_of
from .records import ImageRecord, Manifest
from .scan import Changes, Files, Found, compare
from .sentences import SentenceEncoder, load_sentence_encoder
from .vector_files import read_chunks
from .work import Contents

if TYPE_CHECKING:
    import numpy as np

_ROWS_AT_A_TIME = 4096  # as objects


@dataclass(frozen=True, slots=True)
class _Shard:
    """A library that is taken in."""

    folder: Path
    manifest: Manifest
    generation: Generation


def merge(
    libraries: Sequence[Path],
    library: Path,
    *,
    index_type: str | None = None,
    load_sentences: Callable[[str], SentenceEncoder] = load_sentence_encoder,
    progress: Progress = lambda done, total: None,
) -> BuildSummary:
    """Make library hold exactly the pictures of libraries, which stay as they are; it may be one of them.

    Every picture gets an id of library's own, and keeps it in later merges. Pictures with the same content share a
    vector; of a path that several libraries have, the one whose file is the newer counts, else the one named first.
    Groups of duplicates are found among all. The index is made anew from the vectors; where all libraries have the
    same lists it is made of them and nothing is learnt, for lists that each learnt from its own pictures are not the
    same lists. progress is told of vectors. Sentence vectors are taken over; a text
    that is in none of the libraries, where a model's words came from another one, is encoded by what load_sentences
    makes of the encoder's name. As in a build, readers see the old pictures until the end, and after a kill or a full
    disk the same call does it.

    Raises:
        EncoderMismatch: the libraries, or library as it is, have different encoders or sentence encoders.
        LibraryMissing, LibraryDamaged: one of libraries is not there, or not whole; library holds other things.
        LibraryLocked, WriteFailed, IndexTypeUnknown, MemoryShort: as `build`.
        ListsInvalid: library's own lists are for another type.
    """
    library = Path(os.path.abspath(library))  # noqa: PTH100
    index_type = index_type and checked_type(index_type)
    shards = [_read(Path(os.path.abspath(folder))) for folder in dict.fromkeys(libraries)]  # noqa: PTH100
    _check_alike(shards)
    created = make_folder(library)
    with writing(library):
        try:
            return _merge(shards, library, index_type, load_sentences, progress)
        except (MemoryShort, EncoderMismatch):
            if created:
                shutil.rmtree(library, ignore_errors=True)
            raise


def _read(folder: Path) -> _Shard:
    manifest = read_manifest(folder)
    generation = read_generation(folder, manifest)
    # What is wrong with a part must not get a new digest.
    check_parts(folder, manifest, digest=lambda name: name.startswith(VECTORS))
    return _Shard(folder, manifest, generation)


def _check_alike(shards: Sequence[_Shard]) -> None:
    first = shards[0]
    said = [read_sentence_part(shard.folder, shard.manifest) for shard in shards]
    for shard, sentences in zip(shards, said, strict=True):
        if shard.manifest.fingerprint != first.manifest.fingerprint:
            raise EncoderMismatch(
                f"the libraries {first.folder} and {shard.folder} were built with different encoders "
                f"({first.manifest.encoder} and {shard.manifest.encoder})",
                f"`limner index build SOURCE --library {shard.folder} --encoder {first.manifest.encoder} --rebuild`"
                " makes them alike",
            )
        if (sentences and sentences.fingerprint) != (said[0] and said[0].fingerprint):
            raise EncoderMismatch(
                f"the libraries {first.folder} and {shard.folder} have different sentence vectors, or one has none",
                "build both with the same --sentences",
            )


def _merge(
    shards: Sequence[_Shard],
    library: Path,
    index_type: str | None,
    load_sentences: Callable[[str], SentenceEncoder],
    progress: Progress,
) -> BuildSummary:
    manifest = shards[0].manifest
    old = _read_old(library, shards[0])
    if old.manifest is None:
        old = replace(old, version=min(shard.manifest.version for shard in shards))
    descriptions = _descriptions(shards, library)
    table = _described(_united([_rows(shard) for shard in shards]), descriptions)
    types = {shard.manifest.index_type for shard in shards}
    asked = index_type or (old.manifest.index_type if old.manifest else types.pop() if len(types) == 1 else AUTO)
    shared = _shared_lists(shards, asked)
    made_of = shared or own_lists(library, old.manifest)
    check_agreement(made_of, asked)
    check_memory(type_for(len(table), asked, made_of and made_of.index_type), len(table), manifest.dimension)

    hashes = table["hash"].to_pylist()
    row_of = {path: row for row, path in enumerate(table["path"].to_pylist())}
    changes = _changes(table, row_of, hashes, old)
    contents = old.contents()
    for row in zip(*(table[name].to_pylist() for name in _OF_CONTENT), strict=True):
        contents.add(*row)
    rows = [row_of[file.location] for file in changes.to_read]
    contents_of = array("q", (contents.find(hashes[row]) or 0 for row in rows))
    identities = identify(changes.to_read, contents_of, contents, changes, old)
    next_vector_id = number_contents(contents_of, contents, old.manifest.next_vector_id if old.manifest else 1)
    vector_ids = [contents.vector_ids[number] for number in contents_of]
    changed = [_numbered(table.take(rows), identities.ids, vector_ids)] if rows else []
    change = Change(
        rows=TableRows(concat_tables([schema().empty_table(), *changed, _told_anew(table, row_of, changes, old)])),
        gone=identities.gone,
        vectors=_vectors(shards, contents, progress),
        skipped=_skipped(shards, row_of),
        next_id=identities.next_id,
        next_vector_id=next_vector_id,
        metadata_digest="",  # the next update reads the side files of all
        descriptions_digest=digest_descriptions(library),
        strange=_share(shards),
    )
    try:
        publish(
            library,
            old,
            change,
            encoder=space_of(manifest),
            sources=list(dict.fromkeys(source for shard in shards for source in shard.manifest.sources)),
            sentences=_known_sentences(shards, load_sentences),
            index_type=asked,
            lists=unless_own(shared, library, old.manifest),
        )
    finally:
        discard_strays(library)
    return BuildSummary(identities.indexed, identities.unchanged, identities.moved, len(identities.gone), [])


_OF_CONTENT = ("hash", "width", "height", "perceptual_hash", "embedded")


def _read_old(library: Path, shard: _Shard) -> Generation:
    try:
        manifest = read_manifest(library)
    except LibraryMissing:
        return Generation(library)
    if manifest.fingerprint != shard.manifest.fingerprint:
        raise EncoderMismatch(
            f"the library {library} was built with {manifest.encoder}, {shard.folder} with {shard.manifest.encoder}",
            "name a folder that is new or empty",
        )
    return read_generation(library, manifest)


def _shared_lists(shards: Sequence[_Shard], asked: str) -> Lists | None:
    """The lists that all have, unless an index of another type is asked for."""
    if len({own_digest(shard.manifest) for shard in shards}) > 1:
        return None
    lists = own_lists(shards[0].folder, shards[0].manifest)
    return None if lists and asked in QUANTISED and asked != lists.index_type else lists


def _rows(shard: _Shard) -> Any:
    try:
        return read_rows(part_paths(shard.folder, shard.manifest, CATALOGUE))
    except (OSError, ValueError) as exc:
        raise damaged(shard.folder, "its catalogue cannot be read") from exc


def _united(tables: Sequence[Any]) -> Any:
    """The rows of all, by path, one of each."""
    table = concat_tables(tables)
    times = table["mtime_ns"].to_pylist()
    best: dict[str, int] = {}
    for row, path in enumerate(table["path"].to_pylist()):
        before = best.setdefault(path, row)
        if times[row] > times[before]:
            best[path] = row
    return table.take([best[path] for path in sorted(best)])


def _descriptions(shards: Sequence[_Shard], library: Path) -> Descriptions:
    """What models wrote of any picture, the first library's words before others'; library's file has them all then."""
    known = read_descriptions(library)
    new: Descriptions = {}
    for shard in shards:
        for digest, words in read_descriptions(shard.folder).items():
            if digest not in known:
                new.setdefault(digest, words)
    if new:
        with journal(library) as kept:
            for digest, (model, text) in new.items():
                kept.add(digest, model, text)
    return known | new


def _described(table: Any, descriptions: Descriptions) -> Any:
    """The rows with a model's words wherever people left room: a content has the same ones in all libraries."""
    if not descriptions:
        return table
    return _table(_without_words(record, descriptions) for record in each_record(table))


def _without_words(record: ImageRecord, descriptions: Descriptions) -> ImageRecord:
    empty: Mapping[str, Any] = dict.fromkeys(record.described, "")
    return fill(replace(record, **empty, described_by="", described=()), descriptions)


def _changes(table: Any, row_of: Mapping[str, int], hashes: Sequence[str], old: Generation) -> Changes:
    """As of a scan; a library may know that a file has another content than one with the same time had."""
    stamps = zip(table["size"].to_pylist(), table["mtime_ns"].to_pylist(), strict=True)
    changes = compare(dict(zip(row_of, stamps, strict=True)), old.stamps(), {}, unread_folders=())
    before = dict(zip(old.column("path"), old.column("hash"), strict=True)) if changes.unchanged else {}
    other = {path for path in changes.unchanged if hashes[row_of[path]] != before[path]}
    if not other:
        return changes
    sizes, times = table["size"].to_pylist(), table["mtime_ns"].to_pylist()
    again = [Found(path, sizes[row_of[path]], times[row_of[path]]) for path in other]
    unchanged = [path for path in changes.unchanged if path not in other]
    return replace(changes, unchanged=unchanged, to_read=Files(sorted([*changes.to_read, *again])))


def _numbered(rows: Any, ids: Sequence[int], vector_ids: Sequence[int]) -> Any:
    import pyarrow as pa

    for name, values in (("id", ids), ("vector_id", vector_ids)):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values, pa.int64()))
    return rows


def _told_anew(table: Any, row_of: Mapping[str, int], changes: Changes, old: Generation) -> Any:
    """Rows of unchanged pictures of which something else is said now."""
    if old.manifest is None or not changes.unchanged:
        return schema().empty_table()
    known = read_rows(part_paths(old.library, old.manifest, CATALOGUE))
    place_of = {path: place for place, path in enumerate(known["path"].to_pylist())}
    before = known.take([place_of[path] for path in changes.unchanged])
    now = table.take([row_of[path] for path in changes.unchanged])
    now = _numbered(now, before["id"].to_pylist(), before["vector_id"].to_pylist())
    return _table(new for new, was in zip(each_record(now), each_record(before), strict=True) if new != was)


def _table(records: Iterable[ImageRecord]) -> Any:
    tables = [schema().empty_table()]
    some: list[ImageRecord] = []
    for record in records:
        some.append(record)
        if len(some) == _ROWS_AT_A_TIME:
            tables.append(rows_of(some))
            some.clear()
    return concat_tables([*tables, rows_of(some)])


def _vectors(
    shards: Sequence[_Shard], contents: Contents, progress: Progress
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The vectors of contents under their new ids, (k,) int64 and (k, d) float16, each once."""
    import numpy as np

    given = np.zeros(max(contents.vector_ids, default=0) + 1, bool)
    given[0] = True  # of contents that no picture has any more
    done, total = 0, sum(len(set(shard.generation.column("vector_id"))) for shard in shards)
    for shard in shards:
        own, first = np.unique(np.array(shard.generation.column("vector_id"), np.int64), return_index=True)
        hashes = shard.generation.column("hash")
        numbers = [contents.find(hashes[row]) for row in first]
        new = np.array([0 if number is None else contents.vector_ids[number] for number in numbers], np.int64)
        try:
            for ids, vectors in read_chunks(
                part_paths(shard.folder, shard.manifest, VECTORS), shard.manifest.dimension
            ):
                places = np.searchsorted(own, ids).clip(max=len(own) - 1)
                becomes = np.where(own[places] == ids, new[places], 0)
                wanted = ~given[becomes]
                given[becomes] = True
                done += int(np.count_nonzero(own[places] == ids))
                yield becomes[wanted], vectors[wanted]
                progress(done, total)
        except (OSError, ValueError) as exc:
            raise damaged(shard.folder, "its vectors cannot be read") from exc


def _skipped(shards: Sequence[_Shard], row_of: Mapping[str, int]) -> Skipped:
    """The files that no library could read; where they were tried by other means, the next update tries them again."""
    every = [shard.generation.skipped for shard in shards]
    broken = {row[0]: row for skipped in every for row in skipped.broken if row[0] not in row_of}
    tried = {skipped.tried for skipped in every if skipped.broken}
    notices = list(dict.fromkeys(notice for skipped in every for notice in skipped.notices))
    return Skipped(sorted(broken.values()), notices, tried.pop() if len(tried) == 1 and broken else "")


def _share(shards: Sequence[_Shard]) -> float:
    total = sum(shard.manifest.count for shard in shards)
    return sum(shard.manifest.strange * shard.manifest.count for shard in shards) / max(1, total)


def _known_sentences(shards: Sequence[_Shard], load: Callable[[str], SentenceEncoder]) -> _KnownSentences | None:
    known: dict[str, np.ndarray] = {}
    sentences = None
    for shard in shards:
        sentences = read_sentence_part(shard.folder, shard.manifest)
        if sentences is None:
            return None
        known |= zip(sentences.digests, sentences.vectors, strict=True)
    assert sentences is not None
    return _KnownSentences(sentences.encoder, sentences.fingerprint, sentences.vectors.shape[1], known, load)


@dataclass(slots=True)
class _KnownSentences:
    """The sentence encoder of libraries whose texts are encoded already; it is loaded for a text that is not."""

    name: str
    fingerprint: str
    dimension: int
    _known: Mapping[str, np.ndarray] = field(repr=False)  # by the digest of the text, (d,) float16
    _load: Callable[[str], SentenceEncoder] = field(repr=False)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """See SentenceEncoder."""
        import numpy as np

        digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        new = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in self._known}
        encoded: dict[str, np.ndarray] = {}
        if new:
            encoder = self._load(self.name)
            if encoder.fingerprint != self.fingerprint:
                raise EncoderMismatch(
                    f"the libraries' sentence vectors were made with other weights than {self.name} has here",
                    "put the same sentence encoder on this machine",
                )
            encoded = dict(zip(new, encoder.encode(list(new.values())), strict=True))
        rows = [encoded[digest] if digest in encoded else self._known[digest] for digest in digests]
        return np.array(rows, np.float32).reshape(-1, self.dimension)
