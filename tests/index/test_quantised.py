"""Quantised indexes against a NumPy sort: recall, conditions, removal, later parts, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from limner.index import quantised as quantised_module
from limner.index.atomic import whole_file
from limner.index.full_vectors import FullVectorsWriter, read_full_vectors
from limner.index.gpu import gpu_count
from limner.index.index_types import IVF_RABITQ, IVF_SQ8, QUANTISED, lists_for
from limner.index.quantised import QuantisedIndex, add_to_lists, read_quantised, sample_rows, train, write_quantised
from limner.index.vectors import write_faiss

DIMENSION = 32
COUNT = 6_000


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _clustered(count: int, seed: int = 0) -> np.ndarray:
    """Vectors about 60 centres on one side of the sphere, as pictures are."""
    rng = np.random.default_rng(seed)
    centres = _unit(np.random.default_rng(7).standard_normal((60, DIMENSION)) + 0.5)
    noise = rng.standard_normal((count, DIMENSION)) / np.sqrt(DIMENSION)
    return _unit(centres[rng.integers(0, 60, count)] + 0.5 * noise).astype(np.float16)


def _queries(count: int) -> np.ndarray:
    """Unit vectors near pictures and off their side, as texts are."""
    return _unit(_clustered(count, seed=9).astype(np.float32) - 0.4 * _unit(np.ones((1, DIMENSION)))).astype(np.float32)


def _write(
    folder: Path, kind: str, ids: np.ndarray, rows: np.ndarray, trained: Path | None = None
) -> tuple[Path, Path]:
    paths = folder / f"{kind}.faiss", folder / f"{kind}.npy"
    with whole_file(paths[1]) as file:
        writer = FullVectorsWriter(file, len(ids), rows.shape[1])
        for at in range(0, len(ids), 2_500):
            writer.add(ids[at : at + 2_500], rows[at : at + 2_500])
        writer.close()
    with whole_file(paths[0]) as file:
        write_quantised(file, kind, read_full_vectors(paths[1]), trained)
    return paths


def _built(folder: Path, kind: str, ids: np.ndarray, rows: np.ndarray) -> QuantisedIndex:
    order = np.argsort(ids)
    return read_quantised(*_write(folder, kind, ids, rows)).of_pictures(ids[order], ids[order])


def _by_sorting(ids: np.ndarray, rows: np.ndarray, query: np.ndarray, m: int) -> list[tuple[int, float]]:
    scores = rows.astype(np.float64) @ query.astype(np.float64)
    return [(image_id, -score) for score, image_id in sorted(zip(-scores, ids.tolist(), strict=True))[:m]]


@pytest.fixture
def few_lists_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a million: few of the lists are asked, few candidates re-scored, and hardly any condition leaves so few."""
    monkeypatch.setattr(quantised_module, "LISTS_ASKED", {IVF_SQ8: 16, IVF_RABITQ: 24})
    monkeypatch.setattr(quantised_module, "SCORED_UP_TO", 20)


@pytest.fixture(params=QUANTISED)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.usefixtures("few_lists_asked")
def test_search_finds_nearly_what_sorting_finds_with_exact_scores(tmp_path: Path, kind: str) -> None:
    ids, rows = np.random.default_rng(1).permutation(10**12 + np.arange(COUNT)), _clustered(COUNT)
    index = _built(tmp_path, kind, ids, rows)
    assert index.faiss_index.nlist > 64 and index.index_type == kind
    found = 0
    for query in _queries(50):
        exact = dict(_by_sorting(ids, rows, query, COUNT))
        hits = index.search(query, 8)
        assert len(hits) == 8
        assert [score for _, score in hits] == pytest.approx([exact[image_id] for image_id, _ in hits], abs=1e-6)
        assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
        found += len({image_id for image_id, _ in hits} & set(list(exact)[:8]))
    assert found / 400 >= 0.97


def test_search_of_all_lists_finds_what_an_exact_one_finds(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised_module, "LISTS_ASKED", {kind: 10_000})
    ids, rows = np.arange(COUNT), _clustered(COUNT)
    index = _built(tmp_path, kind, ids, rows)
    for query in _queries(20):
        assert [i for i, _ in index.search(query, 8)] == [i for i, _ in _by_sorting(ids, rows, query, 8)]
        assert len(index.search(query, 2 * COUNT)) == COUNT


@pytest.mark.usefixtures("few_lists_asked")
def test_lists_learnt_from_other_vectors_find_as_much_as_own_ones(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, rows, lists = np.arange(COUNT), _clustered(COUNT), lists_for(COUNT)
    own = read_quantised(*_write(tmp_path, kind, ids, rows)).of_pictures(ids, ids)
    sample = _clustered(COUNT, seed=3)[sample_rows(COUNT, lists)].astype(np.float32)
    with whole_file(tmp_path / "lists.faiss") as file:
        write_faiss(train(kind, sample, lists), file)
    monkeypatch.delattr(quantised_module, "_learn_lists")
    written = _write(tmp_path, kind, ids, rows, tmp_path / "lists.faiss")
    data = written[0].read_bytes()
    assert _write(tmp_path, kind, ids, rows, tmp_path / "lists.faiss")[0].read_bytes() == data
    shared = read_quantised(*written).of_pictures(ids, ids)
    found = {"own": 0, "shared": 0}
    for query in _queries(50):
        exact = {image_id for image_id, _ in _by_sorting(ids, rows, query, 8)}
        for name, index in (("own", own), ("shared", shared)):
            found[name] += len(exact & {image_id for image_id, _ in index.search(query, 8)})
    assert found["shared"] / 400 >= 0.97
    assert found["shared"] >= found["own"] - 4


@pytest.mark.usefixtures("few_lists_asked")
@pytest.mark.parametrize("left", [0, 3, 15, 60, 700, 5_990])
def test_m_hits_come_back_whenever_there_are_m(tmp_path: Path, kind: str, left: int) -> None:
    ids, rows = np.arange(COUNT), _clustered(COUNT)
    index = _built(tmp_path, kind, ids, rows)
    kept = np.sort(np.random.default_rng(5).choice(COUNT, left, replace=False))
    excluded = np.setdiff1d(ids, kept).tolist()
    found = 0
    for query in _queries(20):
        hits = [image_id for image_id, _ in index.search(query, 8, exclude=excluded)]
        assert len(set(hits)) == min(8, left)
        assert set(hits) <= set(kept.tolist())
        found += len(set(hits) & {i for i, _ in _by_sorting(kept, rows[kept], query, 8)})
    assert found >= 0.97 * 20 * min(8, left)


def test_m_come_back_where_the_lists_that_are_asked_hold_none(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised_module, "LISTS_ASKED", {kind: 1})
    monkeypatch.setattr(quantised_module, "SCORED_UP_TO", 20)
    ids, rows = np.arange(COUNT), _clustered(COUNT)
    index = _built(tmp_path, kind, ids, rows)
    for query in _queries(5):
        farthest = [i for i, _ in _by_sorting(ids, rows, query, COUNT)[-COUNT // 2 :]]
        hits = index.search(query, 8, exclude=np.setdiff1d(ids, farthest).tolist())
        assert len({i for i, _ in hits} & set(farthest)) == 8


def test_index_without_some_and_with_later_vectors_finds_what_sorting_finds(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(4)
    rows = _clustered(COUNT)
    index = read_quantised(*_write(tmp_path, kind, np.arange(4_000), rows[:4_000]))
    index.add(np.arange(4_000, 5_000), rows[4_000:5_000])
    index.add(np.arange(5_000, COUNT), rows[5_000:])
    # Some vectors have no picture any more, others have several.
    image_ids = np.sort(rng.choice(10**9, 7_000, replace=False))
    vector_ids = rng.choice(rng.choice(COUNT, 5_500, replace=False), 7_000)
    index = index.of_pictures(image_ids, vector_ids)
    assert len(index) == 7_000
    assert index.faiss_index.ntotal == len(np.unique(vector_ids))
    assert np.array_equal(index.vectors()[0], image_ids)
    assert np.array_equal(index.vectors()[1], rows[vector_ids].astype(np.float32))
    assert index.mean == pytest.approx(rows[vector_ids].mean(0, dtype=np.float64), abs=1e-7)
    found = 0
    for query in _queries(20):
        hits = index.search(query, 8)
        found += len({i for i, _ in hits} & {i for i, _ in _by_sorting(image_ids, rows[vector_ids], query, 8)})
        places = rng.choice(7_000, 50, replace=False)
        exact = rows[vector_ids[places]].astype(np.float64) @ query
        assert index.scores(query, places) == pytest.approx(exact, abs=1e-6)
    assert found / 160 >= 0.97


def test_same_vectors_give_same_bytes(tmp_path: Path, kind: str) -> None:
    ids, rows = np.arange(COUNT), _clustered(COUNT)
    (tmp_path / "again").mkdir()
    first, again = _write(tmp_path, kind, ids, rows), _write(tmp_path / "again", kind, ids, rows)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_vectors_whose_lists_are_known_are_added_as_others(kind: str) -> None:
    rows = _clustered(COUNT).astype(np.float32)
    straight, known = (train(kind, rows[:2_000], 32) for _ in range(2))
    for at in range(0, COUNT, 2_500):
        straight.add(rows[at : at + 2_500])
        add_to_lists(known, rows[at : at + 2_500], known.quantizer.search(rows[at : at + 2_500], 1)[1][:, 0])
    assert faiss.serialize_index(straight).tobytes() == faiss.serialize_index(known).tobytes()


def test_index_refuses_pictures_without_vector(tmp_path: Path, kind: str) -> None:
    index = read_quantised(*_write(tmp_path, kind, np.arange(100), _clustered(100)))
    with pytest.raises(ValueError, match="no vector"):
        index.of_pictures(np.array([1, 2]), np.array([2, 100]))


def test_read_refuses_other_files(tmp_path: Path, kind: str) -> None:
    index, full = _write(tmp_path, kind, np.arange(100), _clustered(100))
    (tmp_path / "fewer").mkdir()
    _, fewer = _write(tmp_path / "fewer", kind, np.arange(90), _clustered(90))
    with pytest.raises(ValueError, match="no index of the vectors"):
        read_quantised(index, fewer)
    with pytest.raises(ValueError, match="not a FAISS index"):
        read_quantised(full, full)
    with pytest.raises(ValueError, match=r"magic|no vectors"):
        read_quantised(index, index)


@pytest.mark.gpu
@pytest.mark.skipif(not gpu_count(), reason="FAISS finds no GPU here")
def test_gpu_finds_what_the_cpu_finds(tmp_path: Path) -> None:
    ids, rows = np.arange(COUNT), _clustered(COUNT)
    index = _built(tmp_path, IVF_SQ8, ids, rows)
    on_gpus = index.on_gpus()
    assert on_gpus.gpu is not None
    same = found = 0
    for query in _queries(50):
        theirs = dict(index.search(query, 8))
        hits = on_gpus.search(query, 8)
        same += len(theirs.keys() & {image_id for image_id, _ in hits})
        # Scores are those of the vectors in full wherever the lists are asked.
        exact = rows[[image_id for image_id, _ in hits]].astype(np.float64) @ query
        assert [score for _, score in hits] == pytest.approx(exact.tolist(), abs=1e-6)
        assert len(on_gpus.search(query, 8, exclude=list(theirs))) == 8
        found += len({i for i, _ in _by_sorting(ids, rows, query, 8)} & {image_id for image_id, _ in hits})
    assert same / 400 >= 0.99
    assert found / 400 >= 0.97


@pytest.mark.skipif(bool(gpu_count()), reason="FAISS finds a GPU here")
def test_index_stays_where_there_is_no_gpu(tmp_path: Path) -> None:
    index = _built(tmp_path, IVF_SQ8, np.arange(COUNT), _clustered(COUNT))
    assert index.on_gpus().gpu is None
    assert index.on_gpus().search(_queries(1)[0], 8) == index.search(_queries(1)[0], 8)


def test_rare_things_are_found_in_few_lists(tmp_path: Path) -> None:
    """Many small clusters beside a few large ones, all on one side of the sphere, as pictures are."""
    rng = np.random.default_rng(5)
    side = _unit(rng.standard_normal((1, 64)))
    centres = _unit(_unit(rng.standard_normal((400, 64))) + 1.5 * side)
    weights = rng.pareto(1.0, 400) + 0.2
    chosen = rng.choice(400, COUNT, p=weights / weights.sum())
    rows = _unit(centres[chosen] + 0.4 * rng.standard_normal((COUNT, 64)) / 8).astype(np.float16)
    own = centres - (centres @ side.T) * side
    queries = _unit(_unit(own) + _unit(rng.standard_normal((1, 64)))).astype(np.float32)
    index = _built(tmp_path, IVF_SQ8, np.arange(COUNT), rows)
    exact = np.argsort(-(queries @ rows.astype(np.float32).T), axis=1)[:, :8]
    _, lists = index.faiss_index.quantizer.search(rows.astype(np.float32), 1)
    _, asked = index.faiss_index.quantizer.search(queries, 8)
    found = [np.isin(lists[best, 0], some).mean() for best, some in zip(exact, asked, strict=True)]
    assert np.mean(found) >= 0.78  # .71 with lists learnt from the vectors as they are
