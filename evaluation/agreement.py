"""How far raters agree beyond chance: Krippendorff's alpha, with the interval metric.

The well-kept package for it has a licence that Limner cannot take on (GPL); it is the reference of the tests.

Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain


def alpha(units: Sequence[Sequence[float]]) -> float | None:
    """1 for raters who always agree, 0 for what chance would give, below it for worse.

    None where that has no meaning: no unit with two values, or all values alike.

    Args:
        units: for each thing that was rated the values that it was given, by however many raters.
    """
    rated = [values for values in units if len(values) > 1]
    everything = list(chain.from_iterable(rated))
    if len(set(everything)) < 2:
        return None
    # Both are means of (a - b)^2 over pairs: within units, a unit counting by its values, and among all values.
    observed = sum(len(values) * _disagreement(values) for values in rated) / len(everything)
    return 1 - observed / _disagreement(everything)


def _disagreement(values: Sequence[float]) -> float:
    """The mean of (a - b)^2 over all pairs of two values: twice their variance."""
    mean = sum(values) / len(values)
    return 2 * sum((value - mean) ** 2 for value in values) / (len(values) - 1)
