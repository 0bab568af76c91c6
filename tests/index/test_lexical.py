"""Words to pictures: BM25 against its formula, words of several scripts, and the file that holds the index."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from limner.index.lexical import (
    K1,
    TEXT_WEIGHT,
    B,
    WordIndex,
    cut_words,
    index_words,
    read_words,
    said_of,
)
from limner.index.records import ImageRecord


def _records(*captions: str) -> list[ImageRecord]:
    return [
        ImageRecord(i, Path(f"/p/x{'abcdefghij'[i]}.png"), 1, 1, "h", 1, 1, caption=caption)
        for i, caption in enumerate(captions)
    ]


def _index(records: list[ImageRecord]) -> WordIndex:
    return index_words([cut_words(records)], np.array([record.id for record in records], np.int64))


def _order(captions: list[str], text: str, context: tuple[str, ...] = ()) -> list[int]:
    scores, _ = _index(_records(*captions)).scores(text, context)
    return [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > 0]


def test_scores_are_those_of_the_formula() -> None:
    documents = [["fox", "snow"], ["fox", "fox", "barn", "night"], ["lake"], []]
    index = _index(_records(*(" ".join(document) for document in documents)))
    query = ["fox", "lake", "lake", "zebra"]
    # The file name is a word too.
    bags = [[*document, f"x{'abcd'[i]}"] for i, document in enumerate(documents)]
    average = sum(map(len, bags)) / len(bags)
    expected = []
    for bag in bags:
        score = 0.0
        for word, n in Counter(query).items():
            holders = sum(word in other for other in bags)
            idf = math.log(1 + (len(bags) - holders + 0.5) / (holders + 0.5))
            tf = bag.count(word)
            score += math.log1p(n) * idf * idf * tf / (tf + K1 * (1 - B + B * len(bag) / average))
        expected.append(score)

    scores, full = index.scores("", [" ".join(query)])

    assert scores == pytest.approx(expected, rel=1e-5)
    assert full == 0


def test_words_are_found_in_other_forms_and_cases() -> None:
    assert _order(["Two FOXES running", "a lake"], "the fox runs") == [0]


def test_words_that_say_nothing_find_nothing() -> None:
    assert _order(["the end of it", "a lake"], "of the it") == []


def test_chinese_words_are_found_inside_a_sentence() -> None:
    captions = ["红烧肉-预览图-1", "清蒸鲈鱼", "白灼虾 with rice"]
    assert _order(captions, "", ("先把红烧肉的五花肉切块",)) == [0]
    assert _order(captions, "鲈鱼要清蒸吗")[0] == 1
    assert _order(captions, "Rice 虾") == [2]


def test_text_counts_more_than_the_paragraphs_around_it() -> None:
    captions = ["a harbour", "a windmill"]
    context = ("The windmill, the windmill and again the windmill.",)
    assert _order(captions, "", context) == [1]
    assert _order(captions, "harbour", context) == [0, 1]
    assert TEXT_WEIGHT > 3


def test_full_is_what_a_picture_of_these_words_reaches() -> None:
    index = _index(_records("red fox", "blue lake", "green barn"))
    scores, full = index.scores("red fox")
    assert scores[0] == pytest.approx(full, rel=0.01)
    assert index.scores("red fox and a purple zebra")[1] > 1.5 * scores[0]
    assert index.scores("")[1] == 0


def test_file_and_folder_words_count_below_the_source() -> None:
    record = ImageRecord(1, Path("/home/ann/holiday/iceland 2019/red_fox-2.jpg"), 1, 1, "h", 1, 1, title="red fox 2")
    below = cut_words([record], [Path("/home"), Path("/home/ann")]).words
    assert below == ["2", "2019", "fox", "holiday", "iceland", "red"]
    assert cut_words([record], [Path("/elsewhere")]).words == ["2", "fox", "red"]
    assert said_of(record) == ""


def test_said_is_title_caption_alt_and_keywords() -> None:
    record = ImageRecord(
        1, Path("/p/x.jpg"), 1, 1, "h", 1, 1, title="The fox", caption="c", alt="a", keywords=("k", "l"), creator="Ann"
    )
    assert said_of(record).splitlines() == ["The fox", "c", "a", "k", "l"]


def _same(a: WordIndex, b: WordIndex) -> bool:
    columns = ("said", "starts", "pictures", "weights")
    return a.words == b.words and all(getattr(a, name).tolist() == getattr(b, name).tolist() for name in columns)


def test_index_weighs_words_as_bm25s_does() -> None:
    rng = np.random.default_rng(0)
    documents = [rng.choice(["fox", "lake", "barn", "night", "snow"], rng.integers(0, 9)).tolist() for _ in range(10)]
    index = _index(_records(*map(" ".join, documents)))
    vocabulary = {word: place for place, word in enumerate(index.words)}
    named = [[*document, f"x{'abcdefghij'[i]}"] for i, document in enumerate(documents)]
    bags = [[vocabulary[word] for word in document if word in vocabulary] for document in named]
    ranking = bm25s.BM25(method="lucene", k1=K1, b=B)
    ranking.index((bags, vocabulary), show_progress=False, create_empty_token=False)
    expected: Any = ranking.scores
    assert index.starts.tolist() == expected["indptr"].tolist()
    assert index.pictures.tolist() == expected["indices"].tolist()
    assert index.weights == pytest.approx(expected["data"], rel=1e-5)


def test_index_comes_back_from_its_file(tmp_path: Path) -> None:
    records = _records("a red fox", "", "红烧肉", "fox and hound")
    part, ids = cut_words(records), np.arange(4)
    (tmp_path / "words.parquet").write_bytes(part.to_bytes())

    again = read_words(tmp_path / "words.parquet")

    assert again.said.tolist() == part.said.tolist() == [True, False, True, True]
    assert _same(index_words([again], ids), index_words([part], ids))
    assert again.to_bytes() == part.to_bytes()


def test_index_of_parts_is_that_of_the_pictures_anew() -> None:
    rng = np.random.default_rng(0)

    def record(image_id: int) -> ImageRecord:
        said = " ".join(rng.choice(["fox", "lake", "barn", "night", "snow"], rng.integers(0, 5)))
        return ImageRecord(image_id, Path(f"/p/{image_id}.png"), 1, 1, "h", 1, 1, caption=said)

    now: dict[int, ImageRecord] = {}
    parts = []
    for ids in (range(1, 60, 2), range(10, 40, 3), [7, 200], []):
        fresh = [record(image_id) for image_id in ids]
        now |= {one.id: one for one in fresh}
        parts.append(cut_words(fresh))
    gone = {3, 10, 200}
    left = [now[image_id] for image_id in sorted(now.keys() - gone)]
    assert _same(index_words(parts, np.array([one.id for one in left])), _index(left))


def test_index_words_misses_a_picture_that_no_part_has() -> None:
    with pytest.raises(ValueError, match="in no part of the words"):
        index_words([cut_words(_records("fox", "lake"))], np.arange(3))


@pytest.mark.parametrize("count", [0, 2])
def test_index_without_words_finds_nothing(tmp_path: Path, count: int) -> None:
    records = [ImageRecord(i, Path("/p/_.png"), 1, 1, "h", 1, 1) for i in range(count)]
    (tmp_path / "words.parquet").write_bytes(cut_words(records).to_bytes())
    index = index_words([read_words(tmp_path / "words.parquet")], np.arange(count))
    assert (len(index), index.count) == (0, count)
    assert index.scores("fox")[0].tolist() == [0.0] * count


def test_read_words_refuses_other_files(tmp_path: Path) -> None:
    path = tmp_path / "words.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(ValueError):
        read_words(path)
    pq.write_table(pa.table({"word": ["fox"]}), path)
    with pytest.raises(ValueError, match="not a part of the words"):
        read_words(path)
    rows = pq.read_table(pa.BufferReader(cut_words(_records("a", "b", "fox")).to_bytes())).to_pylist()
    rows[0]["pictures"], rows[0]["counts"] = [0], [1]
    good = cut_words(_records("a")).to_bytes()
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(pa.BufferReader(good))), path)
    with pytest.raises(ValueError, match="pictures that it does not have"):
        read_words(path)
