"""The steps of a build that every engine takes: a file to a decoded picture, a batch of pictures to vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..content import hash_of_format
from ..decode import EMPTY, NO_MEMORY, TOO_LARGE, Decoded, decode_bytes, read_bytes
from ..encoder import Encoder
from ..errors import PictureUnreadable
from ..likeness import perceptual_hash
from ..metadata import Metadata, to_json
from ..work import Encoded

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a file gave."""

    hash: str = ""
    decoded: Decoded | None = None  # prepared; None when the content is known already, or cannot be decoded
    perceptual_hash: str = ""
    reason: str = ""
    lasting: bool = False  # the reason lies in the content: another try gives the same


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read in one build; it may go to other processes if prepare may."""

    version: int  # of the library's format, which says by which hash contents are told apart
    target_px: int
    prepare: Callable[[Image.Image], Image.Image]
    max_pixels: int
    max_bytes: int

    def read(self, path: Path, is_known: Callable[[str], bool]) -> Read:
        """Read a file, and decode and prepare it unless its content is known."""
        try:
            data = read_bytes(path, max_bytes=self.max_bytes)
        except PictureUnreadable as exc:
            # A file is as large as it is; a missing permission may be given without a trace in size and time.
            return Read(reason=exc.hint, lasting=exc.hint == EMPTY or TOO_LARGE in exc.hint)
        digest = hash_of_format(self.version)(data)
        if is_known(digest):
            return Read(digest)
        try:
            decoded = decode_bytes(
                data, name=str(path), target_px=self.target_px, max_pixels=self.max_pixels, with_metadata=True
            )
        except PictureUnreadable as exc:
            return Read(reason=exc.hint, lasting=exc.hint != NO_MEMORY)
        return Read(digest, replace(decoded, image=self.prepare(decoded.image)), perceptual_hash(decoded.image))


def encode_batch(pending: Sequence[Read], encoder: Encoder) -> tuple[list[Encoded], dict[str, str]]:
    """One batch of decoded pictures to float16 unit vectors, and the hashes that got none, with the reason."""
    import numpy as np

    pictures = [read.decoded for read in pending if read.decoded]
    vectors = encoder.encode_images([picture.image for picture in pictures])  # (n, d) float32, unit rows
    assert vectors.shape == (len(pending), encoder.dimension)
    batch: list[Encoded] = []
    unfit: dict[str, str] = {}
    for read, picture, vector in zip(pending, pictures, vectors, strict=True):
        length = float(np.linalg.norm(vector))
        if np.isfinite(length) and length > 0:
            unit = (vector / length).astype(np.float16)
            said = to_json(picture.metadata or Metadata())
            batch.append(Encoded(read.hash, picture.width, picture.height, read.perceptual_hash, said, unit))
        else:
            unfit[read.hash] = "the encoder makes nothing of it"
    return batch, unfit
