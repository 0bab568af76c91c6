"""What a model has read already: the key-value cache of its last prompt, cut back to what the next one begins with too.

An article's prompts share their beginning: the text and the pictures before a spot begin every later one too. Only what
follows the common beginning is read anew, and of the pictures only those that are not in it. A beginning is the same
when its tokens and its pictures are; pictures are known by file and time, since their tokens are all alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

_TOKENS = frozenset({"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"})
_OF_PICTURES = frozenset(
    {"pixel_values", "pixel_attention_mask", "image_sizes", "image_grid_thw", "image_position_ids"}
)
_OF_THE_WHOLE = frozenset({"batch_num_images"})  # says only whether there are several


@dataclass(frozen=True, slots=True)
class Span:
    """Where a picture lies among the tokens of a prompt."""

    identity: Hashable  # the same only for the same picture, read in the same way
    begin: int
    end: int  # after its last token
    tokens: int  # that stand for it; what is left of the span marks rows and tiles


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as the processor has cut it."""

    inputs: Mapping[str, Any]  # (1, tokens) and, for pictures, what the model's family has
    ids: tuple[int, ...]
    spans: tuple[Span, ...] | None  # None: not known where its pictures lie, so that nothing of it is used again


@dataclass(frozen=True, slots=True)
class _Kept:
    ids: tuple[int, ...]  # a key and a value for each
    spans: tuple[Span, ...]
    cache: Any


class PrefixCache:
    """The cache of one model's last prompt. It is taken out while it is in use: two threads never share it."""

    def __init__(self, config: Any) -> None:
        """Args: config: the model's; it says whether its caches can be cut back."""
        self._config = config
        self._kept: _Kept | None = None
        self._reusable: bool | None = None

    @property
    def reusable(self) -> bool:
        """Whether every layer keeps a key and a value for each token; recurrent states cannot be cut back."""
        from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

        if self._reusable is None:
            layers = [] if self._config.is_encoder_decoder else DynamicCache(config=self._config).layers
            self._reusable = bool(layers) and all(
                type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers
            )
        return self._reusable

    def take(self, prompt: Prompt) -> tuple[Any, int, Mapping[str, Any]]:
        """A cache to go on with, how many of the prompt's tokens it holds, and the prompt's inputs without them.

        At least the last token is left to read. The cache is None where the model has to make its own.
        """
        kept, self._kept = self._kept, None
        if kept is None or prompt.spans is None:
            return self.fresh(), 0, prompt.inputs
        common = common_length(kept.ids, kept.spans, prompt.ids, prompt.spans)
        rest = without_pictures(prompt.inputs, prompt.spans, common) if common else None
        if rest is None:
            return self.fresh(), 0, prompt.inputs
        if surplus := len(kept.ids) - common:
            kept.cache.crop(-surplus)
        return kept.cache, common, rest

    def fresh(self) -> Any:
        """An empty cache that can be cut back, or None where the model has to make its own.

        It is not made by the configuration: a layer with a sliding window would forget what is outside of it and could
        not be cut back. It keeps all here, which takes more memory; the mask still keeps to the window.
        """
        from transformers import DynamicCache

        return DynamicCache() if self.reusable else None

    def keep(self, prompt: Prompt, ids: Sequence[int], cache: Any) -> None:
        """Keep a cache for the next prompt; ids are what it holds, the prompt's and what was drawn after it."""
        if self.reusable and prompt.spans is not None and cache.get_seq_length() == len(ids):
            self._kept = _Kept(tuple(ids), prompt.spans, cache)

    def drop(self) -> None:
        """Give the memory back."""
        self._kept = None


def locate(ids: Sequence[int], token: int | None, identities: Sequence[Hashable], tiles: Sequence[int] | None) -> Any:
    """Where each picture lies among the tokens, or None where that cannot be told.

    Args:
        ids: of the prompt.
        token: stands for a piece of a picture; None for a model without pictures.
        identities: of the pictures, in reading order.
        tiles: how many runs of such tokens each picture has, where it is not one.
    """
    if not identities:
        return ()
    if token is None:
        return None
    runs: list[tuple[int, int]] = []
    position = 0
    for is_picture, group in groupby(ids, lambda value: value == token):
        length = sum(1 for _ in group)
        if is_picture:
            runs.append((position, position + length))
        position += length
    counts = [1] * len(identities) if len(runs) == len(identities) else list(tiles or ())
    if len(counts) != len(identities) or sum(counts) != len(runs) or 0 in counts:
        return None
    spans: list[Span] = []
    for identity, count in zip(identities, counts, strict=True):
        own, runs = runs[:count], runs[count:]
        spans.append(Span(identity, own[0][0], own[-1][1], sum(end - begin for begin, end in own)))
    return tuple(spans)


def common_length(read: Sequence[int], seen: Sequence[Span], ids: Sequence[int], spans: Sequence[Span]) -> int:
    """How many tokens two prompts have in common, no picture in part and never all of the second.

    Args:
        read: the tokens of the first; seen: its pictures.
        ids: the tokens of the second; spans: its pictures.
    """
    limit = min(len(read), len(ids) - 1)
    common = next((i for i in range(limit) if read[i] != ids[i]), limit)
    for number, span in enumerate(spans):
        if span.begin >= common:
            break
        if span.end > common or number >= len(seen) or seen[number] != span:
            return span.begin
    return common


def without_pictures(inputs: Mapping[str, Any], spans: Sequence[Span], read: int) -> dict[str, Any] | None:
    """A prompt's inputs without the pictures that end within its first `read` tokens; None where that cannot be told.

    The tokens stay whole: the model's own code cuts them.
    """
    total = len(spans)
    done = sum(span.end <= read for span in spans)
    pieces, all_pieces = sum(span.tokens for span in spans[:done]), sum(span.tokens for span in spans)
    rest: dict[str, Any] = {}
    for key, value in inputs.items():
        if key in _TOKENS or (key in _OF_THE_WHOLE and done < total):
            rest[key] = value
        elif key not in _OF_PICTURES | _OF_THE_WHOLE:
            return None
        elif done < total:
            # (pictures or tiles or patches, ...), or the same after an axis of length 1 for the prompt
            axis = 0 if value.shape[0] > 1 else 1
            rows = int(value.shape[axis])
            skipped, odd = (done, 0) if rows == total else divmod(rows * pieces, all_pieces)
            if odd:
                return None
            rest[key] = value.narrow(axis, skipped, rows - skipped) if done else value
    return rest
