"""`limner batch`."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from limner.composer.errors import ReplyInvalid
from limner.composer.protocols import Message, Sampling

from .conftest import Limner
from .fakes import ColourModel, colour_wiring


class ManyColours(ColourModel):
    """The colour model for many prompts at once; remembers the kind and size of each pass."""

    def __init__(self, **other: Any) -> None:
        super().__init__(**other)
        self.passes: list[tuple[str, int]] = []

    def generate_many(self, prompts: Any, samplings: Any, schemas: Any) -> list[str]:
        self.passes.append(("generate", len(prompts)))
        return ["".join(self.generate(p, sampling=s)) for p, s in zip(prompts, samplings, strict=True)]

    def score_many(self, prompts: Any, answers: Any) -> list[list[float]]:
        self.passes.append(("score", len(prompts)))
        return [self.score(p, a) for p, a in zip(prompts, answers, strict=True)]


class Stubborn(ManyColours):
    """Writes nothing for some words."""

    def __init__(self, word: str, fault: Exception) -> None:
        super().__init__()
        self.word = word
        self.fault = fault

    def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Any:
        if any(self.word in part for message in messages for part in message.parts if isinstance(part, str)):
            raise self.fault
        return super().generate(messages, sampling=sampling)


Batch = Callable[..., Any]


@pytest.fixture
def batch(limner: Limner, library: Path, tmp_path: Path) -> Batch:
    """batch(rows, *options, model=...): the command on these rows as JSON Lines, into tmp_path/out."""

    def call(
        rows: Sequence[object], *more: object, model: ColourModel | None = None, out: str = "out", **wiring: Any
    ) -> Any:
        path = tmp_path / "briefs.jsonl"
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        given = ("batch", path, "--library", library, "--out", tmp_path / out, *more)
        return limner(*given, wiring=colour_wiring(model or ManyColours(), **wiring))

    return call


def record(tmp_path: Path, out: str = "out") -> dict[str, Any]:
    return json.loads((tmp_path / out / "batch.json").read_text())


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


THREE = [
    {"id": "one", "instruction": "Of red and blue"},
    {"id": "two", "instruction": "green", "images": 1},
    {"id": "three", "instruction": "Of yellow, black, white"},
]


def test_batch_composes_a_folder_for_every_row(batch: Batch, tmp_path: Path) -> None:
    model = ManyColours()
    result = batch(THREE, model=model)

    assert result.exit_code == 0, result.stderr
    out = tmp_path / "out"
    assert [Path(line).name for line in result.stdout.splitlines()] == ["index.html", "batch.json"]
    assert sorted(path.name for path in (out / "three" / "images").iterdir()) == [
        "black.png",
        "white.png",
        "yellow.png",
    ]
    tree = record(tmp_path)
    assert [(row["id"], row["status"], row["pictures"]) for row in tree["rows"]] == [
        ("one", "done", 2), ("two", "done", 1), ("three", "done", 3),
    ]  # fmt: skip
    assert tree["counts"] == {"rows": 3, "done": 3, "failed": 0, "unfinished": 0}
    assert model.passes[:3] == [("generate", 3), ("generate", 3), ("score", 3)]  # all write, find places, choose
    assert "3 of 3 rows stand" in result.stderr
    assert "3 of 3" in result.stderr and "a minute" in result.stderr and "left" in result.stderr
    assert "\x1b" not in result.output


def test_a_row_is_what_compose_gives_for_it(batch: Batch, limner: Limner, library: Path, tmp_path: Path) -> None:
    assert batch(THREE).exit_code == 0
    alone = limner("compose", "Of red and blue", "--library", library, "--out", tmp_path / "alone")

    assert alone.exit_code == 0, alone.stderr
    of_row = files(tmp_path / "out" / "one")
    assert of_row.pop("row.json") and of_row.pop("card.webp")
    assert of_row == files(tmp_path / "alone")


def test_the_same_batch_twice_gives_the_same_bytes(batch: Batch, tmp_path: Path) -> None:
    for out in ("first", "second"):
        assert batch([*THREE, {"instruction": "grey"}], "--batch-size", 2, out=out).exit_code == 1
    first, second = files(tmp_path / "first"), files(tmp_path / "second")
    assert len(first) > 30
    assert first == second


def test_batch_size_bounds_the_passes(batch: Batch) -> None:
    model = ManyColours()
    assert batch(THREE, "--batch-size", 2, model=model).exit_code == 0
    assert max(size for _, size in model.passes) == 2


@pytest.mark.parametrize("fault", [ReplyInvalid("no article came"), RuntimeError("torch fell over")])
def test_a_row_that_fails_is_recorded_and_the_others_stand(batch: Batch, tmp_path: Path, fault: Exception) -> None:
    result = batch(THREE, model=Stubborn("green", fault))

    assert result.exit_code == 1
    rows = record(tmp_path)["rows"]
    assert [row["status"] for row in rows] == ["done", "failed", "done"], [row["reason"] for row in rows]
    assert str(fault) in rows[1]["reason"]
    assert "Traceback" not in result.output
    assert "2 of 3 rows stand" in result.stderr


def test_bad_rows_are_named_and_the_others_run(batch: Batch, tmp_path: Path) -> None:
    result = batch(['{"instruction": "red", "tittle": "x"}', *THREE, "{"])

    assert result.exit_code == 1
    rows = record(tmp_path)["rows"]
    assert [row["status"] for row in rows] == ["failed", "done", "done", "done", "failed"]
    assert rows[0]["reason"] == "line 1 has an unknown key: tittle; did you mean `title`?"
    assert rows[0]["folder"] is None
    assert "did you mean `title`?" in result.stderr
    assert "line 5" in (tmp_path / "out" / "index.html").read_text()


def test_resume_redoes_what_failed_and_no_more(batch: Batch, tmp_path: Path) -> None:
    batch(THREE, model=Stubborn("green", ReplyInvalid("not today")))
    kept = files(tmp_path / "out" / "one")
    model = ManyColours()
    result = batch(THREE, "--resume", model=model)

    assert result.exit_code == 0, result.stderr
    assert model.asked == ["write", "spots", "select"]
    assert [row["status"] for row in record(tmp_path)["rows"]] == ["done"] * 3
    assert files(tmp_path / "out" / "one") == kept
    assert "3 of 3 rows stand, 2 of them from before" in result.stderr


def test_resume_of_a_finished_batch_asks_nothing_and_changes_nothing(batch: Batch, tmp_path: Path) -> None:
    batch(THREE)
    before = files(tmp_path / "out")
    model = ManyColours()
    assert batch(THREE, "--resume", model=model).exit_code == 0
    assert (model.asked, files(tmp_path / "out")) == ([], before)


def test_resume_redoes_an_edited_row_and_leaves_a_deleted_one(batch: Batch, tmp_path: Path) -> None:
    batch(THREE)
    model = ManyColours()
    result = batch([THREE[0], {"id": "two", "instruction": "cyan"}], "--resume", model=model)

    assert result.exit_code == 0, result.stderr
    assert model.asked.count("write") == 1
    assert [path.name for path in (tmp_path / "out" / "two" / "images").iterdir()] == ["cyan.png"]
    assert record(tmp_path)["left"] == ["three"]
    assert (tmp_path / "out" / "three" / "article.html").is_file()
    assert "three is of a row that the list has no more" in result.stderr


def test_resume_makes_a_row_again_whose_files_were_lost(batch: Batch, tmp_path: Path) -> None:
    batch(THREE)
    (tmp_path / "out" / "one" / "article.html").unlink()
    model = ManyColours()
    assert batch(THREE, "--resume", model=model).exit_code == 0
    assert model.asked == []  # its steps were kept
    assert (tmp_path / "out" / "one" / "article.html").is_file()


def test_a_batch_is_not_begun_over_another(batch: Batch, tmp_path: Path) -> None:
    batch(THREE)
    before = files(tmp_path / "out")
    again = batch(THREE)
    other = batch(THREE, "--resume", "--model", "other")

    assert (again.exit_code, "--resume" in again.stderr) == (1, True)
    assert (other.exit_code, "of other models (writer, selector)" in other.stderr) == (1, True)
    assert files(tmp_path / "out") == before


def test_ctrl_c_leaves_finished_rows_whole_and_resume_goes_on(batch: Batch, tmp_path: Path) -> None:
    calls: list[str] = []

    def interrupt(question: str) -> None:
        calls.append(question)
        if calls.count("write") == 3 and question == "select":
            raise KeyboardInterrupt

    stopped = batch(THREE, "--batch-size", 2, model=ManyColours(before_call=interrupt))
    assert stopped.exit_code == 130
    assert "--resume" in stopped.stderr and "Traceback" not in stopped.output
    assert [row["status"] for row in record(tmp_path)["rows"]] == ["done", "done", "unfinished"]
    kept = files(tmp_path / "out" / "one")

    model = ManyColours()
    assert batch(THREE, "--batch-size", 2, "--resume", model=model).exit_code == 0
    assert "write" not in model.asked  # the text was kept
    assert files(tmp_path / "out" / "one") == kept
    assert [row["status"] for row in record(tmp_path)["rows"]] == ["done"] * 3


def test_a_row_that_ended_in_a_stopped_group_stands(batch: Batch, tmp_path: Path) -> None:
    asked: list[str] = []

    def interrupt(question: str) -> None:
        asked.append(question)
        if asked.count("select") == 4:  # the first spot of each is done, and "two" has no other
            raise KeyboardInterrupt

    assert batch(THREE, model=ManyColours(before_call=interrupt)).exit_code == 130
    assert [row["status"] for row in record(tmp_path)["rows"]] == ["unfinished", "done", "unfinished"]
    assert "<h2>Rows without an article</h2>" in (tmp_path / "out" / "index.html").read_text()


def test_jobs_run_side_by_side_with_a_model_that_answers_one_at_a_time(batch: Batch, tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=120)
    writing: list[str] = []

    def work(question: str) -> None:
        if question == "write":
            writing.append(question)
            if len(writing) <= 2:
                both.wait()  # nobody goes on before the other row writes too

    result = batch(THREE, "--jobs", 2, model=ColourModel(before_call=work))
    assert result.exit_code == 0, result.stderr
    assert [row["id"] for row in record(tmp_path)["rows"]] == ["one", "two", "three"]


def test_ctrl_c_stops_jobs_at_their_next_question(batch: Batch, tmp_path: Path) -> None:
    asked: list[str] = []

    def interrupt(question: str) -> None:
        asked.append(question)
        if len(asked) == 2:
            raise KeyboardInterrupt

    stopped = batch(THREE, "--jobs", 1, model=ColourModel(before_call=interrupt))
    assert stopped.exit_code == 130
    assert len(asked) <= 3
    assert [row["status"] for row in record(tmp_path)["rows"]] == ["unfinished"] * 3


@pytest.mark.parametrize(
    ("option", "model", "complaint"),
    [("--jobs", ManyColours(), "is for served models"), ("--batch-size", ColourModel(), "is for local models")],
)
def test_an_option_of_another_kind_of_model_is_a_usage_error(
    batch: Batch, option: str, model: ColourModel, complaint: str
) -> None:
    result = batch(THREE, option, 2, model=model)
    assert (result.exit_code, complaint in result.stderr) == (2, True)


def test_a_row_outside_of_the_models_world_fails_unless_insisted(batch: Batch, tmp_path: Path) -> None:
    rows = [THREE[1], {"id": "fog", "instruction": "grey and red"}]
    assert batch(rows).exit_code == 1
    assert "grey is outside of the coloured world" in record(tmp_path)["rows"][1]["reason"]
    assert batch(rows, "--resume", "--anyway").exit_code == 0
    assert record(tmp_path)["rows"][1]["notices"] == ["grey is outside of the coloured world"]


def test_a_row_keeps_what_compose_would_have_told(batch: Batch, tmp_path: Path) -> None:
    rows = [
        {"id": "none", "instruction": "red", "where": "title = 'turquoise'"},
        {"id": "some", "instruction": "red", "where": "title = 'red'"},
    ]
    result = batch(rows, "--anyway", check_library=lambda *_: "these pictures are dull")

    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("these pictures are dull") == 1
    none, some = (row["notices"] for row in record(tmp_path)["rows"])
    told = "no picture of the library meets the condition: title = 'turquoise'"
    assert none[:2] == [told, "these pictures are dull"]
    assert some[0] == "these pictures are dull"
    assert json.loads((tmp_path / "out" / "none" / "article.json").read_text())["notices"] == none


def test_options_and_defaults_hold_for_rows_that_say_nothing(batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text("candidates = 3\nseed = 9\nwhere = \"title <> 'red'\"\n")
    rows = [
        {"id": "a", "instruction": "red, blue, green"},
        {"id": "b", "instruction": "red, blue", "images": 2, "seed": 1},
    ]
    flags = ("--images", 1, "--seed", 5, "--permutations", 2, "--fallback", "top1")
    result = batch(rows, *flags, "--defaults", tmp_path / "d.toml", "--format", "markdown")

    assert result.exit_code == 0, result.stderr
    briefs = [json.loads((tmp_path / "out" / name / "article.json").read_text())["brief"] for name in "ab"]
    assert [(b["images"], b["seed"], b["candidates"]) for b in briefs] == [(1, 5, 3), (2, 1, 3)]
    assert briefs[0]["where"] == "title <> 'red'"
    assert (briefs[0]["permutations"], briefs[0]["fallback"]) == (2, "top1")
    assert not (tmp_path / "out" / "a" / "article.html").exists()


def test_a_folder_of_drafts_is_illustrated(limner: Limner, library: Path, tmp_path: Path) -> None:
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    (drafts / "one.md").write_text("# One\n\nEverything was red that day.\n")
    (drafts / "broken.md").write_bytes(b"\xff\xfe\x00")
    result = limner(
        "batch", drafts, "--library", library, "--out", tmp_path / "out", wiring=colour_wiring(ManyColours())
    )

    assert result.exit_code == 1
    states = {row["id"]: (row["status"], row["reason"]) for row in record(tmp_path)["rows"]}
    assert states["one"][0] == "done"
    assert "broken.md is not text" in states["broken"][1]
    assert (tmp_path / "out" / "one" / "images" / "red.png").is_file()


def test_words_illustrate_drafts_without_a_model(limner: Limner, library: Path, tmp_path: Path) -> None:
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    (drafts / "one.md").write_text("# One\n\nEverything was red that day.\n")
    (drafts / "untitled.md").write_text("Everything was blue that day.\n")
    result = limner("batch", drafts, "--library", library, "--out", tmp_path / "out", "--model", "words")
    assert result.exit_code == 0, result.stderr
    assert {"one: done: One", "untitled: done"} <= set(result.stderr.splitlines())


def test_json_is_the_record_with_the_paths(batch: Batch, tmp_path: Path) -> None:
    result = batch(THREE, "--json")
    tree = json.loads(result.stdout)
    assert tree.pop("page") == str(tmp_path / "out" / "index.html")
    assert tree.pop("batch") == str(tmp_path / "out" / "batch.json")
    assert tree == record(tmp_path)


def test_a_list_or_condition_that_is_none_is_refused_before_anything_is_written(
    batch: Batch, limner: Limner, library: Path, tmp_path: Path
) -> None:
    missing = limner("batch", tmp_path / "no.csv", "--library", library, "--out", tmp_path / "out")
    twice = batch([THREE[0], THREE[0]])
    condition = batch(THREE, "--where", "getenv('HOME') = 'x'")

    assert [result.exit_code for result in (missing, twice, condition)] == [1, 1, 1]
    assert "line 1 and line 2" in twice.stderr
    assert "cannot call getenv" in condition.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--engine", "ray", "--jobs", 2), "--jobs"),
        (("--address", "head:6379"), "--engine ray"),
        (("--jobs", 0), "from 1"),
    ],
)
def test_batch_usage_error(batch: Batch, tmp_path: Path, options: tuple[object, ...], complaint: str) -> None:
    result = batch(THREE, *options)
    assert (result.exit_code, complaint in result.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
