"""A model that writes of colours, and the wiring that brings it and the colour encoder to the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from limner.cli.wiring import Wiring
from limner.composer.models.load import ModelInfo
from limner.composer.protocols import Message, Sampling
from limner.index.library import Library

from ..colours import COLOURS, ColourEncoder


@dataclass
class ColourModel:
    """Writes a paragraph for each colour that the instruction names, finds its place, and takes the best candidate."""

    name: str = "colour-model"
    dialect: str = "limner"
    context_tokens: int = 100_000
    before_call: Callable[[str], None] = lambda question: None
    asked: list[str] = field(default_factory=list)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(_text(messages).split())

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        text = _text(messages)
        question = "write" if "The instruction:" in text else "spots"
        self.asked.append(question)
        self.before_call(question)
        if question == "write":
            named = re.search(r"The title is: (.*)", text)
            yield f"# {named[1] if named else 'Colours'}\n"
            for colour in _colours(text.partition("The instruction:")[2]):
                yield f"\nEverything was {colour} that day.\n"
        else:
            for number, colour in re.findall(r"^\[(\d+)\] Everything was (\w+)", text, re.M):
                yield f"{number}: {colour}\n"

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        self.asked.append("select")
        self.before_call("select")
        return [-0.1, *(-5.0 for _ in answers[1:])]


def _text(messages: Sequence[Message]) -> str:
    return "".join(part for message in messages for part in message.parts if isinstance(part, str))


def _colours(text: str) -> list[str]:
    return [word for word in re.findall(r"[a-z]+", text.lower()) if word in COLOURS] or ["white"]


def colour_wiring(fake: ColourModel | None = None, **other: Any) -> Wiring:
    """Fakes for everything that would load weights; its world is coloured, so "grey" is outside."""
    encoder = ColourEncoder()
    wiring = Wiring(
        encoder=lambda name, device: encoder,
        encoders_at_hand=lambda: ["colour"],
        library=lambda folder, device: Library.open(folder, encoder=encoder),
        model=lambda name, options: fake or ColourModel(),
        check_models=lambda asked: None,
        known_models=lambda: [
            ModelInfo("served", "far", False, "an address", ""),
            ModelInfo("embedded", "colour-model", True, "nothing", "colours alone"),
        ],
        check_instruction=lambda name, text: "grey is outside of the coloured world" if "grey" in text else None,
        check_draft=lambda name, text: "this draft is grey" if "grey" in text else None,
        check_library=lambda name, library: None,
    )
    return replace(wiring, **other)
