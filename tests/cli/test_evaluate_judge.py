"""`limner evaluate judge`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from limner.composer.article import Brief
from limner.evaluation.entries import open_entries

from ..evaluation.judged import Judge, a_reply, grades, write_article
from .conftest import Limner
from .fakes import colour_wiring

PROSE = "I cannot grade this."


@pytest.fixture
def articles(tmp_path: Path) -> list[str]:
    """Two tasks by two systems that are told apart by name."""
    given: list[str] = []
    for system, colour in (("ours", "red"), ("theirs", "blue")):
        for task in ("tea", "bus"):
            path = write_article(
                tmp_path / system / task, colour, brief=Brief(f"Write about {task}"), text=f"On {task}"
            )
            given.append(f"{system}={path}")
    return given


def test_json_has_scores_differences_agreement_and_cost(limner: Limner, articles: list[str]) -> None:
    # the order is shuffled, so that the reply goes by the article
    judge = Judge(lambda number: a_reply(5))
    done = limner("evaluate", "judge", *articles, "--judge", "any", "--json", wiring=colour_wiring(judge))

    assert done.exit_code == 0, done.stderr
    tree = json.loads(done.stdout)
    assert (tree["judge"], tree["repeats"], tree["seed"]) == ("judge", 3, 0)
    assert tree["outcomes"] == {"graded": 12}
    assert tree["cost"]["calls"] == 12
    assert tree["agreement"]["logic"] is None  # nothing varies
    overall = [row for row in tree["results"] if row["measure"] == "overall_score"]
    assert [(row["system"], row["value"], row["tasks"]) for row in overall] == [("ours", 1.0, 2), ("theirs", 1.0, 2)]
    (difference,) = (row for row in tree["differences"] if row["measure"] == "overall_score")
    assert (difference["system"], difference["against"], difference["value"]) == ("theirs", "ours", 0)


def test_a_pipe_gets_a_line_a_measure_and_a_terminal_tables(
    limner: Limner, articles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("evaluate", "judge", *articles, "--repeats", 1)
    piped = limner(*command, wiring=colour_wiring(Judge(lambda number: a_reply(1, 3, 5, 3, 1, 3, 5, 3))))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    shown = limner(*command, wiring=colour_wiring(Judge(lambda number: a_reply(1, 3, 5, 3, 1, 3, 5, 3))))

    lines = [line.split("\t") for line in piped.stdout.splitlines()]
    assert lines[0] == ["system", "less", "measure", "value", "low", "high", "tasks"]
    assert ["ours", "", "text_score", "0.6000", "0.6000", "0.6000", "2"] in lines
    assert ["theirs", "ours", "logic", "0.0000", "0.0000", "0.0000", "2"] in lines
    assert "4 calls, about" in piped.stderr
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown.stdout)
    assert max(map(len, plain.splitlines())) <= 80
    assert ["ours", ".600", ".600", ".600", ".600"] in [line.split() for line in plain.splitlines()]
    assert ["ours", "1.00", "3.00", "5.00", "3.00", "1.00", "3.00", "5.00", "3.00"] in [
        line.split() for line in plain.splitlines()
    ]


def test_a_judge_that_answers_with_prose_is_named_and_no_grades_at_all_is_a_failure(
    limner: Limner, articles: list[str]
) -> None:
    some = Judge(lambda number: PROSE if number < 2 else a_reply(3))
    done = limner("evaluate", "judge", *articles, "--repeats", 1, wiring=colour_wiring(some))
    none = limner("evaluate", "judge", *articles, "--repeats", 1, wiring=colour_wiring(Judge(lambda number: PROSE)))

    assert done.exit_code == 0
    assert "1 reading gave no grades: no reply could be read as grades" in done.stderr
    assert re.search(rf"/article\.json, reading 1: it is not JSON .*'{PROSE}'", done.stderr)
    assert none.exit_code == 1
    assert "error: no article has a grade" in none.stderr


def test_an_interrupted_run_goes_on_where_it_stopped(limner: Limner, articles: list[str], tmp_path: Path) -> None:
    def interrupted(number: int) -> str:
        if number == 5:
            raise KeyboardInterrupt
        return a_reply(3)

    command = ("evaluate", "judge", *articles, "--out", tmp_path / "out", "--json")
    first = limner(*command, wiring=colour_wiring(Judge(interrupted)))
    judge = Judge(lambda number: a_reply(5))
    second = limner(*command, wiring=colour_wiring(judge))

    assert first.exit_code == 130
    assert "with --out DIR the same command goes on" in first.stderr
    assert second.exit_code == 0, second.stderr
    assert len(judge.asked) == 7
    assert json.loads(second.stdout) == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (tmp_path / "out" / "judge.html").is_file()
    other = limner(*command, "--seed", 1, wiring=colour_wiring(Judge(lambda number: a_reply(5))))
    assert (other.exit_code, "--start-over" in other.stderr) == (1, True)
    again = limner(*command, "--seed", 1, "--start-over", wiring=colour_wiring(Judge(lambda number: a_reply(1))))
    assert json.loads(again.stdout)["results"][0]["value"] == pytest.approx(0.2)


def test_a_sheet_is_written_and_its_grades_are_read(limner: Limner, articles: list[str], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    written = limner("evaluate", "judge", *articles, "--sheet", sheet, "--seed", 4)

    assert written.exit_code == 0, written.stderr
    assert written.stdout.strip() == str(sheet)
    ids = [entry.id for entry in open_entries(articles, seed=4)]
    assert all(f'id="{id_}"' in sheet.read_text() for id_ in ids)
    files: list[object] = []
    for rater, levels in (("Ada", (1, 3, 5, 5)), ("Bea", (1, 3, 3, 5))):
        found = {id_: grades(level) for id_, level in zip(ids, levels, strict=True)}
        path = tmp_path / f"{rater}.json"
        path.write_text(json.dumps({"limner_grades": 1, "rater": rater, "seed": 4, "grades": found}))
        files += ["--grades", path]
    done = limner("evaluate", "judge", *articles, *files, "--out", tmp_path / "out", "--json")

    assert done.exit_code == 0, done.stderr
    tree = json.loads(done.stdout)
    assert tree["raters"] == ["Ada", "Bea"]
    value = {row["system"]: row["value"] for row in tree["results"] if row["measure"] == "logic"}
    assert value == {"ours": 2, "theirs": 4.5}
    # by hand: one pair of four differs, by 2; the 28 pairs among 1, 1, 3, 3, 3, 5, 5, 5 differ by 156 squared
    assert tree["agreement"]["logic"] == tree["agreement"]["overall_score"] == pytest.approx(1 - 1 / (156 / 28))
    assert "Ada, Bea" in (tmp_path / "out" / "judge.html").read_text()
    assert not (tmp_path / "out" / "records.jsonl").exists()
    again = limner("evaluate", "judge", *articles, *files, "--out", tmp_path / "out", "--json")
    assert again.stdout == done.stdout
    shown = limner("evaluate", "judge", *articles, *files)
    assert "Agreement between raters (Krippendorff's alpha): overall .821" in shown.stderr


def test_grades_do_not_go_into_the_records_of_a_judge(limner: Limner, articles: list[str], tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    limner("evaluate", "judge", *articles, *out, wiring=colour_wiring(Judge(lambda number: a_reply(5))))
    path = tmp_path / "a.json"
    found = {open_entries(articles)[0].id: grades(3)}
    path.write_text(json.dumps({"limner_grades": 1, "rater": "A", "seed": 0, "grades": found}))
    refused = limner("evaluate", "judge", *articles, "--grades", path, *out)

    assert (refused.exit_code, "holds another evaluation" in refused.stderr) == (1, True)


@pytest.mark.parametrize("name", ["summary.json", "judge.html", "evaluation.json"])
def test_a_file_of_others_is_not_written_over(limner: Limner, articles: list[str], tmp_path: Path, name: str) -> None:
    path, out = tmp_path / "a.json", tmp_path / "out"
    path.write_text(
        json.dumps({"limner_grades": 1, "rater": "A", "seed": 0, "grades": {open_entries(articles)[0].id: grades(3)}})
    )
    out.mkdir()
    (out / name).write_text("theirs")
    loaded: list[str] = []
    wiring = colour_wiring(model=lambda name, options: loaded.append(name))
    by_people = limner("evaluate", "judge", *articles, "--grades", path, "--out", out)
    by_model = limner("evaluate", "judge", *articles, "--out", out, "--start-over", wiring=wiring)

    assert (by_people.exit_code, by_model.exit_code, loaded) == (1, 1, [])
    assert all(name in done.stderr and "choose another --out" in done.stderr for done in (by_people, by_model))
    assert (out / name).read_text() == "theirs"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--sheet", "x.html", "--out", "y"], "--sheet"),
        (["--sheet", "x.html", "--judge", "m"], "--sheet"),
        (["--grades", "x.json", "--repeats", "2"], "--grades"),
        (["--start-over"], "--start-over"),
        (["--sheet", "."], "--sheet"),
        (["--repeats", "0"], "--repeats"),
    ],
)
def test_options_that_cannot_be_together_are_refused(
    limner: Limner, articles: list[str], own_folder: Path, options: list[str], says: str
) -> None:
    done = limner("evaluate", "judge", *articles, *options)

    assert done.exit_code != 0
    assert says in done.stderr
    assert list(own_folder.iterdir()) == []


def test_the_embedded_model_is_said_to_be_no_judge(limner: Limner, articles: list[str]) -> None:
    done = limner("evaluate", "judge", *articles, wiring=colour_wiring(Judge(lambda number: PROSE)))

    assert "note: nano-vlm knows only drawn picture-book scenes" in done.stderr
