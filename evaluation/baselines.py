"""Places without a model: what a system that reads the text must be better than."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..composer import words
from ..composer.article import Draft, Spot
from ..composer.markdown import plain_text
from ..composer.protocols import ImageSearch
from ..composer.spot import can_stand_after

# A draft, what is searched, and how many pictures: the places in reading order, at most so many.
Placer = Callable[[Draft, ImageSearch, int], Sequence[Spot]]


def uniform(draft: Draft, library: ImageSearch, count: int) -> list[Spot]:
    """Spread evenly over the blocks that a picture may follow, one a block."""
    places = _places(draft)
    count = min(count, len(places))
    return [Spot(places[(2 * i + 1) * len(places) // (2 * count)], "") for i in range(count)]


def longest_paragraph(draft: Draft, library: ImageSearch, count: int) -> list[Spot]:
    """After the longest paragraphs, counted in characters; after other blocks only where there are not enough."""
    blocks = draft.blocks
    ranked = sorted(_places(draft), key=lambda i: (blocks[i].kind != "paragraph", -len(plain_text(blocks[i])), i))
    return [Spot(place, "") for place in sorted(ranked[:count])]


def by_words(draft: Draft, library: ImageSearch, count: int) -> Sequence[Spot]:
    """As `--model words` places pictures: after the paragraphs that single one out by what is said of them."""
    return words.find_spots(draft, library, images=count).spots


BASELINES: dict[str, Placer] = {
    "uniform": uniform,
    "longest-paragraph": longest_paragraph,
    words.NAME: by_words,
}


def _places(draft: Draft) -> list[int]:
    return [index for index, block in enumerate(draft.blocks) if can_stand_after(block)]
