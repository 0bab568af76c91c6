"""Step 3a: the candidates of a spot, from the user's own library."""

from __future__ import annotations

from collections.abc import Collection

from ..index.records import Hit
from .article import Candidates, Spot
from .protocols import ImageSearch


def retrieve(spot: Spot, library: ImageSearch, m: int, *, used: Collection[Hit]) -> Candidates:
    """The m pictures nearest to the spot's caption that are still on the disk and not in the article yet.

    A copy of a picture that is in the article counts as that picture; so does a second copy among the candidates.
    """
    excluded = {hit.image.id for hit in used}
    hashes = {hit.image.hash for hit in used}
    hits: list[Hit] = []
    while len(hits) < m:
        found = library.search(spot.caption, m - len(hits), exclude=excluded)
        if not found:
            break
        for hit in found:
            excluded.add(hit.image.id)
            if hit.image.hash not in hashes and hit.image.path.is_file():
                hashes.add(hit.image.hash)
                hits.append(hit)
    return Candidates(spot, tuple(hits))
