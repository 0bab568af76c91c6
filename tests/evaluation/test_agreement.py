"""Krippendorff's alpha against the package of that name, and by hand."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from limner.evaluation.agreement import alpha


def test_alpha_by_hand() -> None:
    # Within units (1 - 3)^2 = 4 and 0, mean 2; of the six pairs among 1, 3, 5, 5 the mean is 44 / 6.
    assert alpha([[1, 3], [5, 5]]) == pytest.approx(1 - 2 / (44 / 6))


@pytest.mark.parametrize("seed", range(20))
def test_alpha_is_that_of_the_package(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.choice([1.0, 3.0, 5.0], 12)
    table = np.where(random.random((4, 12)) < 0.6, truth, random.choice([1.0, 3.0, 5.0], (4, 12)))
    table[random.random(table.shape) < 0.25] = np.nan  # some grade less, and some articles are graded once

    units = [[value for value in unit if not np.isnan(value)] for unit in table.T.tolist()]
    assert alpha(units) == pytest.approx(krippendorff.alpha(table, level_of_measurement="interval"))


def test_alpha_of_shares_is_that_of_the_package() -> None:
    table = np.random.default_rng(0).random((3, 9)).round(2)

    assert alpha(table.T.tolist()) == pytest.approx(krippendorff.alpha(table, level_of_measurement="interval"))


def test_alpha_is_one_where_raters_always_agree_and_below_zero_where_they_never_do() -> None:
    assert alpha([[1, 1], [5, 5], [3]]) == 1.0
    opposite = alpha([[1, 5], [5, 1]])
    assert opposite is not None and opposite < 0


@pytest.mark.parametrize("units", [[], [[1], [5]], [[3, 3], [3, 3]], [[0.1 + 0.2] * 2, [0.1 + 0.2] * 3]])
def test_alpha_is_none_where_it_means_nothing(units: list[list[float]]) -> None:
    assert alpha(units) is None
