"""The page of an evaluation: figures with intervals, plots, and what to look at; it needs no other file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..composer.stylesheet import content_policy, stylesheet
from ..index.atomic import write_whole
from ..index.thumbnail import thumbnail
from .figures import figure
from .plots import interval_plot
from .records import RECORDS, SETTINGS, SUMMARY

if TYPE_CHECKING:
    from markupsafe import Markup

    from .cases import Case, Choice
    from .intervals import Estimate
    from .report import Measured

THUMBNAIL_SIDE_PX = 360  # of the longer side; twice what is shown
_SHOWN_NOTICES = 40


@dataclass(frozen=True, slots=True)
class Part:
    """What the page shows of a site, or of a list of items, beside its figures."""

    name: str
    facts: str
    system: str = ""  # whose places are shown
    best: Sequence[Case] = ()
    worst: Sequence[Case] = ()
    chooser: str = ""  # whose choices are shown
    choices: Sequence[Choice] = ()
    notices: Sequence[tuple[str, str]] = ()  # document, reason


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page says."""

    title: str
    facts: Sequence[str]  # what was measured, in short sentences
    measured: Sequence[Measured]
    parts: Sequence[Part]
    out: Path | None = None  # where the records are kept
    notes: Sequence[str] = field(default=())


# Task, its heading, what it means, and its measures in the order of the table: name, heading, lowest value of the plot.
_TASKS: dict[str, tuple[str, str, dict[str, tuple[str, float]]]] = {
    "placement": (
        "Places",
        "As many pictures as the author has, wherever a system puts them: F1 of the places, and the order of the "
        "pictures that a search finds for them.",
        {
            "f1": ("F1, the author's block", 0),
            "f1_within_1": ("F1, within one block", 0),
            "edit_similarity": ("Edit similarity of the order", 0),
            "kendall_tau": ("Kendall’s tau of the order", -1),
            "clip_score": ("CLIP score: cosine to the paragraph", 0),
        },
    ),
    "retrieval": (
        "Retrieval",
        "At the author’s own places: where the author’s picture stands among all, found by the paragraphs around it.",
        {
            "recall_at_1": ("Recall at 1", 0),
            "recall_at_4": ("Recall at 4", 0),
            "recall_at_8": ("Recall at 8", 0),
            "mean_reciprocal_rank": ("Mean reciprocal rank", 0),
        },
    ),
    "selection": (
        "Selection",
        "Of a few candidates, one of which people chose: how often a system takes that one.",
        {"agreement": ("Agreement with people", 0), "answered": ("Took any candidate", 0)},
    ),
}


def write_page(path: Path, report: Report) -> None:
    """Write the page.

    Raises:
        WriteFailed: the disk refused.
    """
    write_whole(path, to_page(report, path.parent).encode("utf-8", "replace"))


def to_page(report: Report, folder: Path) -> str:
    """The page as it stands in folder; every word in it from outside is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    templates = resources.files("limner.templates") / "evaluation"
    style = stylesheet("evaluation")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["picture"] = _picture
    records = _address(report.out / RECORDS, folder) if report.out else ""
    return environment.from_string((templates / "report.html.j2").read_text(encoding="utf-8")).render(
        policy=content_policy(style, images="data:"),
        style=Markup(style),  # ours, and it must be the bytes of the digest
        report=report,
        figures=[(name, _figures(name, report.measured)) for name in dict.fromkeys(m.site for m in report.measured)],
        records=records,
        kept=[(name, _address(report.out / name, folder)) for name in (SUMMARY, RECORDS, SETTINGS)]
        if report.out
        else [],
        shown_notices=_SHOWN_NOTICES,
    )


def _figures(site: str, measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """What stands in the page for each task that was done."""
    found: list[dict[str, Any]] = []
    for task, (heading, meaning, measures) in _TASKS.items():
        rows: dict[str, dict[str, Estimate]] = {}
        for each in measured:
            if (each.site, each.name.task) == (site, task):
                rows.setdefault(each.name.system, {})[each.name.measure] = each.estimate
        shown = {key: value for key, value in measures.items() if any(key in cells for cells in rows.values())}
        if not shown:
            continue
        plots = _plots(rows, shown)
        found.append(
            {
                "heading": heading,
                "meaning": meaning,
                "columns": [label for label, _ in shown.values()],
                "rows": [(name, [_cell(cells.get(key)) for key in shown]) for name, cells in rows.items()],
                "plots": plots,
            }
        )
    return found


def _plots(
    rows: Mapping[str, Mapping[str, Estimate]], shown: Mapping[str, tuple[str, float]]
) -> list[tuple[str, Markup]]:
    """A plot a measure with a row a system; of one system alone one plot with a row a measure."""
    from markupsafe import Markup

    if len(rows) == 1:
        ((system, cells),) = rows.items()
        low = min(low for _, low in shown.values())
        return [(system, Markup(interval_plot([(label, cells[key]) for key, (label, _) in shown.items()], low=low)))]
    plots: list[tuple[str, Markup]] = []
    for key, (label, low) in shown.items():
        found = [(name, cells[key]) for name, cells in rows.items() if key in cells]
        if key != "answered" or any(each.value < 1 for _, each in found):
            plots.append((label, Markup(interval_plot(found, low=low))))
    return plots


def _cell(found: Estimate | None) -> tuple[str, str]:
    """A figure and its interval."""
    if found is None:
        return "", ""
    between = "" if found.low is None or found.high is None else f"{figure(found.low)} to {figure(found.high)}"
    return figure(found.value), between


def _picture(path: Path) -> Mapping[str, Any]:
    address, width, height = thumbnail(path, THUMBNAIL_SIDE_PX)
    return {"address": address, "width": width, "height": height, "name": path.name}


def _address(path: Path, folder: Path) -> str:
    return quote(os.path.relpath(path.absolute(), folder.absolute()))
