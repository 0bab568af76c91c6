"""All SQL: the records of a library, in Parquet on disk and in DuckDB's memory while they are read."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from .errors import FilterInvalid
from .records import ImageRecord
from .vectors import parquet_bytes
from .where import check_condition, check_length

_COLUMNS = (
    "id",
    "path",
    "size",
    "mtime_ns",
    "hash",
    "width",
    "height",
    "title",
    "caption",
    "alt",
    "keywords",
    "creator",
    "licence",
    "credit",
)
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
        """Read the catalogue's files.

        Raises:
            OSError: a file is not there.
            ValueError: a file is not a catalogue.
        """
        import duckdb

        connection = duckdb.connect(":memory:")
        try:
            connection.execute(
                f"CREATE TABLE records AS SELECT {', '.join(_COLUMNS)} FROM read_parquet(?)",
                [[str(path) for path in paths]],
            )
        except duckdb.IOException as exc:
            connection.close()
            raise FileNotFoundError(str(exc)) from exc
        except duckdb.Error as exc:
            connection.close()
            raise ValueError(f"not a catalogue: {exc}") from exc
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
            ("id", pa.int64()),
            ("path", pa.string()),
            ("size", pa.int64()),
            ("mtime_ns", pa.int64()),
            ("hash", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("title", pa.string()),
            ("caption", pa.string()),
            ("alt", pa.string()),
            ("keywords", pa.list_(pa.string())),
            ("creator", pa.string()),
            ("licence", pa.string()),
            ("credit", pa.string()),
        ]
    )
    assert tuple(schema.names) == _COLUMNS
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
        values["keywords"] = tuple(values["keywords"])
        records.append(ImageRecord(**values))
    return records
