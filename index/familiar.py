"""Whether pictures look like those that the embedded encoder was trained on. Knows nothing of words.

The training pictures are one Gaussian in the encoder's last layer (the mean of its patch tokens before they are
projected beside the words): a picture farther from the mean than nearly all of them (Mahalanobis distance) is
strange to the encoder. In the projected space photographs are not told apart: 5 % of them were strange there, over
75 % are here.

Source: Lee et al. 2018, arXiv:1807.03888.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from .decode import decode
from .errors import PictureUnreadable
from .places import place
from .processors import on_all_processors

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from .encoder import Encoder, OpenClipEncoder

LOOKED_AT = 32  # pictures of a library
STRANGE_LIBRARY = 0.5  # the sample library stands near 0, libraries of photographs from 0.8
STATISTICS = "familiar.safetensors"  # mean (d,), precision (d, d), threshold (1,): a squared distance


def strange_share(
    paths: Sequence[Path], encoder: OpenClipEncoder, seen: Mapping[str, Image.Image] | None = None
) -> float:
    """The share of these pictures that is strange to nano-clip; 0 where none of them can be read.

    Args:
        paths: pictures; those that cannot be read are passed over.
        encoder: nano-clip.
        seen: those that need not be opened, by path, as `Encoder.prepare` left them.
    """
    from safetensors.numpy import load

    def look(path: Path) -> Image.Image | None:
        if seen and str(path) in seen:
            return seen[str(path)]
        try:
            return encoder.prepare(decode(path, target_px=encoder.image_side_px))
        except PictureUnreadable:
            return None

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "limner-decode") as pool:
        images = [image for image in pool.map(look, paths) if image is not None]
    if not images:
        return 0.0
    statistics = load(resources.files("limner.index.nano_clip").joinpath(STATISTICS).read_bytes())
    distances = squared_distances(features(images, encoder), statistics["mean"], statistics["precision"])
    return float((distances > statistics["threshold"][0]).mean())


def strange_share_of_library(
    looked_at: Sequence[str], encoder: Encoder, seen: Mapping[str, Image.Image] | None = None
) -> float:
    """The strange share of the pictures that `to_look_at` names; 0 for any encoder but nano-clip."""
    from .encoder import OpenClipEncoder

    return strange_share(list(map(place, looked_at)), encoder, seen) if isinstance(encoder, OpenClipEncoder) else 0.0


def to_look_at(paths: Sequence[str], encoder: Encoder) -> list[str]:
    """A few dozen pictures, spread evenly over those of a library; none for any encoder but nano-clip."""
    from .encoder import EMBEDDED, OpenClipEncoder
    from .precision import split_name

    if split_name(encoder.name)[0] != EMBEDDED or not isinstance(encoder, OpenClipEncoder):
        return []
    count = min(LOOKED_AT, len(paths))
    return [paths[(2 * i + 1) * len(paths) // (2 * count)] for i in range(count)]


def features(images: Sequence[Image.Image], encoder: OpenClipEncoder) -> np.ndarray:
    """The mean of each picture's patch tokens in the last layer, (n, d) float32."""
    import numpy as np
    import torch

    caught: dict[int, Any] = {}  # by thread: pieces of the images pass side by side

    def means(piece: Sequence[Image.Image]) -> np.ndarray:
        with torch.inference_mode():
            encoder.model.encode_image(encoder.pixels(piece))
        return caught.pop(get_ident())[:, 1:].mean(1).float().cpu().numpy()

    last = encoder.model.visual.ln_post
    handle = last.register_forward_hook(lambda _, __, tokens: caught.update({get_ident(): tokens}))
    try:
        return np.concatenate(on_all_processors(means, images, encoder.device))
    finally:
        handle.remove()


def squared_distances(vectors: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distances of (n, d) vectors from the mean, (n,)."""
    import numpy as np

    offsets = vectors - mean
    return np.einsum("nd,de,ne->n", offsets, precision, offsets)
