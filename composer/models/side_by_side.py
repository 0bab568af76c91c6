"""Several prompts in one pass: padded on the left, and of each only what follows what the last pass read of it.

The rows of a batch ask for a reply, then for scores after it, then about the next spot of the same article: each prompt
begins with most of the one before. The keys and values of that beginning are taken from the last pass, of whichever row
had it, and moved together, so that the new tokens of all rows stand below each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .prefix_cache import Prompt, Span, common_length, without_pictures

if TYPE_CHECKING:
    import torch

_PLAIN = frozenset({"input_ids", "attention_mask", "pixel_values"})
_ROOM = 64  # tokens that a growing layer makes room for at a time


@dataclass(frozen=True, slots=True)
class _Row:
    """What the last pass read of one prompt, and wrote after it."""

    ids: tuple[int, ...]
    slots: tuple[int, ...]  # where each token's key and value lie in the cache
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """Prompts ready to be read: inputs as transformers wants them, on the CPU, with what of them is read already."""

    inputs: dict[str, torch.Tensor]  # (prompts, read + rest)
    cache: Any
    read: int  # slots of the cache, padding included
    slots: tuple[tuple[int, ...], ...]  # of each prompt's tokens
    prompts: tuple[Prompt, ...]


class SideBySide:
    """The cache of one model's last pass over several prompts."""

    def __init__(self) -> None:
        self._kept: tuple[list[_Row], Any] | None = None

    def take(self, prompts: Sequence[Prompt], pad: int) -> Together:
        """The prompts together; at least the last token of each is left to read.

        All of them must be `plain`.
        """
        import torch

        kept, self._kept = self._kept, None
        rows, old = kept if kept else ([], None)
        found = [_longest(rows, prompt) for prompt in prompts]
        rests: list[Mapping[str, Any]] = []
        for number, prompt in enumerate(prompts):
            assert prompt.spans is not None
            rest = without_pictures(prompt.inputs, prompt.spans, found[number][1])
            if rest is None:
                found[number] = (-1, 0)
            rests.append(prompt.inputs if rest is None else rest)
        read = max(common for _, common in found)
        longest = max(len(prompt.ids) - common for prompt, (_, common) in zip(prompts, found, strict=True))
        ids = torch.full((len(prompts), read + longest), pad)
        mask = torch.zeros_like(ids)
        slots: list[tuple[int, ...]] = []
        for i, (prompt, (_, common)) in enumerate(zip(prompts, found, strict=True)):
            rest_begins = read + longest - (len(prompt.ids) - common)
            places = (*range(read - common, read), *range(rest_begins, read + longest))
            ids[i, list(places)] = torch.tensor(prompt.ids)
            mask[i, list(places)] = 1
            slots.append(places)
        inputs = {"input_ids": ids, "attention_mask": mask}
        if pictures := [rest["pixel_values"] for rest in rests if "pixel_values" in rest]:
            inputs["pixel_values"] = torch.cat(pictures)
        cache = growing_cache()
        if read:
            _move(rows, old, found, read, cache)
        return Together(inputs, cache, read, tuple(slots), tuple(prompts))

    def keep(self, together: Together, cache: Any, written: Sequence[Sequence[int]] = ()) -> None:
        """Keep what a pass read, and the tokens that it wrote after each prompt."""
        begin, length = int(together.inputs["input_ids"].shape[1]), int(cache.get_seq_length())
        rows: list[_Row] = []
        for number, (prompt, slots) in enumerate(zip(together.prompts, together.slots, strict=True)):
            more = tuple(written[number])[: length - begin] if written else ()
            assert prompt.spans is not None
            rows.append(_Row(prompt.ids + more, (*slots, *range(begin, begin + len(more))), prompt.spans))
        self._kept = rows, cache

    def drop(self) -> None:
        """Give the memory back."""
        self._kept = None


def plain(prompts: Sequence[Prompt]) -> bool:
    """Whether prompts can be put together here: of tokens in a row, and of pictures of one size.

    Families with positions of rows and columns, with tiles or with masks of pictures are left to their own processors.
    """
    if any(prompt.spans is None or not prompt.inputs.keys() <= _PLAIN for prompt in prompts):
        return False
    pictures = [prompt.inputs["pixel_values"] for prompt in prompts if "pixel_values" in prompt.inputs]
    return all(picture.ndim == 4 for picture in pictures) and len({picture.shape[1:] for picture in pictures}) <= 1


def growing_cache() -> Any:
    """An empty cache that appends in place: joining tensors anew at every token takes as long as the model itself."""
    from transformers.cache_utils import Cache, DynamicLayer

    class GrowingLayer(DynamicLayer):
        """A layer with room behind what it holds."""

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
                self.room = (key_states[..., :0, :], value_states[..., :0, :])
            begin = self.get_seq_length()
            end = begin + key_states.shape[-2]
            if end > self.room[0].shape[-2]:
                self.room = (_roomier(key_states, self.keys, end), _roomier(value_states, self.values, end))
            for room, states in zip(self.room, (key_states, value_states), strict=True):
                room[..., begin:end, :] = states
            self.keys, self.values = (room[..., :end, :] for room in self.room)
            return self.keys, self.values

    return Cache(layer_class_to_replicate=GrowingLayer)


def _roomier(states: torch.Tensor, held: torch.Tensor | None, end: int) -> torch.Tensor:
    room = states.new_empty((*states.shape[:-2], end + _ROOM, states.shape[-1]))
    if held is not None and held.numel():
        room[..., : held.shape[-2], :] = held
    return room


def _longest(rows: Sequence[_Row], prompt: Prompt) -> tuple[int, int]:
    """The row whose beginning the prompt shares furthest, and how far; (-1, 0) for none."""
    assert prompt.spans is not None
    best = (-1, 0)
    for number, row in enumerate(rows):
        common = common_length(row.ids, row.spans, prompt.ids, prompt.spans)
        if common > best[1]:
            best = (number, common)
    return best


def _move(rows: Sequence[_Row], old: Any, found: Sequence[tuple[int, int]], read: int, cache: Any) -> None:
    """Fill a new cache with what the rows have read, each ending at slot `read`."""
    import torch

    for number, layer in enumerate(old.layers):
        moved: list[torch.Tensor] = []
        for held in (layer.keys, layer.values):
            new = held.new_zeros((len(found), held.shape[1], read, held.shape[3]))
            for i, (row, common) in enumerate(found):
                if common:
                    places = torch.tensor(rows[row].slots[:common], device=held.device)
                    new[i, :, read - common :] = held[row].index_select(1, places)
            moved.append(new)
        cache.update(moved[0], moved[1], number)
