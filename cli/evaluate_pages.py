"""The page of an evaluation: which facts stand in it, of articles and of lists of places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import terminal

if TYPE_CHECKING:
    from ..evaluation.articles import Survey
    from ..evaluation.items import Items
    from ..evaluation.page import Part, Report
    from ..evaluation.records import Keeper, Record
    from ..evaluation.report import Measured
    from ..evaluation.selection import Asked
    from ..evaluation.systems import Settings, Systems


def write_pages(report: Report, html: Path | None) -> None:
    """Write the page into the folder of the records, and to the file that the user names."""
    from ..evaluation.page import write_page
    from ..evaluation.records import PAGE

    for path in dict.fromkeys(path for path in (report.out and report.out / PAGE, html) if path):
        write_page(path, report)
        terminal.err().print(f"page: {terminal.clean(path)}")


def report_of_articles(
    surveys: Sequence[Survey],
    settings: Settings,
    systems: Systems,
    records: Sequence[Record],
    measured: Sequence[Measured],
    keeper: Keeper,
    out: Path | None,
) -> Report:
    """The page of an evaluation of sites."""
    from ..evaluation.page import Report

    names = ", ".join(each.site.name for each in surveys)
    knows = {"captions": "alt text and caption", "alt": "alt text", "file-names": "file names", "nothing": "nothing"}
    facts = [
        f"Pictures taken out of {len(records)} documents of {names}, and put back.",
        f"Of each picture the library knows: {knows[settings.knows]}. The search listens to {systems.search}"
        + (f" ({systems.sentences.name})." if systems.sentences else "."),
    ]
    if systems.model:
        facts.append(f"Model: {systems.model.name}.")
    if systems.encoder:
        facts.append(f"Encoder: {systems.encoder.name}.")
    parts = [_part(each, [record for record in records if record.site == each.site.name], keeper) for each in surveys]
    return Report(f"How well pictures are put back: {names}", facts, measured, parts, out, _cautions(systems))


def report_of_items(
    items: Items, systems: Systems, records: Sequence[Record], measured: Sequence[Measured], out: Path | None
) -> Report:
    """The page of a list of places."""
    from ..evaluation.cases import right_and_wrong
    from ..evaluation.page import Part, Report

    asked: dict[str, list[Asked]] = {}
    for item in items.items:
        asked.setdefault(item.article, []).append(item.asked)
    count = sum(len(record.questions) for record in records)
    chooser, choices = right_and_wrong(records, lambda record: asked[record.document])
    part = Part(items.path.name, f"{count} places in {len(records)} articles", chooser=chooser, choices=choices)
    names = [each.name for each in (systems.model, systems.encoder) if each]
    facts = [f"At each place people chose one of a few pictures. Asked again: {', '.join(names) or 'nobody'}."]
    return Report(f"Choices at {count} places", facts, measured, [part], out, _cautions(systems))


def _part(survey: Survey, records: Sequence[Record], keeper: Keeper) -> Part:
    from ..evaluation.cases import best_and_worst, right_and_wrong, shown_system
    from ..evaluation.document import asked_again
    from ..evaluation.page import Part

    site = survey.site
    best, worst = best_and_worst(records, site, survey.said, keeper.line)
    chooser, choices = right_and_wrong(
        records, lambda record: asked_again(record, site.page(record.document), site.root)
    )
    return Part(
        site.name,
        f"{survey.placed} pictures in {len(survey.documents)} documents, {len(survey.said)} to search",
        shown_system(records[0]) or "",
        best,
        worst,
        chooser,
        choices,
        [(notice.document, notice.reason) for notice in survey.notices],
    )


def _cautions(systems: Systems) -> list[str]:
    from .wiring import about_embedded

    said = [about_embedded(systems.model.name) if systems.model else None]
    said += [each.caution for each in systems.seen.values()]
    return [caution.replace("`", "") for caution in dict.fromkeys(said) if caution]
