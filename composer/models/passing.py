"""A model that stands before another one and is like it in all that it does not do itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..protocols import Message, Model


class Passing:
    """What a dataclass with a field `model` takes over from it; it brings its own `generate` and `score`."""

    __slots__ = ()
    model: Model

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def dialect(self) -> str:
        return self.model.dialect

    @property
    def context_tokens(self) -> int:
        return self.model.context_tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)  # what only some models have: a revision, whether they read pictures

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self.model.count_tokens(messages)
