"""What an evaluation measured, as tables in a terminal and as lines in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from ..evaluation.report import Measured

# What the table shows of each task, in this order; --json and summary.json have all measures.
_COLUMNS = {
    "placement": {
        "f1": "exact",
        "f1_within_1": "within 1",
        "edit_similarity": "edit",
        "kendall_tau": "tau",
        "clip_score": "CLIP",
    },
    "retrieval": {
        "recall_at_1": "R@1",
        "recall_at_4": "R@4",
        "recall_at_8": "R@8",
        "mean_reciprocal_rank": "MRR",
    },
    "selection": {
        "agreement": "agrees",
        "answered": "answered",
    },
}
_HEADINGS = {
    "placement": "Placement of as many pictures as the author's: F1 exact and within 1 block, order",
    "retrieval": "Retrieval at the author's places",
    "selection": "Selection: agreement with the choice of people",
}

EvaluatedModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="The model to measure; see `limner models list`.  (default: none)",
        show_default=False,
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="Look at the pictures too: nano-clip, a folder, or ARCHITECTURE/TAG of open_clip.  (default: none)",
        show_default=False,
    ),
]
Kept = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Keeps each record, and a page: the same command goes on there, and `compare` reads it.",
        show_default=False,
    ),
]
StartOver = Annotated[bool, typer.Option("--start-over", help="Remove the evaluation that --out holds and begin anew.")]
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page to look at, with pictures inside.", show_default=False),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        callback=options.not_negative,
        help="Draws documents and intervals; the same one the same.  (default: 0)",
        show_default=False,
    ),
]


def show(measured: Sequence[Measured], *, signed: bool) -> None:
    """Tables in a terminal; in a pipe a line a measure, with tabs."""
    console = terminal.out()
    if not console.is_terminal:
        # Rich would make blanks of tabs.
        typer.echo("site\ttask\tsystem\tmeasure\tvalue\tlow\thigh\tdocuments")
        for each in measured:
            name, found = each.name, each.estimate
            numbers = ["" if value is None else f"{value:.4f}" for value in (found.value, found.low, found.high)]
            row = [each.site, name.task, name.system, name.measure, *numbers, str(found.documents)]
            typer.echo("\t".join(map(terminal.clean, row)))
        return
    for site, task in dict.fromkeys((each.site, each.name.task) for each in measured):
        part = [each for each in measured if (each.site, each.name.task) == (site, task)]
        console.print(_table(f"{site}. {_HEADINGS[task]}{', B less A' if signed else ''}", task, part, signed=signed))


def _table(title: str, task: str, measured: Sequence[Measured], *, signed: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from ..evaluation.figures import figure

    rows: dict[str, dict[str, Text]] = {}
    for each in measured:
        found = each.estimate
        cell = Text(figure(found.value, signed=signed))
        if found.low is not None and found.high is not None:
            cell.append("\n" + ", ".join(figure(bound, signed=signed) for bound in (found.low, found.high)), "dim")
        rows.setdefault(each.name.system, {})[each.name.measure] = cell
    table = Table(title=Text(terminal.clean(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("System", overflow="fold")
    shown = [measure for measure in _COLUMNS[task] if any(measure in cells for cells in rows.values())]
    for measure in shown:
        table.add_column(_COLUMNS[task][measure], justify="right", no_wrap=True)
    for system, cells in rows.items():
        table.add_row(Text(terminal.clean(system)), *(cells.get(measure, Text("")) for measure in shown))
    return table
