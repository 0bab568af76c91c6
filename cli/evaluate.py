"""`limner evaluate`: how good it is, on articles that people have illustrated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import evaluate_judge, options, terminal
from .wiring import encoder_device, wiring_of

if TYPE_CHECKING:
    from rich.table import Table

    from ..evaluation.articles import Survey
    from ..evaluation.report import Measured
    from ..evaluation.site import Notice

_SHOWN_NOTICES = 5
# What the table shows of each task, in this order; --json and summary.json have all measures.
_COLUMNS = {
    "placement": {
        "f1": "exact",
        "f1_within_1": "within 1",
        "edit_similarity": "edit",
        "kendall_tau": "tau",
    },
    "retrieval": {
        "recall_at_1": "R@1",
        "recall_at_4": "R@4",
        "recall_at_8": "R@8",
        "mean_reciprocal_rank": "MRR",
    },
}
_HEADINGS = {
    "placement": "Placement of as many pictures as the author's: F1 exact and within 1 block, order",
    "retrieval": "Retrieval at the author's places",
}

app = typer.Typer()


class Knows(StrEnum):
    """What the library knows of each picture."""

    NOTHING = "nothing"
    FILE_NAMES = "file-names"
    ALT = "alt"
    CAPTIONS = "captions"


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


@app.callback(invoke_without_command=True)
def evaluate(ctx: typer.Context) -> None:
    """Measure how good it is: pictures taken out of real articles and put back."""
    terminal.help_if_alone(ctx)


@app.command("articles")
def evaluate_articles(
    ctx: typer.Context,
    sites: Annotated[
        list[Path],
        typer.Argument(metavar="SITE...", help="Folders of Markdown with their pictures.", show_default=False),
    ],
    library_knows: Annotated[
        Knows,
        typer.Option(
            "--library-knows",
            metavar="nothing|file-names|alt|captions",
            help="What the library is told of each picture; captions is alt text and caption.  (default: captions)",
            show_default=False,
        ),
    ] = Knows.CAPTIONS,
    tasks: Annotated[
        str | None,
        typer.Option(
            "--tasks",
            metavar="placement,retrieval",
            help="What is measured, with commas between.  (default: both)",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="uniform,longest-paragraph,words",
            help="Who chooses the places, with commas between.  (default: all three)",
            show_default=False,
        ),
    ] = None,
    sentences: Annotated[
        str | None,
        typer.Option(
            "--sentences",
            metavar="NAME",
            help="Search by meaning too, with this sentence encoder: all-MiniLM-L6-v2, or a folder.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            callback=options.from_one,
            help="So many documents of each site, drawn by --seed; all its pictures are searched.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Keeps a record of each document: the same command goes on there, and `compare` reads it.",
            show_default=False,
        ),
    ] = None,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Remove the evaluation that --out holds and begin anew.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Take the pictures out of the articles of SITE, choose places and pictures anew, and compare with the author's."""
    from ..evaluation.articles import TASKS, Settings, asked_for, check_names, evaluate, survey
    from ..evaluation.baselines import BASELINES
    from ..evaluation.records import keep_records, write_summary
    from ..evaluation.report import summarise
    from ..evaluation.site import open_site
    from .progress import Bar
    from .settings import load_settings

    settings = Settings(
        library_knows.value,  # pyright: ignore[reportArgumentType]
        _listed(tasks, TASKS, "--tasks"),  # pyright: ignore[reportArgumentType]
        _listed(baseline, tuple(BASELINES), "--baseline"),
        limit,
        seed or 0,
    )
    if start_over and out is None:
        raise typer.BadParameter(
            "is for an evaluation that is kept; name its folder by --out", param_hint="--start-over"
        )
    opened = [open_site(site) for site in sites]
    check_names(opened)
    surveys: list[Survey] = []
    for site in opened:
        with Bar(f"Reading {site.name}") as bar:
            surveys.append(survey(site, bar))
    encoder = wiring_of(ctx).sentence_encoder(sentences, encoder_device(load_settings({}))) if sentences else None
    with keep_records(out, asked_for(settings, surveys, encoder), start_over=start_over) as keeper:
        with Bar("Evaluating") as bar:
            records = evaluate(surveys, settings, keeper, encoder=encoder, progress=bar)
        measured = summarise(records, seed=settings.seed)
        summary = _summary(surveys, settings.knows, sentences, len(records), measured)
        if out is not None:
            write_summary(out, summary)
    if as_json:
        terminal.print_json(summary)
        return
    for each in surveys:
        documents, placed = len(each.documents), each.placed
        terminal.err().print(
            f"{terminal.clean(each.site.name)}: {placed} pictures in {documents} documents, "
            f"{len(each.said)} to search, known by {library_knows.value}"
        )
        _tell(each.notices)
    _show(measured, signed=False)


app.command("judge")(evaluate_judge.judge)


@app.command("compare")
def compare_runs(
    first: Annotated[Path, typer.Argument(metavar="A", help="The --out of an evaluation.", show_default=False)],
    second: Annotated[
        Path, typer.Argument(metavar="B", help="That of another, of the same sites.", show_default=False)
    ],
    seed: Seed = None,
    as_json: options.Json = False,
) -> None:
    """Say by how much B is above A, document by document, with intervals."""
    from ..evaluation.records import read_records, read_settings
    from ..evaluation.report import compare, tree_of

    settings = [read_settings(folder) for folder in (first, second)]
    records = [read_records(folder) for folder in (first, second)]
    measured = compare(*records, seed=seed or 0)
    left = len({(each.site, each.document) for run in records for each in run}) - len(
        {(each.site, each.document) for each in records[0]} & {(each.site, each.document) for each in records[1]}
    )
    keys = [key for key in settings[0] if settings[0][key] != settings[1].get(key)]
    if as_json:
        other = {key: [each.get(key) for each in settings] for key in keys}
        terminal.print_json({"differ": other, "left_out": left, "results": tree_of(measured)})
        return
    for key in keys:
        terminal.err().print(f"{key}: {terminal.clean(settings[0].get(key))} -> {terminal.clean(settings[1].get(key))}")
    if left:
        terminal.note(f"{left} documents are in one of the two alone, and left out")
    _show(measured, signed=True)


def _listed(given: str | None, known: Sequence[str], option: str) -> tuple[str, ...]:
    """The names in a list with commas, in the order of those that there are; all of them where none is given."""
    if given is None:
        return tuple(known)
    names = [name.strip() for name in given.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"has no {unknown[0]!r}; there are {', '.join(known)}", param_hint=option)
    if not names:
        raise typer.BadParameter(f"names nothing; there are {', '.join(known)}", param_hint=option)
    return tuple(name for name in known if name in names)


def _summary(
    surveys: Sequence[Survey], knows: str, sentences: str | None, evaluated: int, measured: Sequence[Measured]
) -> dict[str, Any]:
    from ..evaluation.report import tree_of

    return {
        "library_knows": knows,
        "sentences": sentences,
        "documents": evaluated,
        "sites": [
            {
                "site": each.site.name,
                "documents": len(each.documents),
                "pictures": each.placed,
                "searched": len(each.said),
                "notices": [{"document": n.document, "reason": n.reason} for n in each.notices],
            }
            for each in surveys
        ],
        "results": tree_of(measured),
    }


def _tell(notices: Sequence[Notice]) -> None:
    """What was left out: how many of each kind, and the first of those that somebody can mend."""
    kinds = Counter(notice.reason.partition(":")[0] for notice in notices)
    for kind, count in kinds.most_common():
        terminal.note(f"{count} left out: {kind}" if kind != "front matter" else f"{count} with broken front matter")
    mendable = [notice for notice in notices if not notice.reason.startswith("remote")]
    for notice in mendable[:_SHOWN_NOTICES]:
        terminal.err().print(f"  {terminal.clean(notice.document)}: {terminal.clean(notice.reason)}", style="dim")
    if (more := len(mendable) - _SHOWN_NOTICES) > 0:
        terminal.err().print(f"  and {more} more; --json has all", style="dim")


def _show(measured: Sequence[Measured], *, signed: bool) -> None:
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

    rows: dict[str, dict[str, Text]] = {}
    for each in measured:
        found = each.estimate
        cell = Text(_number(found.value, signed=signed))
        if found.low is not None and found.high is not None:
            cell.append("\n" + ", ".join(_number(bound, signed=signed) for bound in (found.low, found.high)), "dim")
        rows.setdefault(each.name.system, {})[each.name.measure] = cell
    table = Table(title=Text(terminal.clean(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("System", overflow="fold")
    for heading in _COLUMNS[task].values():
        table.add_column(heading, justify="right", no_wrap=True)
    for system, cells in rows.items():
        table.add_row(Text(terminal.clean(system)), *(cells.get(measure, Text("")) for measure in _COLUMNS[task]))
    return table


def _number(value: float, *, signed: bool) -> str:
    """Three decimals without the zero before them, so that four columns fit into a terminal of 80."""
    return (f"{value:+.3f}" if signed else f"{value:.3f}").replace("0.", ".", 1)
