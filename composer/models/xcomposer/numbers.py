"""Whether weights are numbers, and fit what they are cast to: looked at as they are read, one pass over each tensor.

A model with one NaN runs, and all that it writes is noise. `aminmax` passes NaN on and finds infinity; on one core it
reads 20 GB of bfloat16 a second, which is far above what files come in with.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ModelIncomplete, ModelUnfit

if TYPE_CHECKING:
    import torch

    from ..checkpoint import Checkpoint


def check_finite(checkpoint: Checkpoint, path: Path, name: str, weights: torch.Tensor) -> None:
    """Do nothing where every number of a tensor is finite.

    Args:
        path: the file that the tensor is in.

    Raises:
        ModelIncomplete: one is NaN or infinite.
    """
    low, high = _bounds(weights)
    if low > float("-inf") and high < float("inf"):  # both are false of NaN
        return
    nans, infinite = int(weights.isnan().sum()), int(weights.isinf().sum())
    raise ModelIncomplete(
        f"{path}: of the {weights.numel():,} numbers of the tensor {name} {nans:,} are NaN and {infinite:,} infinite",
        _again(checkpoint, path),
    )


def check_range(checkpoint: Checkpoint, name: str, weights: torch.Tensor, dtype: torch.dtype) -> None:
    """Do nothing where finite numbers stay finite when they are cast.

    Raises:
        ModelUnfit: one would become infinite.
    """
    import torch

    most = torch.finfo(dtype).max
    if most >= torch.finfo(weights.dtype).max:
        return
    low, high = _bounds(weights)
    if max(-low, high) > most:
        kind = str(dtype).removeprefix("torch.")
        raise ModelUnfit(
            f"{checkpoint.source}: {name} has the number {max(low, high, key=abs):.3g}, and {kind} ends at {most:.3g}",
            "take `--dtype bfloat16`, which is as short and goes as far as float32",
        )


def _bounds(weights: torch.Tensor) -> tuple[float, float]:
    """The least and the greatest number, both NaN where one is."""
    if not weights.numel():
        return 0.0, 0.0
    low, high = weights.aminmax()
    return float(low), float(high)


def _again(checkpoint: Checkpoint, path: Path) -> str:
    if checkpoint.revision:
        file, name = path.resolve(), checkpoint.source.partition("@")[0]
        return (
            f"delete {file}, and `limner models pull {name}` fetches it again; if it is no better, it was published so"
        )
    return "copy that file again, or convert its model again; if it is no better, these weights were made so"
