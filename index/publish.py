"""A generation of the library onto the disk: its parts beside the old ones, then the manifest, then the old ones go.

What changes is written as new parts beside those that stay: rows for new and changed pictures, tombstones for those
that are gone, vectors for new contents. Parts are compacted as they come: a new part takes in the parts before it that
are no larger than itself, so there are never many, and a row is rewritten once each time its part doubles. When what
was written beside the first part is more than SHARE of the library, everything is written anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .atomic import digest_file, whole_file, write_whole
from .catalogue import concat_tables, each_record, read_rows, schema, tombstones, without
from .duplicates import group, groups_table
from .folder import (
    CATALOGUE,
    DUPLICATES,
    LISTS,
    SENTENCES,
    SKIPPED,
    VECTORS,
    WORDS,
    last_generation,
    part_number,
    part_paths,
)
from .generation import Generation, Skipped, read_sentence_part, skipped_table
from .index_file import writing_index
from .index_types import AUTO
from .lexical import cut_words
from .lists import Lists, check_agreement, copy_lists, own_lists
from .manifest import damaged, write_manifest
from .places import place
from .records import ImageRecord, Manifest
from .sentences import SentenceEncoder, index_sentences
from .vector_files import parquet_bytes, read_chunks, read_vectors, write_vectors

if TYPE_CHECKING:
    import numpy as np

# Up to so many pictures everything is written anew each time: 10,000 x 512 take a third of a second.
WHOLE_UP_TO = 10_000
SHARE = 0.2
_KNOWN = ["id", "vector_id", "perceptual_hash"]


@dataclass(frozen=True, slots=True)
class Space:
    """The encoder that a library's vectors come from."""

    name: str
    fingerprint: str
    dimension: int


class Rows(Protocol):
    """Rows of the catalogue, which need not be in memory all at once."""

    def __len__(self) -> int: ...

    def known(self) -> Any:
        """An Arrow table of their id, vector_id and perceptual_hash."""
        ...

    def tables(self) -> Iterator[Any]:
        """The rows as Arrow tables, each time anew; by id where no generation stands before them."""
        ...


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows that are there already."""

    table: Any  # Arrow table of the catalogue

    def __len__(self) -> int:
        return len(self.table)

    def known(self) -> Any:
        """See Rows."""
        return self.table.select(_KNOWN)

    def tables(self) -> Iterator[Any]:
        """See Rows."""
        yield self.table


@dataclass(frozen=True, slots=True)
class Change:
    """What a generation has that the one before it has not."""

    rows: Rows  # of new pictures, and new ones of old pictures
    gone: Sequence[int] = ()
    vectors: Iterator[tuple[np.ndarray, np.ndarray]] = field(default_factory=lambda: iter(()))  # of new contents, by id
    skipped: Skipped = field(default_factory=Skipped)
    next_id: int = 1
    next_vector_id: int = 1
    metadata_digest: str = ""
    descriptions_digest: str = ""
    strange: float = 0.0  # share of its pictures that is out of the embedded encoder's world


def space_of(manifest: Manifest) -> Space:
    """Where the vectors of a library come from."""
    return Space(manifest.encoder, manifest.fingerprint, manifest.dimension)


def no_change(manifest: Manifest, old: Generation) -> Change:
    """A generation with the same pictures, of which the same is said."""
    return Change(
        rows=TableRows(schema().empty_table()),
        skipped=old.skipped,
        next_id=manifest.next_id,
        next_vector_id=manifest.next_vector_id,
        metadata_digest=manifest.metadata_digest,
        descriptions_digest=manifest.descriptions_digest,
        strange=manifest.strange,
    )


class _Parts:
    """The parts of the generation that is being written: those that stay, and those that are written for it."""

    def __init__(
        self,
        library: Path,
        number: int,
        old: Manifest | None,
        taken_in: Collection[int],
        *,
        same_sentences: bool,
        same_lists: bool,
    ) -> None:
        self._library = library
        self._number = number
        self.digests: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        for name in old.parts if old else ():
            # Duplicates and skipped files are few, and written each time; sentences and lists stand in one part.
            stays = part_number(name) not in taken_in
            if name.startswith(SENTENCES):
                stays = same_sentences
            elif name.startswith(LISTS):
                stays = same_lists
            if old and stays and not name.startswith((DUPLICATES, SKIPPED)):
                self.add(name, old.parts[name], old.sizes[name])

    def add(self, name: str, digest: str, size: int) -> None:
        self.digests[name] = digest
        self.sizes[name] = size

    def paths(self, kind: str) -> list[Path]:
        return [self._library / name for name in sorted(self.digests) if name.startswith(kind)]

    def write_table(self, kind: str, table: Any) -> None:
        self.write_bytes(kind, parquet_bytes(table))

    def write_bytes(self, kind: str, data: bytes) -> None:
        name = self._name(kind)
        self.add(name, write_whole(self._library / name, data), len(data))

    def write_rows(self, tables: Iterable[Any]) -> Iterator[ImageRecord]:
        """Write the catalogue's part piece by piece, and give the records on as they pass."""
        import pyarrow.parquet as pq

        name = self._name(CATALOGUE)
        with (
            whole_file(self._library / name) as file,
            pq.ParquetWriter(file, schema(), compression="zstd") as writer,
        ):
            for table in tables:
                if len(table):  # an empty one would be a group of rows of its own
                    writer.write_table(table)
                yield from each_record(table)
        self.add(name, file.sha256, file.size)

    def _name(self, kind: str) -> str:
        return f"{kind}{self._number:06d}.parquet"

    def write_vectors(self, chunks: Iterator[tuple[np.ndarray, np.ndarray]], dimension: int) -> None:
        for part in write_vectors(self._library, f"{VECTORS}{self._number:06d}", chunks, dimension):
            self.add(*part)

    def write_lists(self, lists: Lists) -> Lists:
        name = f"{LISTS}{self._number:06d}.faiss"
        own, size = copy_lists(lists, self._library / name)
        self.add(name, own.sha256, size)
        return own

    def write_indexed_vectors(
        self,
        chunks: Iterator[tuple[np.ndarray, np.ndarray]],
        dimension: int,
        count: int,
        asked: str,
        lists: Lists | None,
    ) -> None:
        """Write the vectors, and the index of these count, of the type that is asked for, of lists if any."""

        def indexed() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for ids, vectors in chunks:
                index.add(ids, vectors)
                yield ids, vectors

        with writing_index(self._library, self._number, dimension, count, asked, lists) as index:
            self.write_vectors(indexed(), dimension)
        for part in index.parts:
            self.add(*part)


def publish(
    library: Path,
    old: Generation,
    change: Change,
    *,
    encoder: Space,
    sources: Sequence[str],
    sentences: SentenceEncoder | None = None,
    whole: bool = False,
    index_type: str | None = None,
    lists: Lists | None = None,
) -> Manifest:
    """Write the next generation; the manifest is replaced last.

    sentences encodes what is said of the pictures; without it the library gets no sentence vectors. whole writes the
    same pictures anew, all in one part; words and sentences stay. index_type is a name of `index_types` or auto, and
    the library's own if None; another one than it has writes everything anew. So do lists, which the library keeps
    from then on in place of those that it has.

    Raises:
        WriteFailed, MemoryShort: the old generation stands.
        ListsInvalid: so it does; the lists are for another type than is asked for.
        LibraryDamaged: so it does; a part that was to be rewritten is not what the manifest says.
    """
    import numpy as np

    number = last_generation(library) + 1
    live = _live(old, change)
    vector_ids = live["vector_id"].to_numpy()
    wanted = np.unique(vector_ids)
    has = old.manifest.index_type if old.manifest else AUTO
    asked = index_type or has
    renamed = old.manifest is not None and _folders_renamed(old.manifest.sources, sources)
    all_anew = whole or renamed or asked != has or lists is not None
    taken_in = _taken_in(library, old, len(change.rows) + len(change.gone), len(live), whole=all_anew)
    parts = _Parts(library, number, old.manifest, taken_in, same_sentences=whole, same_lists=lists is None)
    first = not parts.paths(CATALOGUE)

    # The index of the vectors takes the most memory, so the rows are made when it is gone again.
    chunks = _merged_vectors(library, old, change, taken_in, wanted, encoder.dimension)
    if first:
        made_of = lists or own_lists(library, old.manifest)
        check_agreement(made_of, asked)
        if lists is not None:
            made_of = parts.write_lists(lists)
        parts.write_indexed_vectors(chunks, encoder.dimension, len(wanted), asked, made_of)
    else:
        parts.write_vectors(chunks, encoder.dimension)
    if len(change.rows) or len(change.gone) or first or taken_in:
        records = parts.write_rows(_merged_rows(library, old, change, taken_in, first=first))
        parts.write_bytes(WORDS, cut_words(records, list(map(place, sources))).to_bytes())
    groups = group(
        live["id"].to_numpy(),
        vector_ids,
        live["perceptual_hash"].to_numpy().tolist(),
        before=old.groups,
        known_below=old.manifest.next_vector_id if old.manifest else 0,
        vectors=lambda ids: _vectors_of(parts.paths(VECTORS), ids, encoder.dimension),
    )
    for kind, table in ((DUPLICATES, groups_table(groups)), (SKIPPED, skipped_table(change.skipped))):
        if len(table):
            parts.write_table(kind, table)
    if sentences is not None and not whole:
        before = read_sentence_part(library, old.manifest) if old.manifest else None
        records = list(each_record(read_rows(parts.paths(CATALOGUE))))
        parts.write_bytes(SENTENCES, index_sentences(records, sentences, before).to_bytes())
    manifest = Manifest(
        version=old.version,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        dimension=encoder.dimension,
        count=len(live),
        generation=number,
        sources=tuple(sources),
        parts=parts.digests,
        next_id=change.next_id,
        next_vector_id=change.next_vector_id,
        sizes=parts.sizes,
        metadata_digest=change.metadata_digest,
        descriptions_digest=change.descriptions_digest,
        strange=change.strange,
        index_type=asked,
    )
    write_manifest(library, manifest)
    return manifest


def _folders_renamed(before: Sequence[str], now: Sequence[str]) -> bool:
    """Whether pictures that stay may lie in other folders below their source, whose names are words of theirs.

    That is so where a source that came or went lies in another one, or another one in it.
    """
    changed = {place(source) for source in set(before) ^ set(now)}
    every = {place(source) for source in (*before, *now)} if changed else set()
    return any(not changed.isdisjoint(source.parents) for source in every) or any(
        not every.isdisjoint(source.parents) for source in changed
    )


def _live(old: Generation, change: Change) -> Any:
    """id, vector_id and perceptual_hash of every picture of the new generation, by id."""
    rows = change.rows.known()
    if len(old):
        rows = concat_tables([without(old.rows.select(_KNOWN), change.gone, rows["id"]), rows])
    return rows.sort_by("id").combine_chunks()


def _taken_in(library: Path, old: Generation, new: int, live: int, *, whole: bool) -> set[int]:
    """The numbers of the generations whose parts the new one takes in."""
    if old.manifest is None:
        return set()
    import pyarrow.parquet as pq

    counts = {
        part_number(path.relative_to(library).as_posix()): pq.read_metadata(path).num_rows
        for path in part_paths(library, old.manifest, CATALOGUE)
    }
    base = min(counts)
    beside = sum(count for number, count in counts.items() if number != base) + new
    if whole or live <= WHOLE_UP_TO or beside > SHARE * live:
        return {part_number(name) for name in old.manifest.parts}
    taken_in: set[int] = set()
    for number in sorted(counts.keys() - {base}, reverse=True):
        if counts[number] > new:
            break
        taken_in.add(number)
        new += counts[number]
    return taken_in


def _merged_rows(
    library: Path, old: Generation, change: Change, taken_in: Collection[int], *, first: bool
) -> Iterator[Any]:
    """The rows of the new part, by id: what changed, and what still counts of the parts that it takes in."""
    if old.manifest is None:
        yield from change.rows.tables()
        return
    tables = list(change.rows.tables())
    if not first:
        tables.append(tombstones(change.gone))
    if taken_in:
        names = [name for name in old.manifest.parts if name.startswith(CATALOGUE) and part_number(name) in taken_in]
        paths = [library / name for name in sorted(names)]
        tables.insert(0, without(read_rows(paths, tombstones=not first), change.gone, change.rows.known()["id"]))
    yield concat_tables(tables).sort_by("id")


def _merged_vectors(
    library: Path, old: Generation, change: Change, taken_in: Collection[int], wanted: np.ndarray, dimension: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Vectors of the parts that are taken in, as far as a picture still has them, and the new ones."""
    import numpy as np

    if old.manifest is not None:
        for name in sorted(old.manifest.parts):
            if not name.startswith(VECTORS) or part_number(name) not in taken_in:
                continue
            try:
                # What is wrong with a part must not get a new digest.
                if digest_file(library / name) != old.manifest.parts[name]:
                    raise damaged(library, f"its part {name} was changed or cut short")
                for ids, vectors in read_chunks([library / name], dimension):
                    still = np.isin(ids, wanted)
                    yield ids[still], vectors[still]
            except (OSError, ValueError) as exc:
                raise damaged(library, f"its part {name} is missing or cannot be read") from exc
    known_below = old.manifest.next_vector_id if old.manifest else 0
    for ids, vectors in change.vectors:
        # A build that was killed after it had published left work behind whose vectors are here already.
        new = np.isin(ids, wanted) & (ids >= known_below)
        yield ids[new], vectors[new]


def _vectors_of(paths: Sequence[Path], ids: np.ndarray, dimension: int) -> np.ndarray:
    """The vectors (k, d) with these ids, ascending."""
    import numpy as np

    found, vectors = read_vectors(paths, dimension, ids)
    order = np.argsort(found)
    assert np.array_equal(found[order], ids)
    return vectors[order]
