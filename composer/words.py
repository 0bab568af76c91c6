"""Without a model: places and pictures by what the library says of its pictures alone.

A picture belongs after the paragraph that singles it out: where the best picture leads the next by most. On the
chapters of a textbook whose pictures had captions, .60 of the places came within a paragraph of the author's, against
.35 at random; the query differed a little (benchmarks/LOG.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..index.records import Hit, ImageRecord
from .article import Candidates, Choice, Draft, Spot
from .markdown import one_line, plain_text
from .protocols import ImageSearch
from .retrieve import retrieve
from .spot import Spots, can_stand_after

NAME = "words"  # what --model takes and article.json records
# Where the user names no number: the authors of that textbook wrote 870, those of Chinese recipes 360 characters.
WORDS_PER_PICTURE = 600
# Characters of a paragraph that says enough to go first; shorter ones have what is then still wanted. Counting Chinese
# characters twice as long found more places and worse ones (benchmarks/LOG.md).
SHORTEST = 40
# A character of Chinese or Japanese counts as a word, as in a brief's length.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|\S+?(?=[\s\u3040-\u30ff\u3400-\u9fff]|\Z)")


@dataclass(frozen=True, slots=True)
class _Place:
    """A paragraph, the picture that it singles out, and by how much."""

    block: int
    hit: Hit
    lead: float  # in [0, 2]: scores of one search lie in [-1, 1]


def find_spots(draft: Draft, library: ImageSearch, *, images: int | None) -> Spots:
    """The places where the library's words speak most for one picture, at most one a picture, in reading order.

    A spot's caption is what the library says of its picture. With `images`, so many where the text has room: after the
    long paragraphs first, and after short ones where those are not enough.
    """
    texts = {
        index: text
        for index, block in enumerate(draft.blocks)
        if can_stand_after(block) and (text := plain_text(block)) and not _announces(text)
    }
    long = [index for index, text in texts.items() if len(text) >= SHORTEST]
    short = [index for index in texts if index not in long]
    notices: list[str] = []
    wanted = images or max(1, round(sum(len(_WORD.findall(texts[index])) for index in long) / WORDS_PER_PICTURE))
    taken: list[_Place] = []
    gone: set[int] = set()
    for some in (long, short) if images else (long,):
        if len(taken) == wanted:
            break
        places = [place for index in some if (place := _place(index, texts[index], library))]
        for place in sorted(places, key=lambda place: (-place.lead, place.block)):
            image_id = place.hit.image.id
            if len(taken) < wanted and image_id not in gone:
                taken.append(place)
                gone.update((image_id, *library.duplicates(image_id)))
    if images is not None and len(taken) < images:
        notices.append(f"{images} pictures asked for, the words of the library speak for {len(taken)}")
    taken.sort(key=lambda place: place.block)
    return Spots(tuple(Spot(place.block, _said(place.hit.image)) for place in taken), tuple(notices))


def _announces(text: str) -> bool:
    """Whether a text leads to what follows: a picture would part them, and its few words single one out by chance."""
    return text.rstrip()[-1:] in (":", "：")


def choose_first(candidates: Candidates) -> Choice:
    """The best candidate of the search; no model looked, so there are no probabilities."""
    if not candidates.hits:
        return Choice(candidates, "no_candidates", None, ())
    return Choice(candidates, "chosen", 0, ())


def _place(index: int, text: str, library: ImageSearch) -> _Place | None:
    best, *others = retrieve(Spot(index, text), library, 2, used=()).hits or (None,)  # two that are not one again
    if best is None:
        return None
    return _Place(index, best, best.score - (others[0].score if others else 0.0))


def _said(image: ImageRecord) -> str:
    return one_line(image.caption or image.alt or image.title)
