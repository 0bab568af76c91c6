"""FAISS against a NumPy sort, and the Parquet files that it is made from."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from limner.index import vector_files
from limner.index.atomic import digest_file, whole_file
from limner.index.vector_files import read_vectors, write_vectors
from limner.index.vectors import VectorIndex, build_index, new_index, read_index


def _unit(n: int, d: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def _by_sorting(ids: np.ndarray, rows: np.ndarray, query: np.ndarray, m: int, exclude: set[int]) -> list[int]:
    scores = rows.astype(np.float64) @ query.astype(np.float64)
    ranked = sorted(zip(-scores, ids.tolist(), strict=True))
    return [image_id for _, image_id in ranked if image_id not in exclude][:m]


@pytest.mark.parametrize("kind", ["sq16", "flat"], ids=["float16", "float32"])
@pytest.mark.parametrize("excluded", [0, 1, 700, 1000])
def test_search_finds_what_sorting_finds(kind: str, excluded: int) -> None:
    rng = np.random.default_rng(1)
    ids = np.sort(rng.choice(10**12, 1000, replace=False))
    rows = _unit(1000, 24)
    index = build_index(ids, rows, kind=kind)
    exclude = set(rng.choice(ids, excluded, replace=False).tolist())
    for query in _unit(20, 24, seed=2).astype(np.float32):
        for m in (1, 10, 400, 5000):
            hits = index.search(query, m, exclude=exclude)
            assert [image_id for image_id, _ in hits] == _by_sorting(ids, rows, query, m, exclude)


@pytest.mark.parametrize("kind", ["sq16", "flat"], ids=["float16", "float32"])
@pytest.mark.parametrize("m", [1, 7, 99, 100, 101, 300, 1500])
def test_search_breaks_ties_by_id_also_at_the_cut(kind: str, m: int) -> None:
    rng = np.random.default_rng(3)
    for count in rng.integers(50, 3000, 8):
        # Small whole numbers: exact products, and most of them equal to many others.
        rows = rng.integers(-2, 3, (count, 4)).astype(np.float16)
        query = rng.integers(-2, 3, 4).astype(np.float32)
        ids = np.sort(rng.choice(10**6, count, replace=False))
        exclude = set(rng.choice(ids, count // 5).tolist())
        hits = build_index(ids, rows, kind=kind).search(query, m, exclude=exclude)
        assert [image_id for image_id, _ in hits] == _by_sorting(ids, rows, query, m, exclude)


def test_search_gives_nothing_for_nothing() -> None:
    rows = _unit(3, 8)
    query = rows[0].astype(np.float32)
    assert build_index(np.arange(3), rows).search(query, 0) == []
    assert build_index(np.arange(0), rows[:0]).search(query, 5) == []
    assert build_index(np.arange(3), rows).search(query, 5, exclude={0, 1, 2, 99}) == []


def _bytes(index: VectorIndex, path: Path) -> bytes:
    with whole_file(path) as file:
        index.write(file)
    return path.read_bytes()


@pytest.mark.parametrize("chunk", [1, 3, 8, 20])
def test_index_gives_same_bytes_from_its_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(vector_files, "ROWS_PER_FILE", 8)
    monkeypatch.setattr(vector_files, "ROWS_AT_A_TIME", 4)
    ids, rows = np.arange(5, 25), _unit(20, 8)
    chunks = ((ids[start : start + chunk], rows[start : start + chunk]) for start in range(0, 20, chunk))
    written = list(write_vectors(tmp_path, "v", chunks, 8))
    assert [name for name, _, _ in written] == ["v-0000.parquet", "v-0001.parquet", "v-0002.parquet"]
    paths = [tmp_path / name for name, _, _ in written]
    assert [digest_file(path) for path in paths] == [digest for _, digest, _ in written]
    assert [path.stat().st_size for path in paths] == [size for _, _, size in written]
    read_ids, read_rows = read_vectors(paths, 8)
    assert read_rows.dtype == np.float16
    assert np.array_equal(read_ids, ids)
    assert np.array_equal(read_rows, rows)
    some_ids, some_rows = read_vectors(paths, 8, np.array([7, 20, 99]))
    assert some_ids.tolist() == [7, 20]
    assert np.array_equal(some_rows, rows[[2, 15]])
    index, again = build_index(ids, rows), build_index(read_ids, read_rows)
    assert _bytes(index, tmp_path / "a") == _bytes(again, tmp_path / "b")


@pytest.mark.parametrize("kind", ["sq16", "flat"], ids=["float16", "float32"])
def test_index_comes_back_from_its_file(tmp_path: Path, kind: str) -> None:
    ids, rows = np.arange(5, 25), _unit(20, 8)
    _bytes(build_index(ids, rows, kind=kind), tmp_path / "a.faiss")
    index = read_index(tmp_path / "a.faiss")
    back_ids, back_rows = index.vectors()
    assert np.array_equal(back_ids, ids)
    assert np.array_equal(back_rows, rows.astype(np.float32))


@pytest.mark.parametrize("kind", ["sq16", "flat"], ids=["float16", "float32"])
def test_index_changed_in_place_finds_what_sorting_finds(kind: str) -> None:
    rng = np.random.default_rng(4)
    rows = _unit(900, 16)
    index = build_index(np.arange(600), rows[:600], kind=kind)
    index.add(np.arange(600, 900), rows[600:])
    # Some vectors have no picture any more, others have several.
    image_ids = np.sort(rng.choice(10**6, 1000, replace=False))
    vector_ids = rng.choice(rng.choice(900, 500, replace=False), 1000)
    index = index.of_pictures(image_ids, vector_ids)
    exclude = set(rng.choice(image_ids, 300, replace=False).tolist())
    assert len(index) == 1000
    assert np.array_equal(index.vectors()[1], rows[vector_ids].astype(np.float32))
    for query in _unit(10, 16, seed=5).astype(np.float32):
        for m in (1, 10, 400, 5000):
            found = [image_id for image_id, _ in index.search(query, m, exclude=exclude)]
            assert found == _by_sorting(image_ids, rows[vector_ids], query, m, exclude)


def test_index_refuses_pictures_without_vector() -> None:
    with pytest.raises(ValueError, match="no vector"):
        build_index(np.arange(3), _unit(3, 8)).of_pictures(np.array([1, 2]), np.array([2, 3]))


def test_read_index_refuses_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.faiss").write_bytes(b"IxM2 and nothing more")
    with pytest.raises(ValueError, match="not a FAISS index"):
        read_index(tmp_path / "a.faiss")


def test_read_vectors_refuses_other_dimension(tmp_path: Path) -> None:
    [(name, _, _)] = write_vectors(tmp_path, "v", [(np.arange(3), _unit(3, 8))], 8)
    with pytest.raises(ValueError, match="9 dimensions"):
        read_vectors([tmp_path / name], 9)


@pytest.mark.parametrize("kind", ["flat", "sq16"])
def test_index_with_room_does_not_move_as_it_grows(kind: str) -> None:
    rows = _unit(500, 8)
    index = new_index(8, kind)
    index.add(np.arange(10), rows[:10])
    index.reserve(500)
    assert index.faiss_index.ntotal == 10
    codes = faiss.downcast_index(index.faiss_index.index).codes
    before = int(codes.data())
    for start in range(10, 500, 70):
        index.add(np.arange(start, start + 70), rows[start : start + 70])
    assert int(codes.data()) == before
    _, vectors = index.of_pictures(np.arange(500), np.arange(500)).vectors()
    assert vectors.tolist() == rows.astype(np.float32).tolist()
