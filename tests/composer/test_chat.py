"""A conversation: what the model is given, what is kept of it, and what is written of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from limner.composer.chat import GONE, Conversation
from limner.composer.errors import MessageTooLong, ReplyInvalid
from limner.composer.protocols import Message, Picture, Sampling
from limner.index.errors import PictureUnreadable
from markdown_it import MarkdownIt

from ..conftest import Paint
from .models import ScriptedModel


@pytest.fixture
def red(tmp_path: Path, paint: Paint) -> Path:
    return paint(tmp_path / "a b" / "red (1).png", "red")


def say(conversation: Conversation, text: str) -> str:
    return "".join(conversation.say(text))


def test_every_turn_reads_all_before_it_with_its_pictures(red: Path) -> None:
    model = ScriptedModel("It is red.", "Yes.")
    conversation = Conversation(model)
    conversation.add_picture(red)
    assert say(conversation, "What is this?") == "It is red."
    assert say(conversation, "Really?") == "Yes."

    first = Message("user", (Picture(red), "\nWhat is this?"))
    assert model.asked == [
        [first],
        [first, Message("assistant", ("It is red.",)), Message("user", ("Really?",))],
    ]


def test_a_picture_may_come_midway_and_a_broken_one_changes_nothing(red: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    conversation = Conversation(ScriptedModel("Hello.", "Red."))
    say(conversation, "Hi")
    for broken in ("text.png", "nowhere.png"):
        with pytest.raises(PictureUnreadable):
            conversation.add_picture(tmp_path / broken)
    assert conversation.pictures == []
    conversation.add_picture(red)
    say(conversation, "And this?")
    assert conversation.turns[2].parts[0] == Picture(red)
    assert conversation.pictures == []


def test_the_oldest_turns_go_first_where_all_do_not_fit() -> None:
    model = ScriptedModel(*("one two three four five" for _ in range(6)), context_tokens=40)  # 10 are the reply's
    conversation = Conversation(model)
    for number in range(5):
        say(conversation, f"message {number} has five words")

    sizes = [model.count_tokens(asked) for asked in model.asked]
    assert max(sizes) <= 30
    assert conversation.forgotten == 4
    assert str(model.asked[-1][0].parts[0]).startswith("message 2")
    assert len(conversation.turns) == 10  # the history itself is whole


def test_a_message_that_alone_does_not_fit_is_refused_with_the_figures() -> None:
    conversation = Conversation(ScriptedModel("Hm.", "Hm.", context_tokens=40))
    say(conversation, "short")
    with pytest.raises(MessageTooLong, match=r"50 tokens.*30 at most"):
        say(conversation, "word " * 50)
    assert len(conversation.turns) == 2
    assert conversation.forgotten == 0


@pytest.mark.parametrize(
    ("reply", "stopped"),
    [
        ("Well, " + "the cat " * 1000, True),
        ("-" * 1000, False),  # a rule, or the line of a table
        (" ".join(map(str, range(1000))), False),
        ("No, " * 12 + "that is enough. " + "Once more: " * 12 + "the end of it is here.", False),
    ],
)
def test_a_reply_that_goes_round_in_circles_is_stopped(reply: str, stopped: bool) -> None:
    class InPieces(ScriptedModel):
        ended = False

        def generate(self, messages, *, sampling, schema=None):
            try:
                for start in range(0, len(reply), 4):
                    yield reply[start : start + 4]
            finally:
                self.ended = True

    model = InPieces()
    conversation = Conversation(model)
    said = say(conversation, "Go on")

    assert conversation.circled is stopped
    assert (len(said) < 1000) is stopped or said == reply
    assert model.ended
    assert conversation.turns[1].parts == (said,)


def test_a_picture_that_is_deleted_later_does_not_end_the_conversation(red: Path) -> None:
    model = ScriptedModel("Red.", "Gone.")
    conversation = Conversation(model)
    conversation.add_picture(red)
    say(conversation, "What?")
    red.unlink()
    say(conversation, "And now?")
    assert model.asked[-1][0].parts[0] == GONE

    conversation.pictures.append(red)
    with pytest.raises(PictureUnreadable, match=r"red \(1\)\.png"):
        say(conversation, "Again?")
    assert conversation.pictures == []


def test_a_reply_that_is_stopped_stays_as_far_as_it_came(red: Path) -> None:
    conversation = Conversation(ScriptedModel("half and half"))
    pieces = conversation.say("Tell me")
    first = next(pieces)
    pieces.close()
    assert conversation.turns == [Message("user", ("Tell me",)), Message("assistant", (first,))]


def test_a_reply_that_fails_is_no_turn(red: Path) -> None:
    class Failing(ScriptedModel):
        def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Iterator[str]:
            yield "half"
            raise ReplyInvalid("cut")

    conversation = Conversation(Failing())
    conversation.add_picture(red)
    with pytest.raises(ReplyInvalid):
        say(conversation, "Tell me")
    assert conversation.turns == []
    assert conversation.pictures == [red]  # the message can be said again


def test_reset_forgets_everything(red: Path) -> None:
    conversation = Conversation(ScriptedModel("Hello."))
    say(conversation, "Hi")
    conversation.add_picture(red)
    conversation.reset()
    assert (conversation.turns, conversation.pictures, conversation.forgotten) == ([], [], 0)


def test_the_saved_conversation_shows_pictures_and_runs_nothing(red: Path, tmp_path: Path) -> None:
    reply = "# Big\n\n- a list\n\n<script>alert(1)</script> [x](javascript:y) ![z](http://far/z.png)"
    conversation = Conversation(ScriptedModel(reply))
    conversation.add_picture(red)
    say(conversation, "What <b>is</b> it?")
    path = tmp_path / "notes" / "talk.md"
    conversation.save(path)

    text = path.read_text()
    html = MarkdownIt("commonmark").render(text)
    assert '<img src="../a%20b/red%20%281%29.png"' in html
    assert html.count("<img") == 1
    assert "<script" not in html and "<b>" not in html and "<a " not in html
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## You", "## scripted"]
    assert "<li>a list</li>" in html
    assert (tmp_path / "notes" / "../a b/red (1).png").is_file()
