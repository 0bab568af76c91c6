"""Which contents a library has already, as processes that are not the build's own may be told: 16 bytes a content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..work import Contents

if TYPE_CHECKING:
    import numpy as np

_PREFIX_BYTES = 16  # of 32: two of a billion contents share one with a chance of 1 in 10^20


def known_hashes(contents: Contents) -> np.ndarray:
    """The beginnings of all hashes, sorted: (n,) of 16 bytes each."""
    import numpy as np

    return np.sort(np.array([_prefix(contents.hash(number)) for number in range(len(contents))], f"S{_PREFIX_BYTES}"))


def is_among(known: np.ndarray, digest: str) -> bool:
    """Whether a content is one of `known_hashes`."""
    import numpy as np

    prefix = np.array(_prefix(digest), known.dtype)
    place = int(np.searchsorted(known, prefix))
    return place < len(known) and bool(known[place] == prefix)


def _prefix(digest: str) -> bytes:
    return bytes.fromhex(digest)[:_PREFIX_BYTES]
