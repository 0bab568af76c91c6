"""Articles taken apart and put together again: pictures out, then the places and the pictures asked for anew.

Placement: as many pictures as the author has, wherever a system puts them. Retrieval: at the author's own places, where
the author's picture stands among all of the site. Selection: there too, which of a few candidates is taken. A model
places by the pipeline's own step, and selects by it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .apart import without_credit
from .document import record_of
from .errors import EvaluationMismatch, SiteUnreadable
from .pool import Pool, Words
from .records import Keeper, Record
from .site import Notice, Site
from .systems import ALONE, Settings, Systems, named

Progress = Callable[[int, int], None]  # done, of all


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
            f"no document of {site.root} shows a picture that lies in it{_first_of(notices)}",
            "a site is a folder of Markdown files together with the picture files that they show",
        )
    digest.update(json.dumps(sorted(said)).encode())
    return Survey(site, tuple(documents), placed, said, tuple(notices), digest.hexdigest())


def _first_of(notices: Sequence[Notice]) -> str:
    """What was left out, by an example: a site whose pictures lie elsewhere looks like one that has none."""
    if not notices:
        return ""
    more = f", and {len(notices) - 1} more" if len(notices) > 1 else ""
    return f"; left out: {notices[0].document}: {notices[0].reason}{more}"


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


def asked_for(settings: Settings, surveys: Sequence[Survey], systems: Systems = ALONE) -> dict[str, Any]:
    """All that the records of an evaluation depend on, for `keep_records`."""
    asked: dict[str, Any] = {
        "knows": settings.knows,
        "tasks": list(settings.tasks),
        "baselines": list(settings.baselines) if "placement" in settings.tasks else [],
        "sentences": systems.sentences.fingerprint if systems.sentences else None,
        "limit": settings.limit,
        "seed": settings.seed,
        "sites": {each.site.name: each.digest for each in surveys},
    }
    if systems.model:
        asked["model"] = named(systems.model)
    if systems.encoder:
        asked["encoder"] = systems.encoder.fingerprint
    if "selection" in settings.tasks:
        asked |= {"candidates": settings.candidates, "permutations": settings.permutations if systems.model else 1}
    return asked


def evaluate(
    surveys: Sequence[Survey],
    settings: Settings,
    keeper: Keeper,
    systems: Systems = ALONE,
    *,
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
                pool = pool or Pool(
                    each.site.root,
                    each.said,
                    settings.knows,
                    seed=settings.seed,
                    encoder=systems.sentences,
                    seen=systems.seen.get(each.site.name),
                )
                record = record_of(each.site, each.site.page(document), pool, settings, systems)
                keeper.add(record)
            records.append(record)
            progress(len(records), total)
    return records


def _drawn(documents: Sequence[str], settings: Settings) -> list[str]:
    if settings.limit is None or settings.limit >= len(documents):
        return list(documents)
    rows = random.Random(settings.seed).sample(range(len(documents)), settings.limit)
    return [documents[row] for row in sorted(rows)]
