"""Pictures in tiles, as 2.5 takes them: the whole picture in one tile, then itself cut into tiles.

Source: Zhang et al. 2024, arXiv:2407.03320, section 3 (partition of high-resolution pictures).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import BatchFeature
from transformers.image_processing_base import ImageProcessingMixin
from transformers.image_utils import make_flat_list_of_images
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

MAX_TILES = 6  # what the official code allows each of several pictures; a picture alone it allows 24


def canvas(width: int, height: int, side: int, max_tiles: int) -> tuple[int, int, int, int]:
    """How large a picture is made, and the whole tiles around it: (width, height, tiles wide, tiles high).

    The longer side fills its tiles, as many as the shape allows and no more than it has pixels for.
    """
    if width < height:
        high, wide, rows, columns = canvas(height, width, side, max_tiles)
        return wide, high, columns, rows
    ratio = width / height
    columns = 1
    while (columns + 1) * math.ceil((columns + 1) / ratio) <= max_tiles:
        columns += 1
    columns = min(math.ceil(width / side), columns)
    shorter = max(1, int(columns * side / ratio))
    return columns * side, shorter, columns, math.ceil(shorter / side)


def tokens_of(rows: int, columns: int, side: int) -> int:
    """How many tokens a picture of so many tiles has, with `side` by `side` tokens in each.

    Each row of tokens has an end, and the whole picture another: (h w + 1) 400 + 1 + 20 (h + 1) in the paper's size.
    """
    return (rows * columns + 1) * side * side + 1 + (rows + 1) * side


class TileImageProcessor(ImageProcessingMixin):
    """Pictures to tiles: pixel_values (pictures, tiles, 3, side, side) and image_sizes (pictures, 2), height and width.

    The first tile is the whole picture. Where others have more tiles, zeros follow; image_sizes says how many count.
    """

    model_input_names = ["pixel_values", "image_sizes"]  # noqa: RUF012

    def __init__(self, side_px: int = 560, max_tiles: int = MAX_TILES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.side_px, self.max_tiles = side_px, max_tiles

    def __call__(self, images: Any, return_tensors: Any = None, **_: Any) -> BatchFeature:
        """As image processors of transformers do; the result is of torch's tensors whatever is asked."""
        flat: Any = make_flat_list_of_images(images)
        cut = [self._cut(image) for image in flat]
        most = max(len(tiles) for tiles, _ in cut)
        filled = [torch.nn.functional.pad(tiles, (0, 0, 0, 0, 0, 0, 0, most - len(tiles))) for tiles, _ in cut]
        sizes = torch.tensor([size for _, size in cut])
        return BatchFeature({"pixel_values": torch.stack(filled), "image_sizes": sizes}, tensor_type=return_tensors)

    def _cut(self, image: Image.Image) -> tuple[Tensor, tuple[int, int]]:
        side = self.side_px
        width, height, columns, rows = canvas(*image.size, side, self.max_tiles)
        whole = Image.new("RGB", (columns * side, rows * side), (255, 255, 255))
        whole.paste(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        numbers = np.asarray(whole, np.float32) / 255
        scaled = (numbers - np.array(OPENAI_CLIP_MEAN, np.float32)) / np.array(OPENAI_CLIP_STD, np.float32)
        pixels = torch.from_numpy(scaled).permute(2, 0, 1)
        return tiles_of(pixels, side), (rows * side, columns * side)


def tiles_of(pixels: Tensor, side: int) -> Tensor:
    """(1 + tiles, 3, side, side): the whole picture, then its tiles in reading order; pixels: (3, height, width)."""
    rows, columns = pixels.shape[1] // side, pixels.shape[2] // side
    whole = torch.nn.functional.interpolate(pixels[None], size=(side, side), mode="bicubic")
    tiles = pixels.reshape(3, rows, side, columns, side).permute(1, 3, 0, 2, 4).reshape(-1, 3, side, side)
    return torch.cat([whole, tiles])


def four_in_one(seen: Tensor) -> Tensor:
    """Two by two patches in one, beside each other: (tiles, side², width) to (tiles, side / 2, side / 2, 4 width)."""
    side = math.isqrt(seen.shape[1])
    square = seen.reshape(len(seen), side // 2, 2, side // 2, 2, -1)
    return square.permute(0, 1, 3, 2, 4, 5).reshape(len(seen), side // 2, side // 2, -1)


def in_reading_order(seen: Tensor, rows: int, columns: int, row_end: Tensor, global_end: Tensor) -> Tensor:
    """One picture's tokens, (tokens, width): the whole row by row, an end, then the tiles as the one picture they are.

    Args:
        seen: (1 + rows * columns, side, side, width), the whole picture first.
        rows: of tiles; columns: of tiles.
        row_end: (1, 1, 1, width), after each row of tokens.
        global_end: (1, 1, width), after the whole picture.
    """
    side, width = seen.shape[1], seen.shape[-1]
    large = seen[1:].unflatten(0, (rows, columns)).transpose(1, 2).reshape(1, rows * side, columns * side, width)
    parts = [torch.cat([part, row_end.expand(1, part.shape[1], 1, width)], 2) for part in (seen[:1], large)]
    return torch.cat([parts[0].flatten(0, 2), global_end[0], parts[1].flatten(0, 2)])


def split_sizes(image_sizes: Tensor, side: int) -> Sequence[tuple[int, int]]:
    """Rows and columns of tiles of each picture; image_sizes: (pictures, 2), height and width of its tiles together."""
    return [(height // side, width // side) for height, width in image_sizes.tolist()]
