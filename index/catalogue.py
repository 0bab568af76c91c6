"""All SQL: the records of a library, in Parquet on disk and in DuckDB's memory while they are read.

A catalogue is one file or several. A row counts unless a later file has a row of the same id; a row whose `status` is
`gone` is a tombstone and says that the picture of this id is no longer there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import FilterInvalid
from .places import place
from .records import ImageRecord
from .where import check_condition, check_length

# One a field of ImageRecord, in its order, with its Arrow type.
_COLUMNS = {
    "id": "int64",
    "path": "string",
    "size": "int64",
    "mtime_ns": "int64",
    "hash": "string",
    "width": "int32",
    "height": "int32",
    "title": "string",
    "caption": "string",
    "alt": "string",
    "keywords": "list",  # of strings
    "creator": "string",
    "licence": "string",
    "licence_url": "string",
    "credit": "string",
    "taken_at": "timestamp[us]",
    "latitude": "double",
    "longitude": "double",
    "described_by": "string",
    "described": "list",
    "embedded": "string",
    "perceptual_hash": "string",
    "vector_id": "int64",
}
STATUS = "status"
HERE, GONE = "here", "gone"
ALL = (*_COLUMNS, STATUS)
_ROWS_AT_A_TIME = 4096
# From here on the connection knows its records and nothing else; the last one keeps it so.
_LOCKED = (
    "autoinstall_known_extensions = false",
    "autoload_known_extensions = false",
    "python_enable_replacements = false",
    "enable_external_access = false",
    "lock_configuration = true",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM records"


class Catalogue:
    """The records of one generation; needs its file no more once it is open, and may be read from several threads."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, paths: Sequence[Path]) -> Catalogue:
        """Read the catalogue's files, older ones first.

        Raises:
            OSError: a file is not there.
            ValueError: a file is not a catalogue.
        """
        import duckdb

        rows = read_rows(paths)
        connection = duckdb.connect(":memory:")
        connection.register("rows", rows)
        connection.execute(f"CREATE TABLE records AS SELECT {', '.join(_COLUMNS)} FROM rows")
        connection.unregister("rows")
        for setting in _LOCKED:
            connection.execute(f"SET {setting}")
        return cls(connection)

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def __len__(self) -> int:
        return self._rows("SELECT count(*) FROM records")[0][0]

    def records(self) -> list[ImageRecord]:
        """All records, by id."""
        return _to_records(self._rows(f"{_SELECT} ORDER BY id"))

    def by_ids(self, ids: Collection[int]) -> dict[int, ImageRecord]:
        """The records of these ids; an unknown id is left out."""
        rows = self._rows(f"{_SELECT} WHERE id IN (SELECT unnest(?::BIGINT[]))", [list(ids)])
        return {record.id: record for record in _to_records(rows)}

    def by_path(self, path: Path) -> ImageRecord | None:
        """The record of a picture's absolute path."""
        found = _to_records(self._rows(f"{_SELECT} WHERE path = ?", [str(path)]))
        return found[0] if found else None

    def by_hash(self, digest: str) -> list[ImageRecord]:
        """The pictures whose files have this SHA-256, by id."""
        return _to_records(self._rows(f"{_SELECT} WHERE hash = ? ORDER BY id", [digest]))

    def ids_where(self, condition: str) -> list[int]:
        """The ids of the pictures that a condition on the columns is true for, ascending.

        Raises:
            FilterInvalid: it is not a condition on these columns; the message says why.
        """
        import duckdb

        try:
            # The line break ends a comment that the condition may end in.
            tree = self._rows("SELECT json_serialize_sql(?)", [f"SELECT ({check_length(condition)}\n)"])[0][0]
            check_condition(json.loads(tree), _COLUMNS)
            described = self._rows(f"DESCRIBE SELECT ({condition}\n) AS condition FROM records")
            if described[0][1] != "BOOLEAN":
                raise FilterInvalid(
                    "this is a value, not a condition", "compare it with something: licence = 'CC0', width > 1000"
                )
            return [row[0] for row in self._rows(f"SELECT id FROM records WHERE ({condition}\n) ORDER BY id")]
        except duckdb.Error as exc:
            reason = str(exc).split("\n", 1)[0]
            raise FilterInvalid(f"the condition cannot be evaluated: {reason}", "compare values of one kind") from exc

    def sample(self, n: int) -> list[ImageRecord]:
        """n records spread evenly over the ids, always the same ones; all of them when there are fewer."""
        count = len(self)
        if n >= count:
            return self.records()
        rows = sorted({(2 * i + 1) * count // (2 * n) for i in range(n)}) if n > 0 else []
        # The place of a row in the order of ids; ids themselves have gaps.
        numbered = f"SELECT *, row_number() OVER (ORDER BY id) - 1 AS place FROM ({_SELECT})"
        wanted = "place IN (SELECT unnest(?::BIGINT[]))"
        return _to_records(
            self._rows(f"SELECT {', '.join(_COLUMNS)} FROM ({numbered}) WHERE {wanted} ORDER BY id", [rows])
        )

    def vector_ids(self) -> tuple[Any, Any]:
        """(n,) int64 the ids of the pictures, ascending, and (n,) int64 the ids of their vectors."""
        with self._lock:
            cursor = self._connection.cursor()
        try:
            columns = cursor.execute("SELECT id, vector_id FROM records ORDER BY id").fetchnumpy()
        finally:
            cursor.close()
        return columns["id"], columns["vector_id"]

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        # A DuckDB connection serves one thread at a time; a cursor of it has a state of its own.
        with self._lock:
            cursor = self._connection.cursor()
        try:
            return cursor.execute(sql, parameters).fetchall()
        finally:
            cursor.close()


def read_rows(paths: Sequence[Path], columns: Sequence[str] = ALL, *, tombstones: bool = False) -> Any:
    """An Arrow table of the rows that count in these files, older files first, by id.

    With tombstones those are rows too.

    Raises:
        OSError: a file is not there.
        ValueError: a file is not a catalogue.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    asked = list(dict.fromkeys(["id", *columns, STATUS]))
    tables: list[pa.Table] = []
    later = pa.array([], pa.int64())
    for path in reversed(paths):
        try:
            with pq.ParquetFile(path) as file:
                table = file.read(asked)
            if table.column_names != asked:
                table = table.select(asked)
        except (pa.ArrowException, KeyError) as exc:
            raise ValueError(f"not a catalogue: {path}: {exc}") from exc
        ids = table["id"].combine_chunks()
        if len(later):
            table = table.filter(~pc.field("id").isin(later))
        later = pa.concat_arrays([later, ids])
        tables.append(table if tombstones else without_tombstones(table))
    rows = pa.concat_tables(reversed(tables)) if tables else schema().empty_table().select(asked)
    if len(tables) > 1:
        rows = rows.sort_by("id")
    return rows.select(list(columns)) if columns is not ALL else rows


def rows_of(records: Sequence[ImageRecord]) -> Any:
    """Records as an Arrow table, one row a picture."""
    import pyarrow as pa

    columns = {name: [_to_cell(getattr(record, name)) for record in records] for name in _COLUMNS}
    return pa.table(columns | {STATUS: [HERE] * len(records)}, schema=schema())


def tombstones(ids: Iterable[int]) -> Any:
    """Rows that say of these pictures that they are no longer there."""
    import pyarrow as pa

    return pa.Table.from_pylist([{"id": image_id, STATUS: GONE} for image_id in ids], schema=schema())


def without_tombstones(rows: Any) -> Any:
    """The rows of an Arrow table that are pictures."""
    import pyarrow.compute as pc

    return rows.filter(pc.field(STATUS) == HERE)


def without(rows: Any, *ids: Any) -> Any:
    """The rows of an Arrow table whose `id` is in none of these lists or columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    taken = pa.chunked_array([chunk for column in ids for chunk in _chunks(column)], pa.int64())
    return rows.filter(~pc.field("id").isin(taken.combine_chunks())) if len(taken) else rows


def _chunks(column: Any) -> list[Any]:
    import pyarrow as pa

    return column.chunks if isinstance(column, pa.ChunkedArray) else [pa.array(column, pa.int64())]


def concat_tables(tables: Sequence[Any]) -> Any:
    """The rows of several tables of `rows_of` in one."""
    import pyarrow as pa

    return pa.concat_tables(tables)


def schema() -> Any:
    """The columns of a catalogue's file."""
    import pyarrow as pa

    return pa.schema(
        [
            (name, pa.list_(pa.string()) if kind == "list" else pa.type_for_alias(kind))
            for name, kind in (_COLUMNS | {STATUS: "string"}).items()
        ]
    )


def each_record(rows: Any) -> Iterator[ImageRecord]:
    """The inverse of `rows_of`, without tombstones; some at a time, because a million of them would take a gigabyte."""
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        some = without_tombstones(rows.slice(start, _ROWS_AT_A_TIME))
        yield from _to_records(zip(*(some[name].to_pylist() for name in _COLUMNS), strict=True))


def _to_cell(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _to_records(rows: Iterable[tuple[Any, ...]]) -> list[ImageRecord]:
    records: list[ImageRecord] = []
    for row in rows:
        values = dict(zip(_COLUMNS, row, strict=True))
        values["path"] = place(values["path"])
        values |= {name: tuple(values[name]) for name, kind in _COLUMNS.items() if kind == "list"}
        records.append(ImageRecord(**values))
    return records
