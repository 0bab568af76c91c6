"""What a build changes: which picture has which id now, and the rows that the catalogue gets for it."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .catalogue import concat_tables, each_record, rows_of, schema
from .engines.engine import NO_CONTENT
from .generation import Generation
from .records import ImageRecord
from .said import Said
from .scan import Changes, Found
from .work import Contents

_ROWS_AT_A_TIME = 4096  # as objects; a million of them would take a gigabyte


@dataclass(frozen=True, slots=True)
class Identities:
    """Which pictures the library has after a build, beside those that stayed as they were."""

    ids: array[int]  # of the files that were read; 0 for those that are no picture
    gone: list[int]  # ids that the library has no more
    indexed: int
    unchanged: int
    moved: int
    next_id: int


def identify(
    files: Sequence[Found], contents_of: Sequence[int], contents: Contents, changes: Changes, old: Generation
) -> Identities:
    """Give every file that was read its id.

    A content that left its path, because the path is gone or holds another content now, takes its id along to where it
    is; a path whose content changed keeps its id if the old content did not take it.
    """
    at = {path: row for row, path in enumerate(old.column("path"))}
    old_ids, old_hashes = old.column("id"), old.column("hash")
    ids = array("q", bytes(8 * len(files)))
    left: dict[str, list[int]] = defaultdict(list)  # hash to the ids that it left, in their order
    here: set[int] = {old_ids[at[path]] for path in (*changes.unchanged, *changes.unseen)}
    unchanged = len(here)
    for path in changes.gone:
        left[old_hashes[at[path]]].append(old_ids[at[path]])
    for number, (file, content) in enumerate(zip(files, contents_of, strict=True)):
        row = at.get(file.location)
        if row is None:
            continue
        if content != NO_CONTENT and contents.hash(content) == old_hashes[row]:
            ids[number] = old_ids[row]
            unchanged += 1
        else:
            left[old_hashes[row]].append(old_ids[row])
    for file in changes.still_broken:
        row = at.get(file.location)
        if row is not None:
            left[old_hashes[row]].append(old_ids[row])
    here.update(ids)
    moved = 0
    for waiting in left.values():
        waiting.sort(reverse=True)
    for number, content in enumerate(contents_of if left else ()):
        if content != NO_CONTENT and not ids[number] and (waiting := left.get(contents.hash(content))):
            ids[number] = waiting.pop()
            moved += 1
    here.update(ids)
    indexed, next_id = 0, old.next_id
    for number, content in enumerate(contents_of):
        if content == NO_CONTENT or ids[number]:
            continue
        row = at.get(files[number].location)
        if row is not None and old_ids[row] not in here:
            ids[number] = old_ids[row]
        else:
            ids[number] = next_id
            next_id += 1
        indexed += 1
    here.update(ids)
    gone = [image_id for image_id in old_ids if image_id not in here]
    return Identities(ids, gone, indexed, unchanged, moved, next_id)


def number_contents(contents_of: Sequence[int], contents: Contents, next_vector_id: int) -> int:
    """Give every content that a file has and that has no vector id the next one; return the one after."""
    for content in contents_of:
        if content != NO_CONTENT and not contents.vector_ids[content]:
            contents.vector_ids[content] = next_vector_id
            next_vector_id += 1
    return next_vector_id


@dataclass(frozen=True, slots=True)
class NewRows:
    """The catalogue's rows of the files that were read; see `publish.Rows`."""

    files: Sequence[Found]
    identities: Identities
    contents_of: Sequence[int]
    contents: Contents
    said: Said
    described: Any  # Arrow table: rows of unchanged pictures of which something else is said now

    def __len__(self) -> int:
        return sum(number != NO_CONTENT for number in self.contents_of) + len(self.described)

    def known(self) -> Any:
        """See Rows."""
        import numpy as np
        import pyarrow as pa

        numbers = np.array(self.contents_of, np.int64)
        ids = np.array(self.identities.ids, np.int64)[numbers != NO_CONTENT]
        numbers = numbers[numbers != NO_CONTENT]
        new = pa.table(
            {
                "id": ids,
                "vector_id": np.array(self.contents.vector_ids, np.int64)[numbers],
                "perceptual_hash": pa.array(map(self.contents.perceptual_hash, numbers.tolist()), pa.string()),
            }
        )
        return concat_tables([new, self.described.select(new.column_names)])

    def tables(self) -> Iterator[Any]:
        """See Rows."""
        yield from _tables(self._records())
        yield self.described

    def _records(self) -> Iterator[ImageRecord]:
        for file, image_id, number in zip(self.files, self.identities.ids, self.contents_of, strict=True):
            if number == NO_CONTENT:
                continue
            content = self.contents[number]
            record = ImageRecord(
                image_id,
                file.path,
                file.size,
                file.mtime_ns,
                content.hash,
                width=content.width,
                height=content.height,
                embedded=content.embedded,
                perceptual_hash=content.perceptual_hash,
                vector_id=content.vector_id,
            )
            yield self.said.told(record)


def described_anew(rows: Any, unchanged: set[str], said: Said) -> Any:
    """Those rows of unchanged pictures of which something else is said now."""
    return concat_tables([schema().empty_table(), *_tables(_redescribed(rows, unchanged, said))])


def _redescribed(rows: Any, unchanged: set[str], said: Said) -> Iterator[ImageRecord]:
    for record in each_record(rows):
        if str(record.path) in unchanged:
            described = said.told(record)
            if described != record:
                yield described


def _tables(records: Iterator[ImageRecord]) -> Iterator[Any]:
    while chunk := list(islice(records, _ROWS_AT_A_TIME)):
        yield rows_of(chunk)
