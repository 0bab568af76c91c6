"""Pieces of work in threads, for models that are asked from several at once. Knows nothing of briefs or articles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ..models.passing import Passing
from ..protocols import Message, Model, Sampling
from .lockstep import Share, Stopped

T = TypeVar("T")


def in_threads(work: Sequence[Callable[[Share], T]], jobs: int) -> Generator[tuple[int, Future[T]], None, None]:
    """Do so many pieces of work at a time; yield the place of each, and what it gave or raised, as it is done.

    A piece is given the way from a model to the one that it is to ask. Where the caller leaves early, by Ctrl-C or a
    fault, no other piece begins, and those under way raise Stopped at their next question or word.
    """
    stop = threading.Event()
    threads = ThreadPoolExecutor(jobs)
    try:
        share = partial(_Stoppable, stop)
        places = {threads.submit(piece, share): place for place, piece in enumerate(work)}
        for future in as_completed(places):
            yield places[future], future
    finally:
        stop.set()
        threads.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Stoppable(Passing):
    """A model that answers no more once the work is stopped: a thread cannot be ended from outside."""

    stop: threading.Event
    model: Model

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        self._go_on()
        for piece in self.model.generate(messages, sampling=sampling, schema=schema):
            self._go_on()
            yield piece

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        self._go_on()
        return self.model.score(messages, answers)

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise Stopped
