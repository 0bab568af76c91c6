"""The eight dimensions, and the paper's score of them."""

from __future__ import annotations

import pytest
from limner.evaluation.rubric import DIMENSIONS, IMAGE, KEYS, LEVELS, PREFERENCE, TEXT, Scores, is_complete, scores_of

from .judged import grades

# Zhang et al. 2023, table 9: average, preference, text, image.
BY_PEOPLE = [
    (0.62, 0.52, 0.80, 0.54), (0.64, 0.54, 0.82, 0.56), (0.71, 0.64, 0.88, 0.59), (0.74, 0.65, 0.90, 0.67),
    (0.77, 0.73, 0.95, 0.64),
]  # fmt: skip
BY_GPT_4V = [
    (0.82, 0.78, 0.91, 0.72), (0.81, 0.82, 0.89, 0.70), (0.84, 0.84, 0.91, 0.75), (0.87, 0.90, 0.93, 0.79),
    (0.89, 0.88, 0.96, 0.78),
]  # fmt: skip
ROUNDING = 0.01  # of four numbers with two decimals


def test_scores_of_eight_grades_by_hand() -> None:
    # text 5 + 3 + 5 + 3 = 16 of 20, pictures 3 + 1 + 5 = 9 of 15, preference 3 of 5
    scores = scores_of(grades(5, 3, 5, 3, 3, 1, 5, 3))

    assert (scores.text, scores.image, scores.preference) == pytest.approx((0.8, 0.6, 0.6))
    assert scores.overall == pytest.approx((0.8 + 0.6 + 0.6) / 3)


def test_scores_lie_between_a_fifth_and_one() -> None:
    assert scores_of(grades(1)).overall == pytest.approx(0.2)
    assert scores_of(grades(5)).overall == 1.0


@pytest.mark.parametrize(("average", "preference", "text", "image"), BY_PEOPLE)
def test_overall_is_the_papers_average_by_people(average: float, preference: float, text: float, image: float) -> None:
    assert Scores(text, image, preference).overall == pytest.approx(average, abs=ROUNDING)


@pytest.mark.parametrize(("average", "preference", "text", "image"), BY_GPT_4V)
def test_the_papers_averages_by_its_judge_are_those_of_all_eight_grades(
    average: float, preference: float, text: float, image: float
) -> None:
    """Where they differ from the mean of three by more than rounding, which the paper says and we follow."""
    assert (20 * text + 15 * image + 5 * preference) / 40 == pytest.approx(average, abs=ROUNDING)


def test_of_the_papers_averages_by_its_judge_two_are_not_by_its_formula() -> None:
    off = [average for average, preference, text, image in BY_GPT_4V
           if abs(Scores(text, image, preference).overall - average) > ROUNDING]  # fmt: skip

    assert off == [0.82, 0.89]


def test_dimensions_are_four_of_the_text_three_of_the_pictures_and_one_of_liking() -> None:
    assert (len(TEXT), len(IMAGE), PREFERENCE) == (4, 3, "preference")
    assert (*TEXT, *IMAGE, PREFERENCE) == KEYS
    assert all(len(dimension.levels) == len(LEVELS) == len(set(dimension.levels)) for dimension in DIMENSIONS)


@pytest.mark.parametrize("level", [0, 2, 4, 6])
def test_grades_between_the_levels_are_none(level: int) -> None:
    assert is_complete(grades(3))
    assert not is_complete({**grades(3), "logic": level})
    assert not is_complete(dict.fromkeys(KEYS[1:], 3))
