"""A transformers image-text-to-text model of this machine behind the model seam. Owns no prompt, never downloads."""

from __future__ import annotations

import copy
import inspect
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache, cached

from ...index.decode import ANY_SIZE, decode
from ...index.errors import PictureUnreadable
from ..protocols import Message, Picture, Sampling
from .drawing import Drawing, Until
from .options import DEFAULT_SIDE_PX
from .prefix_cache import PrefixCache, Prompt, locate
from .prepared import IDENTITY, PreparedOnce
from .side_by_side import SideBySide, Together, plain

if TYPE_CHECKING:
    import torch

KEPT_BYTES = 100_000_000  # of prompts that are cut already, pictures included
KEPT_PICTURE_BYTES = 256_000_000  # decoded: those of an article, or of a batch, are read again at every later spot


@dataclass
class LocalModel:
    """A loaded model with its processor."""

    name: str
    model: Any
    processor: Any
    context_tokens: int
    dialect: str = "limner"
    revision: str = ""  # the commit of its weights, where they have one
    max_side_px: int = DEFAULT_SIDE_PX
    _cut: OrderedDict[Any, Prompt] = field(default_factory=OrderedDict, repr=False)  # what was cut last, by messages

    def __post_init__(self) -> None:
        """Have each picture prepared once."""
        own = getattr(self.processor, "image_processor", None)
        if own is not None and not isinstance(own, PreparedOnce):
            self.processor.image_processor = PreparedOnce(own)

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How many tokens the prompt has, its pictures included."""
        return len(self._prompt(messages).ids)

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        """Yield the reply piece by piece; the seed alone decides what is drawn.

        Raises:
            ValueError: numbers that no sampling can have.
        """
        import torch
        from transformers import TextIteratorStreamer

        prompt = self._prompt(messages)
        asked = self._asked([sampling], [schema], len(prompt.ids))
        stop = threading.Event()
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)

        def work() -> None:
            try:
                with torch.inference_mode():
                    cache, _, rest = self._prefix.take(prompt)
                    inputs = self._placed(prompt, rest)
                    until = [Until([sampling.max_new_tokens], len(prompt.ids), stop)]
                    ids = self.model.generate(
                        **inputs, **asked, past_key_values=cache, streamer=streamer, stopping_criteria=until
                    )
                    if cache is not None:
                        self._prefix.keep(prompt, ids[0, : cache.get_seq_length()].tolist(), cache)
            finally:
                streamer.end()  # also when generation fails, or the reader below would wait for ever

        with ThreadPoolExecutor(1) as executor:
            done = executor.submit(work)
            try:
                yield from (piece for piece in streamer if piece)
            finally:
                stop.set()
            done.result()

    def generate_many(
        self,
        prompts: Sequence[Sequence[Message]],
        samplings: Sequence[Sampling],
        schemas: Sequence[Mapping[str, Any] | None] | None = None,
    ) -> list[str]:
        """The replies to several prompts, made side by side: each is what `generate` gives for it alone.

        Memory grows with the number of prompts times the longest of them: the caller says how many fit.
        """
        import torch

        if not prompts:
            return []
        self._prefix.drop()
        together = self._together(prompts)
        inputs = self._whole(together) if together else self._inputs_of(prompts)
        begin = int(inputs["input_ids"].shape[1])
        asked = self._asked(samplings, schemas or [None] * len(prompts), begin)
        limits = [sampling.max_new_tokens for sampling in samplings]
        cache = together.cache if together else None
        with torch.inference_mode():
            ids = self.model.generate(
                **inputs, **asked, past_key_values=cache, stopping_criteria=[Until(limits, begin)]
            )[:, begin:]
        replies = [self._reply(row, limit) for row, limit in zip(ids.tolist(), limits, strict=True)]
        if together:
            self._side_by_side.keep(together, cache, replies)
        return [self._tokenizer.decode(reply, skip_special_tokens=True) for reply in replies]

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        """The log-probability of each answer: the prompt is read once, each further token of an answer after it."""
        import torch

        prompt = self._prompt(messages)
        with torch.inference_mode():
            cache, read, rest = self._prefix.take(prompt)
            inputs = self._placed(prompt, rest)
            output = self._forward(inputs, cache, read)
            [scores] = self._answers(inputs, output, [answers])
            self._prefix.keep(prompt, prompt.ids, output.past_key_values)
        return scores

    def score_many(self, prompts: Sequence[Sequence[Message]], answers: Sequence[Sequence[str]]) -> list[list[float]]:
        """What `score` gives for each prompt and its answers, read side by side."""
        import torch

        if not prompts:
            return []
        self._prefix.drop()
        together = self._together(prompts)
        with torch.inference_mode():
            if together is None:
                inputs = self._inputs_of(prompts)
                return self._answers(inputs, self._forward(inputs, self._prefix.fresh(), 0), answers)
            inputs = self._whole(together)
            output = self._forward(inputs, together.cache, together.read)
            scores = self._answers(inputs, output, answers)
        self._side_by_side.keep(together, output.past_key_values)
        return scores

    def _together(self, prompts: Sequence[Sequence[Message]]) -> Together | None:
        """The prompts with what the last pass read of them, where the model's family allows it."""
        cut = [self._prompt(messages) for messages in prompts]
        if not self._prefix.reusable or not plain(cut):
            return None
        return self._side_by_side.take(cut, self._padding)

    def _whole(self, together: Together) -> dict[str, Any]:
        return self._on_device(together.inputs) | self._positions(together.inputs)

    def _forward(self, inputs: Mapping[str, Any], cache: Any, read: int, *, first: bool = True) -> Any:
        """Read what follows the `read` tokens that the cache holds; the logits are those after the last token."""
        length = int(inputs["input_ids"].shape[1])
        given = self.model.prepare_inputs_for_generation(
            **inputs,
            past_key_values=cache,
            use_cache=True,
            is_first_iteration=first,
            next_sequence_length=length - read,
        )
        return self.model(**given, logits_to_keep=1)

    def _answers(self, inputs: Mapping[str, Any], output: Any, answers: Sequence[Sequence[str]]) -> list[list[float]]:
        """The log-probabilities of each prompt's answers, once the prompts are read."""
        import torch

        tokens = [
            [tuple(self._tokenizer.encode(answer, add_special_tokens=False)) for answer in row] for row in answers
        ]
        first = torch.log_softmax(output.logits[:, -1].float(), -1)  # (prompts, vocabulary)
        longer = sorted({answer for row in tokens for answer in row if len(answer) > 1})
        rest = {answer: self._after_first(inputs, output.past_key_values, answer) for answer in longer}
        return [
            [float(first[i, answer[0]]) + (rest[answer][i] if len(answer) > 1 else 0.0) for answer in row]
            for i, row in enumerate(tokens)
        ]

    def _after_first(self, inputs: Mapping[str, Any], cache: Any, answer: tuple[int, ...]) -> list[float]:
        """The log-probability of what follows an answer's first token, after each prompt; the cache is as before."""
        import torch

        cut = self._prefix.reusable
        here = cache if cut else copy.deepcopy(cache)
        total = torch.zeros(inputs["input_ids"].shape[0])
        grown = {key: value for key, value in inputs.items() if key in ("input_ids", "attention_mask", "position_ids")}
        for token, following in pairwise(answer):
            ids, mask = grown["input_ids"], grown["attention_mask"]
            grown["input_ids"] = torch.cat([ids, ids.new_full((len(ids), 1), token)], 1)
            grown["attention_mask"] = torch.cat([mask, mask.new_ones((len(mask), 1))], 1)
            if (places := grown.get("position_ids")) is not None:
                grown["position_ids"] = torch.cat([places, places[..., -1:] + 1], -1)
            output = self._forward(grown, here, int(ids.shape[1]), first=False)
            total += torch.log_softmax(output.logits[:, -1].float(), -1)[:, following].cpu()
        if cut:
            cache.crop(1 - len(answer))  # the next answer follows the prompt, not this answer
        return total.tolist()

    @cached_property
    def _side_by_side(self) -> SideBySide:
        return SideBySide()

    @cached_property
    def _prefix(self) -> PrefixCache:
        return PrefixCache(self.model.config)

    @cached_property
    def _vocabulary(self) -> Any:
        from .held import vocabulary

        return vocabulary(self._tokenizer, self.ends)

    @property
    def _tokenizer(self) -> Any:
        return self.processor.tokenizer

    @property
    def ends(self) -> list[int]:
        """The tokens that end a reply."""
        ends = self.model.generation_config.eos_token_id
        return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)

    @property
    def _padding(self) -> int:
        """The token that fills a batch up."""
        padding = self._tokenizer.pad_token_id
        return (self.ends or [0])[0] if padding is None else padding

    def _asked(
        self, samplings: Sequence[Sampling], schemas: Sequence[Mapping[str, Any] | None], begin: int
    ) -> dict[str, Any]:
        """What to ask transformers for: the highest score, after each row's own drawing."""
        from transformers import LogitsProcessorList

        from .held import Held

        held = [
            Held(self._vocabulary, schema, begin=begin, limit=sampling.max_new_tokens)
            if schema is not None and self._vocabulary is not None
            else None
            for sampling, schema in zip(samplings, schemas, strict=True)
        ]
        drawing = Drawing(samplings, held, self.model.generation_config.top_k)
        return {
            "do_sample": False,
            "logits_processor": LogitsProcessorList([drawing]),
            "max_new_tokens": max(sampling.max_new_tokens for sampling in samplings),
            "pad_token_id": self._padding,
        }

    def _reply(self, ids: Sequence[int], limit: int) -> Sequence[int]:
        """A row of a batch up to its own end."""
        end = next((i for i, token in enumerate(ids) if token in self.ends), len(ids))
        return ids[: min(end, limit)]

    def _prompt(self, messages: Sequence[Message]) -> Prompt:
        """The messages cut into tokens and pictures; the last ones are remembered: they are counted, then read."""
        paths = [part.path for message in messages for part in message.parts if isinstance(part, Picture)]
        key = (tuple(messages), tuple(_changed(path) for path in paths))
        if key in self._cut:
            return self._cut[key]
        inputs = self._inputs(messages)
        ids = tuple(inputs["input_ids"][0].tolist())
        several = len(paths) > 1 and "batch_num_images" in inputs  # then the family reads pictures in less detail
        identities = [(path, changed, several) for path, changed in zip(paths, key[1], strict=True)]
        spans = locate(ids, self._picture_token, identities, self._tiles(paths))
        prompt = Prompt(inputs, ids, spans)
        self._cut[key] = prompt
        while len(self._cut) > 1 and sum(map(_bytes, self._cut.values())) > KEPT_BYTES:
            self._cut.popitem(last=False)
        return prompt

    @property
    def _picture_token(self) -> int | None:
        """The token that stands for a piece of a picture."""
        config = self.model.config
        return getattr(config, "image_token_id", getattr(config, "image_token_index", None))

    def _tiles(self, paths: Sequence[Path]) -> list[int] | None:
        """How many tiles the processor cuts each picture into, where it says."""
        count = getattr(self.processor, "_get_num_multimodal_tokens", None)
        if count is None or not paths:
            return None
        sizes = [_decoded(path, _changed(path), self.max_side_px).size[::-1] for path in paths]  # (height, width)
        return getattr(count(image_sizes=sizes), "num_image_patches", None)

    def _placed(self, prompt: Prompt, rest: Mapping[str, Any]) -> dict[str, Any]:
        """What is left to read, on the model's device, with the positions of the whole prompt's tokens.

        Families with positions of rows and columns count them over all pictures, those that are read already too.
        """
        return self._on_device(rest) | self._positions(prompt.inputs)

    def _positions(self, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        if "position_ids" not in inspect.signature(self.model.forward).parameters:
            return {}
        known = {key: value for key, value in inputs.items() if not key.startswith("pixel")}
        places = self.model._prepare_position_ids_for_generation(known["input_ids"], known)
        return {"position_ids": places.to(self.model.device)}

    def _on_device(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        device, dtype = self.model.device, self.model.dtype
        return {
            key: value.to(device, dtype=dtype) if value.is_floating_point() else value.to(device)
            for key, value in inputs.items()
        }

    def _inputs(self, messages: Sequence[Message]) -> dict[str, Any]:
        """One prompt as the processor gives it, on the CPU."""
        return dict(
            self.processor.apply_chat_template(
                self.chat(messages), tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
            )
        )

    def _inputs_of(self, prompts: Sequence[Sequence[Message]]) -> dict[str, Any]:
        """Several prompts, padded on the left: their ends stand below each other, where the replies begin."""
        if not any(isinstance(part, Picture) for messages in prompts for message in messages for part in message.parts):
            padded = self._padded([self._inputs(messages) for messages in prompts])
            return self._on_device(padded) | self._positions(padded)
        inputs = self.processor.apply_chat_template(
            [self.chat(messages) for messages in prompts],
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
            processor_kwargs={"padding": True, "padding_side": "left"},
        )
        return self._on_device(inputs) | self._positions(inputs)

    def _padded(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Prompts of text alone below each other; a model that only writes has a tokenizer and no processor."""
        import torch
        from torch.nn.functional import pad

        width = max(row["input_ids"].shape[1] for row in rows)
        fill = {"input_ids": self._padding}
        return {
            key: torch.cat([pad(row[key], (width - row[key].shape[1], 0), value=fill.get(key, 0)) for row in rows])
            for key in rows[0]
        }

    def chat(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """The messages as chat templates read them, with the pictures decoded; no text of theirs opens a turn."""
        return [{"role": message.role, "content": [self._part(part) for part in message.parts]} for message in messages]

    def _part(self, part: str | Picture) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": self._harmless(part)}
        return {"type": "image", "image": _decoded(part.path, _changed(part.path), self.max_side_px)}

    def _harmless(self, text: str) -> str:
        """The text with the model's own control tokens broken up, so that words from outside cannot open a turn."""
        for token in self._tokenizer.all_special_tokens:
            text = text.replace(token, token[0] + "\u200b" + token[1:])
        return text


def _bytes(prompt: Prompt) -> int:
    return sum(value.nbytes for value in prompt.inputs.values())


def _changed(path: Path) -> int:
    """When the file was last changed, in nanoseconds."""
    try:
        return path.stat().st_mtime_ns
    except OSError as exc:
        raise PictureUnreadable(str(path), exc.strerror or "the file is not there") from exc


@cached(LRUCache(KEPT_PICTURE_BYTES, getsizeof=lambda image: 3 * image.width * image.height), lock=threading.Lock())
def _decoded(path: Path, mtime_ns: int, max_side_px: int) -> Any:
    """A picture at the size that models read; another time of change is another picture."""
    image = decode(path, target_px=max_side_px, max_pixels=ANY_SIZE, max_bytes=ANY_SIZE)
    image.thumbnail((max_side_px, max_side_px))
    image.info[IDENTITY] = (path, mtime_ns, max_side_px)
    return image
