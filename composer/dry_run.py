"""The first prompt of an article, without the model that it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .article import Brief, Draft
from .protocols import Message, Sampling
from .spot import first_prompt as first_of_spots
from .write import fit_prompt, shown_references


@dataclass(frozen=True, slots=True)
class Unloaded:
    """A model of which no more is known than its name and its dialect: every prompt fits it, and it answers none."""

    name: str
    dialect: str
    context_tokens: int = 2**31

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return 0

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        raise AssertionError("a model that is not loaded writes nothing")

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        raise AssertionError("a model that is not loaded scores nothing")


def first_prompt(brief: Brief, draft: Draft | None, model: Unloaded) -> tuple[list[Message], list[str]]:
    """The messages that the model would be asked first, whole, and what it would not read of the brief.

    Raises:
        BriefInvalid: as `write` does.
    """
    if draft is None:
        return fit_prompt(brief, model)
    references = shown_references(brief, pictures=True)
    messages = first_of_spots(draft, model, images=brief.images, language=brief.language, references=references)
    return messages, []
