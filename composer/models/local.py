"""A transformers image-text-to-text model of this machine behind the model seam. Owns no prompt, never downloads."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...index.decode import ANY_SIZE, decode
from ...index.errors import PictureUnreadable
from ..protocols import Message, Picture, Sampling
from .options import DEFAULT_SIDE_PX

if TYPE_CHECKING:
    import torch

KEPT_PICTURES = 64  # decoded ones, at most 3 MiB each: an article's pictures are read again at every later spot


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

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How many tokens the prompt has, its pictures included."""
        return int(self._inputs(messages)["input_ids"].shape[1])

    def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Iterator[str]:
        """Yield the reply piece by piece; the seed alone decides what is drawn."""
        import torch
        from transformers import TextIteratorStreamer

        inputs = self._inputs(messages)
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        drawn = {"do_sample": False}
        if sampling.temperature > 0:
            drawn = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p}
        stop = threading.Event()

        def work() -> None:
            try:
                with torch.random.fork_rng(), torch.inference_mode():
                    torch.manual_seed(sampling.seed)
                    self.model.generate(
                        **inputs,
                        **drawn,
                        max_new_tokens=sampling.max_new_tokens,
                        streamer=streamer,
                        stopping_criteria=[_Until(stop)],
                    )
            finally:
                streamer.end()  # also when generation fails, or the reader below would wait for ever

        with ThreadPoolExecutor(1) as executor:
            done = executor.submit(work)
            try:
                yield from (piece for piece in streamer if piece)
            finally:
                stop.set()
            done.result()

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        """The log-probability of each answer: the prompt is read once, each further token of an answer after it."""
        import torch

        inputs = self._inputs(messages)
        tokens = [self._tokenizer.encode(answer, add_special_tokens=False) for answer in answers]
        with torch.inference_mode():
            output = self.model(**inputs, use_cache=True, logits_to_keep=1)
            first = torch.log_softmax(output.logits[0, -1].float(), -1)  # (vocabulary,)
            return [self._continue(output.past_key_values, first, answer) for answer in tokens]

    def _continue(self, cache: Any, first: torch.Tensor, answer: list[int]) -> float:
        import torch

        total = float(first[answer[0]])
        if len(answer) == 1:
            return total
        rest = torch.tensor([answer[:-1]], device=first.device)
        # A copy, because layers that forget (Gemma 3 and 4) cannot go back; no mask, from which models with positions
        # in three dimensions (Qwen-VL) would count from the beginning again.
        logits = self.model(input_ids=rest, past_key_values=copy.deepcopy(cache), use_cache=True).logits[0]
        shares = torch.log_softmax(logits.float(), -1)  # (tokens, vocabulary)
        return total + sum(float(shares[i, token]) for i, token in enumerate(answer[1:]))

    @property
    def _tokenizer(self) -> Any:
        return self.processor.tokenizer

    def _inputs(self, messages: Sequence[Message]) -> Any:
        chat = [{"role": message.role, "content": [self._part(part) for part in message.parts]} for message in messages]
        inputs = self.processor.apply_chat_template(
            chat, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
        )
        return inputs.to(self.model.device, dtype=self.model.dtype)

    def _part(self, part: str | Picture) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": self._harmless(part)}
        try:
            mtime_ns = part.path.stat().st_mtime_ns
        except OSError as exc:
            raise PictureUnreadable(str(part.path), exc.strerror or "the file is not there") from exc
        return {"type": "image", "image": _decoded(part.path, mtime_ns, self.max_side_px)}

    def _harmless(self, text: str) -> str:
        """The text with the model's own control tokens broken up, so that words from outside cannot open a turn."""
        for token in self._tokenizer.all_special_tokens:
            text = text.replace(token, token[0] + "\u200b" + token[1:])
        return text


@lru_cache(KEPT_PICTURES)
def _decoded(path: Path, mtime_ns: int, max_side_px: int) -> Any:
    """A picture at the size that models read; another time of change is another picture."""
    image = decode(path, target_px=max_side_px, max_pixels=ANY_SIZE, max_bytes=ANY_SIZE)
    image.thumbnail((max_side_px, max_side_px))
    return image


class _Until:
    """A stopping criterion that ends generation when nobody reads on."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> Any:
        import torch

        return torch.full((input_ids.shape[0],), self._stop.is_set(), dtype=torch.bool, device=input_ids.device)
