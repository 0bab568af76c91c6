"""Whether a text is of the world that the embedded model knows: it says so instead of pretending."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache

from .load import EMBEDDED, embedded_folder

# Measured by `make evaluate-embedded`: stories of the picture book stand at 1.0, real articles far below.
KNOWN_SHARE_OF_INSTRUCTION = 0.5
KNOWN_SHARE_OF_DRAFT = 0.8
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class World:
    """The words that the embedded model was trained on."""

    subjects: frozenset[str]
    words: frozenset[str]

    def known_share(self, text: str) -> float:
        """The share of a text's words that the model has seen, 0 for a text without words."""
        words = _words(text)
        return sum(word in self.words for word in words) / len(words) if words else 0.0

    def names_subject(self, text: str) -> bool:
        """Whether one of the world's subjects is named, in the singular or plural."""
        named = set(_words(text))
        return any(subject in named or f"{subject}s" in named for subject in self.subjects)


@cache
def picture_book() -> World:
    """The world of nano-vlm."""
    values = json.loads((embedded_folder() / "world.json").read_text(encoding="utf-8"))
    return World(frozenset(values["subjects"]), frozenset(values["words"]))


def check_instruction(model: str, text: str) -> str | None:
    """Why this instruction is not for this model, or None."""
    if model != EMBEDDED:
        return None
    world = picture_book()
    if world.names_subject(text) and world.known_share(text) >= KNOWN_SHARE_OF_INSTRUCTION:
        return None
    return f"nano-vlm knows only the drawn picture-book world ({_examples(world)}), and this instruction is not of it"


def check_draft(model: str, text: str) -> str | None:
    """Why this draft is not for this model, or None."""
    if model != EMBEDDED:
        return None
    share = picture_book().known_share(text)
    if share >= KNOWN_SHARE_OF_DRAFT:
        return None
    return (
        f"nano-vlm knows only the drawn picture-book world, and {1 - share:.0%} of this draft's words are strange to it"
    )


def _examples(world: World) -> str:
    subjects = sorted(world.subjects)
    return ", ".join(subjects[:: max(1, len(subjects) // 5)][:5]) + " …"


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
