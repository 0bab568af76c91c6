"""Pictures with a structure to tell them by, which pictures of one colour have not."""

from __future__ import annotations

import numpy as np
from PIL import Image


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Soft blotches: structure at the low frequencies, as in a photograph; each seed another picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
