"""The sample library as it travels in the wheel, and the generator that draws it."""

from __future__ import annotations

import csv
import importlib.util
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from limner.index.csvfile import COLUMNS, METADATA_NAME, read_metadata
from PIL import Image

from training.picture_book.generate import (
    FIXED_PLACES,
    KINDS,
    OUT,
    SCENE_SEEDS,
    Picture,
    plan,
    row_for,
    write_library,
    write_picture,
)
from training.picture_book.world import PLACES, SUBJECTS, TIMES
from training.pictures import TEST_SEED, TRAIN_SEED

needs_skia = pytest.mark.skipif(importlib.util.find_spec("skia") is None, reason="skia-python is not installed")


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return plan()


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Every picture file that lies in the library."""
    return sorted(path for path in OUT.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (OUT / METADATA_NAME).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- what lies in the folder ---


def test_library_has_enough_pictures_in_a_mix_of_formats(files: list[Path]) -> None:
    assert len(files) >= 400
    counts = Counter(path.suffix for path in files)
    assert 0.40 <= counts[".jpg"] / len(files) <= 0.60
    assert min(counts[".png"], counts[".webp"]) / len(files) >= 0.20


def test_library_pictures_open_at_one_size_in_the_format_they_are_named_for(files: list[Path]) -> None:
    formats = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
    for path in files:
        with Image.open(path) as image:
            image.load()
            assert (image.size, image.format) == ((640, 480), formats[path.suffix]), path.name


def test_library_stays_under_12_megabytes() -> None:
    assert sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file()) <= 12_000_000


def test_metadata_names_every_picture_once(files: list[Path], rows: list[dict[str, str]]) -> None:
    assert sorted(row["file"] for row in rows) == [path.relative_to(OUT).as_posix() for path in files]


def test_metadata_is_read_without_notices(files: list[Path], rows: list[dict[str, str]]) -> None:
    found = read_metadata([OUT / METADATA_NAME], files)
    assert found.notices == []
    assert set(rows[0]) <= set(COLUMNS)
    for row in rows:
        metadata = found.by_path[OUT / row["file"]]
        assert metadata.keywords == tuple(row["keywords"].split(";"))
        assert (metadata.creator, metadata.licence) == ("The Limner authors", "CC0-1.0")
        assert metadata.title and metadata.caption and metadata.alt


def test_metadata_is_what_the_plan_says(pictures: list[Picture], rows: list[dict[str, str]]) -> None:
    assert rows == sorted(map(row_for, pictures), key=lambda row: row["file"])


# --- what is drawn ---


def test_plan_covers_the_vocabulary(pictures: list[Picture]) -> None:
    scenes = [picture.scene for picture in pictures]
    assert {scene.main.subject for scene in scenes} == set(SUBJECTS) and len(SUBJECTS) >= 20
    assert {scene.time for scene in scenes} == set(TIMES)
    per_place = Counter(scene.place for scene in scenes)
    assert set(per_place) == set(PLACES) and len(PLACES) >= 10
    assert len(set(per_place.values())) == 1
    assert 0.2 <= sum(len(scene.things) > 1 for scene in scenes) / len(scenes) <= 0.4


def test_plan_puts_every_subject_in_its_four_colours_at_the_same_place(pictures: list[Picture]) -> None:
    together: defaultdict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in pictures:
        together[picture.scene.main.subject, picture.scene.place].append(picture)
    for (subject, _), four in together.items():
        assert tuple(picture.scene.main.colour for picture in four) == SUBJECTS[subject]
        assert len({(picture.scene.time, picture.scene.weather) for picture in four}) == 1


def test_plan_keeps_the_fixed_places(pictures: list[Picture]) -> None:
    for subject, places in FIXED_PLACES.items():
        assert {p.scene.place for p in pictures if p.scene.main.subject == subject} == set(places)


def test_plan_has_a_kind_for_every_subject() -> None:
    assert sorted(subject for subjects in KINDS.values() for subject in subjects) == sorted(SUBJECTS)


def test_plan_uses_no_seed_of_training_or_test_pictures(pictures: list[Picture]) -> None:
    seeds = {picture.scene.seed for picture in pictures}
    assert len(seeds) == len(pictures)
    assert TRAIN_SEED + 100_000 < SCENE_SEEDS[0] <= min(seeds) <= max(seeds) < SCENE_SEEDS[1] < TEST_SEED


def test_plan_depends_on_the_seed_alone(pictures: list[Picture]) -> None:
    assert plan() == pictures
    assert plan(1) != pictures


def test_row_describes_an_orange_cat(pictures: list[Picture]) -> None:
    picture = next(p for p in pictures if p.file.startswith("animals/orange-cat-in-the-garden-1"))
    row = row_for(picture)
    assert row["title"] == "Orange cat in the garden"
    assert row["caption"].startswith("An orange cat")
    assert row["caption"].startswith(row["alt"].removesuffix("."))
    assert row["keywords"].startswith("cat;orange;")


# --- how it is drawn ---


@needs_skia
def test_write_picture_draws_what_lies_in_the_library(pictures: list[Picture], tmp_path: Path) -> None:
    for picture in pictures[:: len(pictures) // 12]:
        with Image.open(write_picture(picture, tmp_path)) as again, Image.open(OUT / picture.file) as kept:
            difference = np.asarray(again.convert("RGB"), np.int16) - np.asarray(kept.convert("RGB"), np.int16)
        # Nothing on the machine that drew them; another processor may round a gradient differently.
        assert np.abs(difference).mean() < 0.5, picture.file


@needs_skia
def test_write_library_gives_the_same_bytes_and_removes_only_its_own_pictures(
    pictures: list[Picture], tmp_path: Path
) -> None:
    few = pictures[:: len(pictures) // 6]
    for folder in (tmp_path / "one", tmp_path / "two"):
        size = write_library(few, folder)
        assert size == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for path in (path for path in (tmp_path / "one").rglob("*") if path.is_file()):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
    (tmp_path / "one" / "notes.txt").write_text("kept")
    write_library(few[:2], tmp_path / "one")
    left = {path.relative_to(tmp_path / "one").as_posix() for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert left == {few[0].file, few[1].file, METADATA_NAME, "notes.txt"}
