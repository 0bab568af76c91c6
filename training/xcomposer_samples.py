"""What a tiny XComposer learns from: the samples that `training.xcomposer_book` packed, and batches of them.

Choosing by context is not learnt from the replies "The B image." alone. Beside them, in training alone, the last tokens
of each picture are asked what it shows, and the last one of each candidate whether it is the right one.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from .llava import PATCHES
from .xcomposer_stages import Stage

TASKS = ("write", "spot", "select", "describe")
DRILL = len(TASKS)  # a choice between colours, with the pictures before it and no text
REPLY, LETTER, NAME, VERDICT = 1, 2, 3, 4  # what a place in a batch is to learn
LETTER_WEIGHT, NAME_SHARE, VERDICT_SHARE = 8.0, 0.3, 1.0


class Samples:
    """The packed samples, and batches of them."""

    def __init__(self, file: Path, numbers: dict[str, Any], first_picture: int) -> None:
        """Args: first_picture: the row of this file's first picture among all."""
        arrays = np.load(io.BytesIO(lzma.decompress(file.read_bytes())))
        self.data: dict[str, np.ndarray] = {name: arrays[name] for name in arrays.files}
        self.numbers, self.first = numbers, first_picture
        data = self.data
        self.pictures = len(data["names"])
        self.words_length = (data["words"] >= 0).sum(1)
        counts = np.diff(data["row_starts"])
        self.lengths = np.diff(data["starts"]) + (PATCHES - 1) * counts
        self.by_task = [np.flatnonzero(data["task"] == task) for task in range(len(TASKS))]
        self.by_task.append(
            np.array([row for row in self.by_task[TASKS.index("select")] if self._in_colour_alone(row)])
        )
        self.by_task = [rows[np.argsort(self.lengths[rows], kind="stable")] for rows in self.by_task]

    def _shown(self, row: int) -> np.ndarray:
        return self.data["rows"][self.data["row_starts"][row] : self.data["row_starts"][row + 1]].astype(np.int64)

    def _in_colour_alone(self, row: int) -> bool:
        """Whether a choice has pictures before it, and candidates that differ in nothing but their colour."""
        shown, count = self._shown(row), int(self.data["candidates"][row])
        names = self.data["names"][shown[-count:]]  # subject, colour, place
        return len(shown) > count and bool((names[:, [0, 2]] == names[0, [0, 2]]).all())

    def draw(self, task: int, tokens: int, rng: np.random.Generator) -> np.ndarray:
        """Samples of one task of like lengths, about so many tokens together."""
        rows = self.by_task[task]
        begin = int(rng.integers(len(rows)))
        count = max(1, tokens // int(self.lengths[rows[begin]]))
        window = rows[max(0, begin - 2 * count) : begin + 2 * count]
        return rng.permutation(window)[:count]

    def batch(self, rows: Sequence[int], *, words: bool, drill: bool = False) -> dict[str, Tensor]:
        """Tokens padded on the right, and what is to be learnt at which flat places, in what shares.

        Args:
            rows: of the samples, all of one task.
            words: pictures are told in words.
            drill: the text around the pictures before the question is left out.
        """
        made = [self._one(int(row), words=words, drill=drill) for row in rows]
        longest = max(len(ids) for ids, _, _ in made)
        input_ids = np.full((len(made), longest), self.numbers["pad_token_id"], np.int64)
        places: list[np.ndarray] = []
        for number, (ids, learnt, _) in enumerate(made):
            input_ids[number, : len(ids)] = ids
            places.append(learnt + np.array([[number * longest], [0], [0]]))
        where, targets, kinds = np.concatenate(places, 1)
        shown = np.concatenate([pictures for _, _, pictures in made])
        image_rows, image_columns = np.nonzero(input_ids == self.numbers["image_token_id"])
        arrays = {
            "input_ids": input_ids, "where": where, "targets": targets, "kinds": kinds, "weights": _weights(kinds),
            "pictures": shown + self.first if not words else shown[:0],
            "image_rows": image_rows, "image_columns": image_columns,
        }  # fmt: skip
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}

    def _one(self, row: int, *, words: bool, drill: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens, (places, targets, kinds) and pictures of a sample."""
        data = self.data
        packed = data["ids"][data["starts"][row] : data["starts"][row + 1]].astype(np.int64)
        shown, reply, count = self._shown(row), int(data["reply"][row]), int(data["candidates"][row])
        at = np.flatnonzero(packed == self.numbers["image_token_id"])
        if drill:
            before = at[: len(shown) - count]
            asked = int(before[-1]) + 1 + int(np.argmax(packed[before[-1] + 1 :] == self.numbers["question"]))
            whole = len(packed)
            packed = np.concatenate([packed[: self.numbers["head"]], packed[before], packed[asked:]])
            reply -= whole - len(packed)
            at = np.flatnonzero(packed == self.numbers["image_token_id"])
        lengths = self.words_length[shown] if words else np.full(len(shown), PATCHES)
        repeats = np.ones(len(packed), np.int64)
        repeats[at] = lengths
        ids = np.repeat(packed, repeats)
        ends = (at + np.cumsum(lengths - 1)).astype(np.int64)  # the last token of each picture
        if words:
            for end, length, picture in zip(ends, lengths, shown, strict=True):
                ids[end - length + 1 : end + 1] = data["words"][picture, :length]
        begin = reply + len(ids) - len(packed)
        where = [np.arange(begin - 1, len(ids) - 1)]
        targets = [ids[begin:]]
        kinds = [np.full(len(ids) - begin, REPLY)]
        if count:
            kinds[0][1] = LETTER  # The | B | image.
            right, wrong = self.numbers["verdicts"]
            where.append(ends[-count:])
            targets.append(np.where(np.arange(count) == data["answer"][row], right, wrong))
            kinds.append(np.full(count, VERDICT))
        if not words and len(shown):
            where.append((ends[:, None] + np.array([-3, -2, -1])).ravel())
            targets.append(data["names"][shown].ravel().astype(np.int64))
            kinds.append(np.full(3 * len(shown), NAME))
        return ids, np.stack([np.concatenate(part) for part in (where, targets, kinds)]), shown


def _weights(kinds: np.ndarray) -> np.ndarray:
    """The share of each place in the loss: replies 1 together, the letter heavier; what is asked beside, its own."""
    weights = np.zeros(len(kinds), np.float32)
    reply = np.isin(kinds, (REPLY, LETTER))
    weights[reply] = np.where(kinds[reply] == LETTER, LETTER_WEIGHT, 1.0)
    weights[reply] /= weights.sum()
    for kind, share in ((NAME, NAME_SHARE), (VERDICT, VERDICT_SHARE)):
        mask = kinds == kind
        weights[mask] = share / max(1, mask.sum())
    return weights


class Batches(IterableDataset):
    """Whole batches, each of one task."""

    def __init__(self, samples: Samples, stage: Stage, tokens: int, seed: int) -> None:
        self.samples, self.stage, self.tokens, self.seed = samples, stage, tokens, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            task = int(rng.choice(len(self.stage.mix), p=self.stage.mix))
            rows = self.samples.draw(task, self.tokens, rng)
            batch = self.samples.batch(rows, words=self.stage.words, drill=task == DRILL)
            yield {**batch, "task": (*TASKS, "drill")[task]}
