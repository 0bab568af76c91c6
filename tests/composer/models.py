"""Models with checkable answers: one that says what it was told to, one that chooses by colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from limner.composer.errors import ReplyInvalid
from limner.composer.protocols import Message, Picture, Sampling
from PIL import Image


class ScriptedModel:
    """Gives the replies of its script, one a call, and remembers what it was asked."""

    name = "scripted"
    dialect = "limner"

    def __init__(self, *replies: str, context_tokens: int = 10_000) -> None:
        self.replies = list(replies)
        self.context_tokens = context_tokens
        self.asked: list[Sequence[Message]] = []
        self.schemas: list[Mapping[str, Any] | None] = []

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """A token a word, 25 a picture."""
        return sum(
            25 if isinstance(part, Picture) else len(part.split()) for message in messages for part in message.parts
        )

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        self.asked.append(messages)
        self.schemas.append(schema)
        reply = self.replies.pop(0)
        yield reply[: len(reply) // 2]
        yield reply[len(reply) // 2 :]

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        raise AssertionError("not asked to score")


class ColourModel(ScriptedModel):
    """Takes the candidate of the same colour as the last picture before the candidates; the first where there is none.

    With `fits` False it finds that nothing fits; with `broken` it answers with what is no probability that many times.
    Each position has a `leaning` that is added whatever stands there. In the dialect "nano" it looks first.
    """

    name = "colour"

    def __init__(
        self,
        *replies: str,
        fits: bool = True,
        broken: int = 0,
        context_tokens: int = 10_000,
        leaning: Sequence[float] = (),
        dialect: str = "limner",
    ) -> None:
        super().__init__(*replies, context_tokens=context_tokens)
        self.fits = fits
        self.broken = broken
        self.leaning = leaning
        self.dialect = dialect

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        """Looks at candidates in words of its own; other prompts take from the script."""
        if any(isinstance(part, Picture) for message in messages for part in message.parts):
            yield "a look at the candidates"
        else:
            yield from super().generate(messages, sampling=sampling, schema=schema)

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        self.asked.append(messages)
        if self.broken:
            self.broken -= 1
            raise ReplyInvalid("no letter came back")
        pictures = [part for message in messages for part in message.parts if isinstance(part, Picture)]
        count = len(answers) - 1
        colours = [Image.open(picture.path).convert("RGB").getpixel((0, 0)) for picture in pictures]
        before, candidates = colours[:-count], colours[-count:]
        wanted = candidates.index(before[-1]) if before and before[-1] in candidates else 0
        scores = [-1.0 if i == wanted else -5.0 for i in range(count)]
        scores = [score + lean for score, lean in zip(scores, self.leaning or [0.0] * count, strict=True)]
        return [*scores, -8.0 if self.fits else 0.0]
