"""One document put together again: places, pictures and choices of each system, for the record."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..composer.article import Block, Draft, Spot
from ..composer.markdown import one_line
from ..composer.retrieve import paragraphs_around, retrieve
from ..composer.spot import Spots, find_spots
from .apart import without_credit
from .baselines import BASELINES, Placer
from .pool import Pool
from .records import Pick, Placement, Question, Record
from .selection import CHANCE, CLIP, Asked, ask_encoder, ask_model, best_of, by_chance
from .site import Page, Site, SitePicture
from .systems import Settings, Systems

if TYPE_CHECKING:
    from ..composer.protocols import Model
    from ..index.records import Hit
    from .seen import Seen

AUTHOR = "author"


def record_of(site: Site, page: Page, pool: Pool, settings: Settings, systems: Systems) -> Record:
    """All that is asked for of one document."""
    places = tuple(shown.placed.after_block for shown in page.pictures)
    pictures = tuple(shown.file for shown in page.pictures)
    placement: dict[str, Placement] = {}
    clip: dict[str, tuple[float, ...]] = {}
    if "placement" in settings.tasks:
        placement = {name: put_together(page, pool, BASELINES[name]) for name in settings.baselines}
        if systems.model:
            placement[systems.model.name] = placed_by(systems.model, page, pool, seed=settings.seed)
        if seen := systems.seen.get(site.name):
            author = Placement(places, pictures)
            clip = {name: _nearness(page, each, seen, site) for name, each in [*placement.items(), (AUTHOR, author)]}
    retrieval = {}
    if "retrieval" in settings.tasks:
        around = [paragraphs_around(page.draft.blocks, place) for place in places]
        ranks = tuple(pool.rank(name, context) for name, context in zip(pictures, around, strict=True))
        retrieval[systems.search] = ranks
    record = Record(site.name, page.document, places, pictures, placement, retrieval, clip=clip)
    return _with_selection(record, page, pool, settings, systems) if "selection" in settings.tasks else record


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


def placed_by(model: Model, page: Page, pool: Pool, *, seed: int = 0) -> Placement:
    """A model's places, by the pipeline's own step; a reply that was not usable places nothing, and is noted."""
    found = Spots(())

    def place(draft: Draft, library: object, count: int) -> Sequence[Spot]:
        nonlocal found
        found = find_spots(draft, model, images=count, seed=seed)
        return found.spots

    return replace(put_together(page, pool, place), notes=found.notices)


def questions(page: Page, pool: Pool, *, m: int, seed: int = 0) -> list[Asked]:
    """At each of the author's places the m candidates that a search finds by the paragraphs around it.

    As in the pipeline a picture that stands before is none of them. The author's own is always one, in place of the
    last where the search did not find it, and their order is dealt by the seed, so that it tells nothing. The caption
    is the author's, else the alt text: no search sees it, because the library may know it.
    """
    blocks, root = page.draft.blocks, pool.root
    asked: list[Asked] = []
    used: list[Hit] = []
    for number, shown in enumerate(page.pictures):
        place, right = shown.placed.after_block, pool.hit(shown.file)
        found = retrieve(Spot(place, ""), pool, m, used=used, blocks=blocks).hits
        names = [pool.name(hit) for hit in found]
        if shown.file not in names:
            names = [*names[: m - 1], shown.file]
        random.Random(f"{seed} {page.document} {number}").shuffle(names)
        before = _before(page, number, root)
        candidates = tuple(root / name for name in names)
        asked.append(Asked(page.draft.title, before, caption_of(shown), candidates, names.index(shown.file)))
        used.append(right)
    return asked


def asked_again(record: Record, page: Page, root: Path) -> list[Asked]:
    """The questions of a record as they were asked."""
    return [
        Asked(
            page.draft.title,
            _before(page, number, root),
            caption_of(shown),
            tuple(root / name for name in question.candidates),
            question.answer,
        )
        for number, (shown, question) in enumerate(zip(page.pictures, record.questions, strict=True))
    ]


def caption_of(shown: SitePicture) -> str:
    """What the author says that a picture shows."""
    picture = shown.placed.picture
    return one_line(without_credit(picture.caption or picture.title) or picture.alt)


def _before(page: Page, number: int, root: Path) -> tuple[Block | Path, ...]:
    """The text up to a picture's place, with the author's pictures in it."""
    place = page.pictures[number].placed.after_block
    parts: list[Block | Path] = []
    for index in range(-1, place + 1):
        if index >= 0:
            parts.append(page.draft.blocks[index])
        earlier = (shown for shown in page.pictures[:number] if shown.placed.after_block == index)
        parts += [root / shown.file for shown in earlier]
    return tuple(parts)


def _with_selection(record: Record, page: Page, pool: Pool, settings: Settings, systems: Systems) -> Record:
    asked = questions(page, pool, m=settings.candidates, seed=settings.seed)
    shown = tuple(Question(tuple(pool.name_of(path) for path in each.candidates), each.answer) for each in asked)
    around = [paragraphs_around(page.draft.blocks, place) for place in record.places]
    picks: dict[str, tuple[Pick, ...]] = {CHANCE: tuple(map(by_chance, shown))}
    scores = [pool.scores_of(each.candidates, context) for each, context in zip(shown, around, strict=True)]
    picks[f"{systems.search} top-1"] = tuple(
        best_of(score, each.answer) for score, each in zip(scores, asked, strict=True)
    )
    if seen := systems.seen.get(record.site):
        texts = [each.caption or " ".join(context) for each, context in zip(asked, around, strict=True)]
        picks[CLIP] = tuple(ask_encoder(each, seen, text) for each, text in zip(asked, texts, strict=True))
    if model := systems.model:
        picks[model.name] = tuple(ask_model(each, model, permutations=settings.permutations) for each in asked)
    return replace(record, questions=shown, selection=picks)


def _nearness(page: Page, made: Placement, seen: Seen, site: Site) -> tuple[float, ...]:
    """The cosine of each placed picture to the paragraph that it follows, without those that could not be read."""
    import numpy as np

    found: list[float] = []
    for place, picture in zip(made.places, made.pictures, strict=True):
        paragraph = next(iter(paragraphs_around(page.draft.blocks, place)), "")
        if picture and paragraph and not np.isnan(value := seen.cosines(paragraph, [site.root / picture])[0]):
            found.append(round(float(value), 4))
    return tuple(found)
