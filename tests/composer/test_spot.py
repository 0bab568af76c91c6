"""Places for pictures: validated, counted, and found in texts longer than the model's context."""

from __future__ import annotations

from limner.composer.article import Spot
from limner.composer.markdown import parse_draft
from limner.composer.spot import find_spots, first_prompt

from .models import ScriptedModel

DRAFT = parse_draft("# T\n\nOne.\n\n## Head\n\nTwo.\n\n- a\n- b\n\n---\n\nThree.\n")


def test_find_spots_counts_only_blocks_that_can_have_a_picture() -> None:
    found = find_spots(DRAFT, ScriptedModel("1: first\n3: the list\n4: last"), images=None)
    assert found.spots == (Spot(1, "first"), Spot(4, "the list"), Spot(6, "last"))
    assert found.notices == ()


def test_find_spots_keeps_to_the_number_asked_for() -> None:
    found = find_spots(DRAFT, ScriptedModel("1: a\n2: b\n4: c"), images=2)
    assert [spot.caption for spot in found.spots] == ["a", "b"]


def test_find_spots_says_when_more_are_asked_for_than_there_is() -> None:
    found = find_spots(DRAFT, ScriptedModel("1: a\n2: b\n3: c\n4: d"), images=9)
    assert len(found.spots) == 4
    assert "9" in found.notices[0]
    assert "4" in found.notices[0]


def test_find_spots_says_when_the_model_found_fewer() -> None:
    found = find_spots(DRAFT, ScriptedModel("1: a"), images=3)
    assert "found places for 1" in found.notices[0]


def test_find_spots_reports_replies_that_do_not_parse() -> None:
    found = find_spots(DRAFT, ScriptedModel("7: beyond", "8: beyond"), images=None)
    assert found.spots == ()
    assert "no part 8" in found.notices[0]


def test_find_spots_takes_what_can_be_used_of_replies_that_do_not_parse() -> None:
    model = ScriptedModel("1: first\n1: again\n3: the list\n9: beyond", "9: beyond")
    found = find_spots(DRAFT, model, images=None)
    assert found.spots == (Spot(1, "first"), Spot(4, "the list"))
    assert "2 lines" in found.notices[0]
    assert "named twice" in found.notices[0]


def test_find_spots_prefers_a_second_reply_that_parses() -> None:
    found = find_spots(DRAFT, ScriptedModel("1: first\n1: again", "4: last"), images=None)
    assert (found.spots, found.notices) == ((Spot(6, "last"),), ())


def test_find_spots_of_a_text_without_places_asks_nobody() -> None:
    assert find_spots(parse_draft("# Only a title\n"), ScriptedModel(), images=None).spots == ()


def test_find_spots_reads_a_long_text_in_windows() -> None:
    text = "\n\n".join(f"Paragraph {i} " + "word " * 60 for i in range(12)) + "\n"
    model = ScriptedModel(*["1: here"] * 12, context_tokens=500)
    found = find_spots(parse_draft(text), model, images=None)
    assert len(model.asked) > 1
    assert all(model.count_tokens(prompt) <= 500 for prompt in model.asked)
    prompts = " ".join(str(prompt[0].parts[0]) for prompt in model.asked)
    assert all(f"Paragraph {i} " in prompts for i in range(12))
    assert [spot.after_block for spot in found.spots] == sorted({spot.after_block for spot in found.spots})
    assert len(found.spots) == len(model.asked)


def test_find_spots_shares_the_number_out_among_windows() -> None:
    text = "\n\n".join(f"Paragraph {i} " + "word " * 60 for i in range(12)) + "\n"
    model = ScriptedModel(*["1: a\n2: b"] * 12, context_tokens=500)
    found = find_spots(parse_draft(text), model, images=3)
    assert len(found.spots) == 3
    assert found.spots[-1].after_block > 5


def test_find_spots_shortens_a_paragraph_that_alone_is_too_long() -> None:
    model = ScriptedModel("1: a", context_tokens=400)
    find_spots(parse_draft("start " + "word " * 2000 + "finish\n"), model, images=None)
    [prompt] = model.asked
    assert model.count_tokens(prompt) <= 400
    assert "start" in str(prompt[0].parts[0])
    assert "finish" in str(prompt[0].parts[0])


GERMAN_DRAFT = parse_draft("# Der Hafen\n\nDie Boote fahren vor der Sonne aus.\n\nFisch gibt es bis zum Mittag.\n")


def test_captions_in_another_language_are_asked_for_once_more() -> None:
    model = ScriptedModel("1: Boats leaving at dawn\n2: Fish on a table", "1: Boote am Morgen\n2: Fisch auf dem Tisch")
    found = find_spots(GERMAN_DRAFT, model, images=None, language="de")
    assert [spot.caption for spot in found.spots] == ["Boote am Morgen", "Fisch auf dem Tisch"]
    assert found.notices == ()
    assert "in German" in str(model.asked[0][0].parts[0])
    assert "the captions are in English, not in German" in str(model.asked[1][-1].parts[0])


def test_captions_that_stay_in_another_language_are_taken_and_reported() -> None:
    reply = "1: Boats leaving at dawn\n2: Fish on a table"
    found = find_spots(GERMAN_DRAFT, ScriptedModel(reply, reply), images=None, language="de")
    assert len(found.spots) == 2
    assert found.notices == ("captions are in English, and were asked for in German",)
    mended = find_spots(GERMAN_DRAFT, ScriptedModel("What?", reply), images=None, language="de")
    assert len(mended.spots) == 2


def test_spot_prompt_of_a_chinese_article_is_chinese() -> None:
    model = ScriptedModel("1: 清晨出海的渔船")
    found = find_spots(parse_draft("天还没亮，渔船就出海了。"), model, images=1, language="zh-CN")
    assert [spot.caption for spot in found.spots] == ["清晨出海的渔船"]
    prompt = str(model.asked[0][0].parts[0])
    assert "请选出最先出现的 1 个" in prompt and "[1] 天还没亮" in prompt


def test_first_prompt_is_what_find_spots_asks() -> None:
    model = ScriptedModel("1: Boote am Morgen")
    find_spots(GERMAN_DRAFT, model, images=1, language="de")
    assert first_prompt(GERMAN_DRAFT, model, images=1, language="de") == list(model.asked[0])
    assert first_prompt(parse_draft("# Only a title\n"), model, images=None) == []
