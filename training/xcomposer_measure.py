"""How well a tiny XComposer answers held-out questions, and what it was asked beside them in training alone."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch

from .xcomposer_samples import LETTER, NAME, REPLY, VERDICT, Samples
from .xcomposer_tiny import Seeing


@torch.no_grad()
def answers(
    seeing: Seeing, held: Samples, asked: range, *, words: bool, drill: bool, device: torch.device
) -> dict[str, float]:
    """How many of the letters of these questions are right, of the verdicts and of the names beside them."""
    letters, verdicts = torch.tensor(held.numbers["letters"]), torch.tensor(held.numbers["verdicts"])
    right: dict[str, list[bool]] = defaultdict(list)
    for first in range(0, len(asked), 64):
        rows = asked[first : first + 64]
        batch = held.batch(rows, words=words, drill=drill)
        at = batch["kinds"] != REPLY
        kinds, targets = batch["kinds"][at], batch["targets"][at]
        inputs = {name: batch[name] for name in ("input_ids", "pictures", "image_rows", "image_columns")}
        inputs["where"] = batch["where"][at]
        logits = seeing(**{name: value.to(device) for name, value in inputs.items()}).float().cpu()
        for row, scores in zip(rows, logits[kinds == LETTER], strict=True):
            among = letters[: int(held.data["candidates"][row])]
            right["letters"].append(int(scores[among].argmax()) == int(held.data["answer"][row]))
        said = verdicts[logits[kinds == VERDICT][:, verdicts].argmax(-1)]
        right["verdicts"] += (said == targets[kinds == VERDICT]).tolist()
        right["names"] += (logits[kinds == NAME].argmax(-1) == targets[kinds == NAME]).tolist()
    return {kind: round(float(np.mean(values)), 4) for kind, values in right.items() if values}


def measure(
    seeing: Seeing, held: Samples, count: int, *, words: bool, device: torch.device
) -> dict[str, dict[str, float]]:
    """Answers to held-out questions: colour in the pictures alone, nothing before, colour in the text too, no text."""
    seeing.eval()
    third = len(held.data["task"]) // 3
    figures: dict[str, dict[str, float]] = {}
    kinds = ("colour in the pictures alone", "without context", "colour in text and pictures", "pictures without text")
    for number, name in enumerate(kinds):
        first = number % 3 * third
        asked = range(first, first + min(count, third))
        figures[name] = answers(seeing, held, asked, words=words, drill=number == 3, device=device)
    seeing.train()
    return figures
