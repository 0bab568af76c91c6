"""Step 3a: the candidates of a spot, from the user's own library."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from ..index.errors import PictureUnreadable
from ..index.records import Hit
from .article import ILLUSTRATABLE, Block, Candidates, Spot
from .markdown import plain_text
from .protocols import ImageSearch


def retrieve(
    spot: Spot,
    library: ImageSearch,
    m: int,
    *,
    used: Collection[Hit],
    blocks: Sequence[Block] = (),
    first: Sequence[Hit] = (),
) -> Candidates:
    """The m pictures that fit the spot best and are still on the disk and not in the article yet, after `first`.

    A picture that is the same again as one in the article, exactly or nearly, counts as that one; so does one that is
    the same again as a candidate. Of such a group the nearest that is still on the disk is offered.

    Raises:
        PictureUnreadable: where a picture lies cannot be asked whether it is still there.
    """
    excluded: set[int] = set()
    for hit in used:
        if hit.image.id > 0:  # the user's own reference pictures are below, and no library knows them
            excluded.update((hit.image.id, *library.duplicates(hit.image.id)))
    hashes = {hit.image.hash for hit in (*used, *first)}
    around = paragraphs_around(blocks, spot.after_block)
    hits: list[Hit] = []
    while len(hits) < m:
        found = library.search(spot.caption, m - len(hits), exclude=excluded, context=around)
        if not found:
            break
        for hit in found:
            if hit.image.id in excluded:
                continue
            excluded.add(hit.image.id)
            if hit.image.hash not in hashes and _is_there(hit.image.path):
                # A library of another day may have given the article its first copy: then only the hash tells.
                hashes.add(hit.image.hash)
                excluded.update(library.duplicates(hit.image.id))
                hits.append(hit)
    return Candidates(spot, (*first, *hits))


def _is_there(picture: Path) -> bool:
    try:
        return picture.is_file()
    except OSError as exc:
        raise PictureUnreadable(str(picture), exc.strerror or str(exc)) from exc


def paragraphs_around(blocks: Sequence[Block], after_block: int) -> tuple[str, ...]:
    """The text before and after a place, the nearest of each; headings are passed over, -1 is before all blocks."""
    before, after = blocks[: after_block + 1][::-1], blocks[after_block + 1 :]
    nearest = (next((block for block in side if block.kind in ILLUSTRATABLE), None) for side in (before, after))
    return tuple(text for block in nearest if block and (text := plain_text(block)))
