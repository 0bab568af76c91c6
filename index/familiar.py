"""Whether pictures look like those that the embedded encoder was trained on. Knows nothing of words.

The training pictures are one Gaussian in the encoder's last layer (the mean of its patch tokens before they are
projected beside the words): a picture farther from the mean than nearly all of them (Mahalanobis distance) is
strange to the encoder. In the projected space photographs are not told apart: 5 % of them were strange there, over
75 % are here.

Source: Lee et al. 2018, arXiv:1807.03888.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .decode import decode
from .errors import PictureUnreadable

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from .encoder import Encoder, OpenClipEncoder

LOOKED_AT = 32  # pictures of a library
STRANGE_LIBRARY = 0.5  # the sample library stands near 0.02, libraries of photographs near 0.75
STATISTICS = "familiar.safetensors"  # mean (d,), precision (d, d), threshold (1,): a squared distance


def strange_share(paths: Sequence[Path], encoder: OpenClipEncoder) -> float:
    """The share of these pictures that is strange to nano-clip; 0 where none of them can be read.

    Args:
        paths: pictures; those that cannot be read are passed over.
        encoder: nano-clip.
    """
    from safetensors.numpy import load

    images = []
    for path in paths:
        try:
            images.append(decode(path, target_px=encoder.image_side_px))
        except PictureUnreadable:
            continue
    if not images:
        return 0.0
    statistics = load(resources.files("limner.index.nano_clip").joinpath(STATISTICS).read_bytes())
    distances = squared_distances(features(images, encoder), statistics["mean"], statistics["precision"])
    return float((distances > statistics["threshold"][0]).mean())


def strange_share_of_library(paths: Sequence[Path], encoder: Encoder) -> float:
    """The strange share of a few dozen pictures, spread evenly over a library; 0 for any encoder but nano-clip."""
    from .encoder import BF16_SUFFIX, EMBEDDED, OpenClipEncoder

    if encoder.name.removesuffix(BF16_SUFFIX) != EMBEDDED or not isinstance(encoder, OpenClipEncoder):
        return 0.0
    looked_at = min(LOOKED_AT, len(paths))
    return strange_share([paths[(2 * i + 1) * len(paths) // (2 * looked_at)] for i in range(looked_at)], encoder)


def features(images: Sequence[Image.Image], encoder: OpenClipEncoder) -> np.ndarray:
    """The mean of each picture's patch tokens in the last layer, (n, d) float32."""
    caught: list[Any] = []
    handle = encoder.model.visual.ln_post.register_forward_hook(lambda _, __, tokens: caught.append(tokens))
    try:
        encoder.encode_images(images)
    finally:
        handle.remove()
    return caught[0][:, 1:].mean(1).float().cpu().numpy()


def squared_distances(vectors: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distances of (n, d) vectors from the mean, (n,)."""
    import numpy as np

    offsets = vectors - mean
    return np.einsum("nd,de,ne->n", offsets, precision, offsets)
