"""Candidates of a spot: as many as asked for wherever the library has them, no picture twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from limner.composer.article import Spot
from limner.composer.retrieve import retrieve
from limner.index.build import build
from limner.index.library import Library
from PIL import Image

from ..colours import ColourEncoder
from ..scenes import scene

SPOT = Spot(0, "red")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Four scenes; ten near copies of the first, which is the reddest, and two exact ones of the second."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    red = Image.new("RGB", (320, 240), "red")
    for seed in range(4):
        Image.blend(scene(seed), red, 0.5 if seed == 0 else 0.1).save(folder / f"{seed}.png")
    first = Image.open(folder / "0.png")
    for number in range(10):
        first.resize((200 + number, 150 + number)).save(folder / f"0-{number}.png")
    for number in range(2):
        (folder / f"1-{number}.png").write_bytes((folder / "1.png").read_bytes())
    build([folder], tmp_path / "library", encoder=ColourEncoder())
    return Library.open(tmp_path / "library", encoder=ColourEncoder())


def _scenes(library: Library, m: int, used: list) -> list[str]:
    return [hit.image.path.name[0] for hit in retrieve(SPOT, library, m, used=used).hits]


@pytest.mark.parametrize("m", [1, 2, 3, 4, 9])
def test_retrieve_offers_one_of_a_group_and_as_many_as_there_are_groups(library: Library, m: int) -> None:
    found = _scenes(library, m, [])
    assert found[0] == "0"
    assert len(found) == len(set(found)) == min(m, 4)


def test_retrieve_offers_none_of_a_group_that_is_in_the_article(library: Library) -> None:
    used = library.search("red", 14)
    placed = [next(hit for hit in used if hit.image.path.name[0] == number) for number in "01"]
    assert sorted(_scenes(library, 4, placed)) == ["2", "3"]


def test_retrieve_takes_the_next_of_a_group_whose_file_is_gone(library: Library) -> None:
    first = retrieve(SPOT, library, 1, used=[]).hits[0]
    first.image.path.unlink()
    second = retrieve(SPOT, library, 1, used=[]).hits[0]
    assert second.image.path.name[0] == "0"
    assert second.image.path != first.image.path
