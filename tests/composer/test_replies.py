"""Replies of models to values: what is taken, what is refused, and the one retry."""

from __future__ import annotations

import pytest
from limner.composer.errors import ReplyInvalid
from limner.composer.protocols import Message, Sampling
from limner.composer.replies import ask, read_article, read_spots

from .models import ScriptedModel


@pytest.mark.parametrize(
    "reply",
    [
        "1: A cat\n3: A dog",
        "[1]: A cat\n[3]: A dog",
        "1. A cat\n3. A dog",
        "Here they are:\n\n**1**: A cat\n- 3: A dog\nEnjoy!",
    ],
)
def test_read_spots_reads_the_usual_forms(reply: str) -> None:
    found = [(number, caption.strip("* ")) for number, caption in read_spots(reply, 3)]
    assert found == [(1, "A cat"), (3, "A dog")]


def test_read_spots_returns_reading_order() -> None:
    assert read_spots("3: late\n1: early", 3) == [(1, "early"), (3, "late")]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("4: A cat", "no part 4"),
        ("0: A cat", "no part 0"),
        ("2: A cat\n2: A dog", "twice"),
        ("I would put a cat here.", "number, colon"),
        ("", "number, colon"),
        ("999999999999: much", "number, colon"),
    ],
)
def test_read_spots_refuses(reply: str, reason: str) -> None:
    with pytest.raises(ReplyInvalid, match=reason):
        read_spots(reply, 3)


def test_read_spots_takes_none_for_no_place() -> None:
    assert read_spots("None.", 3) == []


def test_read_spots_bounds_and_flattens_captions() -> None:
    [(_, caption)] = read_spots("1: " + "long \t" * 500, 1)
    assert len(caption) <= 300
    assert "\t" not in caption


def test_read_article_needs_a_paragraph() -> None:
    with pytest.raises(ReplyInvalid):
        read_article("# Only a title", title=None)
    assert read_article("# A title\n\nText.", title=None).title == "A title"


def test_read_article_takes_the_given_title() -> None:
    draft = read_article("# Another\n\nText.", title="Mine")
    assert draft.title == "Mine"
    assert "Another" not in draft.markdown


def test_ask_retries_once_and_tells_the_reason() -> None:
    model = ScriptedModel("nonsense", "1: A cat")
    found = ask(model, [Message("user", ("Where?",))], Sampling(), lambda reply: read_spots(reply, 1))
    assert found == [(1, "A cat")]
    assert [message.role for message in model.asked[1]] == ["user", "assistant", "user"]
    assert "number, colon" in str(model.asked[1][-1].parts[0])


def test_ask_gives_up_after_the_second_reply() -> None:
    model = ScriptedModel("nonsense", "more nonsense", "1: too late")
    with pytest.raises(ReplyInvalid):
        ask(model, [Message("user", ("Where?",))], Sampling(), lambda reply: read_spots(reply, 1))
    assert model.replies == ["1: too late"]


def test_ask_streams_the_first_reply() -> None:
    heard: list[str] = []
    ask(ScriptedModel("1: A cat"), [], Sampling(), lambda reply: read_spots(reply, 1), on_text=heard.append)
    assert len(heard) > 1
    assert "".join(heard) == "1: A cat"


@pytest.mark.parametrize(
    "reply",
    [
        '{"pictures": [{"after": 3, "caption": "A dog"}, {"after": 1, "caption": "A cat"}]}',
        '```json\n[\n  {"after": 1, "caption": "A cat"},\n  {"after": "3", "caption": "A  dog\\n"}\n]\n```',
        'Sure: [{"after": 1, "caption": "A cat", "why": "it"}, {"after": 3, "caption": "A dog"}] Enjoy!',
    ],
)
def test_read_spots_reads_json(reply: str) -> None:
    assert read_spots(reply, 3) == [(1, "A cat"), (3, "A dog")]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ('{"pictures": [{"after": 4, "caption": "A cat"}]}', "no part 4"),
        ('[{"after": 2, "caption": "a"}, {"after": 2, "caption": "b"}]', "twice"),
        ('[{"after": 2, "caption": " "}]', "empty"),
        ('[{"after": "two", "caption": "b"}]', "0.after"),
        ('{"1": "A cat"}', "0.after"),
        ('{"pictures": [{"after": 1, "capt', "JSON"),
    ],
)
def test_read_spots_refuses_json(reply: str, reason: str) -> None:
    with pytest.raises(ReplyInvalid, match=reason):
        read_spots(reply, 3)


def test_read_spots_takes_an_empty_list_for_no_place_but_not_brackets_in_a_caption() -> None:
    assert read_spots('{"pictures": []}', 3) == read_spots("[]", 3) == []
    assert read_spots("2: an array [] and {}", 3) == [(2, "an array [] and {}")]


def test_ask_holds_both_replies_to_the_schema() -> None:
    model = ScriptedModel("what?", "1: A cat")
    schema = {"type": "object"}
    ask(model, [Message("user", ("where?",))], Sampling(), lambda reply: read_spots(reply, 3), schema=schema)
    assert model.schemas == [schema, schema]
