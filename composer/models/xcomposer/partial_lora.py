"""Partial LoRA: a linear layer with a low-rank addition for the tokens of pictures alone.

The language that the layer knows stays as it was, number by number; only what pictures say passes through the addition.
Source: Dong et al. 2024, arXiv:2401.16420, section 3.
"""

from __future__ import annotations

from torch import Tensor, nn

Places = tuple[Tensor, Tensor]  # rows and columns in a batch, found once for all layers


class PartialLoraLinear(nn.Module):
    """y = W x, and y = W x + (alpha / rank) B A x where x is of a picture.

    Three linear layers of torch's own class: quantisation replaces those whole, and no others.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool, rank: int, alpha: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        self.lora_A = nn.Linear(inputs, rank, bias=False)
        self.lora_B = nn.Linear(rank, outputs, bias=False)
        # A new addition adds nothing.
        self.lora_B.begins_with_zeros = True  # pyright: ignore[reportArgumentType]
        self.scale = alpha / rank

    def forward(self, hidden: Tensor, image_places: Places | None) -> Tensor:
        """Args: hidden: (batch, tokens, inputs). image_places: of the pictures' tokens, rows and columns; or None."""
        out = self.linear(hidden)
        if image_places is not None:
            addition = self.scale * self.lora_B(self.lora_A(hidden[image_places]))  # (picture tokens, outputs)
            out[image_places] += addition.to(out.dtype)
        return out
