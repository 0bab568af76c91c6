"""`limner evaluate`: how good it is, on articles that people have illustrated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import evaluate_articles, evaluate_judge, evaluate_selection, options, terminal
from .evaluate_tables import Seed, show

app = typer.Typer()


@app.callback(invoke_without_command=True)
def evaluate(ctx: typer.Context) -> None:
    """Measure how good it is: pictures taken out of real articles and put back."""
    terminal.help_if_alone(ctx)


app.command("articles")(evaluate_articles.evaluate_articles)
app.command("selection")(evaluate_selection.evaluate_selection)
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
    show(measured, signed=True)
