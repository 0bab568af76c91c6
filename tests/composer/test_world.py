"""The embedded model says what it was not made for."""

from __future__ import annotations

from pathlib import Path

import pytest
from limner.composer.models.world import check_draft, check_instruction

DATA = Path(__file__).parents[3] / "shared" / "data" / "anthropology-en" / "md"


@pytest.mark.parametrize(
    "text",
    [
        "The orange cat on the beach",
        "red balloon, lake, mountains",
        "- Two dogs in the park\n- The dogs at night",
        "BLUE BUS",
    ],
)
def test_check_instruction_accepts_the_picture_book(text: str) -> None:
    assert check_instruction("nano-vlm", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Quarterly results of a semiconductor maker",
        "How to brew coffee",
        "橙色的猫在海滩上",
        "42",
        "The history of the Roman Empire",
    ],
)
def test_check_instruction_refuses_the_rest(text: str) -> None:
    sentence = check_instruction("nano-vlm", text)
    assert sentence is not None
    assert "picture-book" in sentence


def test_check_instruction_is_for_the_embedded_model_alone() -> None:
    assert check_instruction("transformers:any", "Quarterly results") is None


def test_check_draft_accepts_a_story_and_refuses_a_chapter() -> None:
    story = "# The Cat\n\nOnce there was an orange cat. In the evening the cat came to the beach.\n"
    assert check_draft("nano-vlm", story) is None
    if not DATA.is_dir():
        pytest.skip(f"no articles at {DATA}")
    chapters = sorted(DATA.glob("*.md"))[::12]
    assert all(check_draft("nano-vlm", path.read_text(encoding="utf-8")) for path in chapters)
