"""The optimizer of nano-vlm's recipe against the singular value decomposition and against torch's AdamW."""

from __future__ import annotations

import pytest
import torch

from training.muon import ADAMW_SIZE, MuonAdamW, orthogonal


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 40, 16), (2, 16, 40)])
def test_orthogonal_keeps_singular_vectors_and_levels_singular_values(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _, vt = torch.linalg.svd(matrices, full_matrices=False)
    levelled = u.mT @ orthogonal(matrices) @ vt.mT  # diagonal where the vectors stayed
    values = levelled.diagonal(dim1=-2, dim2=-1)
    assert values.min() > 0.5
    assert values.max() < 1.3
    assert (levelled - torch.diag_embed(values)).abs().max() < 1e-4


def stepped(optimizer: torch.optim.Optimizer, weight: torch.nn.Parameter, gradients: list[torch.Tensor]) -> None:
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()


def gradients(shape: tuple[int, ...]) -> list[torch.Tensor]:
    return [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]


def optimizer_of(matrix: torch.nn.Parameter, other: torch.nn.Parameter) -> MuonAdamW:
    return MuonAdamW([matrix], [other], muon_lr=0.1, lr=0.01, weight_decay=0.05, betas=(0.9, 0.98))


def test_what_is_no_matrix_is_stepped_as_by_adamw() -> None:
    ours, theirs = torch.nn.Parameter(torch.ones(7)), torch.nn.Parameter(torch.ones(7))
    stepped(optimizer_of(torch.nn.Parameter(torch.ones(2, 2)), ours), ours, gradients((7,)))
    stepped(torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.05, betas=(0.9, 0.98)), theirs, gradients((7,)))
    assert torch.equal(ours, theirs)


def test_a_matrix_moves_by_the_size_of_adamws_steps() -> None:
    matrix = torch.nn.Parameter(torch.zeros(32, 64))
    stepped(optimizer_of(matrix, torch.nn.Parameter(torch.ones(1))), matrix, gradients((32, 64))[:1])
    assert matrix.detach().square().mean().sqrt().item() == pytest.approx(0.1 * ADAMW_SIZE, rel=0.2)


def test_a_saved_optimizer_goes_on_as_if_it_had_not_stopped() -> None:
    through, halted = torch.nn.Parameter(torch.ones(4, 6)), torch.nn.Parameter(torch.ones(4, 6))
    other = torch.nn.Parameter(torch.ones(1))
    stepped(optimizer_of(through, other), through, gradients((4, 6)))
    first = optimizer_of(halted, other)
    stepped(first, halted, gradients((4, 6))[:2])
    second = optimizer_of(halted, other)
    second.load_state_dict(first.state_dict())
    stepped(second, halted, gradients((4, 6))[2:])
    assert torch.equal(through, halted)
