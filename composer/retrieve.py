"""Step 3a: the candidates of a spot, from the user's own library."""

from __future__ import annotations

from collections.abc import Collection

from ..index.records import Hit
from .article import Candidates, Spot
from .protocols import ImageSearch


def retrieve(spot: Spot, library: ImageSearch, m: int, *, used: Collection[Hit]) -> Candidates:
    """The m pictures nearest to the spot's caption that are still on the disk and not in the article yet.

    A picture that is the same again as one in the article, exactly or nearly, counts as that one; so does one that is
    the same again as a candidate. Of such a group the nearest that is still on the disk is offered.
    """
    excluded: set[int] = set()
    for hit in used:
        excluded.update((hit.image.id, *library.duplicates(hit.image.id)))
    hashes = {hit.image.hash for hit in used}
    hits: list[Hit] = []
    while len(hits) < m:
        found = library.search(spot.caption, m - len(hits), exclude=excluded)
        if not found:
            break
        for hit in found:
            if hit.image.id in excluded:
                continue
            excluded.add(hit.image.id)
            if hit.image.hash not in hashes and hit.image.path.is_file():
                # A library of another day may have given the article its first copy: then only the hash tells.
                hashes.add(hit.image.hash)
                excluded.update(library.duplicates(hit.image.id))
                hits.append(hit)
    return Candidates(spot, tuple(hits))
