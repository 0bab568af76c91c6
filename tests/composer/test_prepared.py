"""Pictures that are prepared once: the same pixels as the image processor's own, and others are left to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.models.prepared import IDENTITY, PreparedOnce
from limner.composer.protocols import Message, Picture
from PIL import Image

from ..conftest import Paint
from .families import FAMILIES


class Counted:
    """An image processor that counts the pictures it is given."""

    def __init__(self, own: Any) -> None:
        self.own, self.pictures = own, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def __call__(self, images: Any, **options: Any) -> Any:
        self.pictures += sum(len(part) if isinstance(part, list) else 1 for part in images)
        return self.own(images, **options)


@pytest.fixture
def pictures(tmp_path: Path, paint: Paint) -> list[Path]:
    sizes = {"red": (60, 40), "blue": (31, 77), "green": (40, 40)}
    return [paint(tmp_path / f"{colour}.png", colour, size) for colour, size in sizes.items()]


def tiny(family: str, folder: Path) -> LocalModel:
    FAMILIES[family].build(folder)
    model = load_model(f"transformers:{folder}", ModelOptions(device="cpu"))
    assert isinstance(model, LocalModel)
    return model


def asked(paths: list[Path]) -> list[Message]:
    return [Message("user", (*map(Picture, paths), "\nWhich is red?"))]


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.reads_pictures])
def test_prompts_are_the_same_as_without(family: str, pictures: list[Path], tmp_path: Path) -> None:
    model, plain = tiny(family, tmp_path / "a"), tiny(family, tmp_path / "b")
    plain.processor.image_processor = plain.processor.image_processor._own
    for some in (pictures[:1], pictures, [pictures[2], pictures[0]]):
        ours, theirs = model._prompt(asked(some)).inputs, plain._prompt(asked(some)).inputs
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_picture_is_prepared_once_until_its_file_changes(pictures: list[Path], paint: Paint, tmp_path: Path) -> None:
    model = tiny("llava", tmp_path / "llava")
    counted = Counted(model.processor.image_processor._own)
    model.processor.image_processor = PreparedOnce(counted)
    model._prompt(asked(pictures))
    model._prompt(asked([*reversed(pictures), pictures[0]]))
    assert counted.pictures == 3
    before = model._prompt(asked(pictures[:1])).inputs["pixel_values"]
    paint(pictures[0], "yellow", (60, 40))
    after = model._prompt(asked(pictures[:1])).inputs["pixel_values"]
    assert counted.pictures == 4
    assert not torch.equal(before, after)


def test_pictures_that_do_not_say_who_they_are_are_left_to_the_processor(tmp_path: Path) -> None:
    counted = Counted(tiny("llava", tmp_path / "llava").processor.image_processor._own)
    once = PreparedOnce(counted)
    known, unknown = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "blue")
    known.info[IDENTITY] = "red"
    for _ in range(2):
        once([known, unknown], return_tensors="pt")
    assert counted.pictures == 4
    for _ in range(2):
        once([known], return_tensors="pt")
    assert counted.pictures == 5
    assert once.size == counted.own.size  # everything else is the processor's own
