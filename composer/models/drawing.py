"""How the next token is drawn: each row of a batch by its own sampling and seed, whatever stands beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
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
        self._rows = [_row(sampling, also, top_k) for sampling, also in zip(samplings, held, strict=True)]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.cat([row(input_ids[i : i + 1], scores[i : i + 1]) for i, row in enumerate(self._rows)])


def _row(sampling: Sampling, held: Processor | None, top_k: int | None) -> Callable[..., torch.Tensor]:
    import torch
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    steps: list[Processor] = [] if held is None else [held]
    generator = None
    if sampling.temperature > 0:
        steps.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if top_k:
            steps.append(TopKLogitsWarper(top_k))
        steps.append(TopPLogitsWarper(float(sampling.top_p)))
        generator = torch.Generator().manual_seed(sampling.seed)

    def draw(input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for step in steps:
            scores = step(input_ids, scores)
        if generator is None:
            return scores
        # On the CPU, whose numbers are the same for every device.
        waiting = torch.empty(scores.shape, dtype=torch.float64).exponential_(generator=generator)
        return scores - waiting.log().to(scores)

    return draw


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
