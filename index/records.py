"""What the library knows of a picture, what a search returns, and what a library says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One picture of the library; one row of the catalogue."""

    id: int  # stable int64, never used again after the picture is gone
    path: Path  # absolute
    size: int  # bytes
    mtime_ns: int
    hash: str  # SHA-256 of the file's bytes, hexadecimal
    width: int  # pixels, upright
    height: int
    title: str = ""
    caption: str = ""
    alt: str = ""
    keywords: tuple[str, ...] = ()
    creator: str = ""
    licence: str = ""
    credit: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A picture found, with its score in [-1, 1]: the best comes first.

    Of a search by words 0 is the library's average picture and 1 the best in every channel; of a search by a picture
    it is the cosine.
    """

    image: ImageRecord
    score: float
    shares: tuple[tuple[str, float], ...] = ()  # (channel, its part of the score): "picture", "words", "sentences"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The one file that says which parts make up a library; replaced last, atomically."""

    version: int
    encoder: str  # the name to load it by again
    fingerprint: str  # digest of the encoder's weights, preprocessing and precision
    dimension: int
    count: int
    generation: int
    sources: tuple[str, ...]  # absolute paths of the folders, as given to `limner index build`
    parts: dict[str, str]  # file name relative to the library -> SHA-256
    strange: float = 0.0  # share of a sample of the pictures that is out of the embedded encoder's world
    next_id: int = 1  # every id below it was given away once, so none comes back for another picture
