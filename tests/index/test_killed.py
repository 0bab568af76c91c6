"""Builds that are killed or run out of disk at any moment: the old library answers, and the next run completes it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from limner.index import publish as publish_module
from limner.index.build import build, update
from limner.index.library import Library
from limner.index.verify import verify
from PIL import Image

from ..colours import COLOURS, ColourEncoder

# Imports once and forks for each attempt; a line of standard input is: library, seconds to live, bytes a file may have.
_ATTEMPTS = """
import os, resource, signal, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from colours import ColourEncoder
from limner.index import publish
from limner.index.build import update
from limner.index.errors import WriteFailed
import duckdb, faiss, pyarrow.parquet
publish.WHOLE_UP_TO, publish.SHARE = int(sys.argv[2]), float(sys.argv[3])
for line in sys.stdin:
    library, seconds, size = line.rstrip().split("\\t")
    started = time.monotonic()
    child = os.fork()
    if not child:
        code = 9
        try:
            if int(size):
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
            update(Path(library), encoder=ColourEncoder(), batch_size=4)
            code = 0
        except WriteFailed:
            code = 3
        finally:
            os._exit(code)
    if float(seconds):
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), time.monotonic() - started, flush=True)
"""

Attempt = Callable[..., tuple[int, float]]


@pytest.fixture(params=[(10_000, 0.2), (0, 10.0)], ids=["written anew", "written as parts"])
def attempt(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attempt]:
    """An update in another process, killed after `seconds` or out of disk beyond `size`: exit code and seconds."""
    if sys.platform != "linux":
        pytest.skip("needs fork and limits")
    whole_up_to, share = request.param
    monkeypatch.setattr(publish_module, "WHOLE_UP_TO", whole_up_to)
    monkeypatch.setattr(publish_module, "SHARE", share)
    command = [sys.executable, "-c", _ATTEMPTS, str(Path(__file__).parents[1]), str(whole_up_to), str(share)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout

        def call(library: Path, *, seconds: float = 0, size: int = 0) -> tuple[int, float]:
            assert process.stdin and process.stdout
            process.stdin.write(f"{library}\t{seconds}\t{size}\n")
            process.stdin.flush()
            code, took = process.stdout.readline().split()
            return int(code), float(took)

        yield call
        process.stdin.close()


@pytest.fixture
def library(tmp_path: Path, attempt: Attempt) -> Path:
    """A library of 30 pictures, of whose folder much has changed since."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 3), np.uint8)
    for number in range(30):
        Image.fromarray(pixels[number]).save(folder / f"{number:02}.png")
    build([folder], tmp_path / "library", encoder=ColourEncoder())
    for number in range(3):
        (folder / f"{number:02}.png").unlink()
        (folder / f"{number + 5:02}.png").rename(folder / f"moved{number}.png")
        Image.fromarray(pixels[number + 30]).save(folder / f"{number + 10:02}.png", compress_level=1)
    for number in range(40, 60):
        Image.fromarray(pixels[number]).save(folder / f"{number:02}.png")
    (folder / "broken.png").write_text("no picture")
    return tmp_path / "library"


def _results(library: Path) -> list[object]:
    opened = Library.open(library, encoder=ColourEncoder())
    return [[opened.search(text, 1000) for text in COLOURS], [part.tobytes() for part in opened.vectors()]]


def _undisturbed(library: Path) -> tuple[list[object], list[object]]:
    """What the library gives now, and what after an update that nobody stops."""
    shutil.copytree(library, library.with_name("straight"))
    update(library.with_name("straight"), encoder=ColourEncoder(), batch_size=4)
    return _results(library), _results(library.with_name("straight"))


def test_update_killed_at_any_moment_loses_nothing(library: Path, attempt: Attempt) -> None:
    old, new = _undisturbed(library)
    shutil.copytree(library, library.with_name("timed"))
    _, whole = attempt(library.with_name("timed"))
    moments = random.Random(0)
    outcomes = set()
    for number in range(20):
        copy = shutil.copytree(library, library.with_name(f"copy{number}"))
        for _ in range(1 + number % 2):  # every other one is killed again when it goes on
            attempt(copy, seconds=moments.uniform(0.05, 1) * whole)
        found = _results(copy)
        assert found in (old, new)
        outcomes.add(found == old)
        assert attempt(copy)[0] == 0
        assert _results(copy) == new
        assert verify(copy, files=True) == []
        assert not (copy / "work").exists()
        shutil.rmtree(copy)
    assert True in outcomes


def test_update_with_a_full_disk_loses_nothing(library: Path, attempt: Attempt) -> None:
    old, new = _undisturbed(library)
    largest = max(path.stat().st_size for path in library.with_name("straight").rglob("*") if path.is_file())
    codes = set()
    for size in (200, 500, 1000, 1500, 2000, 3000, largest - 1, largest):
        copy = shutil.copytree(library, library.with_name(f"full{size}"))
        code, _ = attempt(copy, size=size)
        codes.add(code)
        assert code in (0, 3)
        assert _results(copy) == (new if code == 0 else old)
        assert not list(copy.rglob("*.partial"))
        assert attempt(copy)[0] == 0
        assert _results(copy) == new
    assert codes == {0, 3}
