"""`limner evaluate` with a model and an encoder: articles, and lists of places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..colours import COLOURS, Paint
from ..composer.models import ColourModel
from .conftest import Limner
from .fakes import colour_wiring

SHOWN = ("red", "green", "blue", "yellow")


@pytest.fixture
def site(tmp_path: Path, paint: Paint) -> Path:
    """Documents of a colour each, which file names and words do not tell."""
    folder = tmp_path / "site"
    for number, colour in enumerate(SHOWN):
        paint(folder / f"{number}.png", colour)
        (folder / f"{colour}.md").write_text(
            f"It was a morning like all the others.\n\nEverything was {colour} that day.\n\n"
            f"![Something {colour}]({number}.png)\n\nThen it ended.\n"
        )
    return folder


@pytest.fixture
def items(tmp_path: Path, paint: Paint) -> Path:
    """Two places; what stands before is green, and the captions say red."""
    for colour in COLOURS:
        paint(tmp_path / f"{colour}.png", colour)
    line = {"context": ["Text.", {"picture": "green.png"}], "caption": "red", "candidates": ["red.png", "green.png"]}
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps({**line, "choice": f"{choice}.png"}) + "\n" for choice in ("green", "red")))
    return path


class Spotter(ColourModel):
    """Places after the paragraph that names a colour, and chooses by colour."""

    def generate(self, messages, *, sampling, schema=None):  # pyright: ignore[reportMissingParameterType]
        yield "2: A colour"


def results(text: str, task: str) -> dict[tuple[str, str], float]:
    rows: list[dict[str, Any]] = json.loads(text)["results"]
    return {(row["system"], row["measure"]): row["value"] for row in rows if row["task"] == task}


def test_a_model_and_an_encoder_are_measured_beside_the_baselines(limner: Limner, site: Path, tmp_path: Path) -> None:
    wiring = colour_wiring(model=lambda name, options: Spotter())
    command = ("evaluate", "articles", site, "--library-knows", "nothing", "--model", "any", "--encoder", "colour")
    done = limner(*command, "--json", "--out", tmp_path / "out", wiring=wiring)

    assert done.exit_code == 0, done.stderr
    placement, selection = (results(done.stdout, task) for task in ("placement", "selection"))
    assert placement["colour", "f1"] == 1.0
    assert placement["author", "clip_score"] > 0.99
    assert selection["CLIP top-1", "agreement"] == 1.0
    assert selection["words and pictures top-1", "agreement"] == 1.0
    assert selection["chance", "agreement"] == 0.25
    assert ("colour", "agreement") in selection
    tree = json.loads(done.stdout)
    assert (tree["model"], tree["encoder"]) == ("colour", "colour")
    settings = json.loads((tmp_path / "out" / "evaluation.json").read_text())["settings"]
    assert (settings["model"], settings["candidates"]) == ("colour", 4)


def test_selection_is_asked_for_with_a_model_alone(limner: Limner, site: Path) -> None:
    def tasks(*options: str) -> set[str]:
        wiring = colour_wiring(model=lambda name, options: Spotter())
        return {
            row["task"]
            for row in json.loads(limner("evaluate", "articles", site, "--json", *options, wiring=wiring).stdout)[
                "results"
            ]
        }

    assert tasks() == {"placement", "retrieval"}
    assert tasks("--model", "any") == tasks("--encoder", "colour") == {"placement", "retrieval", "selection"}
    assert tasks("--tasks", "selection") == {"selection"}


def test_a_broken_picture_is_told_and_left_out(limner: Limner, site: Path) -> None:
    (site / "0.png").write_bytes(b"no picture")
    done = limner("evaluate", "articles", site, "--encoder", "colour")

    assert done.exit_code == 0, done.stderr
    assert "1 pictures could not be read" in done.stderr


def test_an_interrupted_evaluation_looks_at_no_picture_twice(limner: Limner, site: Path, tmp_path: Path) -> None:
    wiring = colour_wiring()
    encoder = wiring.encoder("colour", "cpu")
    command = ("evaluate", "articles", site, "--encoder", "colour", "--out", tmp_path / "out", "--json")

    first = limner(*command, wiring=wiring)
    again = limner(*command, wiring=wiring)

    assert again.stdout == first.stdout
    assert encoder.pictures_encoded == len(SHOWN)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_list_of_places_is_measured(limner: Limner, items: Path, tmp_path: Path) -> None:
    wiring = colour_wiring(model=lambda name, options: ColourModel())
    command = ("evaluate", "selection", items, "--model", "any", "--encoder", "colour", "--out", tmp_path / "out")
    done = limner(*command, "--json", wiring=wiring)

    assert done.exit_code == 0, done.stderr
    assert results(done.stdout, "selection") == {
        ("chance", "agreement"): 0.5,
        ("CLIP top-1", "agreement"): 0.5,
        ("CLIP top-1", "answered"): 1.0,
        ("colour", "agreement"): 0.5,
        ("colour", "answered"): 1.0,
    }
    records = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
    assert [[pick["chosen"] for pick in record["selection"]["colour"]] for record in records] == [[1], [1]]
    assert [[pick["chosen"] for pick in record["selection"]["CLIP top-1"]] for record in records] == [[0], [0]]


def test_two_models_over_one_list_are_compared(limner: Limner, items: Path, tmp_path: Path) -> None:
    class Second(ColourModel):
        name = "second"

        def score(self, messages, answers):  # pyright: ignore[reportMissingParameterType]
            return [0.0, *(-9.0 for _ in answers[1:])]

    items.write_text(items.read_text().splitlines(keepends=True)[0] * 2)
    for folder, model in (("a", ColourModel()), ("b", Second())):
        wiring = colour_wiring(model=lambda name, options, model=model: model)
        limner("evaluate", "selection", items, "--model", "any", "--out", tmp_path / folder, wiring=wiring)

    done = limner("evaluate", "compare", tmp_path / "a", tmp_path / "b", "--json")

    assert results(done.stdout, "selection")["colour -> second", "agreement"] == -1.0


def test_the_page_is_written_beside_the_records_and_where_it_is_asked_for(
    limner: Limner, items: Path, site: Path, tmp_path: Path
) -> None:
    command = ("evaluate", "selection", items, "--encoder", "colour", "--out", tmp_path / "out")
    limner(*command, "--html", tmp_path / "one.html")
    done = limner("evaluate", "articles", site, "--html", tmp_path / "two.html")

    assert 'href="records.jsonl"' in (tmp_path / "out" / "report.html").read_text()
    assert 'href="out/records.jsonl"' in (tmp_path / "one.html").read_text()
    page = (tmp_path / "two.html").read_text()
    assert "<svg" in page
    assert "data:image/webp" in page
    assert "<a href" not in page
    assert f"page: {tmp_path / 'two.html'}" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "words"], "measured as a baseline"),
        (["-m", "1", "--tasks", "selection"], "from 2 to 26"),
        (["-m", "27"], "from 2 to 26"),
        (["--permutations", "0"], "--permutations"),
    ],
)
def test_models_that_cannot_be_measured_are_refused(limner: Limner, site: Path, options: list[str], says: str) -> None:
    done = limner("evaluate", "articles", site, *options)

    assert done.exit_code == 2
    assert says in done.stderr


def test_a_model_without_eyes_may_place_and_not_select(limner: Limner, site: Path) -> None:
    class Blind(Spotter):
        reads_pictures = False

    wiring = colour_wiring(model=lambda name, options: Blind())

    refused = limner("evaluate", "articles", site, "--model", "any", wiring=wiring)
    assert refused.exit_code == 2
    assert "leave selection out of --tasks" in refused.stderr
    assert limner("evaluate", "articles", site, "--model", "any", "--tasks", "placement", wiring=wiring).exit_code == 0


def test_a_list_that_is_none_is_one_line(limner: Limner, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"context": []}\n')
    done = limner("evaluate", "selection", tmp_path / "bad.jsonl", "--encoder", "colour")

    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert "line 1" in done.stderr
    nobody = limner("evaluate", "selection", tmp_path / "bad.jsonl")
    assert nobody.exit_code == 2
    assert "--encoder: nobody is asked" in nobody.stderr


def test_settings_say_how_many_candidates_there_are(limner: Limner, site: Path, own_folder: Path) -> None:
    (own_folder / "limner.toml").write_text("candidates = 2\n")
    done = limner("evaluate", "articles", site, "--tasks", "selection", "--json")

    assert results(done.stdout, "selection")["chance", "agreement"] == 0.5
