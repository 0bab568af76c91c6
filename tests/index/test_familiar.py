"""Drawn scenes are familiar to nano-clip, photographs are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from limner.index.decode import decode
from limner.index.encoder import load_encoder
from limner.index.familiar import squared_distances, strange_share, strange_share_of_library, to_look_at
from PIL import Image

from ..colours import ColourEncoder

ROOT = Path(__file__).parents[2]
PHOTOGRAPHS = ROOT.parent / "shared" / "data" / "anthropology-en" / "media"


def test_strange_share_of_the_sample_library_is_small() -> None:
    paths = sorted((ROOT / "sample_repos" / "picture_book").rglob("*.webp"))[::4]
    assert strange_share(paths, load_encoder("nano-clip", "cpu")) < 0.2


def test_strange_share_of_photographs_is_large() -> None:
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"no photographs at {PHOTOGRAPHS}")
    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))[::8]
    assert strange_share(paths, load_encoder("nano-clip", "cpu")) > 0.6


def test_strange_share_passes_over_what_is_no_picture(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert strange_share([broken], load_encoder("nano-clip", "cpu")) == 0.0


def test_pictures_that_the_build_saw_are_not_opened_again(tmp_path: Path) -> None:
    encoder = load_encoder("nano-clip", "cpu")
    paths = sorted((ROOT / "sample_repos" / "picture_book").rglob("*.webp"))[:3]
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    for number in range(3):
        Image.fromarray(noise[number:]).save(tmp_path / f"{number}.png")
    names = to_look_at([*map(str, paths), *(str(tmp_path / f"{number}.png") for number in range(4))], encoder)
    seen = {name: encoder.prepare(decode(Path(name), target_px=80)) for name in names if not name.endswith("3.png")}
    share = strange_share_of_library(names, encoder)
    for number in range(3):
        (tmp_path / f"{number}.png").unlink()
    assert strange_share_of_library(names, encoder) == 0.0
    assert strange_share_of_library(names, encoder, seen) == share == 0.5
    assert to_look_at(names, ColourEncoder()) == []


def test_squared_distances_equal_the_formula() -> None:
    rng = np.random.default_rng(0)
    vectors, mean, root = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=(3, 3))
    precision = root @ root.T
    expected = [float((v - mean) @ precision @ (v - mean)) for v in vectors]
    assert squared_distances(vectors, mean, precision) == pytest.approx(expected)
