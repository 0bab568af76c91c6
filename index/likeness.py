"""Which pictures are the same one again: a perceptual hash first, then the cosine of their vectors.

The hash is 64 signs of the lowest coefficients of a cosine transform of the picture at 32 x 32: 48 of its brightness
and 8 of each colour difference. Colour is in it, because the pHash of brightness alone cannot tell an orange cat from
a grey one, and many of our encoders are not asked about small things. The ten lines are here and not taken from
imagehash, whose hash has no colour and which brings scipy and PyWavelets along (benchmarks/LOG.md has both).

Source: Zauner 2010, "Implementation and benchmarking of perceptual image hash functions".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

SIDE_PX = 32
# Of the 64 bits. Copies that were compressed, scaled or brightened differ in 0 to 6, cut by 2 % in 4 to 7.
MAX_BITS = 9
MIN_COSINE = 0.9
_BANDS = 4  # of 16 bits: with up to 11 wrong bits of 64 one band has at most 2
_NOTHING = 64.0  # a coefficient of 1/4 grey level; below it is what JPEG makes of an even grey
_STRUCTURE = 1024.0  # 4 grey levels: without one such coefficient a picture is one even colour


def perceptual_hash(image: Image.Image) -> str:
    """16 hexadecimal digits that similar pictures have nearly in common; empty for an even picture."""
    import numpy as np
    from PIL import Image

    small = image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0).convert("YCbCr")
    values = np.asarray(small, np.float64).transpose(2, 0, 1)  # (3, 32, 32)
    basis, rows, columns = _basis()
    coefficients = (basis @ values @ basis.T)[:, rows, columns]  # (3, 48), lowest first
    if np.abs(coefficients).max() < _STRUCTURE:
        return ""
    signs = np.concatenate([coefficients[0], coefficients[1, :8], coefficients[2, :8]]) > _NOTHING
    return np.packbits(signs).tobytes().hex()


def near_pairs(hashes: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (k,), (k,) of hashes that differ in MAX_BITS at most, each pair once; one of each pair is among.

    hashes is (n,) uint64, among (n,) bool. A band of 16 bits is a table of 65,536 places, looked up with up to two bits
    turned: no pair is missed, and up to a million pictures the work grows little faster than their number.
    """
    import numpy as np

    found = [np.empty((0, 2), np.int64)]
    everything = bool(among.all())
    for band in range(_BANDS):
        keys = ((hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)).astype(np.int32)
        order = np.argsort(keys, kind="stable")
        sorted_hashes, sorted_keys = hashes[order], keys[order]
        starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=65536))])
        chosen = np.flatnonzero(among[order])
        for flip in _flips():
            # Where all are looked up, each pair would be met from both of its sides.
            half = flip and everything
            left = chosen[(sorted_keys[chosen] & (1 << (flip.bit_length() - 1))) == 0] if half else chosen
            place = sorted_keys[left] ^ flip
            counts = starts[place + 1] - starts[place]
            ends = np.cumsum(counts)
            right = np.arange(counts.sum()) + np.repeat(starts[place] - (ends - counts), counts)
            bits = np.bitwise_count(np.repeat(sorted_hashes[left], counts) ^ sorted_hashes[right])
            near = np.flatnonzero(bits <= MAX_BITS)
            pairs = np.stack([order[left[np.searchsorted(ends, near, side="right")]], order[right[near]]], 1)
            found.append(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1))
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0], pairs[:, 1]


def alike(
    ids: np.ndarray, hashes: np.ndarray, fresh: np.ndarray, vectors: Callable[[np.ndarray], np.ndarray]
) -> list[tuple[int, int]]:
    """Links (id, id) among pictures that are the same one again; at least one of each link is fresh.

    Args:
        ids: (n,) int64, of the vectors; each picture with a hash once.
        hashes: (n,) uint64.
        fresh: (n,) bool, those whose links are not known yet.
        vectors: ids (k,) ascending to unit vectors (k, d); asked only for those whose hashes are near.
    """
    import numpy as np

    # Many pictures with one hash (a burst, empty scans) would make pairs without number: one place for each hash.
    places, member = np.unique(hashes, return_inverse=True)
    counts = np.bincount(member, minlength=len(places))
    fresh_places = np.zeros(len(places), bool)
    fresh_places[member[fresh]] = True
    left, right = near_pairs(places, fresh_places)
    crowded = np.flatnonzero(fresh_places & (counts > 1))
    wanted = np.isin(member, np.unique(np.concatenate([left, right, crowded])))
    asked = np.flatnonzero(wanted)[np.argsort(ids[wanted])]
    if not len(asked):
        return []
    rows = np.asarray(vectors(ids[asked]), np.float32)
    of_place: dict[int, list[int]] = {}
    for row, position in enumerate(asked.tolist()):
        of_place.setdefault(int(member[position]), []).append(row)
    links: list[tuple[int, int]] = []
    leaders: dict[int, list[int]] = {}
    for place, members in of_place.items():
        leaders[place] = _lead(np.array(members), rows, links)
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        cosines = rows[leaders[a]] @ rows[leaders[b]].T
        links.extend((leaders[a][i], leaders[b][j]) for i, j in np.argwhere(cosines >= MIN_COSINE).tolist())
    names = ids[asked].tolist()
    return [(names[a], names[b]) for a, b in links]


def _lead(members: np.ndarray, rows: np.ndarray, links: list[tuple[int, int]]) -> list[int]:
    """Link members of one hash to the first that they resemble, and return these first ones."""
    leaders: list[int] = []
    while len(members):
        leader = int(members[0])
        leaders.append(leader)
        near = rows[members] @ rows[leader] >= MIN_COSINE
        near[0] = True
        links.extend((leader, int(other)) for other in members[near][1:])
        members = members[~near]
    return leaders


@cache
def _basis() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cosine transform (9, 32), and rows and columns of its 48 lowest coefficients in zigzag order."""
    import numpy as np

    count = 9
    x = np.arange(SIDE_PX)
    basis = np.cos(np.pi / SIDE_PX * (x + 0.5) * np.arange(count)[:, None])
    places = [(u, s - u) for s in range(1, 2 * count) for u in range(s + 1) if u < count and s - u < count][:48]
    rows, columns = np.array(places).T
    return basis, rows, columns


@cache
def _flips() -> list[int]:
    single = [1 << i for i in range(16)]
    double = [a | b for i, a in enumerate(single) for b in single[:i]]
    return [0, *single, *double]
