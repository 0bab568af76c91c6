"""What people saved from the sheet, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from limner.evaluation.entries import open_entries
from limner.evaluation.errors import EvaluationMismatch, GradesInvalid
from limner.evaluation.grades import read_rated, verdicts_of
from limner.evaluation.rubric import KEYS

from .judged import grades, write_article


def save(path: Path, found: dict[str, Any], *, rater: str = "Ada", seed: int = 0, **more: Any) -> Path:
    path.write_text(json.dumps({"limner_grades": 1, "rater": rater, "seed": seed, "grades": found, **more}))
    return path


def test_grades_come_back_and_unfinished_articles_are_counted(tmp_path: Path) -> None:
    some = {"logic": 3}
    rated = read_rated(
        save(tmp_path / "a.json", {"x": grades(5, 3, 1, 5, 3, 1, 5, 3), "y": some, "z": {}}, rater=" Ada\n")
    )

    assert (rated.rater, rated.unfinished) == ("Ada", 1)
    (verdict,) = rated.verdicts
    assert (verdict.article, verdict.rater, verdict.outcome) == ("x", "Ada", "graded")
    assert verdict.grades == grades(5, 3, 1, 5, 3, 1, 5, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Invalid JSON"),
        ("[]", "holds no grades"),
        ('{"title": "an article"}', "limner_grades: Field required"),
        (json.dumps({"limner_grades": 2, "rater": "A", "seed": 0, "grades": {}}), "limner_grades"),
        (json.dumps({"limner_grades": 1, "rater": "", "seed": 0, "grades": {}}), "rater"),
        (json.dumps({"limner_grades": 1, "rater": "A", "seed": 0, "grades": {"x": {"logic": 4}}}), "must be 1, 3 or 5"),
        (json.dumps({"limner_grades": 1, "rater": "A", "seed": 0, "grades": {"x": {"beauty": 3}}}), "beauty"),
    ],
)
def test_a_file_that_holds_no_grades_says_why(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)

    with pytest.raises(GradesInvalid, match=says) as caught:
        read_rated(path)
    assert str(path) in caught.value.message
    with pytest.raises(GradesInvalid, match="cannot read"):
        read_rated(tmp_path / "nowhere.json")


def test_raters_with_sheets_of_other_seeds_graded_the_same_articles(tmp_path: Path) -> None:
    write_article(tmp_path / "a", "red")
    write_article(tmp_path / "b", "blue")
    entries = open_entries([f"{tmp_path}/a", f"{tmp_path}/b"], seed=0)
    rated = [
        read_rated(
            save(
                tmp_path / f"{rater}.json",
                {entry.id: grades(level) for entry in open_entries([f"{tmp_path}/a", f"{tmp_path}/b"], seed=seed)},
                rater=rater,
                seed=seed,
            )
        )
        for rater, seed, level in (("Ada", 0, 1), ("Bea", 7, 5))
    ]
    found, left_out = verdicts_of(rated, entries)

    assert left_out == 0
    assert {(verdict.article, verdict.rater, verdict.grades["logic"]) for verdict in found} == {
        (entries[0].id, "Ada", 1), (entries[1].id, "Ada", 1), (entries[0].id, "Bea", 5), (entries[1].id, "Bea", 5),
    }  # fmt: skip


def test_grades_of_other_articles_are_left_out_and_counted_and_a_rater_of_none_is_refused(tmp_path: Path) -> None:
    entries = open_entries([str(write_article(tmp_path / "a", "red"))])
    known, unknown = {entries[0].id: grades(3)}, {"0123456789ab": grades(3)}

    found, left_out = verdicts_of([read_rated(save(tmp_path / "x.json", known | unknown))], entries)
    assert ([verdict.article for verdict in found], left_out) == ([entries[0].id], 1)
    with pytest.raises(EvaluationMismatch, match="'Ada' graded none of these"):
        verdicts_of([read_rated(save(tmp_path / "x.json", unknown))], entries)


def test_a_rater_twice_is_refused(tmp_path: Path) -> None:
    entries = open_entries([str(write_article(tmp_path / "a", "red"))])
    rated = [read_rated(save(tmp_path / f"{n}.json", {entries[0].id: dict.fromkeys(KEYS, 3)})) for n in range(2)]

    with pytest.raises(EvaluationMismatch, match="two files hold grades by 'Ada'"):
        verdicts_of(rated, entries)
