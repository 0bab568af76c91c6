"""An encoder with checkable answers: a picture is its mean colour, and words are the colours that they name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "green": (0, 255, 0),
    "magenta": (255, 0, 255),
    "red": (255, 0, 0),
    "white": (255, 255, 255),
    "yellow": (255, 255, 0),
}


class ColourEncoder:
    """A picture is its mean colour, a text the mean of the colours it names: "red" must find red.png."""

    name = "colour"
    dimension = 4
    image_side_px = 16

    def __init__(self, fingerprint: str = "c0" * 32) -> None:
        self.fingerprint = fingerprint
        self.pictures_encoded = 0

    def prepare(self, image: Image.Image) -> Image.Image:
        return image

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        self.pictures_encoded += len(images)
        assert all(image.mode == "RGB" for image in images)
        return _rows([np.asarray(image, np.float64).reshape(-1, 3).mean(0) for image in images])

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return _rows([_mean_of_words(text) for text in texts])


def _mean_of_words(text: str) -> np.ndarray:
    colours = [COLOURS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in COLOURS]
    return np.mean(colours, axis=0) if colours else np.full(3, 127.5)


def _rows(colours: Sequence[np.ndarray]) -> np.ndarray:
    # Centred, so that black and white are as far apart as they look; the last number keeps grey from being nothing.
    rows = np.array([[*(colour - 127.5), 12.75] for colour in colours], np.float32).reshape(-1, 4)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


Paint = Callable[..., Path]
