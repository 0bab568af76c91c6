"""FAISS against a NumPy sort, and the Parquet files that it is made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from limner.index import vectors as vectors_module
from limner.index.vectors import build_index, read_index, read_vectors, vector_tables


def _unit(n: int, d: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def _by_sorting(ids: np.ndarray, rows: np.ndarray, query: np.ndarray, m: int, exclude: set[int]) -> list[int]:
    scores = rows.astype(np.float64) @ query.astype(np.float64)
    ranked = sorted(zip(-scores, ids.tolist(), strict=True))
    return [image_id for _, image_id in ranked if image_id not in exclude][:m]


@pytest.mark.parametrize("float32_up_to", [0, 10_000], ids=["float16", "float32"])
@pytest.mark.parametrize("excluded", [0, 1, 700, 1000])
def test_search_finds_what_sorting_finds(float32_up_to: int, excluded: int) -> None:
    rng = np.random.default_rng(1)
    ids = np.sort(rng.choice(10**12, 1000, replace=False))
    rows = _unit(1000, 24)
    index = build_index(ids, rows, float32_up_to=float32_up_to)
    exclude = set(rng.choice(ids, excluded, replace=False).tolist())
    for query in _unit(20, 24, seed=2).astype(np.float32):
        for m in (1, 10, 400, 5000):
            hits = index.search(query, m, exclude=exclude)
            assert [image_id for image_id, _ in hits] == _by_sorting(ids, rows, query, m, exclude)


@pytest.mark.parametrize("float32_up_to", [0, 10_000], ids=["float16", "float32"])
@pytest.mark.parametrize("m", [1, 7, 99, 100, 101, 300, 1500])
def test_search_breaks_ties_by_id_also_at_the_cut(float32_up_to: int, m: int) -> None:
    rng = np.random.default_rng(3)
    for count in rng.integers(50, 3000, 8):
        # Small whole numbers: exact products, and most of them equal to many others.
        rows = rng.integers(-2, 3, (count, 4)).astype(np.float16)
        query = rng.integers(-2, 3, 4).astype(np.float32)
        ids = np.sort(rng.choice(10**6, count, replace=False))
        exclude = set(rng.choice(ids, count // 5).tolist())
        hits = build_index(ids, rows, float32_up_to=float32_up_to).search(query, m, exclude=exclude)
        assert [image_id for image_id, _ in hits] == _by_sorting(ids, rows, query, m, exclude)


def test_search_gives_nothing_for_nothing() -> None:
    rows = _unit(3, 8)
    query = rows[0].astype(np.float32)
    assert build_index(np.arange(3), rows).search(query, 0) == []
    assert build_index(np.arange(0), rows[:0]).search(query, 5) == []
    assert build_index(np.arange(3), rows).search(query, 5, exclude={0, 1, 2, 99}) == []


def test_index_gives_same_bytes_from_its_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "ROWS_PER_FILE", 7)
    ids, rows = np.arange(5, 25), _unit(20, 8)
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    for path, data in zip(paths, vector_tables(ids, rows), strict=True):
        path.write_bytes(data)
    read_ids, read_rows = read_vectors(paths, 8)
    assert read_rows.dtype == np.float16
    assert np.array_equal(read_ids, ids)
    assert np.array_equal(read_rows, rows)
    assert build_index(read_ids, read_rows).to_bytes() == build_index(ids, rows).to_bytes()


@pytest.mark.parametrize("float32_up_to", [0, 10_000], ids=["float16", "float32"])
def test_index_comes_back_from_its_file(tmp_path: Path, float32_up_to: int) -> None:
    ids, rows = np.arange(5, 25), _unit(20, 8)
    (tmp_path / "a.faiss").write_bytes(build_index(ids, rows, float32_up_to=float32_up_to).to_bytes())
    index = read_index(tmp_path / "a.faiss")
    back_ids, back_rows = index.vectors()
    assert np.array_equal(back_ids, ids)
    assert np.array_equal(back_rows, rows.astype(np.float32))


def test_read_index_refuses_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.faiss").write_bytes(b"IxM2 and nothing more")
    with pytest.raises(ValueError, match="not a FAISS index"):
        read_index(tmp_path / "a.faiss")


def test_read_vectors_refuses_other_dimension(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(next(iter(vector_tables(np.arange(3), _unit(3, 8)))))
    with pytest.raises(ValueError, match="9 dimensions"):
        read_vectors([tmp_path / "a.parquet"], 9)
