"""Records to measures with intervals: of one evaluation, and of the difference of two over the same documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import EvaluationMismatch
from .intervals import Estimate, Share, differences, estimates
from .order import edit_similarity, kendall_tau
from .placement import match_places
from .ranking import CUTOFFS
from .records import Record
from .selection import CHANCE
from .systems import TASKS

ALL = "all sites"


@dataclass(frozen=True, slots=True)
class Name:
    """Which measure: of a task, of a system."""

    task: str  # one of `systems.TASKS`
    system: str
    measure: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure over the documents of a site, or of all sites."""

    site: str
    name: Name
    estimate: Estimate


def shares(record: Record) -> dict[Name, Share]:
    """What a document adds to each measure.

    Places, ranks and choices are added up over documents, so that one with many pictures counts for more; of orders
    each document counts once, and of Kendall's tau where its author has two pictures or more.
    """
    found: dict[Name, Share] = {}
    for system, made in record.placement.items():
        for within, suffix in ((0, ""), (1, "_within_1")):
            matches = match_places(made.places, record.places, within=within)
            matched, chosen, wanted = matches.matched, matches.chosen, matches.wanted
            found[Name("placement", system, f"precision{suffix}")] = Share(matched, chosen)
            found[Name("placement", system, f"recall{suffix}")] = Share(matched, wanted)
            found[Name("placement", system, f"f1{suffix}")] = Share(2 * matched, chosen + wanted)
        pictures = [picture for picture in made.pictures if picture]
        similarity, tau = edit_similarity(pictures, record.pictures), kendall_tau(pictures, record.pictures)
        several = len(set(record.pictures)) > 1
        found[Name("placement", system, "edit_similarity")] = Share(similarity, 1)
        found[Name("placement", system, "kendall_tau")] = Share(tau if several else 0, several)
    for system, cosines in record.clip.items():
        found[Name("placement", system, "clip_score")] = Share(sum(cosines), len(cosines))
    for system, ranks in record.retrieval.items():
        for cutoff in CUTOFFS:
            value = sum(rank.recall(cutoff) for rank in ranks)
            found[Name("retrieval", system, f"recall_at_{cutoff}")] = Share(value, len(ranks))
        value = sum(rank.reciprocal for rank in ranks)
        found[Name("retrieval", system, "mean_reciprocal_rank")] = Share(value, len(ranks))
    for system, picks in record.selection.items():
        found[Name("selection", system, "agreement")] = Share(sum(pick.agrees for pick in picks), len(picks))
        if system != CHANCE:
            chosen = sum(pick.chosen is not None for pick in picks)
            found[Name("selection", system, "answered")] = Share(chosen, len(picks))
    return found


def summarise(records: Sequence[Record], *, seed: int = 0) -> list[Measured]:
    """Every measure of every site, and over all where there are several; without those that have nothing to measure."""
    found: list[Measured] = []
    for site, part in _by_site(records):
        table = [shares(record) for record in part]
        rows = [list(document.values()) for document in table]
        named = zip(table[0], estimates(rows, seed=seed), strict=True)
        found += [Measured(site, name, each) for name, each in named if each.documents]
    return found


def compare(first: Sequence[Record], second: Sequence[Record], *, seed: int = 0) -> list[Measured]:
    """By how much each measure of second is above that of first, over the documents that both have.

    Systems are compared by their names; where each evaluation has one that the other lacks, those two, whatever they
    are called.

    Raises:
        EvaluationMismatch: no document or no measure in both, or a document whose author's places are not the same.
    """
    others = {(record.site, record.document): record for record in second}
    pairs = [(record, others[key]) for record in first if (key := (record.site, record.document)) in others]
    if not pairs:
        raise EvaluationMismatch("the two evaluations have no document in common", "evaluate the same sites")
    for one, other in pairs:
        if (one.places, one.pictures) != (other.places, other.pictures):
            raise EvaluationMismatch(
                f"{one.document} of {one.site} has other pictures or places in the second evaluation",
                "the site was changed in between: evaluate it again",
            )
    found: list[Measured] = []
    for site, part in _by_site([one for one, _ in pairs]):
        mine = [shares(record) for record in part]
        theirs = [shares(others[record.site, record.document]) for record in part]
        names = {name: other for name, other in _matched(mine[0], theirs[0]).items()
                 if _is_measured(name, mine) and _is_measured(other, theirs)}  # fmt: skip
        if not names:
            raise EvaluationMismatch(
                "the two evaluations have no measure in common", "evaluate the same task, and systems of one name"
            )
        rows = [[[document[name] for name in side] for document in table]
                for table, side in ((mine, names), (theirs, names.values()))]  # fmt: skip
        named = zip(names.items(), differences(*rows, seed=seed), strict=True)
        found += [Measured(site, _between(*pair), each) for pair, each in named]
    return found


def tree_of(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """The measures as JSON has them."""
    return [
        {
            "site": each.site,
            "task": each.name.task,
            "system": each.name.system,
            "measure": each.name.measure,
            "value": each.estimate.value,
            "low": each.estimate.low,
            "high": each.estimate.high,
            "documents": each.estimate.documents,
        }
        for each in measured
    ]


def _by_site(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    sites: dict[str, list[Record]] = {}
    for record in records:
        sites.setdefault(record.site, []).append(record)
    return [*sites.items(), *([(ALL, list(records))] if len(sites) > 1 else [])]


def _matched(first: Mapping[Name, Share], second: Mapping[Name, Share]) -> dict[Name, Name]:
    """The measures of the first that the second has too, with what they are called there."""
    other_name: dict[tuple[str, str], str] = {}
    for task in TASKS:
        mine, theirs = ({name.system for name in side if name.task == task} for side in (first, second))
        if len(mine - theirs) == len(theirs - mine) == 1:
            other_name[task, next(iter(mine - theirs))] = next(iter(theirs - mine))
    found: dict[Name, Name] = {}
    for name in first:
        other = Name(name.task, other_name.get((name.task, name.system), name.system), name.measure)
        if other in second:
            found[name] = other
    return found


def _is_measured(name: Name, table: Sequence[Mapping[Name, Share]]) -> bool:
    """Whether a document has something to measure: a model that placed no picture has no precision, nor one of 0."""
    return any(document[name].weight for document in table)


def _between(first: Name, second: Name) -> Name:
    if first.system == second.system:
        return first
    return Name(first.task, f"{first.system} -> {second.system}", first.measure)
