"""`limner evaluate judge`: articles graded in the paper's eight dimensions, by a model or by people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, terminal
from .evaluate_systems import check_outputs
from .groups import Given, with_groups
from .running import RUNNING
from .wiring import about_embedded, model_options, wiring_of

if TYPE_CHECKING:
    from rich.table import Table

    from ..evaluation.entries import Entry
    from .settings import Settings

_SHOWN_FAILURES = 5
_SCORES = {"overall_score": "overall", "preference_score": "preference", "text_score": "text", "image_score": "image"}
_DIMENSIONS = {
    "instruction_following": "instr.",
    "writing_quality": "writing",
    "logic": "logic",
    "factualness": "facts",
    "image_text_consistency": "match",
    "image_informativeness": "inform",
    "image_consistency": "alike",
    "preference": "liked",
}
_WHY = {
    "unparsed": "no reply could be read as grades",
    "too_long": "longer than the judge takes",
    "refused": "the server's filter refused it",
}


@with_groups(RUNNING)
def judge(
    ctx: typer.Context,
    *,
    articles: Annotated[
        list[str],
        typer.Argument(
            metavar="ARTICLE.json...",
            help="What compose or batch wrote: article.json files or their folders; NAME=PATH names the system.",
            show_default=False,
        ),
    ],
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge",
            metavar="MODEL",
            help="The model that grades; it reads pictures (`limner models list`).  (default: the setting model)",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            "--repeats",
            metavar="N",
            callback=options.from_one,
            help="How often it reads each article; more can be added later.  (default: 3)",
            show_default=False,
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE.html",
            help="Write a page for people to grade on instead; no model is asked.",
            show_default=False,
        ),
    ] = None,
    grades: Annotated[
        list[Path] | None,
        typer.Option(
            "--grades",
            metavar="RATER.json",
            help="The grades that such a page has saved; repeat it for each person. No model is asked.",
            show_default=False,
        ),
    ] = None,
    running: Given,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            callback=options.not_negative,
            help="Draws the order, the judge's words and the intervals; the same one the same.  (default: 0)",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Keeps every verdict, so that the same command goes on there, and a page of the results.",
            show_default=False,
        ),
    ] = None,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Remove the evaluation that --out holds and begin anew.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Grade articles blind in eight dimensions, by a model or by people, and compare the systems that made them."""
    _check(judge, repeats, sheet, grades, out, start_over=start_over)
    from ..evaluation.entries import in_random_order, open_entries
    from .settings import load_settings

    settings = load_settings({"model": judge, "seed": seed, **running})
    if sheet is None and not grades:
        wiring_of(ctx).check_models([(settings.model, model_options(settings))])
    entries = open_entries(articles, seed=settings.seed)
    if sheet is not None:
        from ..evaluation.sheet import write_sheet

        shuffled = in_random_order(entries, seed=settings.seed)
        write_sheet(sheet, shuffled, seed=settings.seed)
        _tell_sheet(sheet, shuffled, as_json=as_json)
        return
    if grades:
        summary = _by_people(entries, grades, settings, out)
    else:
        summary = _by_model(ctx, entries, settings, repeats, out, start_over=start_over)
    if as_json:
        terminal.print_json(summary)
    else:
        _show(summary, out)
    if not summary["results"]:
        terminal.error("no article has a grade", "take another judge: `limner models list` shows what is there")
        raise typer.Exit(1)


def _check(
    judge: str | None,
    repeats: int | None,
    sheet: Path | None,
    grades: Sequence[Path] | None,
    out: Path | None,
    *,
    start_over: bool,
) -> None:
    if sheet is not None and (grades or judge or out):
        raise typer.BadParameter(
            "only writes the page, and takes none of --judge, --grades, --out", param_hint="--sheet"
        )
    check_outputs(out, None, start_over=False)
    if sheet is not None and sheet.is_dir():
        raise typer.BadParameter(f"{terminal.clean(sheet)} is a folder; name a file", param_hint="--sheet")
    if grades and (judge or repeats):
        raise typer.BadParameter("is of people; a model's --judge is another evaluation", param_hint="--grades")
    if start_over and (out is None or grades):
        raise typer.BadParameter("is for a model's evaluation that --out keeps", param_hint="--start-over")


def _by_model(
    ctx: typer.Context, entries: Sequence[Entry], settings: Settings, repeats: int | None, out: Path | None, *,
    start_over: bool,
) -> dict[str, Any]:  # fmt: skip
    from ..composer.models.load import SERVED_PREFIX
    from ..evaluation.entries import in_random_order
    from ..evaluation.judge import REPEATS, asked_for, judge
    from ..evaluation.judge_page import write_results
    from ..evaluation.records import keep_records
    from ..evaluation.scoring import bring_together, summary_of
    from ..evaluation.verdicts import Verdict
    from .progress import Bar

    if said := about_embedded(settings.model):
        terminal.note(said)
    model = wiring_of(ctx).model(settings.model, model_options(settings))
    repeats = repeats or REPEATS
    asked = asked_for(model, seed=settings.seed)
    with keep_records(out, asked, start_over=start_over, kind=Verdict) as keeper:
        with Bar("Judging") as bar:
            shuffled = in_random_order(entries, seed=settings.seed)
            jobs = settings.max_requests if settings.model.startswith(SERVED_PREFIX) else 1
            verdicts = judge(shuffled, model, keeper, repeats=repeats, seed=settings.seed, jobs=jobs, progress=bar)
        graded = bring_together(entries, verdicts)
        summary = summary_of(graded, seed=settings.seed, judge=model.name, repeats=repeats)
        if out is not None:
            write_results(out, summary)
    return summary


def _by_people(entries: Sequence[Entry], files: Sequence[Path], settings: Settings, out: Path | None) -> dict[str, Any]:
    from ..evaluation.grades import read_rated, verdicts_of
    from ..evaluation.judge_page import write_results
    from ..evaluation.records import check_no_records, mark_folder
    from ..evaluation.scoring import bring_together, summary_of

    if out is not None:
        check_no_records(out)
    rated = [read_rated(path) for path in files]
    verdicts, left_out = verdicts_of(rated, entries)
    summary = summary_of(
        bring_together(entries, verdicts),
        seed=settings.seed,
        raters=[each.rater for each in rated],
        unfinished=sum(each.unfinished for each in rated),
        of_other_articles=left_out,
    )
    if out is not None:
        mark_folder(out)
        write_results(out, summary)
    return summary


def _tell_sheet(sheet: Path, entries: Sequence[Entry], *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({"sheet": sheet.absolute(), "articles": len(entries)})
        return
    terminal.err().print(
        f"{len(entries)} articles to grade, each read once; give the saved files to --grades with the same articles"
    )
    terminal.print_paths({"sheet": sheet.absolute()})


def _show(summary: dict[str, Any], out: Path | None) -> None:
    """Tables in a terminal; in a pipe a line a measure, with tabs."""
    from ..evaluation.records import JUDGE_PAGE

    console = terminal.out()
    if console.is_terminal:
        for title, key, columns in (
            ("Scores, from .2 to 1", "results", _SCORES),
            ("Grades, from 1 to 5", "results", _DIMENSIONS),
            ("Differences of scores over the same tasks", "differences", _SCORES),
        ):
            if summary[key]:
                console.print(_table(title, summary[key], columns))
    else:
        # Rich would make blanks of tabs.
        typer.echo("system\tless\tmeasure\tvalue\tlow\thigh\ttasks")
        for row in (*summary["results"], *summary["differences"]):
            numbers = ["" if row[key] is None else f"{row[key]:.4f}" for key in ("value", "low", "high")]
            cells = [row["system"], row.get("against", ""), row["measure"], *numbers, str(row["tasks"])]
            typer.echo("\t".join(map(terminal.clean, cells)))
    _tell(summary)
    if out is not None:
        terminal.print_paths({"page": (out / JUDGE_PAGE).absolute()})


def _tell(summary: dict[str, Any]) -> None:
    """Who agreed with whom, what it cost, and what gave no grades."""
    from ..evaluation.figures import figure

    console = terminal.err()
    alphas = {name: summary["agreement"][key] for key, name in _SCORES.items()}
    said = ", ".join(f"{name} {figure(value)}" for name, value in alphas.items() if value is not None)
    people = "raters" in summary
    if said:
        console.print(f"Agreement between {'raters' if people else 'readings'} (Krippendorff's alpha): {said}")
    if not people:
        took = summary["cost"]
        console.print(
            f"{took['calls']} calls, about {took['prompt_tokens']:,} prompt tokens and {took['reply_tokens']:,} "
            f"reply tokens, {took['seconds']:.0f} s"
        )
    elif summary["unfinished"] or summary["of_other_articles"]:
        terminal.note(
            f"left out: {summary['unfinished']} articles without all eight grades, "
            f"{summary['of_other_articles']} that are none of these"
        )
    failures = [(each, verdict) for each in summary["articles"] for verdict in each["verdicts"] if verdict["note"]]
    for outcome, count in summary["outcomes"].items():
        if outcome in _WHY:
            terminal.note(f"{count} reading{'' if count == 1 else 's'} gave no grades: {_WHY[outcome]}")
    for each, verdict in failures[:_SHOWN_FAILURES]:
        reply = f": {verdict['replies'][-1][:100]!r}" if verdict["replies"] else ""
        words = f"  {each['article']}, {verdict['rater']}: {verdict['note']}{reply}"
        console.print(terminal.clean(words), style="dim")
    if (more := len(failures) - _SHOWN_FAILURES) > 0:
        console.print(f"  and {more} more; --json has all", style="dim")


def _table(title: str, rows: Sequence[dict[str, Any]], columns: dict[str, str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from ..evaluation.figures import figure

    signed, narrow = "against" in rows[0], len(columns) > len(_SCORES)
    cells: dict[str, dict[str, Text]] = {}
    for row in rows:
        cell = Text(figure(row["value"], signed=signed))
        if row["low"] is not None and not narrow:
            cell.append("\n" + ", ".join(figure(row[key], signed=signed) for key in ("low", "high")), "dim")
        name = f"{row['system']} less {row['against']}" if signed else row["system"]
        cells.setdefault(name, {})[row["measure"]] = cell
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("System", overflow="fold")
    for heading in columns.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in cells.items():
        table.add_row(Text(terminal.clean(name)), *(found[measure] for measure in columns))
    return table
