"""What to look at of an evaluation: documents and choices where a system did best and worst, beside the author's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..composer import words
from ..composer.article import Block
from ..composer.markdown import one_line, plain_text
from .baselines import BASELINES
from .placement import match_places
from .selection import CHANCE

if TYPE_CHECKING:
    from .pool import Words
    from .records import Placement, Record
    from .selection import Asked
    from .site import Page, Site

EACH = 2  # documents, the best and the worst
CHOICES = 3  # questions of selection, right and wrong ones
_STOPS = 12  # places of a document
_SAID_LENGTH = 220  # characters of a paragraph
Where = Literal["same", "near", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture at a place."""

    file: Path
    caption: str
    where: Where = "same"  # against the author's places
    is_authors: bool = True  # the author has it in this document too


@dataclass(frozen=True, slots=True)
class Stop:
    """A place where the author or the system, or both, have pictures."""

    text: str  # the end of what stands before it
    authors: tuple[Shown, ...]
    ours: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A document with the author's pictures and a system's, place by place."""

    document: str
    title: str
    line: int  # of records.jsonl
    said: str
    stops: tuple[Stop, ...]
    left_out: int  # places beyond those
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A place with its candidates, and what was taken."""

    document: str
    text: str  # the end of what stands before it
    before: tuple[Path, ...]  # the last pictures before it
    caption: str
    candidates: tuple[tuple[Path, bool, bool], ...]  # file, the human's, the system's
    agrees: bool
    said: str


def shown_system(record: Record) -> str | None:
    """Whose places are shown: a model's, else those by words, else the last baseline's."""
    systems = list(record.placement)
    models = [name for name in systems if name not in BASELINES]
    return next(reversed(models or [name for name in systems if name == words.NAME] or systems), None)


def best_and_worst(
    records: Sequence[Record], site: Site, said: Mapping[str, Words], line_of: Callable[[Record], int]
) -> tuple[list[Case], list[Case]]:
    """The documents with the highest and the lowest F1 within one block; of equal ones those with more pictures.

    None is among the best that has no picture within one block of the author's: there may be no best ones.
    said is what the author says of each picture; line_of says in which line of records.jsonl a record stands.
    """
    system = shown_system(records[0])
    if system is None:
        return [], []

    def f1(record: Record) -> tuple[float, float]:
        made = record.placement[system]
        found = [match_places(made.places, record.places, within=within).f1 for within in (1, 0)]
        return found[0], found[1]

    some = [record for record in records if f1(record)[0] > 0]
    best = sorted(some, key=lambda record: (*(-value for value in f1(record)), -len(record.places)))[:EACH]
    rest = [record for record in records if record not in best]
    worst = sorted(rest, key=lambda record: (*f1(record), -len(record.places)))[:EACH]
    cases = [[_case(record, site, said, system, line_of(record)) for record in some] for some in (best, worst)]
    return cases[0], cases[1]


def right_and_wrong(
    records: Sequence[Record], asked_of: Callable[[Record], Sequence[Asked]]
) -> tuple[str, list[Choice]]:
    """The system that is shown, and some of its choices that agree with people and some that do not."""
    system = next((name for name in reversed(records[0].selection) if name != CHANCE), None)
    if system is None:
        return "", []
    found: dict[bool, list[tuple[Record, int]]] = {True: [], False: []}
    for record in records:
        for number, pick in enumerate(record.selection[system]):
            found[pick.agrees == 1].append((record, number))
    chosen = [case for agrees in (False, True) for case in _spread(found[agrees], CHOICES)]
    return system, [_choice(record, number, system, asked_of(record)[number]) for record, number in chosen]


def _spread(cases: list[tuple[Record, int]], count: int) -> list[tuple[Record, int]]:
    """So many of them, evenly; always the same ones."""
    some = min(count, len(cases))
    return [cases[(2 * i + 1) * len(cases) // (2 * some)] for i in range(some)]


def _case(record: Record, site: Site, said_of: Mapping[str, Words], system: str, line: int) -> Case:
    page, made = site.page(record.document), record.placement[system]
    captions = {file: said_of[file].caption or said_of[file].alt for file in {*record.pictures, *made.pictures} if file}
    places = sorted({*record.places, *made.places})
    stops = tuple(_stop(place, page, record, made, captions, site.root) for place in places[:_STOPS])
    near, exact = (match_places(made.places, record.places, within=within).matched for within in (1, 0))
    same = len(set(made.pictures) & set(record.pictures))
    count = len(record.places)
    said = (
        f"{exact} of {count} places are the author's, {near} within one block; "
        f"of the author's {len(set(record.pictures))} pictures {same} came back"
    )
    title = one_line(page.draft.title) or record.document
    return Case(record.document, title, line, said, stops, len(places) - len(stops), made.notes)


def _stop(place: int, page: Page, record: Record, made: Placement, captions: dict[str, str], root: Path) -> Stop:
    def where() -> Where:
        if place in record.places:
            return "same"
        return "near" if any(abs(place - other) <= 1 for other in record.places) else "elsewhere"

    authors = tuple(
        Shown(root / file, captions.get(file, ""))
        for at, file in zip(record.places, record.pictures, strict=True)
        if at == place
    )
    ours = tuple(
        Shown(root / file, captions.get(file, ""), where(), file in record.pictures)
        for at, file in zip(made.places, made.pictures, strict=True)
        if at == place and file
    )
    return Stop(_said_before(page.draft.blocks[: place + 1]), authors, ours)


def _choice(record: Record, number: int, system: str, asked: Asked) -> Choice:
    pick = record.selection[system][number]
    candidates = tuple((path, row == asked.answer, row == pick.chosen) for row, path in enumerate(asked.candidates))
    said = {"chosen": "", "none_fit": "found that none fits", "unparsed": "gave no answer that could be used",
            "unreadable": "could not read a picture"}.get(pick.outcome, pick.outcome)  # fmt: skip
    before = tuple(part for part in asked.context if isinstance(part, Path))[-3:]
    text = _said_before([part for part in asked.context if isinstance(part, Block)])
    return Choice(record.document, text, before, asked.caption, candidates, pick.agrees == 1, said)


def _said_before(blocks: Sequence[Block]) -> str:
    """The end of the text that stands before a place."""
    for block in reversed(blocks):
        if text := one_line(plain_text(block)):
            if len(text) <= _SAID_LENGTH:
                return text
            _, blank, rest = text[-_SAID_LENGTH:].partition(" ")  # a word that is cut says nothing
            return f"… {rest if blank else text[-_SAID_LENGTH:]}"
    return ""
