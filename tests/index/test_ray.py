"""The Ray engine on a cluster of two processors: the same library as the local engine's, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limner.index.advance import BuildSummary
from limner.index.build import build, update
from limner.index.describe import describe_library
from limner.index.engines.ray import RayEngine
from limner.index.errors import EncoderMismatch, PictureUnreadable
from limner.index.library import Library
from limner.index.verify import verify
from PIL import Image

from ..colours import ColourEncoder
from ..s3 import environment
from .engines import results_of

ray = pytest.importorskip("ray")
# Making its settings, Ray warns of some of its own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")


class CountedColours(ColourEncoder):
    """Writes down by whom how many pictures were encoded."""

    def __init__(self, log: Path, *, seconds: float = 0, fingerprint: str = "c0" * 32) -> None:
        super().__init__(fingerprint)
        self._log, self._seconds = log, seconds

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        time.sleep(self._seconds)
        with self._log.open("a") as file:
            file.write(f"{os.getpid()} {len(images)}\n")
        return super().encode_images(images)


@dataclass(frozen=True)
class Load:
    """What a worker loads its encoder with."""

    log: Path
    seconds: float = 0
    fingerprint: str = "c0" * 32

    def __call__(self, name: str, device: str) -> CountedColours:
        assert (name, device) == ("colour", "auto")
        return CountedColours(self.log, seconds=self.seconds, fingerprint=self.fingerprint)

    def encoded(self) -> list[tuple[int, int]]:
        """(process, pictures) of each batch."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(int(pid), int(count)) for pid, count in map(str.split, lines)]


@pytest.fixture(scope="module", autouse=True)
def cluster(s3_server: str) -> Iterator[str]:
    """Its address."""
    from ray import cloudpickle

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_worker_niceness", "0")  # else they come after everything that runs beside
        for name, value in environment(s3_server).items():
            patch.setenv(name, value)
        # Workers do not have the modules of the tests.
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        cloudpickle.register_pickle_by_value(sys.modules[ColourEncoder.__module__])
        ray.init(
            address=os.environ.get("LIMNER_TEST_RAY", "local"),
            **({} if "LIMNER_TEST_RAY" in os.environ else {"num_cpus": 2, "object_store_memory": 100_000_000}),
            logging_level="error",
            log_to_driver=False,
        )
        yield ray.get_runtime_context().gcs_address
        ray.shutdown()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    return Load(tmp_path / "encoded.log")


def _built(folder: Path, load: Load, **options: object) -> BuildSummary:
    return build(
        [folder],
        folder.with_name("ray"),
        encoder=ColourEncoder(),
        batch_size=4,
        engine=RayEngine(load=load, shard_size=8),
        **options,  # pyright: ignore[reportArgumentType]
    )


def _local(folder: Path) -> tuple[BuildSummary, list[object]]:
    summary = build([folder], folder.with_name("local"), encoder=ColourEncoder(), batch_size=4)
    return summary, results_of(folder.with_name("local"))


@pytest.mark.skipif("LIMNER_TEST_RAY" in os.environ, reason="a cluster of others does not know the S3 server")
def test_build_reads_pictures_at_s3(folder: Path, load: Load, s3: Any, tmp_path: Path) -> None:
    s3.put(f"{folder}/", "bucket/pictures/", recursive=True)
    source = Path("s3://bucket/pictures")
    local = build([source], tmp_path / "local", encoder=ColourEncoder(), batch_size=4)
    found = build(
        [source], tmp_path / "ray", encoder=ColourEncoder(), batch_size=4, engine=RayEngine(load=load, shard_size=8)
    )
    assert found == local
    assert len(found.skipped) == 3
    assert results_of(tmp_path / "ray") == results_of(tmp_path / "local")
    assert sum(count for _, count in load.encoded()) >= 40  # by the workers


def test_build_gives_the_library_of_the_local_engine(folder: Path, load: Load) -> None:
    summary, results = _local(folder)
    steps: list[tuple[int, int]] = []

    found = _built(folder, load, progress=lambda done, total: steps.append((done, total)))

    assert found == summary
    assert {path.name: reason for path, reason in found.skipped} == {
        "broken.png": "not a picture that Limner can read",
        "cut.png": "the file is cut short",
        "empty.png": "the file is empty",
    }
    assert results_of(folder.with_name("ray")) == results
    local, other = (Library.open(folder.with_name(name)).manifest for name in ("local", "ray"))
    assert other.parts == local.parts  # byte for byte: the digests
    assert verify(folder.with_name("ray"), files=True) == []
    assert not (folder.with_name("ray") / "work").exists()
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (45, 45)
    assert {pid for pid, _ in load.encoded()}.isdisjoint({os.getpid()})


def test_update_reads_and_encodes_what_is_new(folder: Path, load: Load) -> None:
    _local(folder)
    _built(folder, load)
    load.log.unlink()
    (folder / "below" / "01.png").rename(folder / "moved.png")
    (folder / "03.png").unlink()
    Image.new("RGB", (30, 20), "red").save(folder / "red.png")

    summary = update(
        folder.with_name("ray"), encoder=ColourEncoder(), engine=RayEngine(load=load, shard_size=8), batch_size=4
    )

    assert summary == update(folder.with_name("local"), encoder=ColourEncoder(), batch_size=4)
    assert (summary.indexed, summary.moved, summary.removed) == (1, 1, 1)
    assert sum(count for _, count in load.encoded()) == 1  # what moved is known by its content
    assert results_of(folder.with_name("ray")) == results_of(folder.with_name("local"))


def test_a_killed_worker_loses_nothing(folder: Path, load: Load) -> None:
    _, results = _local(folder)
    slow = Load(load.log, seconds=0.2)
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            killed.append(load.encoded()[-1][0])
            os.kill(killed[0], signal.SIGKILL)

    _built(folder, slow, progress=kill_one)

    assert results_of(folder.with_name("ray")) == results
    assert {pid for pid, _ in load.encoded()} > set(killed)  # another went on


_DRIVER = """
import importlib.util, os, signal, sys
from pathlib import Path
address, tests, folder, log = sys.argv[1:]
sys.path.insert(0, tests)
from tests.index import test_ray
from tests.colours import ColourEncoder
import ray
from ray import cloudpickle
ray.init(address=address, logging_level="error", log_to_driver=False)
for module in (test_ray, sys.modules[ColourEncoder.__module__]):
    cloudpickle.register_pickle_by_value(module)
calls = []
def kill(done, total):
    calls.append(done)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
test_ray._built(Path(folder), test_ray.Load(Path(log), seconds=0.1), progress=kill)
"""


def test_a_killed_driver_goes_on_from_its_finished_shards(folder: Path, load: Load, cluster: str) -> None:
    _, results = _local(folder)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _DRIVER, cluster, str(root), str(folder), str(load.log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (folder.with_name("ray") / "manifest.json").exists()
    [work] = (folder.with_name("ray") / "work").iterdir()
    parts = list(work.glob("[0-9]*.parquet"))
    assert len(parts) == 3
    _wait_for_quiet(load)
    load.log.unlink()
    import pyarrow.parquet as pq

    kept = {digest for part in parts for digest in pq.read_table(part)["hash"].to_pylist()}
    finished = {path for part in work.glob("finished-*") for path in pq.read_table(part)["path"].to_pylist()}
    for path in finished:
        _spoil(Path(path))  # nobody opens it again

    _built(folder, load)

    assert results_of(folder.with_name("ray")) == results
    assert sum(count for _, count in load.encoded()) == 40 - len(kept)
    assert len(finished) > len(kept) // 2


def _spoil(path: Path) -> None:
    """Another content of the same size and time."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _wait_for_quiet(load: Load) -> None:
    """Workers of a killed driver end a little later."""
    before = None
    while before != (before := load.encoded()):
        time.sleep(1)


def test_workers_with_other_weights_are_refused(folder: Path, load: Load) -> None:
    with pytest.raises(EncoderMismatch, match="has other weights"):
        _built(folder, Load(load.log, fingerprint="ff" * 32))
    assert load.encoded() == []


@dataclass(frozen=True)
class SayName:
    """The name of the file; nothing of those with a 5."""

    log: Path

    def __call__(self, picture: Path) -> str:
        if "5" in picture.stem:
            raise PictureUnreadable(str(picture), "no words for it")
        with self.log.open("a") as file:
            file.write(f"{os.getpid()} 1\n")
        return f"Picture {picture.stem}."


def test_describe_asks_in_workers(folder: Path, load: Load) -> None:
    _local(folder)
    _built(folder, load)
    load.log.unlink()
    (folder / "below" / "02.png").unlink()

    summaries = [
        describe_library(folder.with_name(name), model="namer", say=SayName(log), engine=engine, limit=30)
        for name, log, engine in (
            ("local", folder.with_name("local.log"), None),
            ("ray", load.log, RayEngine(load=load)),
        )
    ]

    local, found = summaries
    assert (found.described, found.left) == (local.described, local.left)
    assert sorted(found.skipped) == sorted(local.skipped)
    assert tuple(sorted({reason for _, reason in found.skipped})) == ("no words for it", "the file is not there")
    assert results_of(folder.with_name("ray")) == results_of(folder.with_name("local"))
    assert {pid for pid, _ in load.encoded()}.isdisjoint({os.getpid()})


def test_without_ray_the_error_names_the_extra(folder: Path) -> None:
    code = "import sys; sys.modules['ray'] = None; from limner.cli.app import main; main()"
    command = ["index", "build", str(folder), "--library", str(folder.with_name("none")), "--engine", "ray"]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Ray is not installed" in done.stderr
    assert "pip install 'limner[ray]'" in done.stderr
    assert not folder.with_name("none").exists()
