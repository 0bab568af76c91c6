"""Files to vectors: threads read, decode and prepare a bounded way ahead, the encoder takes batches in their order.

All that is done for one picture alone happens on the threads, beside the encoder: what waits for it is already as small
as it takes it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .decode import EMPTY, MAX_BYTES, MAX_PIXELS, NO_MEMORY, TOO_LARGE, Decoded, decode_bytes, read_bytes
from .encoder import Encoder
from .errors import PictureUnreadable
from .likeness import perceptual_hash
from .metadata import Metadata, to_json
from .scan import Found
from .work import Contents, Encoded

if TYPE_CHECKING:
    from PIL import Image

NO_CONTENT = -1


class Progress(Protocol):
    """Called in the building thread whenever files are done with."""

    def __call__(self, done: int, total: int) -> None:
        """Done files of the total that had to be read, skipped ones included."""
        ...


@dataclass(frozen=True, slots=True)
class _Read:
    hash: str = ""
    decoded: Decoded | None = None  # prepared; None when the content is known already, or cannot be decoded
    perceptual_hash: str = ""
    reason: str = ""
    lasting: bool = False  # the reason lies in the content: another try gives the same


@dataclass(slots=True)
class Embedded:
    """What became of the files."""

    contents: array[int]  # for each file the number of its content, or NO_CONTENT
    skipped: list[tuple[Found, str]] = field(default_factory=list)  # with the reason
    broken: list[tuple[Found, str]] = field(default_factory=list)  # those of them that need no other try
    seen: dict[str, Image.Image] = field(default_factory=dict)  # by path, as prepared: those that were to be kept


def embed(
    files: Sequence[Found],
    *,
    encoder: Encoder,
    contents: Contents,
    keep: Callable[[Sequence[Encoded]], None],
    workers: int,
    batch_size: int,
    progress: Progress,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    keep_seen: Collection[str] = (),
) -> Embedded:
    """Encode everything that is not in contents, and add it there after keep has taken its batch.

    Of the files in keep_seen the pictures are kept too, where they were decoded.

    Batches are formed in the order of the files, so a build that goes on after a kill forms the same ones, and so does
    one with more workers. At most 2 batches and 2 pictures a worker wait in memory, each as `Encoder.prepare` left it.
    """
    result = Embedded(array("q"))
    unfit: dict[str, str] = {}
    pending: dict[str, _Read] = {}
    done = 0

    def skip(file: Found, reason: str, *, lasting: bool) -> None:
        result.skipped.append((file, reason))
        if lasting:
            result.broken.append((file, reason))

    def settle() -> None:
        for number, digest in enumerate(hashes, start=len(result.contents)):
            content = contents.find(digest) if digest else None
            if digest and content is None:
                skip(files[number], unfit[digest], lasting=True)
            result.contents.append(NO_CONTENT if content is None else content)
        hashes.clear()

    def flush() -> None:
        batch, reasons = _encode(pending, encoder)
        unfit.update(reasons)
        if batch:
            keep(batch)
        for item in batch:
            contents.add(item.hash, item.width, item.height, item.perceptual_hash, item.embedded)
        pending.clear()
        settle()

    def read_one(file: Found) -> _Read:
        return _read(file.path, contents, encoder, max_pixels=max_pixels, max_bytes=max_bytes)

    hashes: list[str] = []  # of the files since the last batch; empty for those that were skipped
    reads = _read_ahead(files, read_one, workers=workers, ahead=2 * (batch_size + workers))
    for file, read in zip(files, reads, strict=True):
        hashes.append(read.hash)
        if read.decoded and file.location in keep_seen:
            result.seen[file.location] = read.decoded.image
        if read.reason:
            skip(file, read.reason, lasting=read.lasting)
        elif read.decoded and contents.find(read.hash) is None and read.hash not in unfit:
            pending.setdefault(read.hash, read)
        if len(pending) == batch_size:
            flush()
        done += 1
        progress(done - len(pending), len(files))
    if pending:
        flush()
        progress(done, len(files))
    settle()
    return result


def _read_ahead(files: Sequence[Found], read: Callable[[Found], _Read], *, workers: int, ahead: int) -> Iterator[_Read]:
    """Read files on threads and yield them in order, never more than `ahead` before the consumer."""
    queue: deque[Future[_Read]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="limner-decode")
    try:
        for file in files:
            queue.append(pool.submit(read, file))
            if len(queue) >= ahead:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        # Also when the consumer fails or Ctrl-C comes: what has not begun never does.
        pool.shutdown(cancel_futures=True)


def _read(path: Path, contents: Contents, encoder: Encoder, *, max_pixels: int, max_bytes: int) -> _Read:
    try:
        data = read_bytes(path, max_bytes=max_bytes)
    except PictureUnreadable as exc:
        # A file is as large as it is; a missing permission may be given without a trace in size and time.
        return _Read(reason=exc.hint, lasting=exc.hint == EMPTY or TOO_LARGE in exc.hint)
    digest = hashlib.sha256(data).hexdigest()
    if contents.find(digest) is not None:
        return _Read(digest)
    try:
        decoded = decode_bytes(
            data, name=str(path), target_px=encoder.image_side_px, max_pixels=max_pixels, with_metadata=True
        )
    except PictureUnreadable as exc:
        return _Read(reason=exc.hint, lasting=exc.hint != NO_MEMORY)
    return _Read(digest, replace(decoded, image=encoder.prepare(decoded.image)), perceptual_hash(decoded.image))


def _encode(pending: dict[str, _Read], encoder: Encoder) -> tuple[list[Encoded], dict[str, str]]:
    """One batch to float16 unit vectors, and the hashes that got none, with the reason."""
    import numpy as np

    pictures = [read.decoded for read in pending.values() if read.decoded]
    vectors = encoder.encode_images([picture.image for picture in pictures])  # (n, d) float32, unit rows
    assert vectors.shape == (len(pending), encoder.dimension)
    batch: list[Encoded] = []
    unfit: dict[str, str] = {}
    for (digest, read), picture, vector in zip(pending.items(), pictures, vectors, strict=True):
        length = float(np.linalg.norm(vector))
        if np.isfinite(length) and length > 0:
            unit = (vector / length).astype(np.float16)
            said = to_json(picture.metadata or Metadata())
            batch.append(Encoded(digest, picture.width, picture.height, read.perceptual_hash, said, unit))
        else:
            unfit[digest] = "the encoder makes nothing of it"
    return batch, unfit
