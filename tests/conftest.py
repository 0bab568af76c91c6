"""Real fakes with checkable answers, for every folder of tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from limner.index.build import build
from limner.index.library import Library
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from .colours import COLOURS, ColourEncoder, Paint
from .composer.servers import ScriptedServer
from .s3 import environment, serving

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def colour_encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def paint() -> Paint:
    """Write a picture of one colour: paint(path, "red", size=(40, 30), **options of Image.save)."""

    def write(path: Path, colour: str | tuple[int, int, int], size: tuple[int, int] = (40, 30), **save: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rgb = COLOURS[colour] if isinstance(colour, str) else colour
        Image.new("RGB", size, rgb).save(path, **save)  # pyright: ignore[reportArgumentType]
        return path

    return write


@pytest.fixture
def colour_folder(tmp_path: Path, paint: Paint) -> Path:
    """A folder with a picture of each colour, black.png to yellow.png."""
    folder = tmp_path / "pictures"
    for colour in COLOURS:
        paint(folder / f"{colour}.png", colour)
    return folder


@pytest.fixture
def colour_library(tmp_path: Path, colour_folder: Path, colour_encoder: ColourEncoder) -> Library:
    """The library of colour_folder, at tmp_path/library; ids 1 to 8 in the order of COLOURS."""
    build([colour_folder], tmp_path / "library", encoder=colour_encoder)
    return Library.open(tmp_path / "library", encoder=colour_encoder)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server on loopback."""
    with serving(tmp_path_factory.mktemp("s3") / "server.log") as url:
        yield url


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """s3fs with an empty bucket `bucket`; the environment leads everybody there as it leads to any S3."""
    import s3fs

    for name, value in environment(s3_server).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # which knows the environment of another test
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.mkdir("bucket")
    yield system
    system.rm("bucket", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server on loopback that speaks OpenAI's chat completions, with answers that the test writes."""
    server = ScriptedServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process: playwright starts no second one beside it."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield chromium
        chromium.close()
