"""`limner evaluate articles`: pictures taken out of articles that people have illustrated, and put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, terminal
from .evaluate_tables import Seed, show
from .wiring import encoder_device, wiring_of

if TYPE_CHECKING:
    from ..evaluation.articles import Survey
    from ..evaluation.report import Measured
    from ..evaluation.site import Notice

_SHOWN_NOTICES = 5


class Knows(StrEnum):
    """What the library knows of each picture."""

    NOTHING = "nothing"
    FILE_NAMES = "file-names"
    ALT = "alt"
    CAPTIONS = "captions"


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
    show(measured, signed=False)


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
