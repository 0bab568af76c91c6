"""How the next token is drawn: each row of a batch by its own sampling and seed, whatever stands beside it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..protocols import Sampling

if TYPE_CHECKING:
    import torch

Processor = Any  # a LogitsProcessor of transformers: (ids, scores) -> scores


class Drawing:
    """Noise of the Gumbel distribution on the scores of each row, so that the highest is a draw from its softmax.

    Every row has a random generator of its own: a row of a batch draws what it would alone. transformers draws all
    rows from one generator, where each row's outcome depends on the rows before it.

    Source: Maddison et al. 2014, arXiv:1411.0030.
    """

    def __init__(self, samplings: Sequence[Sampling], held: Sequence[Processor | None], top_k: int | None) -> None:
        """Prepare one drawing a row.

        Args:
            samplings: one a row.
            held: what else narrows a row's choice, before the temperature.
            top_k: how many tokens are ever considered, where the model's makers say so.

        Raises:
            ValueError: numbers that no sampling can have.
        """
        import torch

        self._held = [(row, also) for row, also in enumerate(held) if also is not None]
        alike: dict[tuple[float, float], list[int]] = {}
        self._generators: dict[int, torch.Generator] = {}
        for row, sampling in enumerate(samplings):
            if sampling.temperature > 0:
                alike.setdefault((float(sampling.temperature), float(sampling.top_p)), []).append(row)
                self._generators[row] = torch.Generator().manual_seed(sampling.seed)
        self._alike = [(rows, _narrowing(*numbers, top_k)) for numbers, rows in alike.items()]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        if self._held or self._alike:
            scores = scores.clone()
        for row, held in self._held:
            scores[row : row + 1] = held(input_ids[row : row + 1], scores[row : row + 1])
        # Rows that are narrowed alike are narrowed together: of 16 rows each by itself takes ten times as long.
        for rows, steps in self._alike:
            some = scores[rows]
            for step in steps:
                some = step(input_ids[rows], some)
            # On the CPU, whose numbers are the same for every device.
            waiting = torch.stack(
                [
                    torch.empty(some.shape[1], dtype=torch.float64).exponential_(generator=self._generators[row])
                    for row in rows
                ]
            )
            scores[rows] = some - waiting.log().to(some)
        return scores


def _narrowing(temperature: float, top_p: float, top_k: int | None) -> list[Processor]:
    """What brings the scores to those that may be drawn."""
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    steps: list[Processor] = [TemperatureLogitsWarper(temperature)]
    if top_k:
        steps.append(TopKLogitsWarper(top_k))
    return [*steps, TopPLogitsWarper(top_p)]


class Until:
    """A stopping criterion: each row by its own limit, and all of them when nobody reads on."""

    def __init__(self, limits: Sequence[int], begin: int, stop: threading.Event | None = None) -> None:
        """Args: limits: new tokens a row; begin: how long the prompts are; stop: is set to end everything."""
        self._limits = list(limits)
        self._begin = begin
        self._stop = stop

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        import torch

        new = int(input_ids.shape[1]) - self._begin
        stopped = self._stop is not None and self._stop.is_set()
        return torch.tensor([stopped or new >= limit for limit in self._limits], device=input_ids.device)
