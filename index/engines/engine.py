"""The seam between a build and who does its work: files go in, what became of them comes out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..decode import MAX_BYTES, MAX_PIXELS
from ..encoder import Encoder
from ..records import ImageRecord
from ..scan import Found
from ..work import Contents, Work

if TYPE_CHECKING:
    from PIL import Image

NO_CONTENT = -1
BATCH_SIZE = 32


class Progress(Protocol):
    """Called in the building thread whenever files are done with."""

    def __call__(self, done: int, total: int) -> None:
        """Done files of the total that had to be read, skipped ones included."""
        ...


@dataclass(slots=True)
class Embedded:
    """What became of the files."""

    contents: array[int]  # for each file the number of its content, or NO_CONTENT
    skipped: list[tuple[Found, str]] = field(default_factory=list)  # with the reason
    broken: list[tuple[Found, str]] = field(default_factory=list)  # those of them that need no other try
    seen: dict[str, Image.Image] = field(default_factory=dict)  # by path, as prepared: those that were to be kept


class Engine(Protocol):
    """Does what takes time, over many files."""

    def embed(
        self,
        files: Sequence[Found],
        *,
        encoder: Encoder,
        contents: Contents,
        work: Work,
        progress: Progress,
        workers: int | None = None,
        batch_size: int = BATCH_SIZE,
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_BYTES,
        keep_seen: Collection[str] = (),
    ) -> Embedded:
        """Encode everything that is not in contents, and add it there after work has kept its batch.

        Of the files in keep_seen the pictures may be kept too, where they were decoded on this machine. workers read
        and decode at a time, as many as is good if None; the encoder takes batch_size pictures at a time.

        Raises:
            WriteFailed: the disk refused.
        """
        ...

    def say(self, pictures: Sequence[ImageRecord], say: Callable[[ImageRecord], str]) -> Iterator[tuple[int, str, str]]:
        """Yield (place in pictures, words, reason) as they come; words are empty where there is a reason for none.

        Where say raises PictureUnreadable, its hint is the reason.
        """
        ...
