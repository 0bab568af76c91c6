"""Candidates of a spot: the words around it, no copies, and only what is on the disk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from limner.composer.article import Spot
from limner.composer.markdown import parse_draft
from limner.composer.retrieve import paragraphs_around, retrieve
from limner.index.records import Hit, ImageRecord

DRAFT = parse_draft("# Title\n\nFirst *text*.\n\n## Part\n\nSecond text.\n\n- a list\n\n---\n")


class Shelf:
    """Gives its pictures in order, and remembers what it was asked."""

    def __init__(self, *pictures: ImageRecord) -> None:
        self.pictures = pictures
        self.contexts: list[Sequence[str]] = []

    def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
        self.contexts.append(context)
        return [Hit(picture, 0.5) for picture in self.pictures if picture.id not in exclude][:m]


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
