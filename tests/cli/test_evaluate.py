"""`limner evaluate`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from limner.cli.wiring import Wiring

from ..colours import ColourEncoder
from ..sentences import TopicSentences
from .conftest import Limner
from .fakes import ColourModel, colour_wiring

COLOURS = ("red", "green", "blue", "black")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Four documents that each speak of a colour before its picture; and what a site has that is broken."""
    folder = tmp_path / "site"
    folder.mkdir()
    for colour in COLOURS:
        (folder / f"{colour}.png").touch()
        (folder / f"{colour}.md").write_text(
            "---\ntitle: A day\n---\n\nIt was a morning like all the others, and nobody was awake yet.\n\n"
            f"Then all at once everything that anybody could see was {colour}, and it stayed {colour}.\n\n"
            f"![Something {colour}]({colour}.png)\n\nIn the evening it was over, and people went to sleep again.\n"
        )
    (folder / "odd.md").write_text("---\na: [\n---\n\n![A](gone.png) ![B](https://example.org/b.png)\n")
    return folder


def results(text: str, task: str, system: str) -> dict[str, float]:
    return {
        row["measure"]: row["value"]
        for row in json.loads(text)["results"]
        if (row["task"], row["system"]) == (task, system)
    }


def test_json_has_every_measure_and_what_was_left_out(limner: Limner, site: Path) -> None:
    done = limner("evaluate", "articles", site, "--json")

    assert done.exit_code == 0, done.stderr
    assert results(done.stdout, "retrieval", "words")["recall_at_1"] == 1.0
    assert results(done.stdout, "placement", "words")["f1"] == 1.0
    tree: dict[str, Any] = json.loads(done.stdout)
    assert (tree["library_knows"], tree["documents"]) == ("captions", 4)
    reasons = [notice["reason"].partition(":")[0] for notice in tree["sites"][0]["notices"]]
    assert reasons == ["front matter", "missing", "remote"]
    assert "kendall_tau" not in {row["measure"] for row in tree["results"]}  # no document has two pictures
    assert all(row["low"] <= row["value"] <= row["high"] for row in tree["results"])


def test_what_the_library_knows_decides(limner: Limner, site: Path) -> None:
    def recall(*options: str) -> float:
        done = limner("evaluate", "articles", site, "--tasks", "retrieval", "--json", *options)
        return results(done.stdout, "retrieval", "words")["recall_at_1"]

    assert recall("--library-knows", "nothing") == 0.25
    assert recall("--library-knows", "file-names") == 1.0


def test_a_pipe_gets_a_line_a_measure_and_notes_beside_it(limner: Limner, site: Path) -> None:
    done = limner("evaluate", "articles", site, "--tasks", "placement", "--baseline", "uniform, words")

    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == ["site", "task", "system", "measure", "value", "low", "high", "documents"]
    assert {line[2] for line in lines[1:]} == {"uniform", "words"}
    assert "site: 4 pictures in 4 documents, 4 to search" in done.stderr
    assert "odd.md: missing: gone.png" in done.stderr
    assert "Evaluating: 4 of 4" in done.stderr


def test_a_terminal_gets_tables_with_intervals(limner: Limner, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    done = limner("evaluate", "articles", site, "--library-knows", "nothing")

    rows = [line.split() for line in re.sub(r"\x1b\[[\d;]*m", "", done.stdout).splitlines()]
    assert ["System", "R@1", "R@4", "R@8", "MRR"] in rows
    assert ["words", ".250", "1.00", "1.00", ".521"] in rows
    assert [".250,", ".250", "1.00,", "1.00", "1.00,", "1.00", ".521,", ".521"] in rows
    assert {"uniform", "longest-paragraph", "words"} <= {row[0] for row in rows if row}


def test_an_evaluation_goes_on_where_it_stopped(limner: Limner, site: Path, tmp_path: Path) -> None:
    command = ("evaluate", "articles", site, "--out", tmp_path / "out", "--json")
    first = limner(*command)
    path = tmp_path / "out" / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:30])  # as a kill leaves it

    again = limner(*command)

    assert again.stdout == first.stdout
    assert path.read_text().splitlines(keepends=True) == lines
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == json.loads(first.stdout)


def test_other_settings_are_refused_unless_started_over(limner: Limner, site: Path, tmp_path: Path) -> None:
    command = ("evaluate", "articles", site, "--out", tmp_path / "out")
    assert limner(*command).exit_code == 0

    refused = limner(*command, "--library-knows", "alt")
    assert refused.exit_code == 1
    assert "other knows" in refused.stderr
    assert "--start-over" in refused.stderr
    assert "Reading" not in refused.stderr  # a site is read only for what is not refused already

    (site / "red.md").write_text("Another text.\n\n![A](red.png)\n")
    assert "other sites" in limner(*command).stderr
    assert limner(*command, "--start-over").exit_code == 0


def test_files_of_others_in_the_folder_are_left_as_they_are(limner: Limner, site: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "pictures").mkdir(parents=True)
    for name in ("notes.txt", "index.html", "pictures/mine.png"):
        (out / name).write_text("mine")

    for more in ([], ["--library-knows", "alt", "--start-over"]):
        assert limner("evaluate", "articles", site, "--out", out, *more).exit_code == 0
    assert {(out / name).read_text() for name in ("notes.txt", "index.html", "pictures/mine.png")} == {"mine"}


@pytest.mark.parametrize("name", ["evaluation.json", "records.jsonl", "summary.json", "report.html", "judge.html"])
@pytest.mark.parametrize("more", [[], ["--start-over"]])
def test_a_file_of_others_that_would_be_written_over_is_named(
    limner: Limner, site: Path, tmp_path: Path, name: str, more: list[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text('{"theirs": 1}')

    refused = limner("evaluate", "articles", site, "--out", out, *more)

    assert refused.exit_code == 1
    assert name in refused.stderr and "choose another --out" in refused.stderr
    assert "Reading" not in refused.stderr
    assert {path.name: path.read_text() for path in out.iterdir()} == {name: '{"theirs": 1}'}


def test_compare_says_by_how_much_the_second_is_above_the_first(limner: Limner, site: Path, tmp_path: Path) -> None:
    for name, knows in (("a", "nothing"), ("b", "alt")):
        limner("evaluate", "articles", site, "--library-knows", knows, "--out", tmp_path / name, "--tasks", "retrieval")

    done = limner("evaluate", "compare", tmp_path / "a", tmp_path / "b")
    as_json = limner("evaluate", "compare", tmp_path / "a", tmp_path / "b", "--json")

    assert "knows: nothing -> alt" in done.stderr
    assert "site\tretrieval\twords\trecall_at_1\t0.7500\t0.7500\t0.7500\t4" in done.stdout.splitlines()
    assert results(as_json.stdout, "retrieval", "words")["recall_at_1"] == 0.75
    assert json.loads(as_json.stdout)["differ"] == {"knows": ["nothing", "alt"]}


def test_compare_says_what_only_one_has(limner: Limner, site: Path, tmp_path: Path) -> None:
    limner("evaluate", "articles", site, "--out", tmp_path / "a")
    limner("evaluate", "articles", site, "--out", tmp_path / "b", "--limit", 3)

    assert (
        "1 documents are in one of the two alone"
        in limner("evaluate", "compare", tmp_path / "a", tmp_path / "b").stderr
    )


def test_sentences_are_searched_too(limner: Limner, site: Path) -> None:
    wiring = colour_wiring(sentence_encoder=lambda name, device: TopicSentences())

    done = limner(
        "evaluate", "articles", site, "--tasks", "retrieval", "--sentences", "topics", "--json", wiring=wiring
    )

    assert {row["system"] for row in json.loads(done.stdout)["results"]} == {"words and sentences"}
    assert json.loads(done.stdout)["sentences"] == "topics"


def test_the_seed_draws_the_documents(limner: Limner, site: Path, tmp_path: Path) -> None:
    drawn: set[str] = set()
    for seed in range(6):
        out = tmp_path / str(seed)
        done = limner("evaluate", "articles", site, "--limit", 1, "--seed", seed, "--out", out, "--tasks", "retrieval")
        assert "4 documents, 1 of them drawn" in done.stderr
        drawn.add(json.loads((out / "records.jsonl").read_text())["document"])

    assert len(drawn) > 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tasks", "placement,writing"], "has no 'writing'; there are placement, retrieval, selection"),
        (["--baseline", "random"], "has no 'random'"),
        (["--tasks", ","], "names nothing"),
        (["--start-over"], "name its folder by --out"),
        (["--limit", "0"], "--limit"),
        (["--library-knows", "all"], "--library-knows"),
    ],
)
def test_options_that_cannot_be_are_refused(limner: Limner, site: Path, options: list[str], says: str) -> None:
    done = limner("evaluate", "articles", site, *options)

    assert done.exit_code != 0
    assert says in done.stderr
    assert done.stdout == ""


def test_outputs_that_cannot_be_written_are_refused_before_the_work(limner: Limner, site: Path) -> None:
    page = limner("evaluate", "articles", site, "--html", site)
    folder = limner("evaluate", "articles", site, "--out", site / "red.png")

    assert (page.exit_code, folder.exit_code) == (2, 2)
    assert "site is a folder; name a file for the page" in page.stderr
    assert "red.png is a file; name a folder" in folder.stderr
    assert not any("Reading" in done.stderr for done in (page, folder))


def test_a_file_in_the_way_of_an_output_is_named(limner: Limner, site: Path) -> None:
    page = limner("evaluate", "articles", site, "--html", site / "red.png" / "page.html")
    folder = limner("evaluate", "articles", site, "--out", site / "red.png" / "a" / "b")

    assert (page.exit_code, folder.exit_code) == (2, 2)
    assert all("red.png is a file; name a folder" in done.stderr for done in (page, folder))
    assert "Reading" not in page.stderr + folder.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "nano-vml"], "no model is named 'nano-vml'"),
        (["--encoder", "nano-clop"], "no encoder is called 'nano-clop'"),
        (["--sentences", "nobodys"], "no sentence encoder is called 'nobodys'"),
    ],
)
def test_a_name_that_nothing_has_is_refused_before_the_site_is_read(
    limner: Limner, site: Path, options: list[str], says: str
) -> None:
    if "--sentences" in options:
        pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    done = limner("evaluate", "articles", site, *options, wiring=Wiring())

    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {says}")
    assert "Reading" not in done.stderr


def test_what_is_loaded_longest_is_loaded_last(limner: Limner, site: Path) -> None:
    loaded: list[str] = []

    def load(kind: str, thing: object) -> Any:
        return lambda name, how: (loaded.append(kind), thing)[1]

    wiring = colour_wiring(
        encoder=load("encoder", ColourEncoder()),
        sentence_encoder=load("sentences", TopicSentences()),
        model=load("model", ColourModel()),
        check_models=lambda asked: loaded.append(f"checked {asked[0][0]}"),
    )
    limner("evaluate", "articles", site, "--model", "m", "--encoder", "e", "--sentences", "s", wiring=wiring)

    assert loaded == ["checked m", "encoder", "sentences", "model"]


def test_a_model_of_text_alone_may_place(limner: Limner, site: Path) -> None:
    asked: list[bool] = []
    wiring = colour_wiring(check_models=lambda named: asked.extend(options.reads_pictures for _, options in named))
    for tasks in ("placement", "placement,selection"):
        limner("evaluate", "articles", site, "--model", "m", "--tasks", tasks, wiring=wiring)

    assert asked == [False, True]


def test_a_site_whose_pictures_lie_elsewhere_says_what_was_left_out(limner: Limner, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("A paragraph.\n\n![A](gone.png) ![B](https://example.org/b.png)\n")

    done = limner("evaluate", "articles", tmp_path)

    assert done.exit_code == 1
    assert "left out: a.md: missing: gone.png, and 1 more" in done.stderr


def test_a_site_or_a_run_that_is_none_is_one_line(limner: Limner, tmp_path: Path) -> None:
    missing = limner("evaluate", "articles", tmp_path / "nowhere", "--out", tmp_path / "out")
    no_run = limner("evaluate", "compare", tmp_path, tmp_path)

    assert (missing.exit_code, no_run.exit_code) == (1, 1)
    assert missing.stderr.startswith("error: the site")
    assert not (tmp_path / "out").exists()
    assert "holds no evaluation" in no_run.stderr


def test_an_interrupt_says_how_to_go_on(limner: Limner, site: Path) -> None:
    def interrupted(name: str, device: str) -> TopicSentences:
        raise KeyboardInterrupt

    wiring = colour_wiring(sentence_encoder=interrupted)
    done = limner("evaluate", "articles", site, "--sentences", "any", wiring=wiring)

    assert done.exit_code == 130
    assert "with --out DIR the same command goes on" in done.stderr
