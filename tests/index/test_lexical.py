"""Words to pictures: BM25 against its formula, words of several scripts, and the file that holds the index."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from limner.index.lexical import K1, TEXT_WEIGHT, B, index_words, read_words, said_of, words_of
from limner.index.records import ImageRecord


def _records(*captions: str) -> list[ImageRecord]:
    return [
        ImageRecord(i, Path(f"/p/x{'abcdefghij'[i]}.png"), 1, 1, "h", 1, 1, caption=caption)
        for i, caption in enumerate(captions)
    ]


def _order(captions: list[str], text: str, context: tuple[str, ...] = ()) -> list[int]:
    scores, _ = index_words(_records(*captions)).scores(text, context)
    return [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] > 0]


def test_scores_are_those_of_the_formula() -> None:
    documents = [["fox", "snow"], ["fox", "fox", "barn", "night"], ["lake"], []]
    index = index_words(_records(*(" ".join(document) for document in documents)))
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
    index = index_words(_records("red fox", "blue lake", "green barn"))
    scores, full = index.scores("red fox")
    assert scores[0] == pytest.approx(full, rel=0.01)
    assert index.scores("red fox and a purple zebra")[1] > 1.5 * scores[0]
    assert index.scores("")[1] == 0


def test_file_and_folder_words_count_below_the_source() -> None:
    record = ImageRecord(1, Path("/home/ann/holiday/iceland 2019/red_fox-2.jpg"), 1, 1, "h", 1, 1, title="red fox 2")
    assert words_of(record, [Path("/home"), Path("/home/ann")]).split() == [
        "red",
        "fox",
        "2",
        "holiday",
        "iceland",
        "2019",
    ]
    assert words_of(record).split() == ["red", "fox", "2"]
    assert said_of(record) == ""


def test_said_is_title_caption_alt_and_keywords() -> None:
    record = ImageRecord(
        1, Path("/p/x.jpg"), 1, 1, "h", 1, 1, title="The fox", caption="c", alt="a", keywords=("k", "l"), creator="Ann"
    )
    assert said_of(record).splitlines() == ["The fox", "c", "a", "k", "l"]


def test_index_comes_back_from_its_file(tmp_path: Path) -> None:
    records = _records("a red fox", "", "红烧肉", "fox and hound")
    index = index_words(records)
    (tmp_path / "words.parquet").write_bytes(index.to_bytes())

    again = read_words(tmp_path / "words.parquet")

    assert again.words == index.words
    assert again.said.tolist() == index.said.tolist() == [True, False, True, True]
    assert again.scores("fox 红烧肉")[0].tolist() == index.scores("fox 红烧肉")[0].tolist()
    (tmp_path / "again.parquet").write_bytes(again.to_bytes())
    assert pq.read_table(tmp_path / "again.parquet").equals(pq.read_table(tmp_path / "words.parquet"))


@pytest.mark.parametrize("count", [0, 2])
def test_index_without_words_finds_nothing(tmp_path: Path, count: int) -> None:
    records = [ImageRecord(i, Path("/p/_.png"), 1, 1, "h", 1, 1) for i in range(count)]
    (tmp_path / "words.parquet").write_bytes(index_words(records).to_bytes())
    index = read_words(tmp_path / "words.parquet")
    assert (len(index), index.count) == (0, count)
    assert index.scores("fox")[0].tolist() == [0.0] * count


def test_read_words_refuses_other_files(tmp_path: Path) -> None:
    path = tmp_path / "words.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(ValueError):
        read_words(path)
    pq.write_table(pa.table({"word": ["fox"]}), path)
    with pytest.raises(ValueError, match="not an index of words"):
        read_words(path)
    good = pa.BufferReader(index_words(_records("a", "b", "fox")).to_bytes())
    table = pq.read_table(good)
    pq.write_table(table.replace_schema_metadata({"pictures": "1"}), path)
    with pytest.raises(ValueError, match="pictures that it does not have"):
        read_words(path)
