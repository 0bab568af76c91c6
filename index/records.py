"""What the library knows of a picture, what a search returns, and what a library says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One picture of the library; one row of the catalogue."""

    id: int  # stable int64, never used again after the picture is gone
    path: Path  # absolute
    size: int  # bytes
    mtime_ns: int
    hash: str  # of the file's bytes, hexadecimal: BLAKE3; SHA-256 in libraries of format 2
    width: int  # pixels, upright
    height: int
    title: str = ""
    caption: str = ""
    alt: str = ""
    keywords: tuple[str, ...] = ()
    creator: str = ""
    licence: str = ""
    licence_url: str = ""  # http or https, or empty
    credit: str = ""
    taken_at: datetime | None = None  # without a zone, as the camera's clock stood
    latitude: float | None = None  # degrees north
    longitude: float | None = None  # degrees east
    described_by: str = ""  # the model that wrote the texts named in `described`; people wrote all others
    described: tuple[str, ...] = ()  # of "alt" and "caption"
    # What the file itself says, as `metadata.to_json` gives it, so that a side file may go and the picture need not be
    # read again.
    embedded: str = field(default="", repr=False)
    perceptual_hash: str = ""  # 16 hexadecimal digits; empty where the picture has no structure to tell it by
    vector_id: int = 0  # of its content: exact copies share a vector


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
    next_vector_id: int = 1  # the same for the ids of vectors
    sizes: dict[str, int] = field(default_factory=dict)  # bytes of the parts
    metadata_digest: str = ""  # digest of the metadata and side files that the records were described from
    descriptions_digest: str = ""  # the same of what models wrote
    index_type: str = "auto"  # as asked for: see `index_types`
