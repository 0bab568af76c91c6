"""Places without a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from limner.composer.markdown import parse_draft
from limner.composer.references import NoLibrary
from limner.evaluation.baselines import BASELINES, Placer, longest_paragraph, uniform
from limner.evaluation.pool import Pool, Words


def places(placer: Placer, text: str, count: int, library: Pool | NoLibrary = NoLibrary()) -> list[int]:  # noqa: B008
    return [spot.after_block for spot in placer(parse_draft(text), library, count)]


@pytest.mark.parametrize(("count", "expected"), [(1, [6]), (2, [3, 8]), (3, [2, 6, 9]), (10, list(range(1, 11)))])
def test_uniform_is_spread_evenly(count: int, expected: list[int]) -> None:
    text = "# Title\n\n" + "\n\n".join(f"Paragraph {i}." for i in range(10)) + "\n"

    assert places(uniform, text, count) == expected


def test_no_baseline_places_more_than_the_text_has_room_for() -> None:
    for placer in (uniform, longest_paragraph):
        assert places(placer, "# Title\n\nOne.\n\n## Heading\n\nTwo.\n", 5) == [1, 3]
        assert places(placer, "# Title alone\n", 5) == []


def test_longest_paragraph_takes_paragraphs_before_longer_lists() -> None:
    text = (
        "Short.\n\n- a list that is longer than both\n- of the paragraphs\n\nA longer one.\n\nThe longest one of all.\n"
    )

    assert places(longest_paragraph, text, 1) == [3]
    assert places(longest_paragraph, text, 2) == [2, 3]
    assert places(longest_paragraph, text, 4) == [0, 1, 2, 3]


def test_words_go_after_the_paragraph_that_singles_a_picture_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    library = Pool(tmp_path, {"a.jpg": Words("A lighthouse"), "b.jpg": Words("A harvest of apples")}, "alt")
    text = "A paragraph about nothing that anybody has pictured.\n\nThe lighthouse stood there, as the keeper knew.\n"

    assert places(BASELINES["words"], text, 1, library) == [1]
