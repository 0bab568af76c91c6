"""How long work shows itself on standard error: bars and check marks in a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.status import Status
from rich.text import Text

from ..index.free import size
from .terminal import clean, err

_STEPS = {
    "load": ("Loading the model", "Loaded the model"),
    "write": ("Writing", "Wrote the text"),
    "spots": ("Choosing places for pictures", "Chose places for pictures"),
    "select": ("Choosing pictures", "Chose the pictures"),
    "render": ("Making the pages", "Made the pages"),
}


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


class _Counter:
    """Counts what is done of a total: a bar in a terminal, in a pipe a line for each tenth."""

    def __init__(self, label: str) -> None:
        self._label = clean(label)
        self._console = err()
        self._progress: Progress | None = None
        self._tenth = -1

    def _columns(self) -> Sequence[ProgressColumn]:
        """What stands between the bar and the time that is left."""
        raise NotImplementedError

    def _so_far(self, done: int, total: int) -> str:
        """The same in words."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                *self._columns(),
                TimeRemainingColumn(compact=True),
                console=self._console,
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(self._label, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)
            return
        tenth = 10 * done // total if total else 10
        if tenth > self._tenth:
            self._tenth = tenth
            self._console.print(f"{self._label}: {self._so_far(done, total)}")


class Bar(_Counter):
    """Counts pictures; an instance is what `index.build` calls with (done, total)."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self._tenth = 0  # nothing is said before the first tenth

    def _columns(self) -> Sequence[ProgressColumn]:
        return MofNCompleteColumn(), _Rate()

    def _so_far(self, done: int, total: int) -> str:
        return f"{done} of {total}"


class Bytes(_Counter):
    """Counts bytes of a download; an instance is what `composer.models.pull` calls with (done, total)."""

    def _columns(self) -> Sequence[ProgressColumn]:
        return DownloadColumn(), TransferSpeedColumn()

    def _so_far(self, done: int, total: int) -> str:
        return f"{size(done)} of {size(total)}"


class Steps:
    """What a composition shows: its steps, and the article as it is written."""

    def __init__(self) -> None:
        self._console: Console = err()
        self._status: Status | None = None
        self._name = ""
        self._since = 0.0
        self._in_text = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pause()
        if kind is None:
            self.end()

    def step(self, name: str, detail: str = "") -> None:
        """Begin a step, or tell how far it is."""
        doing, _ = _STEPS.get(name, (name.capitalize(), name))
        line = f"{doing}: {clean(detail)}" if detail else doing
        if not self._console.is_terminal:
            self._console.print(line)
            return
        self._pause()
        if name != self._name:
            self.end()
            self._name, self._since = name, time.monotonic()
        self._status = self._console.status(Text(f"{line} …"), spinner="dots")
        self._status.start()

    def text(self, piece: str) -> None:
        """Show a piece of the article; a pipe gets the finished files alone."""
        if self._console.is_terminal:
            if not self._in_text:
                self._pause()
                self._in_text = True
            self._console.print(clean(piece, keep="\n\t"), end="", style="dim")

    def notice(self, message: str) -> None:
        """Show what the user should know, above what goes on."""
        self._end_text()
        self._console.print(f"note: {clean(message)}", style="yellow")

    def _pause(self) -> None:
        self._end_text()
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _end_text(self) -> None:
        if self._in_text:
            self._console.print("\n")
            self._in_text = False

    def end(self) -> None:
        if self._name and self._console.is_terminal:
            _, done = _STEPS.get(self._name, ("", self._name))
            self._console.print(
                Text.assemble(("✓ ", "green"), done, (f"  {time.monotonic() - self._since:.1f} s", "dim"))
            )
        self._name = ""
