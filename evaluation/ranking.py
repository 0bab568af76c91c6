"""Where the right picture stands among all others by their scores; equal scores count by chance, not by order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CUTOFFS = (1, 4, 8)  # of the protocol


@dataclass(frozen=True, slots=True)
class Rank:
    """How many pictures score higher than the right one, and how many the same, itself among them."""

    above: int
    equal: int  # from 1

    def recall(self, cutoff: int) -> float:
        """The chance that the right picture is among the first `cutoff`, pictures of one score in random order."""
        return min(1.0, max(0.0, (cutoff - self.above) / self.equal))

    @property
    def reciprocal(self) -> float:
        """The expected value of 1 / rank, pictures of one score in random order."""
        import numpy as np

        return float((1 / np.arange(self.above + 1, self.above + self.equal + 1)).mean())


def rank_of(scores: np.ndarray, right: Sequence[int]) -> Rank:
    """The rank of the right picture, or of the best of several, by scores (n,), the higher the better."""
    best = scores[list(right)].max()
    return Rank(int((scores > best).sum()), int((scores == best).sum()))
