"""What was measured, with an interval: the bootstrap over documents, whose pictures are not independent of each other.

A measure is a sum over documents as a share of another: right places of all places, or values of so many documents.

Source: Efron 1979, doi:10.1214/aos/1176344552; the intervals are its percentiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LEVEL = 0.95
RESAMPLES = 5_000
_AT_ONCE = 1_000_000  # numbers drawn, so that many documents take no more memory than few


@dataclass(frozen=True, slots=True)
class Share:
    """What a document adds to a measure: so much of so much."""

    value: float
    weight: float  # from 0: a document that has nothing to measure


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure over documents; with fewer than two of them there is no interval."""

    value: float
    low: float | None
    high: float | None
    documents: int  # that have something to measure


def estimates(documents: Sequence[Sequence[Share]], *, seed: int = 0) -> list[Estimate]:
    """Each measure with its 95 % interval: documents (d) of measures (m) to estimates (m).

    A measure is 0 where there is nothing to measure. A draw of documents of which none has a weight says nothing.
    """
    table, has = _table(documents)
    return _estimates(table, has, _ratios, seed)


def differences(
    first: Sequence[Sequence[Share]], second: Sequence[Sequence[Share]], *, seed: int = 0
) -> list[Estimate]:
    """By how much each measure of second is above that of first; the same documents in the same order.

    Both are drawn from the same documents each time, so that what makes a document hard for both cancels.
    """
    import numpy as np

    (one, in_one), (other, in_other) = _table(first), _table(second)
    pair = np.stack([one, other], 2)  # (d, m, 2 runs, 2)

    def above(sums: np.ndarray) -> np.ndarray:
        return _ratios(sums[:, :, 1]) - _ratios(sums[:, :, 0])

    return _estimates(pair, in_one | in_other, above, seed)


def _table(documents: Sequence[Sequence[Share]]) -> tuple[np.ndarray, np.ndarray]:
    """(documents, measures, 2): value and weight; and which document (d, m) bool has something of which measure."""
    import numpy as np

    rows = [[(share.value, share.weight) for share in row] for row in documents]
    table = np.array(rows, np.float64).reshape(len(rows), len(rows[0]) if rows else 0, 2)
    has = table[:, :, 1] > 0
    table[:, ~has.any(0), 1] = 1  # nothing in any document: 0, in every draw
    return table, has


def _estimates(
    table: np.ndarray, has: np.ndarray, measured: Callable[[np.ndarray], np.ndarray], seed: int
) -> list[Estimate]:
    import numpy as np

    if not len(table):
        return []
    values, counts = measured(table.sum(0, keepdims=True))[0], has.sum(0)
    drawn = np.concatenate([measured(sums) for sums in _resampled(table, seed)]) if len(table) > 1 else None
    found: list[Estimate] = []
    for measure, (value, count) in enumerate(zip(values.tolist(), counts.tolist(), strict=True)):
        low = high = None
        if drawn is not None and count > 1:
            said = drawn[~np.isnan(drawn[:, measure]), measure]
            low, high = (float(side) for side in np.quantile(said, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
        found.append(Estimate(value, low, high, count))
    return found


def _resampled(table: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """The sums of RESAMPLES draws of as many documents as there are, with replacement: (some draws, ...) each."""
    import numpy as np

    chance = np.random.default_rng(seed)
    size = max(1, _AT_ONCE // len(table))
    even = np.full(len(table), 1 / len(table))
    flat = table.reshape(len(table), -1)
    for start in range(0, RESAMPLES, size):
        draws = chance.multinomial(len(table), even, min(size, RESAMPLES - start))  # (draws, documents) int64
        yield (draws @ flat).reshape(len(draws), *table.shape[1:])


def _ratios(sums: np.ndarray) -> np.ndarray:
    """Value by weight of (draws, measures, 2): (draws, measures) float64, NaN where the weight is 0."""
    import numpy as np

    values, weights = sums[..., 0], sums[..., 1]
    return np.divide(values, weights, out=np.full_like(values, np.nan), where=weights > 0)
