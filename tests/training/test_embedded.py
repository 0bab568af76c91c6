"""The committed models do on the sample library what they were trained for, by the pipeline's own path."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from limner.composer.article import Candidates, Draft, Spot
from limner.composer.markdown import parse_draft
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.protocols import Message, Sampling
from limner.composer.select import fit_prompt, select
from limner.index.decode import decode
from limner.index.encoder import load_encoder
from limner.index.records import Hit, ImageRecord

LIBRARY = Path(__file__).parents[2] / "sample_repos" / "picture_book"


@dataclass(frozen=True)
class Shown:
    """A sample picture by its title: Orange cat on the beach."""

    path: Path
    caption: str
    colour: str
    subject: str
    where: str


@pytest.fixture(scope="module")
def pictures() -> list[Shown]:
    with (LIBRARY / "limner-metadata.csv").open(encoding="utf-8", newline="") as file:
        shown = []
        for row in csv.DictReader(file):
            colour, subject, where = row["title"].split(" ", 2)
            shown.append(Shown(LIBRARY / row["file"], row["caption"], colour.lower(), subject, where))
    return shown


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return load_model("nano-vlm", ModelOptions(device="cpu"))


def test_nano_clip_finds_the_captions_picture(pictures: list[Shown]) -> None:
    encoder = load_encoder("nano-clip", "cpu")
    images = encoder.encode_images([decode(shown.path, target_px=encoder.image_side_px) for shown in pictures])
    asked = pictures[::6]
    first = (encoder.encode_texts([shown.caption for shown in asked]) @ images.T).argmax(1)
    right = [
        (pictures[i].subject, pictures[i].colour, pictures[i].where) == (shown.subject, shown.colour, shown.where)
        for i, shown in zip(first, asked, strict=True)
    ]
    assert sum(right) / len(right) >= 0.9


def questions(pictures: list[Shown], count: int) -> Iterator[tuple[list[Shown], list[Shown], Shown]]:
    """Two earlier pictures of a thing, the four colours of it at a third place, and the right one of them."""
    by_thing: dict[str, dict[str, list[Shown]]] = defaultdict(lambda: defaultdict(list))
    for shown in pictures:
        by_thing[shown.subject][shown.where].append(shown)
    for number in range(count):
        subject = list(by_thing)[number % len(by_thing)]
        wheres = list(by_thing[subject])
        colour = sorted({shown.colour for shown in by_thing[subject][wheres[0]]})[number % 4]
        candidates = by_thing[subject][wheres[2]]
        candidates = candidates[number % 3 :] + candidates[: number % 3]
        placed = [next(s for s in by_thing[subject][where] if s.colour == colour) for where in wheres[:2]]
        yield placed, candidates, next(s for s in candidates if s.colour == colour)


def question(
    model: LocalModel, placed: list[Shown], candidates: list[Shown]
) -> tuple[list[Message], Draft, dict[int, Path], Candidates]:
    """What the pipeline asks at the last of three paragraphs, and what it asks it of."""
    subject = candidates[0].subject
    paragraphs = [f"Then the {subject} came {shown.where}. It was a good day." for shown in [*placed, candidates[0]]]
    draft = parse_draft("# A Day\n\n" + "\n\n".join(paragraphs) + "\n")
    hits = tuple(Hit(ImageRecord(i, s.path, 1, 1, s.path.name, 640, 480), 0.5) for i, s in enumerate(candidates))
    context = {number: shown.path for number, shown in enumerate(placed, start=1)}
    spot = Spot(len(paragraphs), f"The {subject} {candidates[0].where}")
    asked = Candidates(spot, hits)
    return fit_prompt(draft, context, asked, model)[0], draft, context, asked


def choose(model: LocalModel, placed: list[Shown], candidates: list[Shown]) -> Shown | None:
    _, draft, context, asked = question(model, placed, candidates)
    hit = select(draft, context, asked, model).choice.hit
    return None if hit is None else next(shown for shown in candidates if shown.path == hit.image.path)


def test_nano_vlm_chooses_by_the_earlier_pictures(pictures: list[Shown], model: LocalModel) -> None:
    asked = list(questions(pictures, 24))
    right = [choose(model, placed, candidates) is wanted for placed, candidates, wanted in asked]
    assert sum(right) / len(right) >= 0.7
    bare = [choose(model, [], candidates) is wanted for _, candidates, wanted in asked]
    assert sum(bare) / len(bare) <= 0.5  # chance is 0.25


def test_nano_vlm_says_what_the_candidates_are(pictures: list[Shown], model: LocalModel) -> None:
    right = 0
    for placed, candidates, wanted in (asked := list(questions(pictures, 8))):
        look = "".join(model.generate(question(model, placed, candidates)[0], sampling=Sampling(120))).splitlines()
        expected = [f"{shown.subject} {shown.where}, {shown.colour}" for shown in (wanted, *candidates)]
        right += sum(want in line for want, line in zip(expected, look, strict=False))
    assert right / (5 * len(asked)) >= 0.8


def test_nano_vlm_scores_do_not_depend_on_what_was_asked_before(pictures: list[Shown], model: LocalModel) -> None:
    (placed, candidates, _), (other, others, _) = questions(pictures, 2)
    first = choose(model, placed, candidates)
    choose(model, other, others)
    assert choose(model, placed, candidates) is first
