"""`limner evaluate articles`: pictures taken out of articles that people have illustrated, and put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, terminal
from .evaluate_pages import report_of_articles, write_pages
from .evaluate_systems import check_model, check_outputs, checked_candidates, load_systems, look
from .evaluate_tables import Encoder, EvaluatedModel, Html, Kept, Seed, StartOver, show
from .groups import Given, with_groups
from .running import RUNNING

if TYPE_CHECKING:
    from ..evaluation.articles import Survey
    from ..evaluation.report import Measured
    from ..evaluation.seen import Seen
    from ..evaluation.site import Notice
    from ..evaluation.systems import Settings, Systems

_SHOWN_NOTICES = 5


class Knows(StrEnum):
    """What the library knows of each picture."""

    NOTHING = "nothing"
    FILE_NAMES = "file-names"
    ALT = "alt"
    CAPTIONS = "captions"


@with_groups(RUNNING)
def evaluate_articles(
    ctx: typer.Context,
    *,
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
            metavar="placement,retrieval,selection",
            help="What is measured, with commas between.  (default: all; selection only with a model or encoder)",
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
    model: EvaluatedModel = None,
    running: Given,
    encoder: Encoder = None,
    candidates: options.Candidates = None,
    permutations: options.Permutations = None,
    seed: Seed = None,
    out: Kept = None,
    start_over: StartOver = False,
    html: Html = None,
    as_json: options.Json = False,
) -> None:
    """Take the pictures out of the articles of SITE, choose places and pictures anew, and compare with the author's."""
    from ..evaluation.articles import asked_for, check_names, evaluate, survey
    from ..evaluation.baselines import BASELINES
    from ..evaluation.records import check_records, keep_records, write_summary
    from ..evaluation.report import summarise
    from ..evaluation.site import open_site
    from ..evaluation.systems import TASKS, Settings
    from .progress import Bar
    from .settings import load_settings

    given = load_settings({"candidates": candidates, "permutations": permutations, **running})
    by_default = TASKS if model or encoder else TASKS[:2]
    settings = Settings(
        library_knows.value,  # pyright: ignore[reportArgumentType]
        _listed(tasks, TASKS, "--tasks") if tasks is not None else by_default,  # pyright: ignore[reportArgumentType]
        _listed(baseline, tuple(BASELINES), "--baseline"),
        limit,
        seed or 0,
        checked_candidates(given.candidates),
        given.permutations,
    )
    check_outputs(out, html, start_over=start_over)
    selects = "selection" in settings.tasks
    check_model(ctx, given, model, selects=selects)
    opened = [open_site(site) for site in sites]
    check_names(opened)
    # All that can be refused is refused before sites are read: of a large one that takes minutes.
    systems = load_systems(ctx, given, model=model, encoder=encoder, sentences=sentences, selects=selects)
    check_records(out, asked_for(settings, [], systems), later=["sites"], start_over=start_over)
    surveys: list[Survey] = []
    for site in opened:
        with Bar(f"Reading {site.name}") as bar:
            surveys.append(survey(site, bar))
    asked = asked_for(settings, surveys, systems)
    with keep_records(out, asked, start_over=start_over) as keeper, ExitStack() as stack:
        systems = _with_eyes(systems, surveys, out, stack)
        with Bar("Evaluating") as bar:
            records = evaluate(surveys, settings, keeper, systems, progress=bar)
        measured = summarise(records, seed=settings.seed)
        summary = _summary(surveys, settings, systems, len(records), measured)
        if out is not None:
            write_summary(out, summary)
        if html is not None or out is not None:
            write_pages(report_of_articles(surveys, settings, systems, records, measured, keeper, out), html)
    if as_json:
        terminal.print_json(summary)
        return
    for each in surveys:
        documents, placed = len(each.documents), each.placed
        drawn = f", {limit} of them drawn" if limit is not None and limit < documents else ""
        terminal.err().print(
            f"{terminal.clean(each.site.name)}: {placed} pictures in {documents} documents{drawn}, "
            f"{len(each.said)} to search, known by {library_knows.value}"
        )
        _tell(each.notices)
    show(measured, signed=False)


def _with_eyes(systems: Systems, surveys: Sequence[Survey], out: Path | None, stack: ExitStack) -> Systems:
    """The systems once the encoder, if there is one, has looked at the pictures of every site."""
    from ..evaluation.seen import library_beside

    if systems.encoder is None:
        return systems
    seen: dict[str, Seen] = {}
    for each in surveys:
        library = stack.enter_context(library_beside(out, each.site.name))
        seen[each.site.name] = look([each.site.root], systems.encoder, library)
    return replace(systems, seen=seen)


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
    surveys: Sequence[Survey], settings: Settings, systems: Systems, evaluated: int, measured: Sequence[Measured]
) -> dict[str, Any]:
    from ..evaluation.report import tree_of

    return {
        "library_knows": settings.knows,
        "sentences": systems.sentences.name if systems.sentences else None,
        "model": systems.model.name if systems.model else None,
        "encoder": systems.encoder.name if systems.encoder else None,
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
