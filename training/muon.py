"""Muon for the matrices between the layers of a model, AdamW for everything else, as one optimizer.

torch has both. Its Muon always works in bfloat16, which a processor without it does fifty times slower than float32;
this one works in the number format of the weights.

Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; scaled to the size of AdamW's steps as in Liu et al.
2025, arXiv:2502.16982.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

MOMENTUM = 0.95
STEPS = 5
COEFFICIENTS = (3.4445, -4.775, 2.0315)  # singular values go to between 0.7 and 1.2 in five steps
ADAMW_SIZE = 0.2  # root mean square of AdamW's steps at a learning rate of 1


class MuonAdamW(torch.optim.AdamW):
    """One learning-rate schedule, one state, two rules."""

    def __init__(
        self,
        matrices: Iterable[torch.nn.Parameter],
        others: Iterable[torch.nn.Parameter],
        *,
        muon_lr: float,
        lr: float,
        weight_decay: float,
        betas: tuple[float, float],
    ) -> None:
        groups = [
            {"params": list(matrices), "lr": muon_lr, "muon": True},
            {"params": list(others), "muon": False},
        ]
        super().__init__(groups, lr=lr, weight_decay=weight_decay, betas=betas)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of both."""
        groups = self.param_groups
        for group in groups:
            if group["muon"]:
                self._muon_step(group)
        self.param_groups = [group for group in groups if not group["muon"]]
        try:
            return super().step(closure)
        finally:
            self.param_groups = groups

    def _muon_step(self, group: dict[str, Any]) -> None:
        updates: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = defaultdict(list)
        for weight in group["params"]:
            if weight.grad is None:
                continue
            state = self.state[weight]
            if not state:
                state["momentum"] = torch.zeros_like(weight)
                state["step"] = torch.tensor(0.0)  # AdamW looks for it in every state that it loads
            momentum = state["momentum"]
            momentum.lerp_(weight.grad, 1 - MOMENTUM)
            updates[weight.shape].append((weight, weight.grad.lerp(momentum, MOMENTUM)))
        for shape, pairs in updates.items():
            directions = orthogonal(torch.stack([update for _, update in pairs]))
            size = ADAMW_SIZE * max(shape) ** 0.5
            for (weight, _), direction in zip(pairs, directions, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(direction, alpha=-group["lr"] * size)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices (n, a, b) with their singular values brought near 1 and their singular vectors left (Newton-Schulz)."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
