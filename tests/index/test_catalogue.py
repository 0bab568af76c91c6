"""The catalogue in Parquet and in DuckDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from limner.index.catalogue import Catalogue, concat_tables, rows_of, tombstones
from limner.index.records import ImageRecord
from limner.index.vector_files import parquet_bytes


def _records(count: int) -> list[ImageRecord]:
    return [
        ImageRecord(10 * i, Path(f"/p/{i}.png"), i, 2**62 + i, f"hash{i % 4}", 4, 3, f"title {i}", keywords=("a", "b"))
        for i in range(count)
    ]


def _catalogue(tmp_path: Path, records: list[ImageRecord]) -> Catalogue:
    (tmp_path / "c.parquet").write_bytes(parquet_bytes(rows_of(records)))
    return Catalogue.open([tmp_path / "c.parquet"])


def test_catalogue_gives_records_back(tmp_path: Path) -> None:
    odd = ImageRecord(3, Path('/p/it\'s "ü" 🦊.png'), 0, 0, "h", 1, 1, caption="'; DROP TABLE records; --")
    records = sorted([*_records(9), odd], key=lambda record: record.id)
    catalogue = _catalogue(tmp_path, records)
    assert catalogue.records() == records
    assert len(catalogue) == 10
    assert catalogue.by_path(odd.path) == odd


def test_catalogue_finds_by_id_path_and_hash(tmp_path: Path) -> None:
    catalogue = _catalogue(tmp_path, _records(9))
    assert sorted(catalogue.by_ids([30, 0, 7])) == [0, 30]
    assert catalogue.by_path(Path("/p/nowhere.png")) is None
    assert [record.id for record in catalogue.by_hash("hash1")] == [10, 50]


def test_sample_is_spread_evenly_and_always_the_same(tmp_path: Path) -> None:
    catalogue = _catalogue(tmp_path, _records(100))
    ids = [record.id for record in catalogue.sample(4)]
    assert ids == [120, 370, 620, 870]
    assert len(catalogue.sample(99)) == 99
    assert catalogue.sample(1000) == catalogue.records()
    assert catalogue.sample(0) == []


def test_catalogue_of_nothing_is_empty(tmp_path: Path) -> None:
    catalogue = _catalogue(tmp_path, [])
    assert (len(catalogue), catalogue.records(), catalogue.sample(3)) == (0, [], [])


def test_catalogue_takes_the_last_row_of_an_id_and_no_tombstone(tmp_path: Path) -> None:
    first = _records(5)
    second = [replace(first[1], title="new"), ImageRecord(99, Path("/p/99.png"), 1, 1, "hash9", 1, 1)]
    tables = [rows_of(first), concat_tables([rows_of(second), tombstones([20, 30])]), rows_of([first[3]])]
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    for path, table in zip(paths, tables, strict=True):
        path.write_bytes(parquet_bytes(table))
    catalogue = Catalogue.open(paths)
    assert catalogue.records() == [first[0], second[0], first[3], first[4], second[1]]
    assert [part.tolist() for part in catalogue.vector_ids()] == [[0, 10, 30, 40, 99], [0] * 5]


def test_catalogue_serves_threads(tmp_path: Path) -> None:
    catalogue = _catalogue(tmp_path, _records(50))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: catalogue.by_ids([10 * i])[10 * i].size, range(50)))
    assert found == list(range(50))


def test_catalogue_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "c.parquet").write_text("no parquet")
    with pytest.raises(ValueError, match="not a catalogue"):
        Catalogue.open([tmp_path / "c.parquet"])
    with pytest.raises(OSError):
        Catalogue.open([tmp_path / "absent.parquet"])


def test_catalogue_has_a_column_for_every_field(tmp_path: Path) -> None:
    record = ImageRecord(
        **{field.name: _SOME[field.name] for field in fields(ImageRecord)}  # pyright: ignore[reportArgumentType]
    )
    assert _catalogue(tmp_path, [record]).records() == [record]


_SOME: dict[str, object] = {
    **{"id": 2**40, "path": Path("/p/a.png"), "size": 2**40, "mtime_ns": 2**62, "hash": "h", "width": 4, "height": 3},
    **{"title": "t", "caption": "c", "alt": "a", "keywords": ("k", "l"), "creator": "Ann", "licence": "CC0"},
    **{"licence_url": "https://example.org", "credit": "Photo: Ann", "taken_at": datetime(1931, 5, 1, 12, 30, 59)},
    **{"latitude": -33.8567844, "longitude": 151.2152967, "described_by": "m", "described": ("alt",), "embedded": "{}"},
    **{"perceptual_hash": "0123456789abcdef", "vector_id": 2**40},
}


def test_catalogue_refuses_one_without_a_column_that_was_always_there(tmp_path: Path) -> None:
    (tmp_path / "c.parquet").write_bytes(parquet_bytes(rows_of(_records(1))))
    pq.write_table(pq.read_table(tmp_path / "c.parquet").drop_columns(["hash"]), tmp_path / "c.parquet")
    with pytest.raises(ValueError, match="not a catalogue"):
        Catalogue.open([tmp_path / "c.parquet"])
