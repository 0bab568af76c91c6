"""Selection over any list of places: one a line of a JSON Lines file, with its context, candidates and human's choice.

    {"context": ["The first paragraph.", {"picture": "a.jpg"}, "The second."], "caption": "A cat on the beach",
     "candidates": ["b.jpg", "c.jpg"], "choice": "c.jpg", "title": "A walk", "article": "walk"}

Paths start from the file's folder. `context` is what stands before the place, in reading order; a text is Markdown.
`caption` says what the picture is to show: CLIP goes by it alone. `title` is the article's. Items of one `article` are
not independent of each other, and are drawn together for the intervals. The last three may be left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..composer.article import Block
from ..composer.markdown import parse_draft
from ..composer.select import MAX_CANDIDATES
from .errors import ItemsInvalid
from .records import Keeper, Pick, Question, Record
from .selection import CHANCE, CLIP, Asked, ask_encoder, ask_model, by_chance
from .systems import named

if TYPE_CHECKING:
    from ..composer.protocols import Model
    from ..index.encoder import Encoder
    from .seen import Seen

Text = Annotated[str, Field(min_length=1)]


class _Shown(BaseModel):
    """A picture of the context."""

    model_config = ConfigDict(extra="forbid")
    picture: Text


class _Line(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(extra="forbid")
    context: list[str | _Shown]
    candidates: Annotated[list[Text], Field(min_length=2, max_length=MAX_CANDIDATES)]
    choice: Text
    caption: str = ""
    title: str = ""
    article: Text | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A place with its candidates, as the file has it."""

    article: str
    asked: Asked
    question: Question  # candidates as the file names them

    @property
    def text(self) -> str:
        """What CLIP goes by: the caption, else the last text of the context."""
        blocks = [part for part in self.asked.context if isinstance(part, Block)]
        return self.asked.caption or (blocks[-1].markdown if blocks else "")


@dataclass(frozen=True, slots=True)
class Items:
    """A file of items."""

    path: Path
    items: tuple[Item, ...]
    digest: str

    @property
    def candidates(self) -> list[Path]:
        """Every candidate once."""
        return list(dict.fromkeys(path for item in self.items for path in item.asked.candidates))

    def by_article(self) -> dict[str, list[Item]]:
        """The items of each article, in the order of the file."""
        articles: dict[str, list[Item]] = {}
        for item in self.items:
            articles.setdefault(item.article, []).append(item)
        return articles

    def first(self, articles: int | None) -> Items:
        """The items of so many articles, or of all."""
        kept = list(self.by_article().values())[:articles]
        return replace(self, items=tuple(chain.from_iterable(kept)))


def read_items(path: Path) -> Items:
    """Read a file of items.

    Raises:
        ItemsInvalid: it is missing or empty, or a line is no item, or a picture is not there; the message has the line.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ItemsInvalid(f"cannot read {path}: {exc.strerror or exc}", "name a file of JSON Lines") from exc
    items = [_item(path, number, line) for number, line in enumerate(data.splitlines(), start=1) if line.strip()]
    if not items:
        raise ItemsInvalid(f"{path} has no items", "a line a place: context, candidates and the human's choice")
    return Items(path, tuple(items), hashlib.sha256(data).hexdigest())


def asked_for_items(
    items: Items, model: Model | None, encoder: Encoder | None, *, permutations: int, limit: int | None
) -> dict[str, Any]:
    """All that the records depend on, for `keep_records`."""
    return {
        "items": items.digest,
        "limit": limit,
        "model": named(model) if model else None,
        "encoder": encoder.fingerprint if encoder else None,
        "permutations": permutations if model else 1,
    }


def evaluate_items(
    items: Items,
    keeper: Keeper,
    *,
    model: Model | None = None,
    seen: Seen | None = None,
    permutations: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Record]:
    """The records of all articles; those that the keeper has are not made again."""
    articles = items.by_article()
    records: list[Record] = []
    for article, some in articles.items():
        record = keeper.get(items.path.name, article)
        if record is None:
            record = _record(items.path.name, article, some, model, seen, permutations)
            keeper.add(record)
        records.append(record)
        progress(len(records), len(articles))
    return records


def _record(
    name: str, article: str, items: Sequence[Item], model: Model | None, seen: Seen | None, permutations: int
) -> Record:
    shown = tuple(item.question for item in items)
    picks: dict[str, tuple[Pick, ...]] = {CHANCE: tuple(map(by_chance, shown))}
    if seen:
        picks[CLIP] = tuple(ask_encoder(item.asked, seen, item.text) for item in items)
    if model:
        picks[model.name] = tuple(ask_model(item.asked, model, permutations=permutations) for item in items)
    right = tuple(question.candidates[question.answer] for question in shown)
    return Record(name, article, (), right, questions=shown, selection=picks)


def _item(path: Path, number: int, line: bytes) -> Item:
    def wrong(what: str) -> ItemsInvalid:
        return ItemsInvalid(f"{path}, line {number}: {what}", "the README, `limner evaluate selection`, has the form")

    try:
        read = _Line.model_validate_json(line)
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise wrong(f"{where}: {fault['msg']}" if where else fault["msg"]) from exc
    if len(set(read.candidates)) < len(read.candidates):
        raise wrong("a candidate stands there twice")
    if read.choice not in read.candidates:
        raise wrong(f"the choice {read.choice} is none of the candidates")
    answer = read.candidates.index(read.choice)
    root = path.absolute().parent
    context = tuple(_context(read.context, root))
    candidates = tuple(root / name for name in read.candidates)
    for picture in (*candidates, *(part for part in context if isinstance(part, Path))):
        if not picture.is_file():
            raise wrong(f"the picture {picture} is not there")
    asked = Asked(read.title, context, read.caption, candidates, answer)
    return Item(read.article or f"line {number}", asked, Question(tuple(read.candidates), answer))


def _context(parts: Sequence[str | _Shown], root: Path) -> Iterator[Block | Path]:
    for part in parts:
        if isinstance(part, str):
            yield from parse_draft(part).blocks
        else:
            yield root / part.picture
