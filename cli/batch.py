"""`limner batch`: an article for every brief of a list, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, terminal
from .groups import Given, with_groups
from .making import MAKING, brief_flags
from .out_folder import check_out
from .running import RUNNING
from .wiring import Wiring, library_folder, load_models, own_device, selector_name, wiring_of, within_world, writer_name

if TYPE_CHECKING:
    from rich.table import Table

    from ..composer.article import Brief, Draft
    from ..composer.batch.batch import Batch
    from ..composer.batch.engines import Engine
    from ..composer.batch.work import Outcome, Parts
    from ..composer.brief import BriefFields
    from ..composer.protocols import ImageSearch
    from ..index.library import Library
    from .settings import Settings

_TABLE_ROWS = 100  # more of them are in batch.json; those without an article come first


@with_groups(MAKING, RUNNING)
def batch(
    ctx: typer.Context,
    *,
    briefs: Annotated[
        Path,
        typer.Argument(
            metavar="BRIEFS",
            help="JSON Lines, CSV or YAML with a row for each article, or a folder of drafts (.md) and briefs (.toml).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Receives a folder for each row, batch.json and index.html.",
            show_default=False,
        ),
    ],
    making: Given,
    defaults: Annotated[
        Path | None,
        typer.Option(
            "--defaults",
            metavar="BRIEF.toml",
            help="A brief whose keys hold for rows that do not say otherwise.",
            show_default=False,
        ),
    ] = None,
    where: options.Where = None,
    running: Given,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            metavar="N",
            callback=options.from_one,
            help="Rows at a time, with a served model or none.  (default: 4)",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="N",
            callback=options.from_one,
            help="Rows that a local model answers in one pass.  (default: 32)",
            show_default=False,
        ),
    ] = None,
    engine: options.Engines = None,
    address: options.Address = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the batch in DIR: make what failed, is unfinished or was edited."),
    ] = False,
    anyway: options.Anyway = False,
    as_json: options.Json = False,
) -> None:
    """Compose an article for every row of BRIEFS; a row that fails is named and does not stop the others."""
    from .settings import load_settings

    settings = load_settings({**making, "engine": engine, "address": address, **running})
    from ..composer.batch.batch import run_batch
    from ..composer.batch.rows import Row, read_rows
    from .batch_progress import Rows

    check_out(out)
    folder = library_folder(settings.library)
    rows = read_rows(briefs, _defaults(settings, defaults, {"where": where, **brief_flags(making)}))
    wiring = wiring_of(ctx)
    opened = wiring.library(folder, own_device(settings))
    strange = wiring.check_library(selector_name(settings), opened)
    within_world(strange, anyway=anyway, warn=terminal.note)
    if opened.caution:
        terminal.note(opened.caution)
    if where is not None:
        opened.where(where)  # a condition that is none is told of once, not for every row
    make = _engine(wiring, settings, opened, out, jobs=jobs, batch_size=batch_size, strange=strange, anyway=anyway)
    models = {"writer": writer_name(settings), "selector": selector_name(settings), "encoder": opened.manifest.encoder}
    with Rows(sum(isinstance(row, Row) for row in rows)) as progress:
        made = run_batch(
            rows,
            make,
            out,
            models=models,
            formats=tuple(map(str, settings.format)),
            embed=settings.embed,
            resume=resume,
            progress=progress,
        )
    _show(made, as_json=as_json)
    if not made.complete:
        raise typer.Exit(1)


def _defaults(settings: Settings, path: Path | None, flags: Mapping[str, Any]) -> BriefFields:
    """What a row has that does not say otherwise: the flag's, else the brief's, else the setting's."""
    from ..composer.brief import BriefFields, brief_fields, read_brief

    given = BriefFields() if path is None else read_brief(path)
    given = given.over(brief_fields(flags, folder=Path.cwd(), source="the command line"))
    return given.or_else(
        images=settings.images or "auto",
        candidates=settings.candidates,
        permutations=settings.permutations,
        fallback=str(settings.fallback),
        seed=settings.seed,
    )


def _engine(
    wiring: Wiring,
    settings: Settings,
    opened: Library,
    out: Path,
    *,
    jobs: int | None,
    batch_size: int | None,
    strange: str | None,
    anyway: bool,
) -> Engine:
    from ..composer.batch.engines import GROUP_SIZE, JOBS, LocalEngine, answers_many

    if settings.engine is options.Engine.RAY:
        if jobs is not None:
            raise typer.BadParameter(
                "is of this machine; the cluster has its own number of workers", param_hint="--jobs"
            )
        from ..composer.batch.over_ray import RayEngine
        from ..index.engines.ray import cluster, share, tables

        load = partial(_parts_there, wiring, settings, opened.folder, strange=strange, anyway=anyway)
        return RayEngine(
            load,
            out.absolute(),
            batch_size or GROUP_SIZE,
            connect=partial(cluster, settings.address),
            share=partial(share, device=settings.device),
            tables=tables,
        )
    if settings.address is not None:
        raise typer.BadParameter("is the address of a Ray cluster; add --engine ray", param_hint="--address")
    parts = _parts(wiring, settings, opened, strange=strange, anyway=anyway)
    if answers_many(parts):
        if jobs is not None:
            raise typer.BadParameter(
                f"is for served models; {_names(settings)} answers --batch-size rows in one pass", param_hint="--jobs"
            )
    elif batch_size is not None:
        raise typer.BadParameter(
            f"is for local models; {_names(settings)} is asked by --jobs rows at a time", param_hint="--batch-size"
        )
    return LocalEngine(parts, out, batch_size or GROUP_SIZE, jobs or JOBS)


def _names(settings: Settings) -> str:
    return " and ".join(dict.fromkeys((writer_name(settings), selector_name(settings))))


def _parts_there(wiring: Wiring, settings: Settings, library: Path, *, strange: str | None, anyway: bool) -> Parts:
    """The parts on another machine, which loads them itself."""
    return _parts(wiring, settings, wiring.library(library, settings.device), strange=strange, anyway=anyway)


def _parts(wiring: Wiring, settings: Settings, opened: Library, *, strange: str | None, anyway: bool) -> Parts:
    from ..composer.batch.work import Parts
    from ..composer.references import NoLibrary
    from .cautions import tell_cautions

    where = lru_cache(8)(opened.where)  # rows have few conditions, often one for all

    def search(brief: Brief) -> ImageSearch:
        if brief.references_only:
            return NoLibrary()
        return opened if brief.where is None else where(brief.where)

    def check(brief: Brief, draft: Draft | None) -> list[str]:
        notices: list[str] = []
        tell_cautions(
            brief,
            draft,
            wiring=wiring,
            settings=settings,
            opened=None if brief.references_only else opened,
            searched=search(brief),
            strange=lambda: strange,
            anyway=anyway,
            warn=notices.append,
        )
        return notices

    writer, selector = load_models(wiring, settings, told=lambda name: terminal.err().print(f"Loading {name}"))
    return Parts(
        writer,
        selector,
        search,
        opened.manifest.encoder,
        tuple(map(str, settings.format)),
        settings.embed,
        check,
    )


def _show(made: Batch, *, as_json: bool) -> None:
    from ..composer.batch.batch import RESULT, tree_of
    from ..composer.batch.page import PAGE

    paths = {"page": (made.out / PAGE).absolute(), "batch": (made.out / RESULT).absolute()}
    if as_json:
        terminal.print_json({**tree_of(made), **paths})
        return
    console = terminal.err()
    shown = made.rows if len(made.rows) <= _TABLE_ROWS else [row for row in made.rows if row.status != "done"]
    if console.is_terminal:
        console.print(_table(shown[:_TABLE_ROWS]))
    else:
        for row in shown:
            said = row.title if row.status == "done" else row.reason
            parts = (row.id or row.where, _state(row), said)  # a draft may have no title
            console.print(": ".join(terminal.clean(part) for part in parts if part))
    if (more := len(made.rows) - (min(len(shown), _TABLE_ROWS) if console.is_terminal else len(shown))) > 0:
        console.print(f"and {more} more rows, in {RESULT}", style="dim")
    _tell_left(made)
    terminal.print_paths(paths)


def _state(row: Outcome) -> str:
    return "kept" if row.done_before else row.status


def _table(rows: Sequence[Outcome]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    colours = {"done": "green", "failed": "red", "unfinished": "yellow"}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Row", overflow="fold")
    table.add_column("State")
    table.add_column("Pictures", justify="right")
    table.add_column("Article, or the reason", overflow="fold", ratio=1)
    for row in rows:
        table.add_row(
            Text(terminal.clean(row.id or row.where)),
            Text(_state(row), style=colours[row.status]),
            str(row.pictures) if row.status == "done" else "",
            Text(terminal.clean(row.title if row.status == "done" else row.reason)),
        )
    return table


def _tell_left(made: Batch) -> None:
    counts = [row.status for row in made.rows]
    done = counts.count("done")
    console = terminal.err()
    kept = sum(row.done_before for row in made.rows)
    line = f"{done} of {len(counts)} rows stand" + (f", {kept} of them from before" if kept else "")
    console.print(line, style="bold")
    for name in made.left:
        terminal.note(f"{name} is of a row that the list has no more; it is left as it is")
