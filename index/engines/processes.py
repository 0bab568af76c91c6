"""Reading ahead by processes of this machine, for a GPU that takes more pictures than one process can read.

Python's lock is held for about 1 ms of a picture's reading, whatever the number of threads (benchmarks/LOG.md). torch's
DataLoader starts the processes, watches them and brings back what they read in order.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import EngineFailed
from ..places import place
from ..scan import Found
from ..work import Contents
from .known import is_among, known_hashes
from .steps import Read, Reading

if TYPE_CHECKING:
    import numpy as np

_TAKEN = 16  # files that a process takes at a time
_PATIENCE = 5.0  # seconds


def in_processes(
    files: Sequence[Found], reading: Reading, *, contents: Contents, workers: int | None, batch_size: int
) -> Iterator[Read]:
    """See Ahead: at most a process a processor if workers is None, each 48 pictures before the consumer at most.

    Copies of one new content are decoded each, and encoded once.

    Raises:
        EngineFailed: a process was killed.
    """
    if not files:
        return
    useful = math.ceil(len(files) / _TAKEN)
    generator = torch.Generator()  # else the loader would draw from the one that everybody has
    with warnings.catch_warnings():
        # More of them than processors are good for pictures that come over a network.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader: DataLoader[Any] = DataLoader(
            _Pictures(reading, known_hashes(contents)),
            batch_sampler=_Chunks(files),
            num_workers=min(workers or os.cpu_count() or 1, useful),
            collate_fn=list,
            multiprocessing_context="spawn",  # a fork would copy a GPU's state, which does not survive it
            generator=generator,
        )
    try:
        yield from _driven(loader)
    except RuntimeError as exc:
        if "DataLoader worker" not in str(exc):
            raise
        raise EngineFailed(
            "a process that reads pictures was killed, often for want of memory",
            "run the command again: it goes on from here; a smaller --workers needs less memory",
        ) from exc


def _driven(loader: DataLoader[Any]) -> Iterator[Read]:
    """What the loader reads, in order.

    A thread drives it: an interrupt comes to the main thread, where it could leave a lock of the loader's locked.
    """
    with ThreadPoolExecutor(1, "limner-loader", initializer=_without_interrupts) as driver:
        starting = driver.submit(_Started.start, loader)
        try:
            chunks = starting.result().chunks
            while (reads := driver.submit(next, chunks, None).result()) is not None:
                yield from reads
        finally:
            driver.submit(_end, starting).result()


def _without_interrupts() -> None:
    """Ctrl-C never reaches what this thread starts, which this process ends."""
    resource_tracker.ensure_running()  # its start would let them through again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@dataclass(frozen=True, slots=True)
class _Started:
    """A loader at work: what it gives, and the threads that send its processes what to read."""

    chunks: Any
    feeders: list[threading.Thread]

    @classmethod
    def start(cls, loader: DataLoader[Any]) -> _Started:
        before = threading.enumerate()
        return cls(iter(loader), [thread for thread in threading.enumerate() if thread not in before])


def _end(starting: Future[_Started]) -> None:
    """End processes and threads: Python's exit would stop a thread that is letting go of what it shares."""
    if starting.exception() is None:
        started = starting.result()
        started.chunks._shutdown_workers()
        for feeder in started.feeders:
            feeder.join(_PATIENCE)


@dataclass(frozen=True, slots=True)
class _Chunks:
    """Paths in the order of the files; a process is sent those that it takes, and never all."""

    files: Sequence[Found]

    def __iter__(self) -> Iterator[list[str]]:
        files = iter(self.files)
        while chunk := [file.location for file in islice(files, _TAKEN)]:
            yield chunk


@dataclass(frozen=True, slots=True)
class _Pictures(Dataset[Read]):
    """What a process has: how to read, and what needs no decoding."""

    reading: Reading
    known: np.ndarray  # of `known_hashes`

    def __getitems__(self, paths: list[str]) -> list[Read]:
        return [self._read(path) for path in paths]

    def _read(self, path: str) -> Read:
        read = self.reading.read(place(path), lambda digest: is_among(self.known, digest))
        if read.decoded:
            read.decoded.image.info.clear()  # what the file says is in its metadata; this would travel once more
        return read
