"""Who composes a batch's rows: groups in lockstep for models that answer many prompts, threads for all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from .lockstep import Lockstep, ManyModel, Share, Stopped
from .rows import Row
from .threads import in_threads
from .work import Outcome, Parts, compose_row, failed

GROUP_SIZE = 32  # rows; benchmarks/LOG.md has what other sizes gave
JOBS = 4


class BatchProgress(Protocol):
    """What a caller may show while a batch is made."""

    def row(self, row: Row, share: float) -> None:
        """So much of a row is done, from 0 to 1; called in any thread."""
        ...


class Unseen:
    """Progress that nobody looks at."""

    def row(self, row: Row, share: float) -> None:
        pass


class Engine(Protocol):
    """Makes rows, each with its outcome; a row that fails has one too."""

    def __call__(self, rows: Sequence[Row], progress: BatchProgress) -> Iterator[Outcome]:
        """Yield the outcomes as they come."""
        ...


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """This machine."""

    parts: Parts
    out: Path
    group_size: int = GROUP_SIZE  # for models that answer many prompts at once
    jobs: int = JOBS  # threads, for all others

    def __call__(self, rows: Sequence[Row], progress: BatchProgress) -> Iterator[Outcome]:
        """See Engine; the groups are those of the rows' order, so the same rows give the same bytes."""
        if answers_many(self.parts):
            for group in groups(rows, self.group_size):
                yield from compose_group(group, self.parts, self.out, progress)
            return
        for place, future in in_threads(_pieces(rows, self.parts, self.out, progress), self.jobs):
            yield _outcome(future, rows[place], self.out)


def answers_many(parts: Parts) -> bool:
    """Whether one of a batch's models answers many prompts in one pass."""
    return any(isinstance(model, ManyModel) for model in (parts.writer, parts.selector))


def groups(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    """Rows that are composed together; what stands in a group depends on the order of rows alone."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def compose_group(rows: Sequence[Row], parts: Parts, out: Path, progress: BatchProgress) -> list[Outcome]:
    """Compose rows side by side in lockstep; an outcome for each, in their order."""
    futures = Lockstep().run(_pieces(rows, parts, out, progress))
    return [_outcome(future, row, out) for future, row in zip(futures, rows, strict=True)]


def _pieces(rows: Sequence[Row], parts: Parts, out: Path, progress: BatchProgress) -> list[Callable[[Share], Outcome]]:
    return [partial(_compose, row, parts, out, progress) for row in rows]


def _compose(row: Row, parts: Parts, out: Path, progress: BatchProgress, share: Share) -> Outcome:
    try:
        return compose_row(row, parts, out, share, _Steps(row, progress))
    finally:
        progress.row(row, 1.0)


def _outcome(future: Future[Outcome], row: Row, out: Path) -> Outcome:
    """What a row gave. A future holds what its work raised of whatever kind: no row's fault is another's."""
    fault = future.exception()
    if fault is None:
        return future.result()
    if isinstance(fault, Stopped) or not isinstance(fault, Exception):
        raise fault
    return failed(row, out, fault)


@dataclass(slots=True)
class _Steps:
    """A row's steps as a share of its work: the text takes a good third, the pictures most of the rest."""

    shown: Row
    progress: BatchProgress

    def step(self, name: str, detail: str = "") -> None:
        share = {"write": 0.0, "spots": 0.35, "select": 0.45, "render": 0.97}.get(name)
        number, _, count = detail.partition(" of ")
        if name == "select" and share is not None and number.isdigit() and count.isdigit():
            share += 0.5 * (int(number) - 1) / int(count)
        if share is not None:
            self.progress.row(self.shown, share)

    def text(self, piece: str) -> None:
        pass

    def notice(self, message: str) -> None:
        pass
