"""Chosen places against the author's. Knows nothing of which pictures stand there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Matches:
    """How many places were chosen, how many the author has, and how many of them are matched, one to one."""

    matched: int
    chosen: int
    wanted: int

    @property
    def precision(self) -> float:
        """The share of the chosen places that are right; 0 where none was chosen."""
        return self.matched / self.chosen if self.chosen else 0.0

    @property
    def recall(self) -> float:
        """The share of the author's places that were found; 0 where there are none."""
        return self.matched / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where nothing is matched."""
        return 2 * self.matched / (self.chosen + self.wanted) if self.matched else 0.0


def match_places(chosen: Sequence[int], wanted: Sequence[int], *, within: int = 0) -> Matches:
    """Match as many chosen places as can be with places of the author's that are at most `within` blocks off.

    A place is the index of the block that a picture follows; it may come several times. Each matches one other at
    most, so that two pictures at one place do not both count for one picture of the author's.
    """
    # The first chosen place and the first wanted one, if they are near enough, are in some largest matching: what else
    # either could match lies later on the line, and matches whatever the other would have taken at least as well.
    left, right = sorted(chosen), sorted(wanted)
    i = j = matched = 0
    while i < len(left) and j < len(right):
        if abs(left[i] - right[j]) <= within:
            matched, i, j = matched + 1, i + 1, j + 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return Matches(matched, len(left), len(right))
