"""What nano-vlm learns in which order: samples to batches, with the weight of each token in the loss.

Trained on the answer letter alone the model stays at chance, and so it does on a look in words as long as its verdicts
are a fiftieth of the loss. What moves it: verdicts that weigh more, and a drill of verdicts alone, in text, until they
are learnt; pictures, whole articles and the letter follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from limner.composer.protocols import Message, Picture
from torch.utils.data import IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerFast

from .llava import PATCHES
from .nano_clip import MEAN, STD
from .picture_book.stories import make_story, without_colour
from .picture_book.world import PALETTE, PLACES, SUBJECTS, TIMES, WEATHERS
from .pictures import WORK, from_json
from .samples import (
    NO,
    YES,
    Gloss,
    Pool,
    Sample,
    describe_sample,
    drill_sample,
    row_of,
    select_sample,
    spot_sample,
    write_sample,
)

IGNORE = -100
# In a reply of fifty tokens the few that decide would count for a fiftieth each, and are never learnt.
VERDICT_WEIGHT = 8.0
NAME_WEIGHT = 8.0  # the places, times, colours and subjects of an article and of its captions
# Share of the micro-batches by task, at the beginning of each phase of training (the share done so far).
# "select0@0.5" is a selection of level 0 with a gloss after half of its pictures.
CURRICULUM: list[tuple[float, dict[str, float]]] = [
    (0.00, {"drill": 0.25, "describe": 0.18, "select0@0.5": 0.15, "write": 0.24, "spot": 0.18}),
    (0.19, {"drill": 1.0}),
    (0.27, {"drill": 0.04, "describe": 0.08, "select0@0": 0.22, "select1@0": 0.08, "write": 0.36, "spot": 0.22}),
    (0.50, {"describe": 0.05, "select1@0": 0.25, "write": 0.46, "spot": 0.24}),
    (0.75, {"describe": 0.04, "select2@0": 0.24, "write": 0.52, "spot": 0.20}),
    (0.88, {"describe": 0.06, "select2@0": 0.18, "write": 0.62, "spot": 0.14}),
]
BATCH = {"drill": 48, "describe": 48, "select0": 8, "select1": 7, "select2": 6, "write": 10, "spot": 9}
# A batch is one of as many parts of a larger draw, sorted by length: without, a fifth of its tokens would be padding.
PARTS = 4
STRANGER_SHARE = 0.35  # of the stories to write and to find places in


def load_pool() -> tuple[Pool, np.ndarray]:
    """The training pictures by what they show, and their pixels (n, 80, 80, 3) uint8."""
    scenes = [from_json(values) for values in json.loads((WORK / "scenes.json").read_text())]
    return Pool(scenes), np.load(WORK / "pictures.npy", mmap_mode="r")


def encode(turns: tuple[Message, ...], tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int], list[int]]:
    """Token ids, labels (replies and glosses alone) and rows of the pool, in the format of the chat template."""
    ids: list[int] = []
    labels: list[int] = []
    rows: list[int] = []
    image = tokenizer.convert_tokens_to_ids("<image>")
    for turn in turns:
        learns = turn.role == "assistant"
        ids += (head := tokenizer.encode(f"<|im_start|>{turn.role}\n", add_special_tokens=False))
        labels += [IGNORE] * len(head)
        for part in turn.parts:
            if isinstance(part, Picture):
                tokens = [image] * PATCHES
                rows.append(row_of(part))
            else:
                tokens = tokenizer.encode(part, add_special_tokens=False)
            ids += tokens
            labels += tokens if learns or isinstance(part, Gloss) else [IGNORE] * len(tokens)
        ids += (end := tokenizer.encode("<|im_end|>\n", add_special_tokens=False))
        labels += [end[0] if learns else IGNORE] + [IGNORE] * (len(end) - 1)
    return ids, labels, rows


def pixel_values(pixels: np.ndarray) -> torch.Tensor:
    """(n, 80, 80, 3) uint8 to (n, 3, 80, 80) float32, normalised as the processor does."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return (values - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def collate(samples: list[Sample], tokenizer: PreTrainedTokenizerFast, pixels: np.ndarray) -> dict[str, torch.Tensor]:
    """One batch, padded on the right; all its samples are of one task, so that their lengths are alike.

    No attention mask: a causal model sees no padding that comes after, and attention without a mask is twice as fast.
    """
    encoded = [encode(sample.turns, tokenizer) for sample in samples]
    longest = max(len(ids) for ids, _, _ in encoded)
    input_ids = torch.full((len(encoded), longest), int(tokenizer.pad_token_id or 0))
    labels = torch.full((len(encoded), longest), IGNORE)
    for row, (ids, wanted, _) in enumerate(encoded):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        labels[row, : len(ids)] = torch.tensor(wanted)
    weights = (labels != IGNORE).float()
    if samples[0].task.startswith("select"):
        weights[verdicts(labels, tokenizer)] = VERDICT_WEIGHT
        weights[wanted_colour(labels, tokenizer)] = VERDICT_WEIGHT
    elif samples[0].task in ("write", "spot"):
        weights[torch.isin(labels, name_tokens(tokenizer))] = NAME_WEIGHT
    batch = {"input_ids": input_ids, "labels": labels, "weights": weights}
    rows = [row for _, _, rows in encoded for row in rows]
    if rows:
        batch["pixel_values"] = pixel_values(pixels[rows])
    return batch


@cache
def name_tokens(tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """The tokens that begin a name of the picture-book world."""
    names = [*PLACES, *TIMES, *WEATHERS, *SUBJECTS, *PALETTE]
    return torch.tensor([tokenizer.encode(f" {word}")[0] for name in names for word in (name, name.title())])


def verdicts(labels: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Where a look says yes or no: a mask like labels."""
    return torch.isin(labels, torch.tensor([tokenizer.encode(f" {word}")[0] for word in (YES, NO)]))


def wanted_colour(labels: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Where a look says the article's colour, at the end of its first line: a mask like labels."""
    ends = (labels == tokenizer.encode("\n")[0]).long().argmax(1) - 1
    mask = torch.zeros_like(labels, dtype=torch.bool)
    mask[torch.arange(len(labels)), ends] = True
    return mask


def length_of(sample: Sample) -> int:
    """About how long a sample is, without cutting it into tokens: its characters, and five for a picture's token."""
    parts = [part for turn in sample.turns for part in turn.parts]
    return sum(5 * PATCHES if isinstance(part, Picture) else len(part) for part in parts)


class Curriculum(IterableDataset):
    """Whole batches, each of one task, drawn by the share of training that is done."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, *, total: int, start: int = 0, from_share: float = 0.0, seed: int = 0
    ) -> None:
        self.tokenizer, self.total, self.start, self.from_share = tokenizer, total, start, from_share
        self.seed = seed  # another one gives other samples

    def samples(self, number: int, pool: Pool) -> list[Sample]:
        """The samples of the batch of this number."""
        rng = np.random.default_rng([29 + self.seed, number])
        done = self.from_share + (1 - self.from_share) * number / self.total
        mix = [shares for begin, shares in CURRICULUM if begin <= done][-1]
        task = list(mix)[int(rng.choice(len(mix), p=list(mix.values())))]
        size = BATCH[task.partition("@")[0]]
        first = (self.seed * 1_000_000 + number) * PARTS * 64
        drawn = sorted((self.one(task, first + i, pool, rng) for i in range(PARTS * size)), key=length_of)
        part = int(rng.integers(PARTS))
        return drawn[part * size : (part + 1) * size]

    def one(self, task: str, seed: int, pool: Pool, rng: np.random.Generator) -> Sample:
        """One sample of a task."""
        if task == "drill":
            return drill_sample(rng)
        if task == "describe":
            return describe_sample(pool, rng)
        if task.startswith("select"):
            kind, _, gloss = task.partition("@")
            return select_sample(pool, seed, rng, level=int(kind[-1]), gloss=float(gloss))
        story = make_story(seed, stranger=bool(rng.random() < STRANGER_SHARE))
        if rng.random() < 0.2:
            story = without_colour(story)
        return write_sample(story, rng) if task == "write" else spot_sample(story, rng)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        pool, pixels = load_pool()
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for number in range(self.start + first, self.total, step):
            samples = self.samples(number, pool)
            yield {**collate(samples, self.tokenizer, pixels), "task": samples[0].task}  # type: ignore[dict-item]
