"""How models are to be run, whatever their kind; each adapter reads the fields that concern it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantize = Literal["none", "8bit", "4bit"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2"]
DEFAULT_SIDE_PX = 1024  # a picture is brought to this before the model's own processor sees it


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the user has set about running models."""

    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:N", or "map": over all GPUs
    dtype: Dtype = "auto"
    quantize: Quantize = "none"
    attention: Attention = "auto"
    max_picture_side_px: int = DEFAULT_SIDE_PX
    reads_pictures: bool = True  # False: the model is only to write, so that one of text alone will do
