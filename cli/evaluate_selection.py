"""`limner evaluate selection`: the protocol of the paper's table 10 on any list of places with candidates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from . import options, terminal
from .evaluate_pages import report_of_items, write_pages
from .evaluate_systems import check_model, check_outputs, load_systems, look
from .evaluate_tables import Encoder, EvaluatedModel, Html, Kept, Seed, StartOver, show
from .groups import Given, with_groups
from .running import RUNNING


@with_groups(RUNNING)
def evaluate_selection(
    ctx: typer.Context,
    *,
    items: Annotated[
        Path, typer.Argument(metavar="ITEMS.jsonl", help="A place a line, with its candidates.", show_default=False)
    ],
    model: EvaluatedModel = None,
    running: Given,
    encoder: Encoder = None,
    permutations: options.Permutations = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            callback=options.from_one,
            help="The items of the first N articles alone.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = None,
    out: Kept = None,
    start_over: StartOver = False,
    html: Html = None,
    as_json: options.Json = False,
) -> None:
    """Say how often a model, and CLIP by the caption alone, take the picture that people chose."""
    from ..evaluation.items import asked_for_items, evaluate_items, read_items
    from ..evaluation.records import keep_records, write_summary
    from ..evaluation.report import summarise, tree_of
    from ..evaluation.seen import library_beside
    from .progress import Bar
    from .settings import load_settings

    check_outputs(out, html, start_over=start_over)
    if not (model or encoder):
        raise typer.BadParameter("is missing, and so is --encoder: nobody is asked", param_hint="--model")
    given = load_settings({"permutations": permutations, **running})
    check_model(ctx, given, model)
    read = read_items(items).first(limit)
    systems = load_systems(ctx, given, model=model, encoder=encoder)
    readings = given.permutations
    asked = asked_for_items(read, systems.model, systems.encoder, permutations=readings, limit=limit)
    with keep_records(out, asked, start_over=start_over) as keeper, library_beside(out, "items") as library:
        seen = look(read.candidates, systems.encoder, library) if systems.encoder else None
        with Bar("Evaluating") as bar:
            records = evaluate_items(read, keeper, model=systems.model, seen=seen, permutations=readings, progress=bar)
        measured = summarise(records, seed=seed or 0)
        summary = {
            "items": sum(len(record.questions) for record in records),
            "articles": len(records),
            "model": systems.model.name if systems.model else None,
            "encoder": systems.encoder.name if systems.encoder else None,
            "results": tree_of(measured),
        }
        if out is not None:
            write_summary(out, summary)
        if html is not None or out is not None:
            seen_by = replace(systems, seen={items.name: seen} if seen else {})
            write_pages(report_of_items(read, seen_by, records, measured, out), html)
    if as_json:
        terminal.print_json(summary)
        return
    terminal.err().print(f"{terminal.clean(items.name)}: {summary['items']} places in {summary['articles']} articles")
    show(measured, signed=False)
