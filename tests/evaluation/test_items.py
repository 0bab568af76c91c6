"""A list of places with candidates, from a file to records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from limner.evaluation.errors import ItemsInvalid
from limner.evaluation.items import evaluate_items, read_items
from limner.evaluation.records import Keeper
from limner.evaluation.report import summarise
from limner.evaluation.seen import see

from ..colours import COLOURS, ColourEncoder, Paint
from ..composer.models import ColourModel


@pytest.fixture
def folder(tmp_path: Path, paint: Paint) -> Path:
    for name, colour in COLOURS.items():
        paint(tmp_path / "pictures" / f"{name}.png", colour)
    return tmp_path


def line(choice: str = "green", before: str = "green", **more: Any) -> dict[str, Any]:
    """After text and a picture; the candidates are red, green and blue."""
    return {
        "context": ["First.\n\nSecond.", {"picture": f"pictures/{before}.png"}],
        "candidates": [f"pictures/{name}.png" for name in ("red", "green", "blue")],
        "choice": f"pictures/{choice}.png",
        **more,
    }


def write(folder: Path, *lines: dict[str, Any] | str) -> Path:
    path = folder / "items.jsonl"
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines))
    return path


def test_items_are_read_with_paths_from_their_file(folder: Path) -> None:
    (item,) = read_items(write(folder, line(title="A walk", caption="A door"), "")).items

    assert item.asked.title == "A walk"
    assert [getattr(part, "markdown", part) for part in item.asked.context] == [
        "First.",
        "Second.",
        folder / "pictures" / "green.png",
    ]
    assert (item.asked.candidates[item.asked.answer].stem, item.text) == ("green", "A door")
    assert item.article == "line 1"


def test_systems_agree_as_often_as_they_do(folder: Path) -> None:
    items = read_items(
        write(
            folder,
            line(caption="green", article="one"),
            line(caption="red", article="one"),
            line("blue", before="red", caption="something blue"),
            line("blue", before="red", caption="nothing of the kind"),
        )
    )
    seen = see(items.candidates, ColourEncoder(), folder / "library")

    records = evaluate_items(items, Keeper(None, []), model=ColourModel(), seen=seen)

    measured = {(m.name.system, m.name.measure): m.estimate for m in summarise(records)}
    assert measured["colour", "agreement"].value == 2 / 4
    assert measured["colour", "answered"].value == 1.0
    assert measured["CLIP top-1", "agreement"].value >= 2 / 4
    assert measured["chance", "agreement"].value == pytest.approx(1 / 3)
    assert [(record.document, len(record.questions)) for record in records] == [
        ("one", 2),
        ("line 3", 1),
        ("line 4", 1),
    ]


def test_where_there_is_no_caption_clip_goes_by_the_last_text(folder: Path) -> None:
    (item,) = read_items(write(folder, line(context=["A red day.", "A green evening."]))).items

    assert item.text == "A green evening."


def test_a_limit_takes_the_first_articles_and_what_is_kept_is_not_asked_again(folder: Path) -> None:
    items = read_items(write(folder, line(), line(), line()))
    keeper, model = Keeper(None, []), ColourModel()

    first = evaluate_items(items.first(2), keeper, model=model)
    asked = len(model.asked)
    evaluate_items(items, keeper, model=model)

    assert len(first) == 2
    assert len(items.first(2).items) == 2 and items.first(None) == items  # so pictures of the others are not looked at
    assert (asked, len(model.asked)) == (2, 3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("{", "line 2"),
        (line(choice="white"), "none of the candidates"),
        (line(candidates=["pictures/green.png"]), "candidates"),
        (line(candidates=["pictures/green.png", "pictures/green.png"]), "twice"),
        (line(candidates=["pictures/green.png", "pictures/grey.png"]), "grey.png is not there"),
        (line(before="grey"), "grey.png is not there"),
        (line(answer=1), "answer"),
        (line(candidates=["pictures/green.png", *map(str, range(26))]), "candidates"),
    ],
)
def test_a_line_that_is_no_item_is_named(folder: Path, wrong: dict[str, Any] | str, says: str) -> None:
    with pytest.raises(ItemsInvalid, match="line 2") as caught:
        read_items(write(folder, line(), wrong))
    assert says in caught.value.message


def test_a_file_that_is_missing_or_empty_is_said_to_be(folder: Path) -> None:
    with pytest.raises(ItemsInvalid, match="cannot read"):
        read_items(folder / "none.jsonl")
    with pytest.raises(ItemsInvalid, match="has no items"):
        read_items(write(folder))
