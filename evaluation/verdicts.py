"""What one rater found in one article: a model's reading of it, or a person's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# Graded; no reply of the form asked for, twice; longer than the model can take; the server's filter would not have it.
Outcome = Literal["graded", "unparsed", "too_long", "refused"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rater's grades of an article, or why there are none."""

    article: str  # the id of an entry
    rater: str
    outcome: Outcome
    grades: dict[str, int] = field(default_factory=dict)  # all eight where it is graded, else empty
    reasons: dict[str, str] = field(default_factory=dict)  # why each grade; people give none
    note: str = ""  # why there are no grades
    replies: tuple[str, ...] = ()  # the beginnings of those that could not be read
    calls: int = 0  # what the verdict cost
    prompt_tokens: int = 0
    reply_tokens: int = 0
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        return (self.article, self.rater)
