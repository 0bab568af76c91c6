"""Reading ahead of the encoder: by threads here, by processes in `processes`."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from ..scan import Found
from ..work import Contents
from .steps import Read, Reading


class Ahead(Protocol):
    """Reads files before they are asked for, a bounded way."""

    def __call__(
        self, files: Sequence[Found], reading: Reading, *, contents: Contents, workers: int | None, batch_size: int
    ) -> Iterator[Read]:
        """Yield what reading gives for each file, in order; what is in contents need not be decoded.

        workers read at a time, as many as is good if None; the consumer takes batch_size at a time.
        """
        ...


def on_threads(
    files: Sequence[Found], reading: Reading, *, contents: Contents, workers: int | None, batch_size: int
) -> Iterator[Read]:
    """See Ahead: never more than 2 batches and 2 pictures a thread before the consumer."""
    # One that waits for Python's lock leaves its processor to another: 1.5 % of the time with two processors.
    workers = workers or min(8, (os.cpu_count() or 1) + 2)
    ahead = 2 * (batch_size + workers)
    queue: deque[Future[Read]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="limner-decode")
    try:
        for file in files:
            queue.append(pool.submit(reading.read, file.path, lambda digest: contents.find(digest) is not None))
            if len(queue) >= ahead:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        # Also when the consumer fails or Ctrl-C comes: what has not begun never does.
        pool.shutdown(cancel_futures=True)
