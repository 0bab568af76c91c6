"""Records to measures, by hand."""

from __future__ import annotations

import pytest
from limner.evaluation.errors import EvaluationMismatch
from limner.evaluation.ranking import Rank
from limner.evaluation.records import Placement, Record
from limner.evaluation.report import ALL, Measured, compare, summarise


def record(
    document: str, chosen: dict[str, tuple[tuple[int, ...], str]], ranks: tuple[Rank, ...] = (), site: str = "s"
) -> Record:
    """A document of which the author put a, b and c after blocks 0, 4 and 8."""
    placement = {name: Placement(places, tuple(pictures)) for name, (places, pictures) in chosen.items()}
    return Record(site, document, (0, 4, 8), tuple("abc"), placement, {"words": ranks} if ranks else {})


def values(measured: list[Measured], site: str = "s", system: str = "x") -> dict[str, float]:
    return {m.name.measure: m.estimate.value for m in measured if (m.site, m.name.system) == (site, system)}


def test_the_author_s_own_article_scores_one() -> None:
    perfect = record("a", {"x": ((0, 4, 8), "abc")}, (Rank(0, 1),) * 3)

    measured = summarise([perfect, perfect])

    assert {m.estimate.value for m in measured} == {1.0}
    assert len(measured) == 8 + 4


def test_an_article_without_pictures_scores_zero() -> None:
    assert set(values(summarise([record("a", {"x": ((), "")})])).values()) == {0.0}


def test_a_model_that_places_nothing_has_no_precision_to_compare() -> None:
    nothing, all_right = record("a", {"x": ((), "")}), record("a", {"x": ((0, 4, 8), "abc")})

    assert values(summarise([nothing])).keys().isdisjoint({"precision", "precision_within_1"})
    found = values(compare([nothing], [all_right]))
    assert "precision" not in found
    assert found["recall"] == 1.0


def test_places_are_added_up_over_documents_and_orders_averaged() -> None:
    found = values(summarise([record("a", {"x": ((0, 5, 20), "cba")}), record("b", {"x": ((8,), "a")})]))

    assert found["precision"] == 2 / 4
    assert found["recall"] == 2 / 6
    assert found["f1"] == 4 / 10
    assert found["precision_within_1"] == 3 / 4
    assert found["edit_similarity"] == pytest.approx((1 / 3 + 1 / 3) / 2)
    assert found["kendall_tau"] == (-1 + 0) / 2


def test_a_document_with_one_picture_has_no_order() -> None:
    one = Record("s", "a", (0,), ("a",), {"x": Placement((0,), ("a",))})

    assert "kendall_tau" not in values(summarise([one, one]))
    assert "kendall_tau" not in values(compare([one, one], [one, one]))


def test_ranks_are_averaged_over_pictures() -> None:
    found = values(summarise([record("a", {}, (Rank(0, 1), Rank(3, 1), Rank(0, 2)))]), system="words")

    assert found["recall_at_1"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert found["recall_at_4"] == 1.0
    assert found["mean_reciprocal_rank"] == pytest.approx((1 + 1 / 4 + 3 / 4) / 3)


def test_several_sites_have_a_row_together() -> None:
    one, other = record("a", {"x": ((0, 4, 8), "abc")}), record("a", {"x": ((), "")}, site="t")
    measured = summarise([one, other])

    assert [values(measured, site)["recall"] for site in ("s", "t", ALL)] == [1.0, 0.0, 0.5]


def test_a_run_is_compared_document_by_document_whatever_their_order() -> None:
    worse = [record(name, {"x": ((0, 20, 30), "abc")}) for name in "abcd"]
    better = [record(name, {"x": ((0, 4, 30), "abc")}) for name in "dbca"]

    measured = compare(worse, better)

    recall = next(m.estimate for m in measured if m.name.measure == "recall")
    assert (recall.value, recall.low, recall.high, recall.documents) == pytest.approx((1 / 3, 1 / 3, 1 / 3, 4))
    assert values(measured)["edit_similarity"] == 0.0


def test_systems_of_other_names_are_compared_where_each_is_alone() -> None:
    one, other = record("a", {"x": ((0,), "a")}), record("a", {"y": ((0, 4), "ab")})

    assert values(compare([one], [other]), system="x -> y")["recall"] == pytest.approx(1 / 3)


def test_of_several_systems_the_one_that_each_has_alone_is_compared_too() -> None:
    one = record("a", {"x": ((0,), "a"), "z": ((), "")})
    other = record("a", {"x": ((0, 4), "ab"), "y": ((), "")})
    more = record("a", {"x": ((0, 4), "ab"), "y": ((), ""), "w": ((), "")})

    assert {m.name.system for m in compare([one], [other])} == {"x", "z -> y"}
    assert {m.name.system for m in compare([one], [more])} == {"x"}


def test_what_cannot_be_compared_is_refused() -> None:
    one = record("a", {"x": ((0,), "a")})
    moved = Record("s", "a", (0, 4, 9), tuple("abc"), one.placement)

    with pytest.raises(EvaluationMismatch, match="no document in common"):
        compare([one], [record("b", {"x": ((0,), "a")})])
    with pytest.raises(EvaluationMismatch, match="a of s has other pictures or places"):
        compare([one], [moved])
    with pytest.raises(EvaluationMismatch, match="no measure in common"):
        compare([one], [record("a", {}, (Rank(0, 1),))])
