"""A tokenizer with a chat template in the place of a processor: what lets a model of text alone write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ModelUnfit


@dataclass(frozen=True, slots=True)
class TextProcessor:
    """What LocalModel asks of a processor, for messages without pictures."""

    name: str
    tokenizer: Any

    def apply_chat_template(self, chat: Sequence[dict[str, Any]], **options: Any) -> Any:
        """The prompt's tokens, as a processor of transformers returns them.

        Raises:
            ModelUnfit: a message holds a picture.
        """
        from transformers import BatchFeature

        texts = [{"role": turn["role"], "content": "".join(map(self._text, turn["content"]))} for turn in chat]
        encoded = self.tokenizer.apply_chat_template(texts, **options)
        # Some tokenizers return token_type_ids as well, which causal models do not take.
        return BatchFeature({name: encoded[name] for name in ("input_ids", "attention_mask")})

    def _text(self, part: dict[str, Any]) -> str:
        if part["type"] != "text":
            raise no_pictures(self.name)
        return part["text"]


def no_pictures(name: str) -> ModelUnfit:
    """The error for a picture that a model of text alone is shown."""
    return ModelUnfit(
        f"{name} only writes: it reads no pictures, so that it cannot choose or describe them",
        "name a model that reads pictures with --selector (`limner models list`); this one can stay the --writer",
    )
