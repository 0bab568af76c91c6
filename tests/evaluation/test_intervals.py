"""Intervals over documents: SciPy's bootstrap, the coverage that they promise, and paired differences."""

from __future__ import annotations

import numpy as np
import pytest
from limner.evaluation.intervals import Estimate, Share, differences, estimates
from scipy import stats


def shares(values: np.ndarray, weights: np.ndarray) -> list[list[Share]]:
    """One measure of so many documents."""
    return [[Share(float(value), float(weight))] for value, weight in zip(values, weights, strict=True)]


def width(found: Estimate) -> float:
    assert found.low is not None and found.high is not None
    return found.high - found.low


@pytest.fixture
def documents() -> tuple[np.ndarray, np.ndarray]:
    """Right pictures and pictures of 60 documents."""
    chance = np.random.default_rng(3)
    pictures = chance.integers(1, 9, 60)
    return chance.binomial(pictures, 0.4), pictures


def test_value_is_the_share_over_all_documents() -> None:
    (found,) = estimates([[Share(1, 2)], [Share(0, 1)], [Share(3, 3)]])

    assert found.value == 4 / 6
    assert found.documents == 3
    assert found.low is not None and found.high is not None and found.low <= found.value <= found.high


def test_interval_is_scipy_s_bootstrap(documents: tuple[np.ndarray, np.ndarray]) -> None:
    right, pictures = documents

    def share(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return a.sum(axis) / b.sum(axis)

    expected = stats.bootstrap(
        (right, pictures), share, paired=True, method="percentile", n_resamples=9999, rng=np.random.default_rng(0)
    ).confidence_interval
    (found,) = estimates(shares(right, pictures), seed=1)

    assert found.low == pytest.approx(expected.low, abs=0.01)
    assert found.high == pytest.approx(expected.high, abs=0.01)


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(5)
    pictures = chance.integers(1, 9, (80, 400))
    right = chance.binomial(pictures, 0.3)

    found = estimates(
        [[Share(*pair) for pair in zip(*rows, strict=True)] for rows in zip(right, pictures, strict=True)]
    )

    held = [each.low is not None and each.high is not None and each.low <= 0.3 <= each.high for each in found]
    assert 0.91 <= np.mean(held) <= 0.98


def test_the_same_seed_gives_the_same_interval(documents: tuple[np.ndarray, np.ndarray]) -> None:
    table = shares(*documents)

    assert estimates(table, seed=7) == estimates(table, seed=7)
    assert estimates(table, seed=7) != estimates(table, seed=8)


def test_documents_with_nothing_to_measure_do_not_count(documents: tuple[np.ndarray, np.ndarray]) -> None:
    (alone,), (among,) = estimates(shares(*documents)), estimates([*shares(*documents), *[[Share(0, 0)]] * 20])

    assert (among.value, among.documents) == (alone.value, 60)
    assert width(among) == pytest.approx(width(alone), rel=0.2)


def test_a_measure_that_few_documents_have_is_not_drawn_to_zero() -> None:
    (found,) = estimates([[Share(1, 1)], [Share(1, 1)], *[[Share(0, 0)]] * 50])

    assert found == Estimate(1.0, 1.0, 1.0, 2)


def test_no_documents_have_no_measures() -> None:
    assert estimates([]) == []


def test_nothing_to_measure_is_zero_without_an_interval() -> None:
    assert estimates([[Share(0, 0)], [Share(0, 0)]]) == [Estimate(0.0, None, None, 0)]


def test_one_document_has_no_interval() -> None:
    assert estimates([[Share(1, 2)]]) == [Estimate(0.5, None, None, 1)]


def test_difference_of_a_run_with_itself_is_exactly_zero(documents: tuple[np.ndarray, np.ndarray]) -> None:
    assert differences(shares(*documents), shares(*documents)) == [Estimate(0.0, 0.0, 0.0, 60)]


def test_difference_is_paired(documents: tuple[np.ndarray, np.ndarray]) -> None:
    right, pictures = documents
    better = np.minimum(pictures, right + 1)
    (first,), (second,) = estimates(shares(right, pictures)), estimates(shares(better, pictures))

    (found,) = differences(shares(right, pictures), shares(better, pictures))

    assert found.value == pytest.approx(second.value - first.value)
    assert found.low is not None and found.low > 0
    # What the documents have in common cancels: far narrower than either interval alone.
    assert width(found) < 0.7 * width(first)


def test_difference_against_a_run_that_chose_nothing_divides_by_no_zero() -> None:
    (found,) = differences([[Share(1, 1)], [Share(0, 1)]], [[Share(0, 0)], [Share(0, 0)]])

    assert found.value == -0.5
    assert found.documents == 2


def test_measures_do_not_touch_each_other(documents: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = shares(*documents), shares(documents[1] - documents[0], documents[1])

    both = estimates([[*one, *other] for one, other in zip(first, second, strict=True)])

    assert both == [*estimates(first), *estimates(second)]


def test_many_documents_are_drawn_in_pieces() -> None:
    (found,) = estimates([[Share(float(i % 2), 1.0)] for i in range(1_500)])

    assert width(found) == pytest.approx(2 * 1.96 * 0.5 / 1_500**0.5, rel=0.1)  # by the standard error of a half
