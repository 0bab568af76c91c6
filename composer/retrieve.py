"""Step 3a: the candidates of a spot, from the user's own library."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..index.records import Hit
from .article import ILLUSTRATABLE, Block, Candidates, Spot
from .markdown import plain_text
from .protocols import ImageSearch


def retrieve(
    spot: Spot, library: ImageSearch, m: int, *, used: Collection[Hit], blocks: Sequence[Block] = ()
) -> Candidates:
    """The m pictures that fit the spot best and are still on the disk and not in the article yet.

    A copy of a picture that is in the article counts as that picture; so does a second copy among the candidates.
    """
    excluded = {hit.image.id for hit in used}
    hashes = {hit.image.hash for hit in used}
    around = paragraphs_around(blocks, spot.after_block)
    hits: list[Hit] = []
    while len(hits) < m:
        found = library.search(spot.caption, m - len(hits), exclude=excluded, context=around)
        if not found:
            break
        for hit in found:
            excluded.add(hit.image.id)
            if hit.image.hash not in hashes and hit.image.path.is_file():
                hashes.add(hit.image.hash)
                hits.append(hit)
    return Candidates(spot, tuple(hits))


def paragraphs_around(blocks: Sequence[Block], after_block: int) -> tuple[str, ...]:
    """The text before and after a place, the nearest of each; headings are passed over, -1 is before all blocks."""
    before, after = blocks[: after_block + 1][::-1], blocks[after_block + 1 :]
    nearest = (next((block for block in side if block.kind in ILLUSTRATABLE), None) for side in (before, after))
    return tuple(text for block in nearest if block and (text := plain_text(block)))
