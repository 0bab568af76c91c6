"""The questions of the embedded models as a list for `limner evaluate selection`: the same question is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from limner.composer.protocols import Message, Picture
from limner.evaluation.items import read_items
from limner.evaluation.selection import ask_model

from training.evaluate import selection_items, write_items
from training.pictures import TEST_SEED, scenes_for
from training.samples import Pool


class Asked:
    """Remembers what it is asked, and takes the first candidate."""

    name = "asked"
    dialect = "nano"
    context_tokens = 100_000

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def count_tokens(self, messages: Any) -> int:
        return 1

    def generate(self, messages: list[Message], **_: Any) -> list[str]:
        self.messages = messages
        return ["a look"]

    def score(self, messages: Any, answers: list[str]) -> list[float]:
        return [-0.1, *(-5.0 for _ in answers[1:])]


def test_write_items_writes_the_questions_that_are_measured(tmp_path: Path) -> None:
    scenes = scenes_for(held=True, each=1, seed=TEST_SEED)
    questions = list(selection_items(Pool(scenes), 4, names_colour=False))
    write_items(questions, np.zeros((len(scenes), 8, 8, 3), np.uint8), tmp_path / "items.jsonl")

    items = read_items(tmp_path / "items.jsonl").items

    assert [item.asked.answer for item in items] == [question.answer for question in questions]
    for item, question in zip(items, questions, strict=True):
        model = Asked()
        ask_model(item.asked, model)  # pyright: ignore[reportArgumentType]
        assert _as_text(model.messages) == _as_text(question.prompt())


def _as_text(messages: list[Message]) -> list[str]:
    """The parts, a picture by its row."""
    return [part.path.stem if isinstance(part, Picture) else part for message in messages for part in message.parts]
