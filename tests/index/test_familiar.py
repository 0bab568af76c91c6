"""Drawn scenes are familiar to nano-clip, photographs are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from limner.index.encoder import load_encoder
from limner.index.familiar import squared_distances, strange_share

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


def test_squared_distances_equal_the_formula() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    vectors, mean, root = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=(3, 3))
    precision = root @ root.T
    expected = [float((v - mean) @ precision @ (v - mean)) for v in vectors]
    assert squared_distances(vectors, mean, precision) == pytest.approx(expected)
