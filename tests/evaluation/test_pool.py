"""What a search of a site's pictures knows, and that a tie gives nothing away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from limner.evaluation.pool import Pool, Words
from limner.evaluation.ranking import Rank
from limner.evaluation.remembered import Remembered

from ..sentences import TopicSentences

SAID = {
    "wild/fox.jpg": Words("A red animal in the snow", "The hunter waits"),
    "wild/hen.jpg": Words("A bird on straw", "Breakfast arrives"),
    "sea/boat.jpg": Words("A sail on the water", "Wind at last"),
    "sea/none.jpg": Words(),
}


def pool(tmp_path: Path, knows: str, seed: int = 0, **more: object) -> Pool:
    for name in SAID:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return Pool(tmp_path, SAID, knows, seed=seed, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("knows", "found_by"),
    [
        ("nothing", set()),
        ("file-names", {"fox", "wild"}),
        ("alt", {"snow"}),
        ("captions", {"snow", "hunter"}),
    ],
)
def test_each_level_knows_its_own_words_and_no_others(tmp_path: Path, knows: str, found_by: set[str]) -> None:
    searched = pool(tmp_path, knows)

    ranks = {word: searched.rank("wild/fox.jpg", [word]) for word in ("fox", "wild", "snow", "hunter")}

    assert {word for word, rank in ranks.items() if rank.above == 0 and rank.equal < len(SAID)} == found_by


def test_where_nothing_is_known_all_pictures_are_equal(tmp_path: Path) -> None:
    assert pool(tmp_path, "nothing").rank("sea/boat.jpg", ["A sail on the water"]) == Rank(0, 4)


def test_a_search_finds_the_files_and_leaves_out_what_is_used(tmp_path: Path) -> None:
    searched = pool(tmp_path, "alt")
    first, second = searched.search("a bird on straw, a sail", 2)

    assert {searched.name(first), searched.name(second)} == {"wild/hen.jpg", "sea/boat.jpg"}
    assert first.image.path == tmp_path / searched.name(first)
    assert [searched.name(hit) for hit in searched.search("a bird on straw, a sail", 1, exclude=[first.image.id])] == [
        searched.name(second)
    ]


def test_ties_are_dealt_by_the_seed_and_not_by_name(tmp_path: Path) -> None:
    def order(seed: int) -> tuple[str, ...]:
        searched = pool(tmp_path, "nothing", seed)
        return tuple(searched.name(hit) for hit in searched.search("anything", 4))

    assert order(1) == order(1)
    assert {order(seed) for seed in range(20)} - {tuple(sorted(SAID))}
    assert len({order(seed) for seed in range(20)}) > 5


def test_sentence_vectors_find_what_shares_no_word(tmp_path: Path) -> None:
    said = {"a.jpg": Words("A hound"), "b.jpg": Words("A wave"), "c.jpg": Words("Some soup")}
    with_sentences = Pool(tmp_path, said, "alt", encoder=TopicSentences())
    without = Pool(tmp_path, said, "alt")

    assert without.rank("b.jpg", ["On the beach"]) == Rank(0, 3)
    assert with_sentences.rank("b.jpg", ["On the beach"]) == Rank(0, 1)


def test_a_remembered_text_is_encoded_once_and_has_the_same_vector() -> None:
    encoder = TopicSentences()
    remembered = Remembered(encoder, texts=2)

    first = remembered.encode(["a fox", "a wave", "a fox"])
    again = remembered.encode(["a wave", "some soup"])

    np.testing.assert_array_equal(first, TopicSentences().encode(["a fox", "a wave", "a fox"]))
    np.testing.assert_array_equal(again, TopicSentences().encode(["a wave", "some soup"]))
    assert encoder.encoded == ["a fox", "a wave", "some soup"]
    remembered.encode(["a fox"])  # forgotten
    assert encoder.encoded[-1] == "a fox"
    assert (remembered.fingerprint, remembered.dimension) == (encoder.fingerprint, encoder.dimension)


def test_nothing_is_encoded_where_nothing_is_said(tmp_path: Path) -> None:
    encoder = TopicSentences()
    searched = pool(tmp_path, "nothing", encoder=encoder)

    assert searched.rank("wild/fox.jpg", ["A hound"]) == Rank(0, 4)
    assert encoder.encoded == []


def test_scores_are_the_library_s_words_channel(tmp_path: Path) -> None:
    from limner.index.fusion import fuse, said_channels
    from limner.index.lexical import cut_words, index_words
    from limner.index.records import ImageRecord

    names = list(SAID)
    records = [
        ImageRecord(row + 1, Path(f"/x{row}x.jpg"), 1, 1, "", 1, 1, alt=SAID[name].alt, caption=SAID[name].caption)
        for row, name in enumerate(names)
    ]
    index = index_words([cut_words(records)], np.arange(1, 5))
    expected = fuse(said_channels(index, None, None, np.empty(0, np.int64), "", ["snow and straw, the wind"])).scores
    searched = pool(tmp_path, "captions")

    ranks = [searched.rank(name, ["snow and straw, the wind"]) for name in names]

    assert [rank.above for rank in ranks] == [int((expected > score).sum()) for score in expected]
