"""Ranks with equal scores, by hand, over all orders of equal scores, and against scikit-learn."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from limner.evaluation.ranking import CUTOFFS, Rank, rank_of
from sklearn.metrics import label_ranking_average_precision_score, top_k_accuracy_score


def test_the_best_picture_scores_one_everywhere() -> None:
    rank = rank_of(np.array([0.1, 0.9, 0.3]), [1])

    assert rank == Rank(0, 1)
    assert [rank.recall(cutoff) for cutoff in CUTOFFS] == [1.0, 1.0, 1.0]
    assert rank.reciprocal == 1.0


def test_the_last_of_many_scores_next_to_nothing() -> None:
    rank = rank_of(np.arange(100.0), [0])

    assert [rank.recall(cutoff) for cutoff in CUTOFFS] == [0.0, 0.0, 0.0]
    assert rank.reciprocal == 1 / 100


def test_a_tie_of_two_counts_as_half() -> None:
    rank = rank_of(np.array([0.5, 0.5, 0.1]), [0])

    assert rank.recall(1) == 0.5
    assert rank.recall(4) == 1.0
    assert rank.reciprocal == (1 + 1 / 2) / 2


def test_where_nothing_tells_the_pictures_apart_chance_decides() -> None:
    rank = rank_of(np.zeros(16), [3])

    assert [rank.recall(cutoff) for cutoff in CUTOFFS] == [1 / 16, 4 / 16, 8 / 16]
    assert rank.reciprocal == pytest.approx(sum(1 / n for n in range(1, 17)) / 16)


def test_of_several_right_pictures_the_best_counts() -> None:
    assert rank_of(np.array([0.2, 0.9, 0.5]), [0, 2]) == Rank(1, 1)


@pytest.mark.parametrize("scores", [[3, 1, 1, 1, 0], [2, 2, 2, 1], [1, 1]])
def test_values_are_the_averages_over_all_orders_of_equal_scores(scores: list[float]) -> None:
    right = len(scores) - 2
    places: list[int] = []
    for order in permutations(range(len(scores))):
        if all(scores[a] >= scores[b] for a, b in pairwise(order)):
            places.append(order.index(right) + 1)
    rank = rank_of(np.array(scores), [right])

    assert rank.reciprocal == pytest.approx(np.mean([1 / place for place in places]))
    for cutoff in (1, 2, 3, 4):
        assert rank.recall(cutoff) == pytest.approx(np.mean([place <= cutoff for place in places]))


def test_without_ties_values_are_scikit_learn_s() -> None:
    chance = np.random.default_rng(0)
    scores = chance.random((200, 20))
    right = chance.integers(0, 20, 200)
    ranks = [rank_of(line, [int(row)]) for line, row in zip(scores, right, strict=True)]

    # With one right label the average precision is the reciprocal rank.
    expected = label_ranking_average_precision_score(np.eye(20)[right], scores)
    assert np.mean([rank.reciprocal for rank in ranks]) == pytest.approx(expected)
    for cutoff in CUTOFFS:
        expected = top_k_accuracy_score(right, scores, k=cutoff, labels=range(20))
        assert np.mean([rank.recall(cutoff) for rank in ranks]) == pytest.approx(expected)
