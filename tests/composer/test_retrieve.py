"""Candidates of a spot: the words around it, as many as asked for, no picture twice, and only what is on the disk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from limner.composer.article import Spot
from limner.composer.markdown import parse_draft
from limner.composer.retrieve import paragraphs_around, retrieve
from limner.index.build import build
from limner.index.library import Library
from limner.index.records import Hit, ImageRecord
from PIL import Image

from ..colours import ColourEncoder
from ..scenes import scene

SPOT = Spot(0, "red")
DRAFT = parse_draft("# Title\n\nFirst *text*.\n\n## Part\n\nSecond text.\n\n- a list\n\n---\n")


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


class Shelf:
    """Gives its pictures in order, and remembers what it was asked."""

    def __init__(self, *pictures: ImageRecord) -> None:
        self.pictures = pictures
        self.contexts: list[Sequence[str]] = []

    def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
        self.contexts.append(context)
        return [Hit(picture, 0.5) for picture in self.pictures if picture.id not in exclude][:m]

    def duplicates(self, image_id: int) -> Collection[int]:
        return ()


def test_paragraphs_around_pass_over_headings() -> None:
    assert paragraphs_around(DRAFT.blocks, 1) == ("First text.", "Second text.")
    assert paragraphs_around(DRAFT.blocks, 3) == ("Second text.", "a list")
    assert paragraphs_around(DRAFT.blocks, 4) == ("a list",)
    assert paragraphs_around(DRAFT.blocks, -1) == ("First text.",)
    assert paragraphs_around((), 0) == ()


def test_retrieve_asks_with_the_paragraphs_and_skips_copies_and_lost_files(tmp_path: Path) -> None:
    pictures = []
    for number, digest in enumerate("aabc", start=1):
        path = tmp_path / f"{number}.png"
        pictures.append(ImageRecord(number, path, 1, 1, digest, 1, 1))
        if number != 3:
            path.touch()
    shelf = Shelf(*pictures)

    found = retrieve(Spot(1, "a fox"), shelf, 2, used=(), blocks=DRAFT.blocks)

    assert [hit.image.id for hit in found.hits] == [1, 4]
    assert set(shelf.contexts) == {("First text.", "Second text.")}
