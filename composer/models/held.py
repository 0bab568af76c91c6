"""A reply held to a JSON schema: of the next tokens, those alone that can still lead to a value of that form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ReplyInvalid

if TYPE_CHECKING:
    import torch

# Blanks between the parts of a value say nothing, and a small model can go on with them for ever.
_OPTIONS: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


def vocabulary(tokenizer: Any, end_tokens: Sequence[int]) -> Any:
    """A model's tokens as the library of grammars reads them, or None where it cannot; about a second for a large one.

    Args:
        tokenizer: of transformers.
        end_tokens: end a reply.
    """
    from llguidance.hf import from_tokenizer

    try:
        return from_tokenizer(tokenizer, eos_token=list(end_tokens) or None, slices=[])
    except (ValueError, RuntimeError):
        return None  # not a fast tokenizer, or one whose tokens are no bytes


class Held:
    """A logits processor for one reply that leaves only what the schema allows, and then the end."""

    def __init__(self, tokens: Any, schema: Mapping[str, Any], *, begin: int, limit: int) -> None:
        """Begin one reply.

        Args:
            tokens: the model's `vocabulary`.
            schema: a JSON schema.
            begin: how long the prompt is, in tokens.
            limit: how long the reply may be; what follows it in a batch is padding.

        Raises:
            ReplyInvalid: not a schema, or one with parts that the library does not know.
        """
        from llguidance import LLMatcher

        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=_OPTIONS)
        self._matcher = LLMatcher(tokens, grammar)
        if self._matcher.is_error():
            raise ReplyInvalid(f"not a JSON schema: {self._matcher.get_error()}")
        self._read = begin
        self._end = begin + limit

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        if input_ids.shape[1] >= self._end:
            return scores
        drawn = input_ids[0, self._read :].tolist()
        self._read += len(drawn)
        if drawn and not self._matcher.is_stopped():
            self._matcher.consume_tokens(drawn)
        if self._matcher.is_error():
            raise ReplyInvalid(f"the reply left its form: {self._matcher.get_error()}")
        bits = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)  # a bit a token
        places = torch.arange(8, dtype=torch.uint8)
        allowed = ((bits[:, None] >> places) & 1).bool().flatten()[: scores.shape[1]]
        allowed = torch.nn.functional.pad(allowed, (0, scores.shape[1] - len(allowed)))  # rows beyond the tokenizer's
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))
