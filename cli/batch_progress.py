"""How a batch shows itself on standard error: rows done, articles a minute and the time that is left."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .terminal import err

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..composer.batch.rows import Row

_LINES = 10  # that a pipe gets, at most: one a tenth of the rows


class Rows:
    """Counts rows by their finished steps, so that the time left is known before the first article is finished."""

    def __init__(self, rows: int) -> None:
        self._console = err()
        self._rows = rows
        self._shares: dict[str, float] = {}
        self._before = 0.0  # rows that stood already: they say nothing of the speed
        self._began: float | None = None
        self._told = 0
        self._lock = threading.Lock()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("Composing"), BarColumn(), TextColumn("{task.description}"), console=self._console,
                transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task(self._line(), total=self._rows)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def row(self, row: Row, share: float) -> None:
        """See BatchProgress."""
        with self._lock:
            if self._began is None:
                if share == 1.0:
                    self._before += 1
                else:
                    self._began = time.monotonic()
            self._shares[row.folder] = max(share, self._shares.get(row.folder, 0.0))
            self._tell()

    def _tell(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=sum(self._shares.values()), description=self._line())
            return
        tenth = int(_LINES * sum(self._shares.values()) / max(1, self._rows))
        if tenth > self._told:
            self._told = tenth
            self._console.print(f"Composing: {self._line()}")

    def _line(self) -> str:
        """ "12 of 200 · 31 a minute · 6 min left"."""
        done = sum(share == 1.0 for share in self._shares.values())
        line = f"{done} of {self._rows}"
        made = sum(self._shares.values()) - self._before
        if self._began is None or made <= 0:
            return line
        rate = made / max(time.monotonic() - self._began, 1e-3)  # rows a second
        left = (self._rows - self._before - made) / rate
        if done == self._rows:
            return f"{line} · {60 * rate:.3g} a minute"
        return f"{line} · {60 * rate:.3g} a minute · {_time(max(left, 1))} left"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
