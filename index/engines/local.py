"""This machine: threads read, decode and prepare a bounded way ahead, the encoder takes batches in their order.

All that is done for one picture alone happens on the threads, beside the encoder: what waits for it is already as small
as it takes it.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ..decode import MAX_BYTES, MAX_PIXELS
from ..encoder import Encoder
from ..errors import PictureUnreadable
from ..records import ImageRecord
from ..scan import Found
from ..work import Contents, Work
from .engine import BATCH_SIZE, NO_CONTENT, Embedded, Progress
from .steps import Read, encode_batch, read_picture


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """One process; see Engine."""

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
        """See Engine.

        Batches are formed in the order of the files, so a build that goes on after a kill forms the same ones, and so
        does one with more workers. At most 2 batches and 2 pictures a worker wait in memory, each as `Encoder.prepare`
        left it.
        """
        # One that waits for Python's lock leaves its processor to another: 1.5 % of the time with two processors.
        workers = workers or min(8, (os.cpu_count() or 1) + 2)
        result = Embedded(array("q"))
        unfit: dict[str, str] = {}
        pending: dict[str, Read] = {}
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
            batch, reasons = encode_batch(list(pending.values()), encoder)
            unfit.update(reasons)
            if batch:
                work.keep(batch)
            for item in batch:
                contents.add(item.hash, item.width, item.height, item.perceptual_hash, item.embedded)
            pending.clear()
            settle()

        def read_one(file: Found) -> Read:
            return read_picture(
                file.path,
                version=contents.version,
                is_known=lambda digest: contents.find(digest) is not None,
                target_px=encoder.image_side_px,
                prepare=encoder.prepare,
                max_pixels=max_pixels,
                max_bytes=max_bytes,
            )

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

    def say(self, pictures: Sequence[ImageRecord], say: Callable[[ImageRecord], str]) -> Iterator[tuple[int, str, str]]:
        """See Engine: one after the other."""
        for number, picture in enumerate(pictures):
            try:
                yield number, say(picture), ""
            except PictureUnreadable as exc:
                yield number, "", exc.hint


def _read_ahead(files: Sequence[Found], read: Callable[[Found], Read], *, workers: int, ahead: int) -> Iterator[Read]:
    """Read files on threads and yield them in order, never more than `ahead` before the consumer."""
    queue: deque[Future[Read]] = deque()
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
