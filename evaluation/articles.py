"""Articles taken apart and put together again: pictures out, then the places and the pictures asked for anew.

Placement: as many pictures as the author has, wherever a system puts them. Retrieval: at the author's own places, where
the author's picture stands among all of the site. What a model does at either comes in by the same two doors: a Placer,
and ranks.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..composer.retrieve import paragraphs_around, retrieve
from .apart import without_credit
from .baselines import BASELINES, Placer
from .errors import EvaluationMismatch, SiteUnreadable
from .pool import Knows, Pool, Words
from .records import Keeper, Placement, Record
from .site import Notice, Page, Site

if TYPE_CHECKING:
    from ..index.records import Hit
    from ..index.sentences import SentenceEncoder

Task = Literal["placement", "retrieval"]
TASKS: tuple[Task, ...] = get_args(Task)
Progress = Callable[[int, int], None]  # done, of all


@dataclass(frozen=True, slots=True)
class Settings:
    """What is evaluated, and what the library may know."""

    knows: Knows = "captions"
    tasks: tuple[Task, ...] = TASKS
    baselines: tuple[str, ...] = tuple(BASELINES)
    limit: int | None = None  # documents of each site, drawn by the seed
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """A site read once, without its texts: which documents have pictures, and what is said of each picture."""

    site: Site
    documents: tuple[str, ...]  # with pictures
    placed: int  # pictures in them
    said: dict[str, Words]  # every picture of the site
    notices: tuple[Notice, ...]
    digest: str  # of the texts, the places and what is said


def survey(site: Site, progress: Progress = lambda done, total: None) -> Survey:
    """Read a site through, a page at a time.

    Raises:
        SiteUnreadable: no document shows a picture that lies in the site.
    """
    said = {name: Words() for name in site.pictures}
    digest, notices = hashlib.sha256(), list[Notice]()
    documents: list[str] = []
    placed = 0
    for done, page in enumerate(site.pages(), start=1):
        notices += page.notices
        for shown in page.pictures:
            picture, known = shown.placed.picture, said.get(shown.file, Words())
            caption = without_credit(picture.caption or picture.title)
            # A picture that is shown twice has the words of the first place, as a library has one text for each.
            said[shown.file] = Words(known.alt or picture.alt, known.caption or caption)
        tree = [page.document, page.draft.markdown, [asdict(shown) for shown in page.pictures]]
        digest.update(json.dumps(tree).encode())
        if page.pictures:
            documents.append(page.document)
            placed += len(page.pictures)
        progress(done, len(site.documents))
    if not documents:
        raise SiteUnreadable(
            f"no document of {site.root} shows a picture that lies in it",
            "a site is a folder of Markdown files together with the picture files that they show",
        )
    digest.update(json.dumps(sorted(said)).encode())
    return Survey(site, tuple(documents), placed, said, tuple(notices), digest.hexdigest())


def check_names(sites: Sequence[Site]) -> None:
    """Refuse sites that reports could not tell apart.

    Raises:
        EvaluationMismatch: two have one name.
    """
    names: dict[str, Site] = {}
    for site in sites:
        if (other := names.setdefault(site.name, site)) is not site:
            raise EvaluationMismatch(
                f"two sites are called {site.name}: {other.root} and {site.root}", "evaluate them one after the other"
            )


def asked_for(settings: Settings, surveys: Sequence[Survey], encoder: SentenceEncoder | None) -> dict[str, Any]:
    """All that the records of an evaluation depend on, for `keep_records`."""
    return {
        "knows": settings.knows,
        "tasks": list(settings.tasks),
        "baselines": list(settings.baselines) if "placement" in settings.tasks else [],
        "sentences": encoder.fingerprint if encoder else None,
        "limit": settings.limit,
        "seed": settings.seed,
        "sites": {each.site.name: each.digest for each in surveys},
    }


def evaluate(
    surveys: Sequence[Survey],
    settings: Settings,
    keeper: Keeper,
    *,
    encoder: SentenceEncoder | None = None,
    progress: Progress = lambda done, total: None,
) -> list[Record]:
    """The records of all documents, in their order; those that the keeper has are not made again."""
    chosen = [(each, _drawn(each.documents, settings)) for each in surveys]
    total = sum(len(documents) for _, documents in chosen)
    records: list[Record] = []
    for each, documents in chosen:
        pool: Pool | None = None
        for document in documents:
            record = keeper.get(each.site.name, document)
            if record is None:
                pool = pool or Pool(each.site.root, each.said, settings.knows, seed=settings.seed, encoder=encoder)
                record = _record(each.site, each.site.page(document), pool, settings, encoder)
                keeper.add(record)
            records.append(record)
            progress(len(records), total)
    return records


def put_together(page: Page, pool: Pool, place: Placer) -> Placement:
    """A system's places for as many pictures as the author has, and at each the best picture that is not used yet."""
    spots = sorted(place(page.draft, pool, len(page.pictures)), key=lambda spot: spot.after_block)
    used: list[Hit] = []
    pictures: list[str] = []
    for spot in spots:
        hits = retrieve(spot, pool, 1, used=used, blocks=page.draft.blocks).hits
        used += hits
        pictures.append(pool.name(hits[0]) if hits else "")
    return Placement(tuple(spot.after_block for spot in spots), tuple(pictures))


def _record(site: Site, page: Page, pool: Pool, settings: Settings, encoder: SentenceEncoder | None) -> Record:
    places = tuple(shown.placed.after_block for shown in page.pictures)
    pictures = tuple(shown.file for shown in page.pictures)
    placement: dict[str, Placement] = {}
    if "placement" in settings.tasks:
        placement = {name: put_together(page, pool, BASELINES[name]) for name in settings.baselines}
    retrieval = {}
    if "retrieval" in settings.tasks:
        around = [paragraphs_around(page.draft.blocks, place) for place in places]
        ranks = tuple(pool.rank(name, context) for name, context in zip(pictures, around, strict=True))
        retrieval["words and sentences" if encoder else "words"] = ranks
    return Record(site.name, page.document, places, pictures, placement, retrieval)


def _drawn(documents: Sequence[str], settings: Settings) -> list[str]:
    if settings.limit is None or settings.limit >= len(documents):
        return list(documents)
    rows = random.Random(settings.seed).sample(range(len(documents)), settings.limit)
    return [documents[row] for row in sorted(rows)]
