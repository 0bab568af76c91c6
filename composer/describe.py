"""A picture to one sentence: what stands for the alt text and caption that nobody wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..index.errors import PictureUnreadable
from .markdown import one_line
from .prompts import render_prompt
from .protocols import Model, Sampling

MAX_NEW_TOKENS = 80


def describe(picture: Path, model: Model) -> str:
    """What a picture shows, in a sentence; the same picture gives the same one.

    Raises:
        PictureUnreadable: it cannot be read, or the model has no words for it; the hint says which.
    """
    messages = render_prompt("describe", dialect=model.dialect, image=picture)
    text = one_line("".join(model.generate(messages, sampling=Sampling(MAX_NEW_TOKENS))))
    # A reply that the limit cut goes back to its last whole sentence, if it has one.
    if not text.endswith((".", "!", "?", "。")) and (whole := text.rpartition(". ")[0]):
        text = f"{whole}."
    if not any(character.isalnum() for character in text):
        raise PictureUnreadable(str(picture), "the model has no words for it")
    return text


@dataclass(slots=True)
class Describer:
    """`describe` with a model that the first call loads: what another process can be given."""

    load: Callable[[], Model]
    model: Model | None = None

    def __call__(self, picture: Path) -> str:
        """As `describe`; raises what load does too."""
        if self.model is None:
            self.model = self.load()
        return describe(picture, self.model)
