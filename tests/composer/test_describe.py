"""A picture to one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from limner.composer.describe import describe
from limner.composer.protocols import Picture
from limner.index.errors import PictureUnreadable

from .models import ScriptedModel


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("A cat on\na beach.", "A cat on a beach."),
        ("A cat", "A cat"),
        ("A cat. It sits on the", "A cat."),
        ("一只猫在海滩上。", "一只猫在海滩上。"),
    ],
)
def test_describe_gives_whole_sentences(reply: str, text: str) -> None:
    model = ScriptedModel(reply)
    assert describe(Path("/p/cat.png"), model) == text
    assert Picture(Path("/p/cat.png")) in model.asked[0][0].parts


@pytest.mark.parametrize("reply", ["", " \n", "...", "\u200b"])
def test_describe_says_where_the_model_has_no_words(reply: str) -> None:
    with pytest.raises(PictureUnreadable, match="no words"):
        describe(Path("/p/cat.png"), ScriptedModel(reply))
