"""What tests of libraries have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system in memory of fsspec, empty."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 pictures in two folders, copies, what is said of them, and files that are no pictures."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (40, 20, 30, 3), np.uint8)
    for number in range(40):
        Image.fromarray(pixels[number]).save(folder / ("below" if number % 3 else "") / f"{number:02}.png")
    for copy in ("00b.png", "zz.png"):
        (folder / copy).write_bytes((folder / "00.png").read_bytes())
    (folder / "limner-metadata.csv").write_text("file,caption\n00.png,A red fox\nbelow/01.png,Two boats\n")
    (folder / "broken.png").write_text("no picture")
    (folder / "below" / "empty.png").touch()
    (folder / "below" / "cut.png").write_bytes((folder / "00.png").read_bytes()[:500])
    return folder
