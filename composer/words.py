"""Without a model: places and pictures by what the library says of its pictures alone.

A picture belongs after the paragraph that singles it out: where the best picture leads the next by most. Asked
for as many pictures as the authors of a textbook had, whose captions it knew, .58 of its places came within a paragraph
of theirs, against .36 of places at even distances (`limner evaluate articles`, benchmarks/LOG.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..index.records import Hit, ImageRecord
from .article import Block, Candidates, Choice, Draft, Spot
from .markdown import heading_level, one_line, plain_text
from .protocols import ImageSearch
from .retrieve import retrieve
from .spot import Spots, can_stand_after

NAME = "words"  # what --model takes and article.json records
# Where the user names no number: the authors of that textbook wrote 870, those of Chinese recipes 360 characters.
WORDS_PER_PICTURE = 600
# Characters of a paragraph that says enough to go first; shorter ones have what is then still wanted. Counting Chinese
# characters twice as long found more places and worse ones (benchmarks/LOG.md).
SHORTEST = 40
_LOOKED_AT = 8  # pictures of which the best two by what is said of them count
# What the lists of works that close a text are called, with a number or a colon where they have one.
_LIST_OF_WORKS = re.compile(
    r"(?:[\dIVX]+[.)]?\s+)?(?:"
    r"(?:annotated |selected )?bibliography|(?:list of )?references|(?:works|literature|references|sources) cited|"
    r"(?:suggested|suggestions for|recommended|further|additional|selected) (?:further )?readings?|"
    r"additional resources|"
    r"literatur(?:verzeichnis|angaben)?|quellen(?:verzeichnis)?|weiterführende literatur|"
    r"bibliographie|références(?: bibliographiques)?|bibliografía|referencias(?: bibliográficas)?|"
    r"bibliografia|riferimenti bibliografici|referências(?: bibliográficas)?|参考文献|参考资料|參考文獻|參考資料"
    r")\s*[:：]?",
    re.I,
)
# A character of Chinese or Japanese counts as a word, as in a brief's length.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|\S+?(?=[\s\u3040-\u30ff\u3400-\u9fff]|\Z)")


@dataclass(frozen=True, slots=True)
class _Place:
    """A paragraph, the picture that it singles out, and by how much."""

    block: int
    hit: Hit
    said: float  # in [0, 2]: the lead by what is said of the pictures
    lead: float  # the same by all channels, for texts that share no word with any picture


def find_spots(draft: Draft, library: ImageSearch, *, images: int | None) -> Spots:
    """The places where the library's words speak most for one picture, at most one a picture, in reading order.

    A spot's caption is what the library says of its picture. With `images`, so many where the text has room: after the
    long paragraphs first, and after short ones where those are not enough.
    """
    listed = _in_lists_of_works(draft.blocks)
    texts = {
        index: text
        for index, block in enumerate(draft.blocks)
        if index not in listed and can_stand_after(block) and (text := plain_text(block)) and not _announces(text)
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
        for place in sorted(places, key=lambda place: (-place.said, -place.lead, place.block)):
            image_id = place.hit.image.id
            if len(taken) < wanted and image_id not in gone:
                taken.append(place)
                gone.update((image_id, *library.duplicates(image_id)))
    if images is not None and len(taken) < images:
        notices.append(f"{images} pictures asked for, the words of the library speak for {len(taken)}")
    taken.sort(key=lambda place: place.block)
    return Spots(tuple(Spot(place.block, _said(place.hit.image)) for place in taken), tuple(notices))


def _in_lists_of_works(blocks: Sequence[Block]) -> set[int]:
    """The blocks under a heading like "References", with those below it.

    A work's title often has the very words of a picture, but no picture is of it: of a textbook's 322 places none
    stands there, and the words alone put 32 (benchmarks/LOG.md).
    """
    listed: set[int] = set()
    level: int | None = None  # of the heading that is in force
    for index, block in enumerate(blocks):
        if block.kind == "heading":
            own = heading_level(block)
            if level is None or own <= level:
                level = own if _LIST_OF_WORKS.fullmatch(plain_text(block).strip()) else None
        if level is not None:
            listed.add(index)
    return listed


def _announces(text: str) -> bool:
    """Whether a text leads to what follows: a picture would part them, and its few words single one out by chance."""
    return text.rstrip()[-1:] in (":", "：")


def choose_first(candidates: Candidates) -> Choice:
    """The best candidate of the search; no model looked, so there are no probabilities."""
    if not candidates.hits:
        return Choice(candidates, "no_candidates", None, ())
    return Choice(candidates, "chosen", 0, ())


def _place(index: int, text: str, library: ImageSearch) -> _Place | None:
    found = retrieve(Spot(index, text), library, _LOOKED_AT, used=()).hits  # no two of them are one again
    if not found:
        return None
    best, *others = sorted(found, key=_said_score, reverse=True)
    second = others[0] if others else None
    lead = best.score - (second.score if second else 0.0)
    return _Place(index, best, _said_score(best) - (_said_score(second) if second else 0.0), lead)


def _said_score(hit: Hit) -> float:
    """What is said of a picture, of its score: an encoder that does not know such pictures adds noise."""
    return sum(share for name, share in hit.shares if name != "picture") if hit.shares else hit.score


def _said(image: ImageRecord) -> str:
    return one_line(image.caption or image.alt or image.title)
