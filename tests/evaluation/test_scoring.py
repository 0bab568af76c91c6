"""Verdicts to scores of systems, their differences and the agreement of raters."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from limner.composer.article import Article, Brief
from limner.evaluation.entries import Entry
from limner.evaluation.rubric import IMAGE, KEYS, PREFERENCE, TEXT
from limner.evaluation.scoring import (
    MEASURES,
    Measured,
    agreement,
    bring_together,
    compare,
    measures_of,
    summarise,
    summary_of,
)
from limner.evaluation.verdicts import Verdict

from .judged import grades


def an_entry(id_: str, *, system: str = "one", task: str | None = None) -> Entry:
    article = Article(f"Title of {id_}", Brief("x"), {}, ())
    return Entry(id_, id_, system, task or id_, Path(f"/articles/{system}/{id_}/article.json"), article)


def a_verdict(article: str, rater: str, *levels: int) -> Verdict:
    return Verdict(article, rater, "graded", grades(*levels), calls=1, prompt_tokens=100, reply_tokens=10, seconds=0.5)


def values(measured: list[Measured], system: str) -> dict[str, float]:
    return {each.measure: each.estimate.value for each in measured if each.system == system}


def spread(total: int, count: int) -> list[int]:
    """So many levels that add up to total."""
    for fives, threes in product(range(count + 1), repeat=2):
        if fives + threes <= count and 5 * fives + 3 * threes + (count - fives - threes) == total:
            return [5] * fives + [3] * threes + [1] * (count - fives - threes)
    raise AssertionError(f"{count} levels cannot add up to {total}")


def test_twenty_articles_by_ten_people_give_a_row_of_the_papers_table() -> None:
    # Table 9 of Zhang et al. 2023, by people: .74 of .65, .90 and .67 for XComposer. 20 articles by 10 people are 200
    # grades a dimension, of which .65 is 650, .90 and .67 in all dimensions of the text and pictures 3,600 and 2,010.
    totals = {key: 3600 // len(TEXT) for key in TEXT} | {key: 2010 // len(IMAGE) for key in IMAGE} | {PREFERENCE: 650}
    columns = [spread(totals[key], 200) for key in KEYS]
    rows = list(zip(*columns, strict=True))
    entries = [an_entry(f"{number:02}") for number in range(20)]
    raters = list(product(entries, range(10)))
    verdicts = [a_verdict(entry.id, f"person {n}", *row) for (entry, n), row in zip(raters, rows, strict=True)]

    found = values(summarise(bring_together(entries, verdicts)), "one")
    assert found["preference_score"] == pytest.approx(0.65)
    assert found["text_score"] == pytest.approx(0.90)
    assert found["image_score"] == pytest.approx(0.67)
    assert found["overall_score"] == pytest.approx(0.74)


def test_measures_are_the_scores_and_the_grades() -> None:
    found = measures_of(grades(5, 3, 5, 3, 3, 1, 5, 3))

    assert tuple(found) == MEASURES
    assert [found[name] for name in MEASURES[:4]] == pytest.approx([2 / 3, 0.6, 0.8, 0.6])
    assert [found[key] for key in KEYS] == [5, 3, 5, 3, 3, 1, 5, 3]


def test_readings_are_averaged_first_and_articles_count_alike() -> None:
    entries = [an_entry("a"), an_entry("b")]
    verdicts = [a_verdict("a", "1", 1), a_verdict("a", "2", 5), a_verdict("a", "3", 3), a_verdict("b", "1", 5)]

    # a has the mean 3, b has 5, however often each was read
    assert values(summarise(bring_together(entries, verdicts)), "one")["logic"] == 4


def test_what_has_no_grades_counts_for_nothing_and_is_counted() -> None:
    entries = [an_entry("a"), an_entry("b"), an_entry("c", system="two")]
    unparsed = [Verdict(id_, "1", "unparsed", note="prose") for id_ in ("b", "c")]
    graded = bring_together(entries, [a_verdict("a", "1", 3), *unparsed])

    assert graded[1].means == {}
    found = summarise(graded)
    assert {each.system for each in found} == {"one"}
    assert (found[0].estimate.value, found[0].estimate.documents) == (pytest.approx(0.6), 1)
    assert summary_of(graded, seed=0)["outcomes"] == {"graded": 1, "unparsed": 2}


def test_articles_of_one_task_are_drawn_together() -> None:
    """Ten that one system made for one task are one sample, not ten."""
    entries = [an_entry(f"{number}", task="the same") for number in range(10)]
    verdicts = [a_verdict(entry.id, "1", [1, 5][number % 2]) for number, entry in enumerate(entries)]
    (overall, *_) = summarise(bring_together(entries, verdicts))

    assert (overall.estimate.value, overall.estimate.low, overall.estimate.documents) == (pytest.approx(0.6), None, 1)


def test_a_difference_is_of_the_tasks_that_both_systems_have_grades_for() -> None:
    entries = [an_entry(f"a{task}", task=task) for task in "xyzw"]
    entries += [an_entry(f"b{task}", system="two", task=task) for task in "xyzv"]
    levels = {"ax": 1, "ay": 3, "az": 1, "aw": 5, "bx": 3, "by": 5, "bv": 1}
    verdicts = [a_verdict(id_, "1", level) for id_, level in levels.items()] + [Verdict("bz", "1", "unparsed")]
    found = {each.measure: each for each in compare(bring_together(entries, verdicts))}

    assert (found["logic"].against, found["logic"].system) == ("one", "two")
    estimate = found["logic"].estimate
    # In x and y two is one level above one, so that nothing varies: w, v and z say nothing.
    assert (estimate.value, estimate.low, estimate.high, estimate.documents) == (2, 2, 2, 2)
    assert found["overall_score"].estimate.value == pytest.approx(0.4)


def test_systems_without_a_common_task_are_not_compared() -> None:
    graded = bring_together(
        [an_entry("a"), an_entry("b", system="two")], [a_verdict("a", "1", 1), a_verdict("b", "1", 5)]
    )

    assert compare(graded) == []


def test_agreement_is_between_those_who_graded_the_same_article() -> None:
    entries = [an_entry("a"), an_entry("b"), an_entry("b", system="two")]  # the same article by two systems counts once
    rows = {"a": [(1, 3, 3, 3, 3, 3, 3, 5), (3, 3, 3, 3, 3, 3, 3, 5)], "b": [(5, 3, 3, 3, 3, 3, 3, 1)] * 2}
    verdicts = [a_verdict(id_, str(n), *row) for id_, found in rows.items() for n, row in enumerate(found)]
    found = agreement(bring_together(entries, verdicts))

    assert found["instruction_following"] == pytest.approx(1 - 2 / (44 / 6))  # as by hand in test_agreement
    assert found["preference"] == found["preference_score"] == 1.0
    assert found["logic"] is None


def test_a_summary_adds_up_what_verdicts_cost_and_names_articles() -> None:
    entries = [an_entry("a"), an_entry("a", system="two")]
    summary = summary_of(bring_together(entries, [a_verdict("a", "1", 3), a_verdict("a", "2", 5)]), seed=0, judge="j")

    assert summary["judge"] == "j"
    assert summary["cost"] == {"calls": 2, "prompt_tokens": 200, "reply_tokens": 20, "seconds": 1.0}
    assert [each["article"] for each in summary["articles"]] == [str(entry.path) for entry in entries]
    assert {row["measure"] for row in summary["results"]} == {*MEASURES}
    assert summary["differences"][0]["value"] == 0
