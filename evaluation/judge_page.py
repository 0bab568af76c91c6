"""The results of a judge, or of people, as a page: tables with intervals, and every article from best to worst."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..composer.render import FILE_NAMES
from ..composer.stylesheet import content_policy, stylesheet
from ..index.atomic import write_whole
from .figures import figure
from .intervals import Estimate
from .plots import interval_plot
from .records import JUDGE_PAGE, write_summary
from .rubric import DIMENSIONS, LEVELS

if TYPE_CHECKING:
    from markupsafe import Markup

_SCORES = {
    "overall_score": "Overall",
    "preference_score": "Preference",
    "text_score": "Text",
    "image_score": "Pictures",
}
_DIMENSIONS = {dimension.key: dimension.name for dimension in DIMENSIONS}


def write_results(out: Path, summary: Mapping[str, Any]) -> None:
    """Write summary.json, and the page beside it, which needs no script and no network.

    Raises:
        WriteFailed: the disk refused.
    """
    write_summary(out, summary)
    write_whole(out / JUDGE_PAGE, to_page(summary, out).encode("utf-8", "replace"))


def to_page(summary: Mapping[str, Any], out: Path) -> str:
    """The page for a folder, to whose articles it links; every word in it from outside is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("limner.templates") / "judge"
    style = stylesheet("judge")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = figure
    return environment.from_string((folder / "results.html.j2").read_text(encoding="utf-8")).render(
        policy=content_policy(style),
        style=Markup(style),  # ours, and it must be the bytes of the digest
        by=_by(summary),
        between="raters" if "raters" in summary else "readings",
        scores=_rows(summary["results"]),
        differences=_rows(summary["differences"]),
        score_names=_SCORES,
        dimension_names=_DIMENSIONS,
        plots=_plots(summary["results"]),
        agreement=_agreement(summary["agreement"]),
        articles=sorted((_article(each, out) for each in summary["articles"]), key=_best_first),
        cost=_cost(summary),
    )


def _by(summary: Mapping[str, Any]) -> str:
    if "raters" in summary:
        return ", ".join(summary["raters"])
    return f"{summary['judge']}, {summary['repeats']} reading{'' if summary['repeats'] == 1 else 's'} of each"


def _cost(summary: Mapping[str, Any]) -> str:
    took = summary["cost"]
    if not took["calls"]:
        return ""
    tokens = f"about {took['prompt_tokens']:,} prompt tokens and {took['reply_tokens']:,} reply tokens"
    return f"{took['calls']:,} calls, {tokens}, {took['seconds']:,.0f} s"


def _rows(measured: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The measures of each system, or pair of systems."""
    rows: dict[str, dict[str, Mapping[str, Any]]] = {}
    for each in measured:
        name = f"{each['system']} less {each['against']}" if "against" in each else each["system"]
        rows.setdefault(name, {})[each["measure"]] = each
    return rows


def _plots(measured: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """A drawing of each dimension: every system with its interval."""
    from markupsafe import Markup

    found: list[tuple[str, Markup]] = []
    for key, name in _DIMENSIONS.items():
        rows = [
            (each["system"], Estimate(each["value"], each["low"], each["high"], each["tasks"]))
            for each in measured
            if each["measure"] == key
        ]
        if rows:
            svg = interval_plot(rows, low=LEVELS[0], high=LEVELS[-1])
            found.append((name, Markup(svg)))  # written as XML, so that names in it are escaped
    return found


def _agreement(alphas: Mapping[str, float | None]) -> dict[str, float | None]:
    names = {"overall_score": "Overall", "text_score": "Text", "image_score": "Pictures", **_DIMENSIONS}
    found = {name: alphas[key] for key, name in names.items()}
    return found if any(value is not None for value in found.values()) else {}


def _article(each: Mapping[str, Any], out: Path) -> dict[str, Any]:
    path = Path(each["article"])
    page = next((name for name in (*FILE_NAMES.values(), path.name) if (path.parent / name).is_file()), None)
    verdicts = each["verdicts"]
    return {
        "title": each["title"] or path.parent.name,
        "system": each["system"],
        "page": quote(Path(os.path.relpath(path.parent / page, out.absolute())).as_posix()) if page else None,
        "overall": each["means"].get("overall_score"),
        "grades": {name: each["means"][key] for key, name in _DIMENSIONS.items() if key in each["means"]},
        "reasons": [
            (
                verdict["rater"],
                [(_DIMENSIONS[key], verdict["grades"][key], why) for key, why in verdict["reasons"].items()],
            )
            for verdict in verdicts
            if any(verdict["reasons"].values())
        ],
        "failures": [
            (verdict["rater"], verdict["note"], verdict["replies"][-1] if verdict["replies"] else "")
            for verdict in verdicts
            if verdict["note"]
        ],
    }


def _best_first(article: Mapping[str, Any]) -> tuple[float, str, str]:
    overall = article["overall"]
    return (-1 if overall is None else overall) * -1, article["title"], article["system"]
