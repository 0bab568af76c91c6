"""Conversations to batches of tokens, by the processor of whatever model learns: only its replies are to be learnt.

Knows nothing of articles. The frame of a conversation is the model's own chat template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from limner.composer.errors import ModelUnfit
from limner.composer.models.local import LocalModel
from limner.composer.protocols import Message, Picture
from torch.utils.data import Dataset

IGNORE = -100
_OTHER = "what is to be learnt cannot be told from what is asked: take a model of another family, or give it a template"


def reply_tokens(turns: Sequence[Message], model: LocalModel) -> list[int]:
    """The tokens of the last turn, to its end and with what the frame puts after it.

    Raises:
        ModelUnfit: the chat template begins a reply in one way when it asks for one and in another when it is told.
    """
    chat, template = model.chat(turns), model.processor.apply_chat_template
    asked = template(chat[:-1], tokenize=False, add_generation_prompt=True)
    whole = template(chat, tokenize=False)
    if not whole.startswith(asked):
        raise ModelUnfit(f"the chat template of {model.name} does not tell a reply as it asks for one", _OTHER)
    return model.processor.tokenizer.encode(whole[len(asked) :], add_special_tokens=False)


def collate(conversations: Sequence[Sequence[Message]], model: LocalModel) -> dict[str, torch.Tensor]:
    """One batch, padded on the right, with labels for the replies up to their ends.

    Raises:
        ModelUnfit: as `reply_tokens`; or a reply's tokens are others behind its question than alone.
    """
    replies = [reply_tokens(turns, model) for turns in conversations]
    inputs = dict(
        model.processor.apply_chat_template(
            [model.chat(turns) for turns in conversations],
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "right"},
        )
    )
    labels = torch.full_like(inputs["input_ids"], IGNORE)
    for row, reply in enumerate(replies):
        end = int(inputs["attention_mask"][row].sum())
        if inputs["input_ids"][row, end - len(reply) : end].tolist() != reply:
            raise ModelUnfit(f"the tokenizer of {model.name} joins a reply to its question", _OTHER)
        learnt = reply[: _last_end(reply, model) + 1]
        labels[row, end - len(reply) : end - len(reply) + len(learnt)] = torch.tensor(learnt)
    return {**inputs, "labels": labels}


def _last_end(reply: Sequence[int], model: LocalModel) -> int:
    """Where the turn ends; the last token where the frame has no end of a turn that the model stops at."""
    ends = model.ends
    return next((i for i in reversed(range(len(reply))) if reply[i] in ends), len(reply) - 1)


def length_of(turns: Sequence[Message], picture_tokens: int) -> int:
    """About how many tokens a conversation has: a third of its characters, and so many for a picture."""
    parts = [part for turn in turns for part in turn.parts]
    return sum(picture_tokens if isinstance(part, Picture) else 1 + len(part) // 3 for part in parts)


def batches_by_length(lengths: Sequence[int], tokens: int, rng: np.random.Generator) -> list[list[int]]:
    """Every index once, in batches of like lengths that have at most so many tokens with their padding, at random.

    A longer one makes a batch of its own.
    """
    batches: list[list[int]] = []
    shuffled = rng.permutation(len(lengths))
    for index in sorted(shuffled.tolist(), key=lambda index: lengths[index]):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return [batches[int(number)] for number in rng.permutation(len(batches))]


class Batches(Dataset):
    """The batches of all epochs in their order, each made when it is asked for."""

    def __init__(
        self,
        sample: Callable[[int, int], Sequence[Message]],
        lengths: Sequence[int],
        model: LocalModel,
        *,
        epochs: int,
        tokens: int,
        seed: int,
    ) -> None:
        """Args: sample: by index and epoch; lengths: of the samples, about; tokens: of a batch."""
        self.sample, self.model = sample, model
        self.batches = [
            (epoch, batch)
            for epoch in range(epochs)
            for batch in batches_by_length(lengths, tokens, np.random.default_rng([seed, epoch]))
        ]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        epoch, indices = self.batches[number]
        return collate([self.sample(index, epoch) for index in indices], self.model)
