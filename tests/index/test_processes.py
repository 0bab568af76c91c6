"""Reading in processes: the same library as with threads, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import queues
from pathlib import Path
from typing import Any

import pytest
from limner.index.advance import BuildSummary
from limner.index.build import build, update
from limner.index.engines.local import LocalEngine
from limner.index.engines.processes import in_processes
from limner.index.errors import EngineFailed
from limner.index.library import Library
from PIL import Image

from ..colours import ColourEncoder
from .engines import results_of


class WatchedColours(ColourEncoder):
    """Writes down which processes prepare pictures; one that is red all over kills its process."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def prepare(self, image: Image.Image) -> Image.Image:
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if image.getpixel((0, 0)) == (255, 0, 0):
            os.kill(os.getpid(), signal.SIGKILL)
        return image

    def processes(self) -> list[int]:
        """That prepared a picture, one entry each."""
        return [int(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def encoder(tmp_path: Path) -> WatchedColours:
    return WatchedColours(tmp_path / "log")


def _built(source: Path, library: Path, encoder: ColourEncoder, *, workers: int = 1) -> BuildSummary:
    engine = LocalEngine(in_processes)
    return build([source], library, encoder=encoder, batch_size=4, workers=workers, engine=engine)


def _built_on_threads(source: Path, library: Path) -> BuildSummary:
    return build([source], library, encoder=ColourEncoder(), batch_size=4)


def test_processes_give_the_library_of_threads(folder: Path, encoder: WatchedColours, tmp_path: Path) -> None:
    local = _built_on_threads(folder, tmp_path / "threads")

    assert _built(folder, tmp_path / "processes", encoder, workers=2) == local
    assert len(local.skipped) == 3
    parts = [Library.open(tmp_path / name).manifest.parts for name in ("threads", "processes")]
    assert parts[0] == parts[1]  # byte for byte: the digests
    assert results_of(tmp_path / "processes") == results_of(tmp_path / "threads")
    assert len(set(encoder.processes())) == 2
    assert os.getpid() not in encoder.processes()


def test_what_is_known_is_not_decoded_again(folder: Path, encoder: WatchedColours, tmp_path: Path) -> None:
    _built_on_threads(folder, tmp_path / "library")
    (folder / "below" / "01.png").rename(folder / "moved.png")
    Image.new("RGB", (30, 20), "blue").save(folder / "blue.png")

    summary = update(tmp_path / "library", encoder=encoder, workers=1, engine=LocalEngine(in_processes))

    assert (summary.indexed, summary.moved, summary.removed) == (1, 1, 0)
    assert len(encoder.processes()) == 1


def test_a_killed_process_is_told_and_the_next_build_goes_on(
    folder: Path, encoder: WatchedColours, tmp_path: Path
) -> None:
    deadly = folder / "zzz.png"
    Image.new("RGB", (30, 20), "red").save(deadly)

    with pytest.raises(EngineFailed, match="was killed") as caught:
        _built(folder, tmp_path / "library", encoder)

    assert "--workers" in caught.value.hint
    deadly.unlink()
    encoder.log.unlink()
    assert _built(folder, tmp_path / "library", encoder).indexed == 42
    assert len(encoder.processes()) < 40, "what was encoded before it was killed is kept"
    _built_on_threads(folder, tmp_path / "threads")
    assert results_of(tmp_path / "library") == results_of(tmp_path / "threads")


def test_no_thread_is_left_for_pythons_exit_to_stop(
    folder: Path, encoder: WatchedColours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = queues.Queue._feed

    def slowly(*arguments: Any) -> None:
        feed(*arguments)
        time.sleep(0.5)

    monkeypatch.setattr(queues.Queue, "_feed", staticmethod(slowly))
    before = threading.enumerate()

    _built(folder, tmp_path / "library", encoder, workers=2)

    assert threading.enumerate() == before


# It interrupts while the one that starts the processes has a lock of the loader's, as a signal does that comes then.
_AT_A_LOCK = """
import os, signal, time
from multiprocessing import queues
put = queues.Queue.put
def interrupted(queue, *arguments, **more):
    queues.Queue.put = put
    queue._notempty.acquire()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.5)
    queue._notempty.release()
    put(queue, *arguments, **more)
if __name__ == "__main__":
    queues.Queue.put = interrupted
"""
_BUILD = """
import sys
from pathlib import Path
from limner.index.build import build
from limner.index.engines.local import LocalEngine
from limner.index.engines.processes import in_processes
from tests.colours import ColourEncoder
if __name__ == "__main__":
    try:
        build([Path(sys.argv[1])], Path(sys.argv[2]), encoder=ColourEncoder(), workers=2,
              engine=LocalEngine(in_processes))
    except KeyboardInterrupt:
        print("stopped")
"""


@pytest.mark.parametrize("before", ["", _AT_A_LOCK], ids=["while they import", "at a lock"])
def test_interrupt_ends_the_processes_without_a_word_of_theirs(folder: Path, tmp_path: Path, before: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(before + _BUILD)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, script, folder, tmp_path / "library"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        started: set[str] = set()
        # Two, and Python's own that watches over what they share; interrupted at the lock there is one less.
        while len(started) < (2 if before else 3):
            assert process.poll() is None
            started |= set(_children(process.pid))
            time.sleep(0.01)
        if not before:
            time.sleep(0.2)
            os.killpg(process.pid, signal.SIGINT)
        try:
            said, complained = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail("it does not end")

    assert (said, complained) == ("stopped\n", "")
    ended = time.monotonic() + 30
    while (left := [pid for pid in started if _runs(pid)]) and time.monotonic() < ended:
        time.sleep(0.05)
    assert not left


def _children(pid: int) -> list[str]:
    """Of all its threads."""
    children = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # it has ended
            children += (thread / "children").read_text().split()
    return children


def _runs(pid: str) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_pictures_elsewhere_are_read_by_processes(
    folder: Path, encoder: WatchedColours, s3: Any, tmp_path: Path
) -> None:
    s3.put(f"{folder}/", "bucket/pictures/", recursive=True)
    source = Path("s3://bucket/pictures")

    summary = _built(source, tmp_path / "processes", encoder)

    assert summary == _built_on_threads(source, tmp_path / "threads")
    assert summary.indexed == 42
    assert results_of(tmp_path / "processes") == results_of(tmp_path / "threads")
