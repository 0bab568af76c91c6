"""A whole batch: which rows are still to be made, who makes them, and the record of it beside their folders.

OUT/ROW/...       each row's article (work.py)
OUT/batch.json    every row: its folder, whether it stands, and why not
OUT/index.html    the articles as cards (page.py)
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...index.atomic import alone_in, write_whole
from ..errors import BatchBusy, RunMismatch
from .engines import BatchProgress, Engine, Unseen
from .page import write_page
from .rows import BadRow, Row
from .work import RECORD, Outcome, as_tree, bad_outcome, stands, unfinished

RESULT = "batch.json"
VERSION = 1
_LOCK = ".batch.lock"


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of the rows, in their order."""

    out: Path
    models: dict[str, str]
    rows: tuple[Outcome, ...]
    left: tuple[str, ...]  # folders of rows that the list has no more

    @property
    def complete(self) -> bool:
        """Whether every row stands."""
        return all(row.status == "done" for row in self.rows)


def run_batch(
    rows: Sequence[Row | BadRow],
    engine: Engine,
    out: Path,
    *,
    models: dict[str, str],
    formats: Collection[str],
    embed: bool,
    resume: bool,
    progress: BatchProgress | None = None,
) -> Batch:
    """Make every row that does not stand yet, and write down what became of all; also when it is interrupted.

    Args:
        rows: of `read_rows`.
        engine: makes them.
        out: receives a folder for each row, batch.json and index.html.
        models: "writer", "selector" and "encoder" by name, for the record.
        formats: what each row's folder is to hold.
        embed: whether the pictures are inside the HTML.
        resume: leave what stands in `out` as it is.
        progress: is told what happens.

    Raises:
        RunMismatch: `out` holds a batch that is not to be resumed, or one of other models.
        BatchBusy: another process is at work in `out`.
        WriteFailed: the disk refused.
        EngineMissing, EngineFailed: of the engine.
    """
    told = progress or Unseen()
    busy = BatchBusy(f"another process composes into {out}", "wait for it, or choose another --out")
    with alone_in(out, _LOCK, busy):
        _check(out, models, resume=resume)
        outcomes: list[Outcome] = []
        waiting: dict[str, int] = {}  # folder -> place in outcomes
        for row in rows:
            if isinstance(row, BadRow):
                outcomes.append(bad_outcome(row))
                continue
            before = stands(out, row, formats, embed=embed)
            if before is None:
                waiting[row.folder] = len(outcomes)
            else:
                told.row(row, 1.0)
            outcomes.append(before or unfinished(row))
        _write(_batch(out, models, outcomes))
        todo = [row for row in rows if isinstance(row, Row) and row.folder in waiting]
        by_folder = {row.folder: row for row in todo}
        try:
            for outcome in engine(todo, told) if todo else ():
                assert outcome.folder is not None
                outcomes[waiting[outcome.folder]] = outcome
                told.row(by_folder[outcome.folder], 1.0)
        finally:
            for folder, place in waiting.items():
                # A row may have ended in a group that did not.
                if outcomes[place].status == "unfinished" and (
                    made := stands(out, by_folder[folder], formats, embed=embed)
                ):
                    outcomes[place] = replace(made, done_before=False)
            batch = _batch(out, models, outcomes)
            _write(batch)
            write_page(batch.rows, out)
        return batch


def _batch(out: Path, models: dict[str, str], outcomes: Sequence[Outcome]) -> Batch:
    folders = {outcome.folder for outcome in outcomes}
    left = sorted(path.parent.name for path in out.glob(f"*/{RECORD}") if path.parent.name not in folders)
    return Batch(out, models, tuple(outcomes), tuple(left))


def _write(batch: Batch) -> None:
    write_whole(batch.out / RESULT, (json.dumps(tree_of(batch), ensure_ascii=False, indent=1) + "\n").encode())


def tree_of(batch: Batch) -> dict[str, Any]:
    """The content of batch.json; nothing of it depends on when or how fast the batch was made."""
    statuses = [row.status for row in batch.rows]
    return {
        "version": VERSION,
        "models": batch.models,
        "counts": {"rows": len(statuses), **{name: statuses.count(name) for name in ("done", "failed", "unfinished")}},
        "rows": [as_tree(row) for row in batch.rows],
        "left": list(batch.left),
    }


def _check(out: Path, models: dict[str, str], *, resume: bool) -> None:
    path = out / RESULT
    if not path.exists():
        return
    if not resume:
        raise RunMismatch(
            f"{out} holds a batch already",
            "--resume goes on with it: what stands is left as it is; another --out begins anew",
        )
    try:
        before = json.loads(path.read_bytes())["models"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise RunMismatch(f"{path} is no record of a batch", "choose another --out, or remove that file") from exc
    if before != models:
        changed = ", ".join(key for key in models if before.get(key) != models[key])
        raise RunMismatch(f"{out} holds a batch of other models ({changed})", "choose another --out")
