"""Places matched one to one, by hand and against SciPy's matching."""

from __future__ import annotations

import random

import numpy as np
import pytest
from limner.evaluation.placement import match_places
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching


def test_the_author_s_own_places_score_one() -> None:
    found = match_places([7, 3, 3], [3, 3, 7])

    assert (found.precision, found.recall, found.f1) == (1.0, 1.0, 1.0)


def test_by_hand() -> None:
    exact, near = match_places([0, 4, 9, 20], [0, 5, 10]), match_places([0, 4, 9, 20], [0, 5, 10], within=1)

    assert (exact.precision, exact.recall, exact.f1) == (1 / 4, 1 / 3, 2 / 7)
    assert (near.precision, near.recall, near.f1) == (3 / 4, 3 / 3, 6 / 7)


@pytest.mark.parametrize(("chosen", "wanted"), [([], [1, 2]), ([1, 2], []), ([], []), ([1], [9])])
def test_nothing_matched_is_zero(chosen: list[int], wanted: list[int]) -> None:
    found = match_places(chosen, wanted, within=1)

    assert (found.precision, found.recall, found.f1) == (0.0, 0.0, 0.0)


def test_two_pictures_at_one_place_count_once() -> None:
    assert match_places([5, 5], [5], within=1).matched == 1
    assert match_places([5], [4, 5, 6], within=1).matched == 1


def test_a_near_place_is_not_taken_from_another_that_has_no_second_one() -> None:
    assert match_places([2, 3], [1, 2], within=1).matched == 2


@pytest.mark.parametrize("within", [0, 1, 2])
def test_matches_as_many_as_the_largest_bipartite_matching(within: int) -> None:
    chance = random.Random(within)
    for _ in range(300):
        chosen = chance.choices(range(-1, 15), k=chance.randint(1, 9))
        wanted = chance.choices(range(-1, 15), k=chance.randint(1, 9))
        near = np.abs(np.subtract.outer(chosen, wanted)) <= within

        expected = int((maximum_bipartite_matching(csr_array(near)) >= 0).sum())

        assert match_places(chosen, wanted, within=within).matched == expected, (chosen, wanted)
