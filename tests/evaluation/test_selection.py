"""Choosing among candidates where the right answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from limner.composer.article import Block
from limner.composer.protocols import Message, Picture
from limner.evaluation.records import Pick, Question
from limner.evaluation.seen import Seen, see
from limner.evaluation.selection import Asked, ask_encoder, ask_model, best_of, by_chance
from limner.index.decode import decode
from limner.index.errors import SourceMissing

from ..colours import COLOURS, ColourEncoder, Paint
from ..composer.models import ColourModel


@pytest.fixture
def pictures(tmp_path: Path, paint: Paint) -> dict[str, Path]:
    return {name: paint(tmp_path / f"{name}.png", colour) for name, colour in COLOURS.items()}


@pytest.fixture
def seen(pictures: dict[str, Path], tmp_path: Path) -> Seen:
    return see(list(pictures.values()), ColourEncoder(), tmp_path / "library")


def asked(pictures: dict[str, Path], *before: str, caption: str = "", answer: int = 1) -> Asked:
    """A place after text and these pictures, of which the candidates are red, green and blue."""
    context = (Block("paragraph", "Some text."), *(pictures[name] for name in before))
    return Asked("", context, caption, tuple(pictures[name] for name in ("red", "green", "blue")), answer)


def test_a_model_sees_the_pictures_that_stand_before(pictures: dict[str, Path]) -> None:
    assert ask_model(asked(pictures, "green"), ColourModel()).agrees == 1.0
    assert ask_model(asked(pictures, "blue"), ColourModel()).chosen == 2


def test_two_pictures_at_one_place_are_both_before(pictures: dict[str, Path]) -> None:
    model = ColourModel()

    assert ask_model(asked(pictures, "red", "green"), model).chosen == 1
    shown = [part.path.stem for message in model.asked[0] for part in message.parts if isinstance(part, Picture)]
    assert shown == ["red", "green", "red", "green", "blue"]


def test_a_picture_before_all_text_is_before(pictures: dict[str, Path]) -> None:
    question = asked(pictures)
    question = Asked("", (pictures["blue"],), "", question.candidates, 2)

    assert ask_model(question, ColourModel()).agrees == 1.0


def test_none_fits_and_no_answer_agree_with_nobody(pictures: dict[str, Path]) -> None:
    none = ask_model(asked(pictures, "green"), ColourModel(fits=False))
    broken = ask_model(asked(pictures, "green"), ColourModel(broken=2))

    assert (none.chosen, none.agrees, none.outcome) == (None, 0.0, "none_fit")
    assert (broken.chosen, broken.agrees, broken.outcome) == (None, 0.0, "unparsed")
    assert broken.note


def test_an_encoder_takes_what_is_nearest_to_the_caption(pictures: dict[str, Path], seen: Seen) -> None:
    assert ask_encoder(asked(pictures), seen, "a green door") == Pick(1, 1.0)
    assert ask_encoder(asked(pictures), seen, "a red door").chosen == 0


def test_equal_candidates_agree_by_chance() -> None:
    assert best_of(np.array([2.0, 2.0, 1.0]), 1).agrees == 0.5
    assert best_of(np.array([2.0, 2.0, 1.0]), 2).agrees == 0.0
    assert by_chance(Question(("a", "b", "c", "d"), 0)).agrees == 0.25


def test_what_cannot_be_read_is_counted_and_never_taken(tmp_path: Path, pictures: dict[str, Path]) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    seen = see([*pictures.values(), broken], ColourEncoder(), tmp_path / "library")
    question = Asked("", (), "", (broken, pictures["red"]), 0)

    assert seen.skipped == 1
    assert np.isnan(seen.cosines("red", [broken]))
    assert ask_encoder(question, seen, "green").chosen == 1
    unreadable = Asked("", (), "", (broken, pictures["red"]), 1)
    assert ask_model(unreadable, OpeningModel()).outcome == "unreadable"


def test_pictures_none_of_which_can_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")

    with pytest.raises(SourceMissing):
        see([tmp_path / "a.png"], ColourEncoder(), tmp_path / "library")


def test_pictures_are_looked_at_once(tmp_path: Path, pictures: dict[str, Path]) -> None:
    encoder = ColourEncoder()
    first = see(list(pictures.values()), encoder, tmp_path / "library")
    again = see(list(pictures.values()), encoder, tmp_path / "library")

    assert encoder.pictures_encoded == len(pictures)
    assert again.rows == first.rows
    np.testing.assert_array_equal(first.cosines("red", [pictures["red"]]), again.cosines("red", [pictures["red"]]))


class OpeningModel(ColourModel):
    """Reads its pictures as an adapter does."""

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        pictures = [part for message in messages for part in message.parts if isinstance(part, Picture)]
        assert [decode(picture.path) for picture in pictures]
        return super().score(messages, answers)
