"""The types that the index of a library's vectors may have, by their names in FAISS, and which one suits how many.

    flat        every number as float32; asked one by one
    sq16        the same as float16, 4x faster and half the memory, and as exact: vectors are kept as float16
    ivf-sq8     in lists by k-means, a byte a number; the nearest lists are asked, and the best re-scored in full
    ivf-rabitq  the same, four bits a number

The exact types are asked for every picture. 512 numbers a picture, 1 million: see benchmarks/LOG.md.

Source: Douze et al. 2024, arXiv:2401.08281; Gao et al. 2024, arXiv:2409.09913 (RaBitQ with several bits).
"""

from __future__ import annotations

from .errors import IndexTypeUnknown

AUTO = "auto"
FLAT = "flat"
SQ16 = "sq16"
IVF_SQ8 = "ivf-sq8"
IVF_RABITQ = "ivf-rabitq"
TYPES = (FLAT, SQ16, IVF_SQ8, IVF_RABITQ)
QUANTISED = (IVF_SQ8, IVF_RABITQ)

FLOAT32_UP_TO = 20_000
EXACT_UP_TO = 200_000  # where one by one takes some 15 ms
EIGHT_BITS_UP_TO = 5_000_000
# k-means wants some vectors a list to learn from; fewer make poor lists.
TRAINED_ON = 40
_MOST_LISTS = 65_536


def checked_type(name: str) -> str:
    """The name of a type, or auto.

    Raises:
        IndexTypeUnknown: it is neither.
    """
    asked = name.strip().lower()
    if asked not in (AUTO, *TYPES):
        raise IndexTypeUnknown(f"there is no index type {name!r}", f"the types are {', '.join((AUTO, *TYPES))}")
    return asked


def type_for(count: int, asked: str = AUTO, of_lists: str | None = None) -> str:
    """The type for about count vectors, where no other is asked for; from very few no lists can be learnt.

    of_lists is the type of the lists that are there, if some are: of many vectors the index is of it.
    """
    if asked != AUTO:
        return FLAT if asked in QUANTISED and count < TRAINED_ON else asked
    if count <= EXACT_UP_TO:
        return exact_type_for(count)
    if of_lists is not None:
        return of_lists
    return IVF_SQ8 if count <= EIGHT_BITS_UP_TO else IVF_RABITQ


def exact_type_for(count: int) -> str:
    """The exact type for about count vectors."""
    return FLAT if count <= FLOAT32_UP_TO else SQ16


def lists_for(count: int) -> int:
    """Into how many lists count vectors go: about 4 sqrt(count), a power of two, and no more than can be learnt."""
    import math

    wanted = 2 ** round(math.log2(max(1.0, 4 * math.sqrt(count))))
    return max(1, min(wanted, count // TRAINED_ON, _MOST_LISTS))
