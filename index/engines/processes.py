"""Reading ahead by processes of this machine, for a GPU that takes more pictures than one process can read.

Python's lock is held for about 1 ms of a picture's reading, whatever the number of threads (benchmarks/LOG.md). torch's
DataLoader starts the processes, watches them and brings back what they read in order.
"""

from __future__ import annotations

import math
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    with _without_interrupts():
        chunks = iter(loader)
    try:
        for reads in chunks:
            yield from reads
    except RuntimeError as exc:
        if "DataLoader worker" not in str(exc):
            raise
        raise EngineFailed(
            "a process that reads pictures was killed, often for want of memory",
            "run the command again: it goes on from here; a smaller --workers needs less memory",
        ) from exc


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ctrl-C waits, and never reaches the processes that are started: this one ends them."""
    resource_tracker.ensure_running()  # its start would let them through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
