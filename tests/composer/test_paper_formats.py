"""The paper's formats: what is written for training is what is read, and what real models make of it is understood."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from limner.composer.article import Candidates, Section, Spot
from limner.composer.errors import ReplyInvalid
from limner.composer.markdown import parse_draft
from limner.composer.models.served_answers import answer_in
from limner.composer.paper_formats import (
    DIALECTS,
    article_reply,
    caption_reply,
    choice_opening,
    choice_reply,
    paragraphs_apart,
    read_caption,
    read_paper_spots,
    spot_reply,
)
from limner.composer.prompts import dialects, read_by, render_prompt
from limner.composer.protocols import Message, Picture
from limner.composer.replies import read_article
from limner.composer.select import select
from limner.composer.spot import find_spots
from limner.index.records import Hit, ImageRecord
from PIL import Image

from .models import ColourModel, ScriptedModel

DRAFT = parse_draft("# T\n\nOne.\n\n## Head\n\nTwo.\n\nThree.\n")
CAPTIONS = [
    "A cat, asleep",
    "ends with a comma,",
    "two 3 paragraph: in it",
    "猫在第2段：睡觉",
    '"quoted" words',
    "a\nb",
    "x" * 400,
]


def in_dialect(model: ScriptedModel, dialect: str = "xcomposer2") -> ScriptedModel:
    model.dialect = dialect
    return model


@pytest.mark.parametrize("language", [None, "de", "zh-CN"])
def test_read_paper_spots_gives_back_what_spot_reply_wrote(language: str | None) -> None:
    spots = [(2 * number + 1, caption) for number, caption in enumerate(CAPTIONS)]
    once = read_paper_spots(spot_reply(spots, language=language), 99)
    assert [number for number, _ in once.found] == [number for number, _ in spots]
    assert (once.bare, once.faults) == ([], [])
    assert once.found[0][1] == "A cat, asleep" and once.found[1][1] == "ends with a comma,"
    assert read_paper_spots(spot_reply(once.found, language=language), 99) == once
    [alone] = read_paper_spots(spot_reply([(1, CAPTIONS[0])], language=language), 1).found
    assert alone == (1, CAPTIONS[0])


def test_spot_reply_is_the_paper_s_sentence() -> None:
    assert spot_reply([(1, "A cat"), (3, "A dog")]) == (
        "I think images can be added under the 1, 3 paragraphs. "
        "The image captions are as follows: 1 paragraph: A cat, 3 paragraph: A dog"
    )


@pytest.mark.parametrize("spots", [[], [(1, " \n")], [(1, "a"), (2, '""')]])
def test_spot_reply_refuses_what_could_not_be_read(spots: list[tuple[int, str]]) -> None:
    with pytest.raises(ValueError, match="caption"):
        spot_reply(spots)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("I think images can be added under the {1},{3} paragraphs. The image captions are as follows: "
         "{1} paragraph: {A cat}, {3} paragraph: A dog", [(1, "A cat"), (3, "A dog")]),
        ("1 paragraph: A cat\n3 paragraph: A dog", [(1, "A cat"), (3, "A dog")]),
        ("<Seg3>: A dog\n<Seg1>：A cat", [(1, "A cat"), (3, "A dog")]),
        ("1: A cat\n3: A dog", [(1, "A cat"), (3, "A dog")]),
    ],
)  # fmt: skip
def test_read_paper_spots_reads_other_forms(reply: str, found: list[tuple[int, str]]) -> None:
    assert read_paper_spots(reply, 3).found == found


@pytest.mark.parametrize(
    ("reply", "bare"),
    [
        ("适合插入图像的行是<Seg1>、<Seg3>", [1, 3]),
        ("I think images can be added under the 1, 3 paragraphs. The image captions are", [1, 3]),
        ("I think 2 images can be added under the 3 and 1 paragraphs.", [1, 3]),
        ("我认为可以在第1、3段后插入图片。", [1, 3]),
    ],
)
def test_read_paper_spots_tells_places_without_captions(reply: str, bare: list[int]) -> None:
    said = read_paper_spots(reply, 3)
    assert (said.found, said.bare, said.faults) == ([], bare, [])


def test_read_paper_spots_tells_what_is_wrong() -> None:
    said = read_paper_spots(
        "I think images can be added under the 1, 2, 7, 9 paragraphs. The image captions are as follows: "
        "1 paragraph: A cat, 1 paragraph: A dog, 7 paragraph: A cow, 3 paragraph: , 2 paragraph: A pig",
        3,
    )
    assert said.found == [(1, "A cat"), (2, "A pig")]
    assert said.bare == [3]
    assert [fault.split(";")[0] for fault in said.faults] == [
        "part 1 is named twice",
        "there is no part 7",
        "there is no part 9",
    ]


@pytest.mark.parametrize("reply", ["", "I would put a cat here.", "None."])
def test_read_paper_spots_refuses(reply: str) -> None:
    with pytest.raises(ReplyInvalid, match="images can be added"):
        read_paper_spots(reply, 3)


@pytest.mark.parametrize("language", [None, "zh"])
@pytest.mark.parametrize("caption", ["A cat", "一只猫，在睡觉", "A 'small' cat: asleep"])
def test_read_caption_gives_back_what_caption_reply_wrote(caption: str, language: str | None) -> None:
    assert read_caption(caption_reply(caption, language=language)) == caption


@pytest.mark.parametrize(
    "reply", ['标题是"A cat", and <Seg4>', "A cat\n\nmore", '"A cat" is what I see', "Caption: A cat"]
)
def test_read_caption_reads_other_forms(reply: str) -> None:
    assert read_caption(reply) == "A cat"


@pytest.mark.parametrize(
    "reply", ["标题：“一只猫”", "图片标题：“一只猫”。", "图像的標題為：一只猫", "中文标题为“一只猫”", "标题是一只猫"]
)
def test_read_caption_reads_other_chinese_forms(reply: str) -> None:
    assert read_caption(reply) == "一只猫"


@pytest.mark.parametrize("reply", ["", "标题是", "标题：", '""', "…"])
def test_read_caption_refuses(reply: str) -> None:
    with pytest.raises(ReplyInvalid):
        read_caption(reply)


def test_choice_opening_is_the_beginning_of_the_reply() -> None:
    assert (choice_opening("B"), choice_reply("B")) == ("The B", "The B image.")
    assert choice_reply("B", language="zh-TW").startswith(choice_opening("B", language="zh-TW"))


@pytest.mark.parametrize(
    ("reply", "answer"),
    [("The B image.", "The B"), ("the b", "The B"), ("**The A image**", "The A"), ("The Beach", None), ("B", None)],
)
def test_a_served_model_may_choose_in_the_paper_s_format(reply: str, answer: str | None) -> None:
    assert answer_in(reply, [choice_opening(letter) for letter in "AB"]) == answer
    assert answer_in("最合适的图是B。", [choice_opening(letter, language="zh") for letter in "AB"]) == "最合适的图是B"


@pytest.mark.parametrize(
    ("reply", "kinds"),
    [
        ("Title\nOne.\nTwo.", ["paragraph"] * 3),
        ("One.\n- a\n- b\nTwo.", ["paragraph", "list", "paragraph"]),
        ("One\nline.\n\nTwo.", ["paragraph"] * 2),
        (article_reply(["# T", " One.\n", "- a\n- b"]), ["heading", "paragraph", "list"]),
    ],
)
def test_paragraphs_apart_makes_each_line_one(reply: str, kinds: list[str]) -> None:
    assert [block.kind for block in read_article(paragraphs_apart(reply), title=None).blocks] == kinds


def test_find_spots_reads_the_paper_s_reply() -> None:
    model = in_dialect(ScriptedModel(spot_reply([(1, "first"), (3, "last")])))
    assert find_spots(DRAFT, model, images=None).spots == (Spot(1, "first"), Spot(4, "last"))
    assert "<Seg2> Two.\n<Seg3> Three." in str(model.asked[0][0].parts[0])
    assert "\n## Head\n" in str(model.asked[0][0].parts[0])


def test_find_spots_asks_apart_for_captions_that_are_missing() -> None:
    model = in_dialect(
        ScriptedModel("适合插入图像的行是<Seg1>、<Seg2>、<Seg3>", "标题是“甲”", "“”", "“”", "标题是“丙”")
    )
    found = find_spots(DRAFT, model, images=None, language="zh")
    assert found.spots == (Spot(1, "甲"), Spot(4, "丙"))
    assert "part 2 is named without a caption" in found.notices[0]
    asked = str(model.asked[1][0].parts[0])
    assert "<Seg1>后插入" in asked and "## Head" in asked and "<Seg2>" not in asked.partition("根据")[0]


def test_find_spots_takes_what_can_be_used_of_the_paper_s_replies() -> None:
    wrong = "1 paragraph: first, 1 paragraph: again, 8 paragraph: beyond"
    found = find_spots(DRAFT, in_dialect(ScriptedModel(wrong, wrong)), images=None)
    assert found.spots == (Spot(1, "first"),)
    assert "2 lines" in found.notices[0]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("language", [None, "zh"])
def test_select_scores_the_beginnings_of_the_paper_s_replies(
    tmp_path: Path, dialect: str, language: str | None
) -> None:
    hits: list[Hit] = []
    for number, colour in enumerate(("red", "blue", "green"), start=1):
        path = tmp_path / f"{colour}.png"
        Image.new("RGB", (8, 8), colour).save(path)
        hits.append(Hit(ImageRecord(number, path, 1, 1, str(number), 8, 8), 0.5))
    asked: list[list[str]] = []

    class Scored(ColourModel):
        def score(self, messages: object, answers: object) -> list[float]:
            asked.append(list(answers))  # pyright: ignore[reportArgumentType]
            return [-4.0, -1.0, -9.0]

    candidates = Candidates(Spot(1, "a house"), tuple(hits))
    choice = select(DRAFT, {}, candidates, Scored(dialect=dialect), language=language).choice
    assert asked == [[choice_opening(letter, language=language) for letter in "ABC"]]
    assert (choice.outcome, choice.chosen, choice.none_probability) == ("chosen", 1, 0.0)
    assert sum(choice.probabilities) == pytest.approx(1) and choice.probabilities[1] > 0.9
    assert math.isclose(choice.probabilities[0] / choice.probabilities[1], math.exp(-3))


def test_select_prompt_is_the_paper_s() -> None:
    values = {
        "title": "Tea",
        "context": [{"text": "First.", "picture": None}, {"text": "", "picture": Path("one.png")}],
        "caption": "A cup",
        "candidates": [{"letter": letter, "picture": Path(f"{letter}.png")} for letter in "AB"],
    }
    [message] = render_prompt("select", dialect="xcomposer2", **values)
    shown = "".join(f"<{part.path.name}>" if isinstance(part, Picture) else part for part in message.parts)
    assert shown == (
        "Tea\nFirst.\n<one.png>\nBased on the given context and candidate images, select the appropriate image. "
        "Candidate images include: A. <A.png> B. <B.png>"
    )


def test_write_prompts_hold_all_that_a_brief_says() -> None:
    values = {
        "instruction": "On tea.", "title": "Tea", "keywords": ("cup", "leaf"),
        "outline": (Section("Green", 1, "kinds"),),
        "references": ({"picture": Path("r.png"), "words": "a pot"},), "words": 300, "in_characters": False,
        "paragraphs": "2 to 4", "tone": "warm", "audience": "children", "material": ({"name": "n", "text": "facts"},),
    }  # fmt: skip
    [message] = render_prompt("write", dialect="xcomposer2", language="de", **values)
    assert message.parts[0] == Picture(Path("r.png"))
    words = (
        "On tea.",
        "Tea",
        "cup, leaf",
        "## Green — kinds",
        "a pot",
        "300 words",
        "German",
        "warm",
        "children",
        "facts",
    )
    assert all(word in str(message.parts[1]) for word in words)
    [message] = render_prompt("write", dialect="xcomposer1", language=None, **values)
    assert message == Message(
        "user", ("Write an illustrated article based on the given instruction: On tea.\nThe title: Tea",)
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_paper_dialects_have_every_step(dialect: str) -> None:
    assert dialect in dialects()
    for step in ("write", "spot", "caption", "select", "rewrite", "describe"):
        assert read_by(step, dialect=dialect) is not None
    again = render_prompt("rewrite", dialect=dialect, language="zh", missing=["茶"], found=None)
    assert "茶" in str(again[0].parts[0])
