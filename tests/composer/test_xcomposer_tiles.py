"""2.5's tiles: how pictures are cut, where their tokens stand, and what the authors' code makes of the same.

The golden files are told of in test_xcomposer_official.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from limner.composer.models.local import LocalModel
from limner.composer.models.xcomposer.model import XComposer2ForConditionalGeneration
from limner.composer.models.xcomposer.processor import XComposer2Processor
from limner.composer.models.xcomposer.tiles import TileImageProcessor, canvas, tiles_of, tokens_of
from limner.composer.protocols import Message, Picture
from PIL import Image
from safetensors.torch import load_file

from .test_xcomposer_official import CONFIG, GOLDEN, load, picture, write
from .tiny_xcomposer import config, prompt, randomise, words

SIDE_PX = 56
SCALED = {"rope_scaling": {"type": "dynamic", "factor": 1.0}}
# Height and width in tiles of each prompt's pictures.
PROMPTS = {
    "text_only": [], "one_tile": [(1, 1)], "wide": [(1, 2)], "tall": [(3, 2)], "several": [(2, 1), (1, 1)],
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> XComposer2ForConditionalGeneration:
    weights = load_file(GOLDEN / "xcomposer2_5.safetensors")
    return load(write(tmp_path_factory.mktemp("official"), weights, CONFIG | SCALED))


@pytest.fixture(scope="module")
def expected() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "xcomposer2_5-expected.safetensors")


@pytest.mark.parametrize(("name", "shapes"), PROMPTS.items())
def test_logits_equal_those_of_the_authors_code(
    model: XComposer2ForConditionalGeneration,
    expected: dict[str, torch.Tensor],
    name: str,
    shapes: list[tuple[int, int]],
) -> None:
    seen = {}
    if shapes:
        cut = [
            tiles_of(torch.from_numpy(picture(i, rows * SIDE_PX, columns * SIDE_PX)), SIDE_PX)
            for i, (rows, columns) in enumerate(shapes)
        ]
        most = max(map(len, cut))
        seen["pixel_values"] = torch.stack(
            [torch.cat([tiles, torch.full((most - len(tiles), *tiles.shape[1:]), 9.0)]) for tiles in cut]
        )
        seen["image_sizes"] = torch.tensor(shapes) * SIDE_PX

    with torch.inference_mode():
        logits = model(input_ids=expected[f"{name}.input_ids"][None], **seen).logits[0]

    assert (logits - expected[f"{name}.logits"]).abs().max() <= 1e-4


def test_positions_beyond_the_trained_ones_are_those_of_the_authors_code(
    model: XComposer2ForConditionalGeneration, expected: dict[str, torch.Tensor]
) -> None:
    with torch.inference_mode():
        logits = model(input_ids=expected["longer_than_trained.input_ids"][None]).logits[0, -16:]

    assert (logits - expected["longer_than_trained.logits"]).abs().max() <= 1e-4


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((560, 560), (560, 560, 1, 1)),
        ((100, 100), (560, 560, 1, 1)),  # a small picture gets no more tiles than it has pixels for
        ((1024, 768), (1120, 840, 2, 2)),
        ((768, 1024), (840, 1120, 2, 2)),
        ((3000, 1000), (1680, 560, 3, 1)),
        ((1, 20000), (1, 3360, 1, 6)),
        ((20000, 20000), (1120, 1120, 2, 2)),
        ((1, 1), (560, 560, 1, 1)),
    ],
)
def test_a_picture_is_cut_by_its_shape(size: tuple[int, int], made: tuple[int, int, int, int]) -> None:
    assert canvas(*size, 560, 6) == made


def test_tokens_are_as_many_as_the_paper_counts() -> None:
    assert [tokens_of(h, w, 20) for h, w in ((1, 1), (2, 3))] == [
        (h * w + 1) * 400 + 1 + 20 * (h + 1) for h, w in ((1, 1), (2, 3))
    ]


def test_what_a_picture_does_not_fill_is_white() -> None:
    made = TileImageProcessor(SIDE_PX, 6)([Image.new("RGB", (112, 60), (255, 0, 0))])

    white = (1 - np.array([0.48145466, 0.4578275, 0.40821073])) / np.array([0.26862954, 0.26130258, 0.27577711])
    assert made["image_sizes"].tolist() == [[112, 112]]
    assert made["pixel_values"].shape == (1, 5, 3, SIDE_PX, SIDE_PX)
    assert made["pixel_values"][0, 3, :, -1, 0].tolist() == pytest.approx(white.tolist(), abs=1e-5)
    assert made["pixel_values"][0, 1, 1, 0, 0] == pytest.approx((0 - 0.4578275) / 0.26130258, abs=1e-5)


def tiled_model() -> LocalModel:
    shape = config()
    shape.tiled, shape.vision_config.image_size = True, SIDE_PX
    model = XComposer2ForConditionalGeneration(shape).eval()
    randomise(model)
    return LocalModel("tiny", model, XComposer2Processor(TileImageProcessor(SIDE_PX, 6), words(), side_tokens=2), 2048)


def test_pictures_of_different_shapes_behind_the_seam(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, (path, size) in enumerate(zip(paths, ((150, 60), (40, 40), (50, 170)), strict=True)):
        noise = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), np.uint8)
        Image.fromarray(noise).save(path)
    asked = [
        [Message("user", ("First ", Picture(paths[0]), " then ", Picture(path), ". Which?"))] for path in paths[1:]
    ]
    model, seen = tiled_model(), []
    read = model.model.model.get_image_features
    model.model.model.get_image_features = lambda pixels, sizes: seen.append(len(sizes)) or read(pixels, sizes)

    scores = [model.score(messages, ["A", "none fits"]) for messages in asked]
    together = model.score_many(asked, [["A", "none fits"]] * 2)

    assert seen == [2, 1, 4]
    for messages, one, other in zip(asked, scores, together, strict=True):
        assert one == pytest.approx(tiled_model().score(messages, ["A", "none fits"]), abs=2e-4)
        assert other == pytest.approx(one, abs=2e-4)


def test_tiles_need_the_sizes_of_their_pictures() -> None:
    inputs = prompt(4, 5)
    inputs["pixel_values"] = torch.zeros(1, 2, 3, SIDE_PX, SIDE_PX)

    with pytest.raises(ValueError, match="image_sizes"):
        tiled_model().model(**inputs)
