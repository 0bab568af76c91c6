"""docs/xcomposer.md and the README against arithmetic from the official sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from limner.composer.models.checkpoint import Tensor
from limner.composer.models.memory import weigh, with_room
from limner.composer.models.options import Quantize
from limner.composer.models.xcomposer.checkpoint import XComposer
from limner.composer.models.xcomposer.config import XComposer2Config
from limner.composer.models.xcomposer.converted import classes
from limner.composer.models.xcomposer.one.config import XComposer1Config
from limner.composer.models.xcomposer.tensors import parameter_shapes
from limner.composer.models.xcomposer.tiles import canvas, tokens_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "xcomposer.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLIP = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "patch_size": 14,
}  # fmt: skip
CONTEXT = {"1.0": 2_048, "2.0": 4_096, "2.5": 16_384}
WAYS: list[tuple[str, Quantize]] = [
    ("float32", "none"),
    ("bfloat16", "none"),
    ("bfloat16", "8bit"),
    ("bfloat16", "4bit"),
]


class Sizes(XComposer):
    """A checkpoint of which only the shapes are there."""

    def __init__(self, version: str) -> None:
        super().__init__(version, Path())
        eyes = {**CLIP, "image_size": 560 if version == "2.5" else 224}
        two = XComposer2Config(vision_config=eyes, tiled=version == "2.5")
        self.__dict__["shape"] = XComposer1Config() if version == "1.0" else two
        self.__dict__["number"] = 1 if version == "1.0" else 2

    def tensors(self) -> Any:
        shapes = parameter_shapes(classes(self.__dict__["number"])[1], self.__dict__["shape"])
        return (Tensor(name, "F16", shape) for name, shape in shapes.items())

    @property
    def token_bytes(self) -> int:
        """Of the keys and values of a token, in 16 bits."""
        text = self.__dict__["shape"].get_text_config()
        heads = text.num_key_value_heads or text.num_attention_heads
        return 2 * 2 * text.num_hidden_layers * heads * text.hidden_size // text.num_attention_heads


@pytest.fixture(scope="module", params=CONTEXT)
def sizes(request: pytest.FixtureRequest) -> Sizes:
    return Sizes(request.param)


def cells(text: str, version: str) -> list[list[str]]:
    """The rows about a version, of all tables."""
    rows = re.findall(rf"^\| {re.escape(version)}\b[^|]*\|(.*)\|$", text, re.M)
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def test_weights_are_those_of_the_page(sizes: Sizes) -> None:
    _, weights, _ = cells(PAGE, sizes.source)
    parameters = sum(tensor.numbers for tensor in sizes.tensors())

    assert weights[0] == f"{parameters / 1e9:.2f} billion"
    assert weights[1:] == [f"{weigh(sizes, dtype, quantize) / 1e9:.1f}" for dtype, quantize in WAYS]


def test_memory_with_a_full_context_is_that_of_the_page_and_the_readme(sizes: Sizes) -> None:
    _, _, whole = cells(PAGE, sizes.source)
    [short] = cells(README, sizes.source)
    prompt = CONTEXT[sizes.source] * sizes.token_bytes

    expected = [f"{(with_room(weigh(sizes, dtype, how)) + prompt) / 1e9:.1f} GB" for dtype, how in WAYS[1:]]
    assert [re.sub(r":.*", "", cell) for cell in whole] == short == expected
    for cell in whole:
        needed, *gpus = map(float, re.findall(r"(\d+(?:\.\d)?) GB", cell))
        assert all(needed < gpu * 1.074 for gpu in gpus)  # a GPU's GB are 2**30 bytes


def test_tokens_of_a_picture_are_those_of_the_page() -> None:
    config = XComposer2Config(vision_config={**CLIP, "image_size": 224})
    assert XComposer1Config().tokens_a_picture == int(cells(PAGE, "1.0")[0][-1])
    assert config.tile_side_tokens**2 == int(cells(PAGE, "2.0")[0][-1])
    counts: set[int] = set()
    for width in range(1, 5_000, 90):
        for height in range(1, 5_000, 90):
            *_, columns, rows = canvas(width, height, 560, 6)
            counts.add(tokens_of(rows, columns, 20))
    assert cells(PAGE, "2.5")[0][-1].startswith(f"{min(counts)} to {max(counts):,},")
