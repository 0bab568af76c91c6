"""Illustrating without a model: the words of the library choose places and pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from limner.composer.article import Brief, Candidates, Figure, Spot
from limner.composer.errors import BriefInvalid
from limner.composer.markdown import parse_draft
from limner.composer.pipeline import compose
from limner.composer.words import choose_first, find_spots
from limner.index.build import build
from limner.index.library import Library
from limner.index.records import Hit, ImageRecord

from ..colours import ColourEncoder, Paint

CAPTIONS = {
    "a.png": "A red fox asleep in the snow",
    "b.png": "The lighthouse on the northern cliffs",
    "c.png": "Loaves of rye bread in a stone oven",
    "d.png": "Wooden boats in the old harbour",
}
DRAFT = parse_draft(
    "# A week on the island\n\n"
    "We came without much of a plan, and stayed for longer than we had thought.\n\n"
    "At dusk the lighthouse began to turn, high above the cliffs and the gulls.\n\n"
    "## Bread\n\n"
    "The baker lit his oven at four, and by six the first loaves of rye were done.\n\n"
    "Short.\n\n"
    "In the harbour the boats lay side by side, all of them of wood and painted blue.\n"
)


@pytest.fixture
def library(tmp_path: Path, paint: Paint) -> Library:
    """Pictures that look alike, so that words alone tell them apart."""
    folder = tmp_path / "pictures"
    for number, name in enumerate(CAPTIONS):
        paint(folder / name, (90, 90, 90), size=(30 + number, 30))
    rows = "".join(f'{name},"{caption}"\n' for name, caption in CAPTIONS.items())
    (folder / "limner-metadata.csv").write_text(f"file,caption\n{rows}")
    build([folder], tmp_path / "library", encoder=ColourEncoder())
    return Library.open(tmp_path / "library", encoder=ColourEncoder())


def test_places_are_the_paragraphs_that_single_a_picture_out(library: Library) -> None:
    spots = find_spots(DRAFT, library, images=3)
    assert spots.notices == ()
    assert [(DRAFT.blocks[spot.after_block].markdown.split()[1], spot.caption) for spot in spots.spots] == [
        ("dusk", CAPTIONS["b.png"]),
        ("baker", CAPTIONS["c.png"]),
        ("the", CAPTIONS["d.png"]),
    ]


@pytest.mark.parametrize(
    "heading", ["References", "3. Works cited:", "Further Reading", "Literaturverzeichnis", "*Références*", "参考文献"]
)
def test_a_list_of_works_has_no_pictures_and_what_follows_it_does(library: Library, heading: str) -> None:
    text = (
        f"# Trip\n\n## {heading}\n\nFox, A. 2017. *Red foxes asleep in the snow: a study*. New York: Fox.\n\n"
        "### Books\n\n- Stone, B. 1990. *Wooden boats in the old harbour*. London: Stone.\n\n"
        "## Harbours\n\nThe lighthouse on the northern cliffs was the first thing that we saw of it.\n"
    )
    (spot,) = find_spots(parse_draft(text), library, images=3).spots

    assert spot.caption == CAPTIONS["b.png"]


@pytest.mark.parametrize("heading", ["References in the bread", "Readings", "Literature of the north"])
def test_a_section_that_speaks_of_works_may_have_pictures(library: Library, heading: str) -> None:
    text = f"# Trip\n\n## {heading}\n\nWooden boats lay in the old harbour when the lighthouse began to turn.\n"

    assert len(find_spots(parse_draft(text), library, images=1).spots) == 1


def test_a_short_text_has_one_picture_and_a_long_one_more(library: Library) -> None:
    assert len(find_spots(DRAFT, library, images=None).spots) == 1
    more = "\n\n".join([DRAFT.markdown, *["Nothing of all this was new to anybody who lived there. " * 12] * 8])
    assert len(find_spots(parse_draft(more), library, images=None).spots) == 2


def test_a_chinese_text_is_measured_in_characters(library: Library) -> None:
    filler = "这里没有什么新鲜事，大家都早就知道了。" * 40
    text = "# 面包\n\n" + "\n\n".join(f"A {word} here. {filler}" for word in ("lighthouse", "fox", "loaves"))

    assert len(find_spots(parse_draft(text), library, images=None).spots) == 3


def test_short_paragraphs_have_what_the_long_ones_leave(library: Library) -> None:
    recipe = "# Bread\n\n面包在石头烤箱里烤，船在港口。\n\nA fox.\n\n" + DRAFT.blocks[2].markdown

    def places(images: int | None) -> list[int]:
        return [spot.after_block for spot in find_spots(parse_draft(recipe), library, images=images).spots]

    assert places(None) == places(1) == [3]
    assert places(2) == [2, 3]
    assert find_spots(parse_draft("A fox.\n"), library, images=None).spots == ()


def test_no_picture_parts_a_line_from_the_list_that_it_announces(library: Library) -> None:
    before = "# Bread\n\nThe lighthouse on the northern cliffs needs all of this, and no more"
    after = "\n\n- oil\n\nThe baker and the loaves.\n"

    def place(mark: str) -> int:
        return find_spots(parse_draft(before + mark + after), library, images=1).spots[0].after_block

    assert (place("."), place(":"), place("：")) == (1, 3, 3)


def test_what_is_said_leads_before_what_an_encoder_sees(tmp_path: Path) -> None:
    """Where words say nothing the encoder's order alone makes up the score, and its best leads by far."""
    files = [tmp_path / name for name in ("a.png", "b.png")]
    for file in files:
        file.touch()
    records = [ImageRecord(i + 1, file, 1, 1, f"{i}", 1, 1) for i, file in enumerate(files)]

    class Noisy:
        def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
            if "lighthouse" in text:
                shares = [("picture", 0.02), ("words", 0.5)], [("picture", 0.03), ("words", 0.3)]
            else:
                shares = [("picture", 1.0)], [("picture", 0.1)]
            hits = [
                Hit(record, sum(x for _, x in said), tuple(said)) for record, said in zip(records, shares, strict=True)
            ]
            return [hit for hit in hits if hit.image.id not in exclude][:m]

        def duplicates(self, image_id: int) -> Collection[int]:
            return ()

    assert [spot.after_block for spot in find_spots(DRAFT, Noisy(), images=1).spots] == [2]
    without = parse_draft(DRAFT.markdown.replace("lighthouse", "light"))
    assert [spot.after_block for spot in find_spots(without, Noisy(), images=1).spots] == [1]


def test_no_picture_has_two_places(library: Library) -> None:
    text = DRAFT.markdown + "\nAnd again the lighthouse turned above the northern cliffs all night long.\n"
    spots = find_spots(parse_draft(text), library, images=4)
    assert len({spot.caption for spot in spots.spots}) == len(spots.spots)


def test_more_pictures_than_the_words_speak_for_are_said_to_be_missing(library: Library) -> None:
    spots = find_spots(DRAFT, library, images=9)
    assert "9 pictures asked for" in spots.notices[0]
    assert len(spots.spots) <= 4


def test_illustrates_a_draft_without_any_model(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    article = compose(
        Brief("", images=3), writer=None, selector=None, library=library, encoder="colour", out=out, draft=DRAFT
    )
    figures = [block for block in article.blocks if isinstance(block, Figure)]
    assert [Path(figure.source or "").name for figure in figures] == ["b.png", "c.png", "d.png"]
    assert [figure.outcome for figure in figures] == ["chosen"] * 3
    assert len(figures[0].candidates) == 4
    assert article.models == {"writer": "words", "selector": "words", "encoder": "colour"}
    assert (out / "article.html").read_text().count("<figure") == 3


def test_writes_nothing_without_a_model(library: Library, tmp_path: Path) -> None:
    with pytest.raises(BriefInvalid, match="a model that writes"):
        compose(Brief("A fox"), writer=None, selector=None, library=library, encoder="c", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_choose_first_of_nothing_is_nothing() -> None:
    assert choose_first(Candidates(Spot(0, "x"), ())).outcome == "no_candidates"
