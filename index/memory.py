"""How much memory an index takes, to build and to search, and whether there is as much."""

from __future__ import annotations

from collections.abc import Callable

from .errors import MemoryShort
from .free import free_bytes, size
from .index_types import FLAT, IVF_RABITQ, IVF_SQ8, SQ16, TRAINED_ON, TYPES, lists_for

_IDS = 40  # bytes a vector: ids of pictures and vectors, in their orders
_CHUNK = 64 << 20  # bytes of vectors in flight


def search_bytes(kind: str, count: int, dimension: int) -> int:
    """Memory of an open index of count vectors; vectors that are mapped from the disk do not count."""
    code = {FLAT: 4 * dimension, SQ16: 2 * dimension, IVF_SQ8: dimension, IVF_RABITQ: dimension // 2 + 20}[kind]
    lists = 0 if kind in (FLAT, SQ16) else (4 * dimension * lists_for(count))
    return count * (code + _IDS) + lists


def build_bytes(kind: str, count: int, dimension: int) -> int:
    """Memory at the height of building an index of count vectors, without what the rest of a build takes."""
    finished = search_bytes(kind, count, dimension)
    if kind in (FLAT, SQ16):
        return finished + _CHUNK
    # Lists grow by doubling, so they hold up to twice what is in them; before that k-means holds its sample.
    sample = _sample_bytes(min(count, TRAINED_ON * lists_for(count)), dimension)
    return max(2 * finished, finished + sample) + _CHUNK


def _sample_bytes(count: int, dimension: int) -> int:
    """Memory of what k-means learns from: the vectors, and the same without their mean."""
    return 2 * 4 * dimension * count


def check_memory(kind: str, count: int, dimension: int, free: Callable[[], int] | None = None) -> None:
    """Do nothing where an index of count vectors can be built in the memory that is free.

    Raises:
        MemoryShort: it cannot; the hint names a type that can.
    """
    there = (free or free_bytes)()
    needed = build_bytes(kind, count, dimension)
    if needed <= there:
        return
    smaller = [other for other in TYPES if build_bytes(other, count, dimension) <= there]
    raise MemoryShort(
        f"an index of {count:,} vectors of {dimension} numbers takes {size(needed)} of memory to build as {kind}, "
        f"{size(there)} are free",
        f"`--index-type {smaller[0]}` takes {size(build_bytes(smaller[0], count, dimension))}"
        if smaller
        else "free memory or take a larger machine: no `--index-type` fits",
    )


def check_learning(lists: int, count: int, dimension: int) -> None:
    """Do nothing where so many lists can be learnt from count vectors in the memory that is free.

    Raises:
        MemoryShort: they cannot.
    """
    needed, there = _sample_bytes(count, dimension) + 4 * dimension * lists + _CHUNK, free_bytes()
    if needed > there:
        raise MemoryShort(
            f"learning {lists:,} lists from {count:,} vectors takes {size(needed)} of memory, {size(there)} are free",
            "a smaller `--for` learns fewer lists",
        )
