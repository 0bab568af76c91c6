"""What a model and an image search must do: the two seams of the composer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..index.records import Hit


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a part of a message; the adapter decodes and scales it."""

    path: Path


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; its parts are texts and pictures in reading order."""

    role: str  # "system", "user" or "assistant"
    parts: tuple[str | Picture, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn; a temperature of 0 is greedy."""

    max_new_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


class Model(Protocol):
    """The model seam: two questions, and what a caller must know to ask them within bounds."""

    @property
    def name(self) -> str:
        """The name that `--model` takes, as recorded in article.json."""
        ...

    @property
    def dialect(self) -> str:
        """The folder of prompt templates that is written for models of this kind: "limner" for most."""
        ...

    @property
    def context_tokens(self) -> int:
        """How many tokens prompt and reply may have together."""
        ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How many tokens the prompt has, its pictures included."""
        ...

    def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Iterator[str]:
        """Yield the reply piece by piece as it is made."""
        ...

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        """The natural-log probability of each answer as the beginning of the reply, in the order of answers."""
        ...


@runtime_checkable
class Pinned(Protocol):
    """A model that knows the commit of its weights; empty where they have none."""

    revision: str


class ImageSearch(Protocol):
    """Pictures for words: `Library` is one."""

    def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
        """The m pictures that fit text best, best first, without those whose ids are excluded.

        context is the paragraphs around the place, for what is said of the pictures.
        """
        ...

    def duplicates(self, image_id: int) -> Collection[int]:
        """The ids of the pictures that are this one again, exactly or nearly; of all of them an article shows one."""
        ...
