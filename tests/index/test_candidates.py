"""Searches of a library with a quantised index against the same library asked picture by picture."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limner.index import candidates as candidates_module
from limner.index import publish as publish_module
from limner.index import quantised as quantised_module
from limner.index.catalogue import rows_of
from limner.index.compact import compact
from limner.index.generation import Generation, read_generation
from limner.index.index_types import IVF_SQ8, QUANTISED
from limner.index.lexical import cut_words, index_words
from limner.index.library import Library
from limner.index.manifest import read_manifest
from limner.index.publish import Change, Space, TableRows, publish
from limner.index.records import Hit, ImageRecord
from limner.index.verify import repair, verify

DIMENSION = 16
COUNT = 3_000
TOPICS = 40


class BagOfWords:
    """A text is the sum of its words' directions, which are drawn by their letters."""

    name = "bag of words"
    fingerprint = "ba" * 32
    dimension = DIMENSION

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([_unit(sum(map(_direction, re.findall(r"\w+", text)), _direction("."))) for text in texts])

    encode_texts = encode

    def encode_images(self, images: Sequence[Any]) -> np.ndarray:
        raise NotImplementedError

    image_side_px = 0


def _unit(row: np.ndarray) -> np.ndarray:
    return (row / np.linalg.norm(row)).astype(np.float32)


def _direction(word: str) -> np.ndarray:
    word = word.replace("hue", "colour")  # found by its meaning alone
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).standard_normal(DIMENSION)


def _records(first: int, count: int) -> tuple[list[ImageRecord], np.ndarray]:
    """Pictures of a topic each, half of which somebody captioned; (count, d) float16 unit rows."""
    rng = np.random.default_rng(first)
    topics = rng.integers(0, TOPICS, count)
    noise = rng.standard_normal((count, DIMENSION))
    vectors = np.array([_unit(_direction(f"topic{t}") + 0.6 * n) for t, n in zip(topics, noise, strict=True)])
    records = [
        ImageRecord(
            first + i,
            Path(f"/pictures/{first + i}.jpg"),
            1,
            1,
            hashlib.sha256(str(first + i).encode()).hexdigest(),
            640,
            480,
            caption=f"topic{topic} with thing{rng.integers(200)} in colour{rng.integers(5)}" if i % 2 else "",
            vector_id=first + i,
        )
        for i, topic in enumerate(topics)
    ]
    return records, vectors.astype(np.float16)


def _change(first: int, count: int, gone: Sequence[int] = ()) -> Change:
    records, vectors = _records(first, count)
    ids = np.arange(first, first + count)
    rows = TableRows(rows_of(records))
    return Change(rows, gone, iter([(ids, vectors)]), next_id=first + count, next_vector_id=first + count)


def _publish(folder: Path, kind: str, *, sentences: BagOfWords | None = None) -> Path:
    encoder = BagOfWords()
    space = Space(encoder.name, encoder.fingerprint, DIMENSION)
    publish(
        folder,
        Generation(folder),
        _change(1, COUNT),
        encoder=space,
        sources=["/pictures"],
        sentences=sentences,
        index_type=kind,
    )
    return folder


def _open(folder: Path, *, sentences: BagOfWords | None = None) -> Library:
    return Library.open(folder, encoder=BagOfWords(), sentences=sentences)  # pyright: ignore[reportArgumentType]


def _same(mine: list[Hit], theirs: list[Hit]) -> None:
    assert [hit.image.id for hit in mine] == [hit.image.id for hit in theirs]
    assert [hit.score for hit in mine] == pytest.approx([hit.score for hit in theirs], abs=2e-6)
    for a, b in zip(mine, theirs, strict=True):
        assert dict(a.shares) == pytest.approx(dict(b.shares), abs=2e-6)


@pytest.fixture
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a million: candidates are a small part of the pictures, and conditions leave too many to score them all."""
    monkeypatch.setattr(candidates_module, "CANDIDATES", 40)
    monkeypatch.setattr(quantised_module, "LISTS_ASKED", dict.fromkeys(QUANTISED, 24))
    monkeypatch.setattr(quantised_module, "SCORED_UP_TO", 10)


@pytest.fixture(params=[False, True], ids=["words", "words and sentences"])
def sentences(request: pytest.FixtureRequest) -> BagOfWords | None:
    return BagOfWords() if request.param else None


TEXTS = ["topic3 with thing17", "topic21", "colour2", "thing5 and thing9", "topic7 topic8 thing100"]


@pytest.mark.usefixtures("few_candidates")
def test_candidates_get_the_results_of_asking_every_picture(tmp_path: Path, sentences: BagOfWords | None) -> None:
    exact = _open(_publish(tmp_path / "exact", "flat", sentences=sentences), sentences=sentences)
    large = _open(_publish(tmp_path / "large", IVF_SQ8, sentences=sentences), sentences=sentences)
    assert (exact.index_type, large.index_type) == ("flat", "ivf-sq8")
    for text in TEXTS:
        _same(large.search(text, 8), exact.search(text, 8))
        context = ["A paragraph of topic4. It goes on about thing33.", "And thing40."]
        _same(large.search(text, 4, context=context), exact.search(text, 4, context=context))


@pytest.mark.usefixtures("few_candidates")
def test_conditions_come_before_the_candidates(tmp_path: Path, sentences: BagOfWords | None) -> None:
    exact = _open(_publish(tmp_path / "exact", "flat", sentences=sentences), sentences=sentences)
    large = _open(_publish(tmp_path / "large", IVF_SQ8, sentences=sentences), sentences=sentences)
    for condition, count in (("id % 50 = 3", 60), ("id % 7 = 0", 428), ("id in (5, 900, 2000)", 3), ("false", 0)):
        for text in (*TEXTS, "hue3"):
            exclude = [hit.image.id for hit in exact.where(condition).search(text, 2)]
            hits = large.where(condition).search(text, 8, exclude=exclude)
            assert len(hits) == min(8, max(0, count - 2))
            _same(hits, exact.where(condition).search(text, 8, exclude=exclude))
            _same(large.search(text, 8, exclude=exclude), exact.search(text, 8, exclude=exclude))


def test_exact_library_adds_what_all_pictures_get(tmp_path: Path) -> None:
    """The definition: half picture, half words, each with its average at 0 and its best at 1."""
    exact = _open(_publish(tmp_path / "exact", "flat"))
    records, vectors = _records(1, COUNT)
    words = index_words([cut_words(records, [Path("/pictures")])], np.array([record.id for record in records]))
    for text in TEXTS:
        products = vectors.astype(np.float64) @ BagOfWords().encode([text])[0].astype(np.float64)
        picture = np.clip((products - products.mean()) / (products.max() - products.mean()), -1, 1)
        found, full = words.scores(text)
        of_words = (found - found.mean(dtype=np.float64)) / (max(found.max(), full) - found.mean(dtype=np.float64))
        of_words = np.where(words.said, of_words, np.maximum(of_words, 0))
        scores = (picture + of_words) / 2
        hits = exact.search(text, 20)
        best = np.argsort(-scores, kind="stable")[:20]
        assert [hit.image.id for hit in hits] == (best + 1).tolist()
        assert [hit.score for hit in hits] == pytest.approx(scores[best].tolist(), abs=1e-6)


@pytest.mark.parametrize("kind", QUANTISED)
def test_library_lives_on_with_a_quantised_index(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later parts, tombstones, repair and compaction."""
    monkeypatch.setattr(publish_module, "WHOLE_UP_TO", 0)
    folder, exact = _publish(tmp_path / "large", kind), _publish(tmp_path / "exact", "flat")
    for library in (folder, exact):
        old = read_generation(library, read_manifest(library))
        new = _change(COUNT + 1, 100, gone=[2, 5, 9])
        publish(library, old, new, encoder=Space("bag of words", "ba" * 32, DIMENSION), sources=["/pictures"])
    assert {path.name for path in folder.glob("*-*.*")} >= {"index-000001.faiss", "full-000001.npy"}
    assert len(_open(folder)) == COUNT + 97

    def check() -> None:
        library = _open(folder)
        assert library.index_type == kind
        assert verify(folder) == []
        for text in TEXTS:
            _same(library.search(text, 8), _open(exact).search(text, 8))

    check()
    for part in ("full-000001.npy", "index-000001.faiss"):
        data = (folder / part).read_bytes() if (folder / part).exists() else b""
        if data:
            (folder / part).write_bytes(data[:-9] + bytes(9))
            assert [fault.part for fault in verify(folder)] == [part]
            assert "--repair" in verify(folder)[0].fix
            assert repair(folder) == []
            check()
    compact(folder)
    check()
    compact(folder, index_type="sq16")
    assert not list(folder.glob("full-*"))
    assert (_open(folder).index_type, read_manifest(folder).index_type) == ("sq16", "sq16")
    compact(folder)
    assert _open(folder).index_type == "sq16"
    compact(folder, index_type="auto")
    assert _open(folder).index_type == "flat"
