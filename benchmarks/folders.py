"""Folders of made pictures, and an encoder that costs next to nothing, for measuring everything else."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

PER_FOLDER = 1000


def jpeg(seed: int, side_px: int = 48) -> bytes:
    """A picture of smooth noise, each seed another one."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(coarse).resize((side_px, side_px), Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def make_folder(folder: Path, count: int, *, distinct: bool = True, side_px: int = 48) -> None:
    """count files below folder, 1,000 a folder; not distinct ones are a hundred pictures again and again."""
    some = [jpeg(seed, side_px) for seed in range(0 if distinct else 100)]
    for number in range(count):
        path = folder / f"{number // PER_FOLDER:04d}" / f"picture-{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number, side_px) if distinct else some[number % 100])


class CheapEncoder:
    """A fixed random projection of the picture at 8 x 8: (n, d) float32, unit rows."""

    name = "cheap"
    fingerprint = "0" * 64
    image_side_px = 16

    def __init__(self, dimension: int = 512) -> None:
        self.dimension = dimension
        self._matrix = np.random.default_rng(0).standard_normal((8 * 8 * 3, dimension)).astype(np.float32)

    def prepare(self, image: Image.Image) -> Image.Image:
        """See Encoder."""
        return image if image.size == (8, 8) else image.resize((8, 8))

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """See Encoder."""
        small = [np.asarray(self.prepare(image), np.float32).reshape(-1) - 128 for image in images]
        rows = np.stack(small) @ self._matrix
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """See Encoder."""
        rows = np.stack([np.random.default_rng(len(text)).standard_normal(self.dimension) for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
