"""Orders of pictures, by hand and against SciPy and a definition that recurs."""

from __future__ import annotations

import random
from functools import cache

import pytest
from limner.evaluation.order import edit_distance, edit_similarity, kendall_tau
from scipy.stats import kendalltau


def test_the_author_s_own_order_scores_one() -> None:
    assert edit_distance("abcd", "abcd") == 0
    assert edit_similarity("abcd", "abcd") == 1.0
    assert kendall_tau("abcd", "abcd") == 1.0


def test_a_reversed_order() -> None:
    assert edit_distance("edcba", "abcde") == 4  # all but the one in the middle
    assert edit_similarity("edcba", "abcde") == pytest.approx(1 / 5)
    assert kendall_tau("edcba", "abcde") == -1.0


@pytest.mark.parametrize(("chosen", "wanted"), [("", "abc"), ("abc", ""), ("", "")])
def test_an_empty_order_scores_zero(chosen: str, wanted: str) -> None:
    assert edit_distance(chosen, wanted) == max(len(chosen), len(wanted))
    assert edit_similarity(chosen, wanted) == 0.0
    assert kendall_tau(chosen, wanted) == 0.0


def test_tau_is_of_the_pictures_that_both_have() -> None:
    assert kendall_tau("xbaycz", "abc") == pytest.approx((2 - 1) / 3)
    assert kendall_tau("xaz", "abc") == 0.0  # one alone has no order
    assert kendall_tau("aba", "bab") == -1.0  # each by its first place


def test_edit_distance_is_what_its_definition_says() -> None:
    chance = random.Random(0)
    for _ in range(200):
        a, b = ("".join(chance.choices("abcd", k=chance.randint(0, 6))) for _ in range(2))

        @cache
        def least(i: int, j: int, a: str = a, b: str = b) -> int:
            if not i or not j:
                return i + j
            return min(least(i - 1, j) + 1, least(i, j - 1) + 1, least(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

        assert edit_distance(a, b) == least(len(a), len(b)), (a, b)


def test_tau_is_scipy_s() -> None:
    chance = random.Random(1)
    for _ in range(100):
        chosen = chance.sample(range(12), chance.randint(2, 12))
        wanted = chance.sample(range(12), 12)
        expected = kendalltau(range(len(chosen)), [wanted.index(picture) for picture in chosen]).statistic

        assert kendall_tau(chosen, wanted) == pytest.approx(expected)
