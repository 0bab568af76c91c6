"""Verdicts to scores of systems: averaged over the readings of an article, with intervals over what was asked for.

An article counts by the mean of its verdicts, a system by the mean of its articles. Articles that one system made for
one task are no independent samples, so that they are drawn together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from .agreement import alpha
from .entries import Entry
from .intervals import Estimate, Share, differences, estimates
from .rubric import KEYS, Grades, is_complete, scores_of
from .verdicts import Verdict

SCORES = ("overall_score", "preference_score", "text_score", "image_score")  # shares, in the order of the paper's table
MEASURES = (*SCORES, *KEYS)  # the dimensions are levels, from 1 to 5


@dataclass(frozen=True, slots=True)
class Graded:
    """An article with all that was found in it."""

    entry: Entry
    verdicts: tuple[Verdict, ...]
    means: dict[str, float]  # by measure; empty where no verdict has grades


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of one system, or by how much it is higher for the second of two."""

    system: str
    measure: str
    estimate: Estimate  # its `documents` are tasks
    against: str = ""  # the first of the two


def measures_of(grades: Grades) -> dict[str, float]:
    """The four scores and the eight grades themselves."""
    scores = scores_of(grades)
    shares = (scores.overall, scores.preference, scores.text, scores.image)
    return {**dict(zip(SCORES, shares, strict=True)), **{key: float(grades[key]) for key in KEYS}}


def bring_together(entries: Sequence[Entry], verdicts: Sequence[Verdict]) -> list[Graded]:
    """Each entry with its verdicts; entries with the same content share theirs."""
    by_article: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_article.setdefault(verdict.article, []).append(verdict)
    found: list[Graded] = []
    for entry in entries:
        own = by_article.get(entry.id, [])
        read = [measures_of(verdict.grades) for verdict in own if is_complete(verdict.grades)]
        means = {name: sum(each[name] for each in read) / len(read) for name in MEASURES} if read else {}
        found.append(Graded(entry, tuple(own), means))
    return found


def summarise(graded: Sequence[Graded], *, seed: int = 0) -> list[Measured]:
    """Every measure of every system; systems without a single grade are left out."""
    found: list[Measured] = []
    for system, tasks in _by_system(graded).items():
        named = zip(MEASURES, estimates(list(tasks.values()), seed=seed), strict=True)
        found += [Measured(system, name, each) for name, each in named]
    return found


def compare(graded: Sequence[Graded], *, seed: int = 0) -> list[Measured]:
    """By how much each system is above each one before it, over the tasks that both have grades for."""
    systems = _by_system(graded)
    found: list[Measured] = []
    for first, second in combinations(systems, 2):
        both = [task for task in systems[first] if task in systems[second]]
        rows = [[systems[system][task] for task in both] for system in (first, second)]
        if both:
            named = zip(MEASURES, differences(*rows, seed=seed), strict=True)
            found += [Measured(second, name, each, first) for name, each in named]
    return found


def agreement(graded: Sequence[Graded]) -> dict[str, float | None]:
    """Krippendorff's alpha between those who graded, for each measure."""
    once = {each.entry.id: each for each in graded}.values()
    read = [[measures_of(verdict.grades) for verdict in each.verdicts if is_complete(verdict.grades)] for each in once]
    return {name: alpha([[found[name] for found in article] for article in read]) for name in MEASURES}


def outcomes(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many verdicts ended how."""
    return dict(Counter(verdict.outcome for verdict in verdicts))


def cost(verdicts: Sequence[Verdict]) -> dict[str, int | float]:
    """What all verdicts together took, those of an earlier run too."""
    counts = ("calls", "prompt_tokens", "reply_tokens")
    took: dict[str, int | float] = {name: sum(getattr(verdict, name) for verdict in verdicts) for name in counts}
    return took | {"seconds": round(sum(verdict.seconds for verdict in verdicts), 1)}


def summary_of(graded: Sequence[Graded], *, seed: int, **about: Any) -> dict[str, Any]:
    """All that is reported, as JSON has it.

    Args:
        graded: the articles.
        seed: draws the intervals.
        about: what stands first, by whom they were graded for instance.
    """
    verdicts = [verdict for each in _once(graded) for verdict in each.verdicts]
    return {
        **about,
        "seed": seed,
        "outcomes": outcomes(verdicts),
        "cost": cost(verdicts),
        "agreement": agreement(graded),
        "results": _trees(summarise(graded, seed=seed)),
        "differences": _trees(compare(graded, seed=seed)),
        "articles": [
            {
                "article": str(each.entry.path.absolute()),
                "id": each.entry.id,
                "system": each.entry.system,
                "task": each.entry.task[:12],
                "title": each.entry.article.title,
                "means": each.means,
                "verdicts": [asdict(verdict) for verdict in each.verdicts],
            }
            for each in graded
        ],
    }


def _trees(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    return [
        {
            "system": each.system,
            **({"against": each.against} if each.against else {}),
            "measure": each.measure,
            "value": each.estimate.value,
            "low": each.estimate.low,
            "high": each.estimate.high,
            "tasks": each.estimate.documents,
        }
        for each in measured
    ]


def _once(graded: Sequence[Graded]) -> list[Graded]:
    """One of each content: those that are the same share their verdicts."""
    return list({each.entry.id: each for each in graded}.values())


def _by_system(graded: Sequence[Graded]) -> Mapping[str, Mapping[str, list[Share]]]:
    """What each task adds to each measure of each system."""
    means: dict[str, dict[str, list[dict[str, float]]]] = {}
    for each in graded:
        if each.means:
            means.setdefault(each.entry.system, {}).setdefault(each.entry.task, []).append(each.means)
    return {
        system: {
            task: [Share(sum(article[name] for article in articles), len(articles)) for name in MEASURES]
            for task, articles in tasks.items()
        }
        for system, tasks in means.items()
    }
