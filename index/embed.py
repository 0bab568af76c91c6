"""Files to vectors: threads read and decode a bounded way ahead, the encoder takes whole batches in their order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from .decode import MAX_BYTES, MAX_PIXELS, Decoded, decode_bytes, read_bytes
from .encoder import Encoder
from .errors import PictureUnreadable
from .metadata import Metadata, to_json
from .scan import Found
from .work import Encoded


class Progress(Protocol):
    """Called in the building thread whenever files are done with."""

    def __call__(self, done: int, total: int) -> None:
        """Done files of the total that had to be read, skipped ones included."""
        ...


@dataclass(frozen=True, slots=True)
class _Read:
    path: Path
    hash: str = ""
    decoded: Decoded | None = None  # None when all is known of the content already, or it cannot be decoded
    reason: str = ""


@dataclass(slots=True)
class Embedded:
    """What became of the files."""

    hashes: dict[Path, str] = field(default_factory=dict)  # of those whose vector is there
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def embed(
    files: Sequence[Found],
    *,
    encoder: Encoder,
    finished: dict[str, Encoded],
    keep: Callable[[Sequence[Encoded]], None],
    workers: int,
    batch_size: int,
    progress: Progress,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> Embedded:
    """Encode every content that is not in finished, and add it there after keep has taken its batch.

    Batches are formed in the order of the files, so a build that goes on after a kill forms the same ones. A picture
    is brought no further down than twice the encoder's side; at most 2 batches and 2 pictures a worker wait in memory.
    """
    result = Embedded()
    unfit: dict[str, str] = {}
    pending: dict[str, Decoded] = {}
    done = 0

    def flush() -> None:
        batch, reasons = _encode(pending, encoder)
        unfit.update(reasons)
        if batch:
            keep(batch)
        finished.update((item.hash, item) for item in batch)
        pending.clear()

    def read_one(file: Found) -> _Read:
        return _read(file.path, finished, encoder.image_side_px, max_pixels=max_pixels, max_bytes=max_bytes)

    waiting: dict[Path, str] = {}
    for read in _read_ahead(files, read_one, workers=workers, ahead=2 * (batch_size + workers)):
        if read.reason:
            result.skipped.append((read.path, read.reason))
        else:
            waiting[read.path] = read.hash
            known = finished.get(read.hash)
            if read.decoded and known:
                finished[read.hash] = replace(known, embedded=to_json(read.decoded.metadata or Metadata()))
            elif read.decoded and read.hash not in unfit:
                pending.setdefault(read.hash, read.decoded)
        if len(pending) == batch_size:
            flush()
        done += 1
        progress(done - len(pending), len(files))
    if pending:
        flush()
        progress(done, len(files))
    for path, digest in waiting.items():
        if digest in finished:
            result.hashes[path] = digest
        else:
            result.skipped.append((path, unfit[digest]))
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


def _read(path: Path, finished: dict[str, Encoded], target_px: int, *, max_pixels: int, max_bytes: int) -> _Read:
    try:
        data = read_bytes(path, max_bytes=max_bytes)
        digest = hashlib.sha256(data).hexdigest()
        known = finished.get(digest)
        if known and known.embedded is not None:
            return _Read(path, digest)
        decoded = decode_bytes(data, name=str(path), target_px=target_px, max_pixels=max_pixels, with_metadata=True)
        return _Read(path, digest, decoded)
    except PictureUnreadable as exc:
        return _Read(path, reason=exc.hint)


def _encode(pending: dict[str, Decoded], encoder: Encoder) -> tuple[list[Encoded], dict[str, str]]:
    """One batch to float16 unit vectors, and the hashes that got none, with the reason."""
    import numpy as np

    vectors = encoder.encode_images([decoded.image for decoded in pending.values()])  # (n, d) float32, unit rows
    assert vectors.shape == (len(pending), encoder.dimension)
    batch: list[Encoded] = []
    unfit: dict[str, str] = {}
    for (digest, decoded), vector in zip(pending.items(), vectors, strict=True):
        length = float(np.linalg.norm(vector))
        if np.isfinite(length) and length > 0:
            embedded = to_json(decoded.metadata or Metadata())
            unit = (vector / length).astype(np.float16)
            batch.append(Encoded(digest, decoded.width, decoded.height, embedded, unit))
        else:
            unfit[digest] = "the encoder makes nothing of it"
    return batch, unfit
