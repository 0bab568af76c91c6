"""All SQL: the records of a library, in Parquet on disk and in DuckDB's memory while they are read."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from .records import ImageRecord
from .vectors import parquet_bytes

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
}
# What stands for a column that a catalogue of format 1 does not have; every other column must be there.
_SINCE_FORMAT_2 = {
    "licence_url": "''",
    "taken_at": "NULL::TIMESTAMP",
    "latitude": "NULL::DOUBLE",
    "longitude": "NULL::DOUBLE",
    "described_by": "''",
    "described": "[]::VARCHAR[]",
    "embedded": "NULL::VARCHAR",
}
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM records"


class Catalogue:
    """The records of one generation; needs its file no more once it is open, and may be read from several threads."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, paths: Sequence[Path]) -> Catalogue:
        """Read the catalogue's files.

        Raises:
            OSError: a file is not there.
            ValueError: a file is not a catalogue.
        """
        import duckdb

        connection = duckdb.connect(":memory:")
        files = [[str(path) for path in paths]]
        try:
            there = {row[0] for row in connection.execute("DESCRIBE FROM read_parquet(?)", files).fetchall()}
            wanted = (
                f"{_SINCE_FORMAT_2[name]} AS {name}" if name in _SINCE_FORMAT_2.keys() - there else name
                for name in _COLUMNS
            )
            connection.execute(f"CREATE TABLE records AS SELECT {', '.join(wanted)} FROM read_parquet(?)", files)
        except duckdb.IOException as exc:
            connection.close()
            raise FileNotFoundError(str(exc)) from exc
        except duckdb.Error as exc:
            connection.close()
            raise ValueError(f"not a catalogue: {exc}") from exc
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

    def _rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        # A DuckDB connection serves one thread at a time; a cursor of it has a state of its own.
        with self._lock:
            cursor = self._connection.cursor()
        try:
            return cursor.execute(sql, parameters).fetchall()
        finally:
            cursor.close()


def catalogue_bytes(records: Iterable[ImageRecord]) -> bytes:
    """Records as the bytes of a Parquet file, one row a picture."""
    import pyarrow as pa

    schema = pa.schema(
        [
            (name, pa.list_(pa.string()) if kind == "list" else pa.type_for_alias(kind))
            for name, kind in _COLUMNS.items()
        ]
    )
    rows = [{name: _to_cell(getattr(record, name)) for name in _COLUMNS} for record in records]
    return parquet_bytes(pa.Table.from_pylist(rows, schema=schema))


def _to_cell(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _to_records(rows: Iterable[tuple[Any, ...]]) -> list[ImageRecord]:
    records: list[ImageRecord] = []
    for row in rows:
        values = dict(zip(_COLUMNS, row, strict=True))
        values["path"] = Path(values["path"])
        values |= {name: tuple(values[name]) for name, kind in _COLUMNS.items() if kind == "list"}
        records.append(ImageRecord(**values))
    return records
