"""The order of the placed pictures against the author's: which come, and one after which.

Order metrics that need no judge, after RAG-IGBench (Zhang et al. 2025, arXiv:2512.05119), which changes both; these are
the plain ones of Levenshtein and Kendall.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and replacements of pictures that make one order the other (Levenshtein)."""
    row = list(range(len(second) + 1))
    for i, mine in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, theirs in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (mine != theirs))
    return row[-1]


def edit_similarity(chosen: Sequence[Hashable], wanted: Sequence[Hashable]) -> float:
    """1 less the edit distance as a share of the longer order: 1 for the same order, 0 for an empty one."""
    longer = max(len(chosen), len(wanted))
    return 1 - edit_distance(chosen, wanted) / longer if longer else 0.0


def kendall_tau(chosen: Sequence[Hashable], wanted: Sequence[Hashable]) -> float:
    """Pairs of pictures in the author's order less those in the opposite one, as a share: 1 for the same, -1 reversed.

    Of the pictures that both have, each by the first place where it stands; 0 where they have fewer than two.
    """
    place = {picture: i for i, picture in reversed(list(enumerate(wanted)))}
    both = [place[picture] for picture in dict.fromkeys(chosen) if picture in place]
    pairs = len(both) * (len(both) - 1) // 2
    return sum(1 if a < b else -1 for a, b in combinations(both, 2)) / pairs if pairs else 0.0
