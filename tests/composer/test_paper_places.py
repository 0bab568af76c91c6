"""Places in other words than the paper's: what is understood, and what is no place because it may be another one."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from limner.composer.errors import ReplyInvalid
from limner.composer.numerals import CARDINALS, CHINESE, ORDINALS
from limner.composer.paper_formats import read_paper_spots, spot_reply

PARTS = 9

UNDERSTOOD = [
    ("Paragraph 3: A dog", [(3, "A dog")]),
    ("paragraph three: A dog", [(3, "A dog")]),
    ("Paragraph #3: A dog", [(3, "A dog")]),
    ("Paragraph No. 3: A dog", [(3, "A dog")]),
    ("Segment 3: A dog", [(3, "A dog")]),
    ("[Seg3]: A dog", [(3, "A dog")]),
    ("1st paragraph: A cat\n3rd paragraph: A dog", [(1, "A cat"), (3, "A dog")]),
    ("The first paragraph: A cat. The third paragraph: A dog", [(1, "A cat."), (3, "A dog")]),
    ("After paragraph two: A cat", [(2, "A cat")]),
    ("After the second paragraph: A cat, after the third paragraph: A dog", [(2, "A cat"), (3, "A dog")]),
    ('Below paragraph 3: "A dog"', [(3, "A dog")]),
    ("**Paragraph 3:** A dog\n**Paragraph 5**: A cow", [(3, "A dog"), (5, "A cow")]),
    ("1. Paragraph 2: A cat\n2. Paragraph 5: A dog", [(2, "A cat"), (5, "A dog")]),
    ("1. **After the first paragraph**: A cat\n2. **After the fourth paragraph**: A dog", [(1, "A cat"), (4, "A dog")]),
    ("- After <Seg2>: A cat\n- After <Seg5>: A dog", [(2, "A cat"), (5, "A dog")]),
    ("Image 1 (after paragraph 2): A dog\nImage 2 (after paragraph 4): A cat", [(2, "A dog"), (4, "A cat")]),
    ("Caption for paragraph 3: A dog\nCaption for paragraph 4: A cat", [(3, "A dog"), (4, "A cat")]),
    ("Paragraph 3\nCaption: A dog\n\nParagraph 4:\nCaption: A cat", [(3, "A dog"), (4, "A cat")]),
    ("Paragraph 3 - A dog\nParagraph 4 – A cat", [(3, "A dog"), (4, "A cat")]),
    ("I would put one after paragraph 3: A dog. And another after paragraph 5: A cat", [(3, "A dog."), (5, "A cat")]),
    ("1 paragraph: A cat 3 paragraph: A dog", [(1, "A cat"), (3, "A dog")]),
    ("3 paragraph: A dog\n\nI hope that this helps!", [(3, "A dog")]),
    ("Three: A dog\nfive: A cat", [(3, "A dog"), (5, "A cat")]),
    ("2. A cat\n5. A dog", [(2, "A cat"), (5, "A dog")]),
    ("第三段：一只狗", [(3, "一只狗")]),
    ("第一段：一只猫，第三段：一只狗", [(1, "一只猫"), (3, "一只狗")]),
    ("第三段后：一只狗\n第五段之后：一只猫", [(3, "一只狗"), (5, "一只猫")]),
    ("第3自然段：一只狗", [(3, "一只狗")]),
    ("第三个段落：一只狗", [(3, "一只狗")]),
    ("段落三：一只狗", [(3, "一只狗")]),
    ("三：一只狗\n五：一只猫", [(3, "一只狗"), (5, "一只猫")]),
    ("在第一段后插入：一只猫；在第三段后插入图片：一只狗", [(1, "一只猫"), (3, "一只狗")]),
    ("我建议在第三段後：一隻狗", [(3, "一隻狗")]),
    ("图1：第二段后：狗\n图2：第四段后：猫", [(2, "狗"), (4, "猫")]),
    ("<Seg3>后：一只狗", [(3, "一只狗")]),
    ("可以在第一段和第三段后插入图片。图片的标题如下：第一段：一只猫，第三段：一只狗", [(1, "一只猫"), (3, "一只狗")]),
]

WITHOUT_CAPTION = [
    ("Pictures could go after paragraphs 1, 3 and 5.", [1, 3, 5]),
    ("Pictures could go after paragraph 1 and paragraph 3.", [1, 3]),
    ("after the first and third paragraphs", [1, 3]),
    ("after the 1st, 2nd, and 5th paragraph", [1, 2, 5]),
    ("under the {1},{3} paragraphs", [1, 3]),
    ("under the 3 paragraphs", [3]),
    ("Paragraphs 1 and 3: A dog", [1, 3]),  # whose caption is it?
    ("第一、三段后插入图片", [1, 3]),
    ("第一段、第三段后都可以配图", [1, 3]),
    ("第一段介绍了猫，适合在第三段后插入图片。", [3]),
    ("适合插入图像的是第三段", [3]),
]

NO_PLACE = [
    # another place
    "Before paragraph 3: A dog",
    "Above the third paragraph: A dog",
    "Between paragraph 2 and paragraph 3: A dog",
    "The second to last paragraph: A dog",
    "The third paragraph from the end: A dog",
    "After the first paragraph of the second section: A dog",
    "倒数第三段：一只狗",
    "第二章第三段：一只狗",
    "第三段之前：一只狗",
    "第三段前插入：一只狗",
    "第2段和第3段之间：一只狗",
    "<Seg3>之前：一只狗",
    # several, or a number of something else
    "Paragraphs 1 to 3: A dog",
    "Paragraph 1-3: A dog",
    "<Seg1>-<Seg3>: A dog",
    "after the first two paragraphs: A dog",
    "I suggest three paragraphs: one on dogs",
    "the hundred and third paragraph: A dog",
    "第1至3段：狗",
    "第1-3段后插入",
    "第一段到第三段后插入图片",
    "第一百零三段：狗",
    "第三阶段：狗",
    "第三段路：狗",
    "1. A cat\n2. A dog",
    "1) A cat",
    # no place for a picture
    "No picture belongs under the 3 paragraph.",
    "不适合在第三段后插入图片。",
    "The first paragraph is about a dog.",
    "It goes on in paragraph 3: A dog",
    "第三段写了一只狗。",
]

IN_A_CAPTION = [
    "A letter; its first paragraph: torn",
    "As in paragraph 2: a dog",
    "一只猫在第二段：睡觉",
    "Chapter 2 - the dog",
]


@pytest.mark.parametrize(("reply", "found"), UNDERSTOOD)
def test_places_in_other_words_are_understood(reply: str, found: list[tuple[int, str]]) -> None:
    said = read_paper_spots(reply, PARTS)
    assert (said.found, said.bare, said.faults) == (found, [], [])


@pytest.mark.parametrize(("reply", "bare"), WITHOUT_CAPTION)
def test_places_without_a_caption_are_told(reply: str, bare: list[int]) -> None:
    said = read_paper_spots(reply, PARTS)
    assert (said.found, said.bare, said.faults) == ([], bare, [])


@pytest.mark.parametrize("reply", NO_PLACE)
def test_what_may_be_another_place_is_none(reply: str) -> None:
    try:
        said = read_paper_spots(reply, PARTS)
    except ReplyInvalid:
        return
    assert (said.found, said.bare) == ([], [])
    assert said.faults, "the model is asked again"
    assert "it is not clear which part is meant" in said.faults[0]


@pytest.mark.parametrize("reply", [reply for reply in NO_PLACE if reply[-1] in "狗g" and "1. " not in reply])
def test_what_may_be_another_place_leaves_those_beside_it_alone(reply: str) -> None:
    said = read_paper_spots(f"5 paragraph: A cow\n{reply}\n7 paragraph: A pig", PARTS)
    assert [number for number, _ in said.found] == [5, 7]
    assert [caption for _, caption in said.found] == ["A cow", "A pig"]


@pytest.mark.parametrize("caption", IN_A_CAPTION)
@pytest.mark.parametrize("language", [None, "zh"])
def test_a_paragraph_in_a_caption_is_no_place(caption: str, language: str | None) -> None:
    written = [(3, caption), (5, "A dog")]
    assert [number for number, _ in read_paper_spots(spot_reply(written, language=language), PARTS).found] == [3, 5]
    assert read_paper_spots(f"3 paragraph: {caption}", PARTS).found == [(3, caption)]


def test_numbers_in_words_are_those_of_digits() -> None:
    for number in range(1, 100):
        assert [words for words, value in CARDINALS.items() if value == number]
        for words in (ORDINALS, CHINESE):
            [word] = [word for word, value in words.items() if value == number]
            reply = f"第{word}段：狗" if words is CHINESE else f"The {word} paragraph: A dog"
            assert [found for found, _ in read_paper_spots(reply, 99).found] == [number], reply
    assert read_paper_spots("Paragraph twenty one: A dog", 99).found == [(21, "A dog")]
    assert (CARDINALS["ninety-nine"], ORDINALS["forty-second"], CHINESE["二十"]) == (99, 42, 20)


@pytest.mark.parametrize(
    "piece", ["1, ", "the ", "第一、", "paragraph ", "first and ", "<Seg1> ", "在", "\n- ", "*", "caption "]
)
def test_a_long_reply_that_repeats_itself_is_read_at_once(piece: str) -> None:
    began = time.process_time()
    with suppress(ReplyInvalid):
        read_paper_spots(piece * (4000 // len(piece)), PARTS)
    assert time.process_time() - began < 1.0
