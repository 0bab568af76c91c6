"""A batch on a Ray cluster of two processors: the same bytes as on this machine; faults stay with their rows."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from limner.cli.app import app
from limner.composer.batch.batch import Batch, run_batch
from limner.composer.batch.engines import Engine, LocalEngine
from limner.composer.batch.over_ray import RayEngine
from limner.composer.batch.rows import read_rows
from limner.composer.batch.work import Parts
from limner.composer.brief import BriefFields
from limner.index.engines.ray import cluster, share, tables
from limner.index.library import Library
from typer.testing import CliRunner

from .. import colours
from ..cli import fakes, test_batch
from ..colours import ColourEncoder

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")


class Fussy(test_batch.ManyColours):
    """Cannot write of green, and falls over at cyan."""

    def generate(self, messages, *, sampling):
        text = "".join(part for message in messages for part in message.parts if isinstance(part, str))
        if "<instruction>\ngreen" in text:
            raise OSError("no green ink")
        return super().generate(messages, sampling=sampling)


def load(library: Path) -> Parts:
    """What a worker composes with."""
    model, opened = Fussy(), Library.open(library, encoder=ColourEncoder())
    return Parts(model, model, lambda brief: opened, "colour")


@pytest.fixture(scope="module", autouse=True)
def two_processors() -> Iterator[None]:
    from ray import cloudpickle

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_worker_niceness", "0")
        for module in (sys.modules[__name__], test_batch, fakes, colours):  # workers do not have the tests' modules
            cloudpickle.register_pickle_by_value(module)
        ray.init(
            address="local", num_cpus=2, object_store_memory=100_000_000, logging_level="error", log_to_driver=False
        )
        yield
        ray.shutdown()


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_the_articles_are_those_of_this_machine(colour_library: Library, tmp_path: Path) -> None:
    briefs = tmp_path / "briefs.jsonl"
    named = ["red and blue", "green", "yellow", "black, white, cyan", "magenta"]
    briefs.write_text("".join(f'{{"id": "{i}", "instruction": "{words}"}}\n' for i, words in enumerate(named)))
    rows = read_rows(briefs, BriefFields())

    def made(engine: Engine, out: Path) -> Batch:
        models = {"writer": "colour-model", "selector": "colour-model", "encoder": "colour"}
        options = {"formats": ("html", "markdown"), "embed": False, "resume": False}
        return run_batch(rows, engine, out, models=models, **options)

    here = made(LocalEngine(load(colour_library.folder), tmp_path / "here", group_size=2), tmp_path / "here")
    there = made(
        RayEngine(
            partial(load, colour_library.folder), tmp_path / "there", 2, partial(cluster, None),
            partial(share, device="cpu"), tables,
        ),
        tmp_path / "there",
    )  # fmt: skip

    assert [row.status for row in there.rows] == ["done", "failed", "done", "done", "done"]
    assert "no green ink" in there.rows[1].reason
    assert there.rows == here.rows
    assert files(tmp_path / "there") == files(tmp_path / "here")


@pytest.mark.slow
def test_the_command_composes_on_the_cluster(colour_library: Library, tmp_path: Path) -> None:
    briefs = tmp_path / "briefs.jsonl"
    briefs.write_text('{"id": "a", "instruction": "red"}\n{"id": "b", "instruction": "grey"}\n')
    wiring = fakes.colour_wiring(model=lambda name, options: Fussy())
    options = ["--library", str(colour_library.folder), "--out", str(tmp_path / "out"), "--engine", "ray"]
    result = CliRunner().invoke(app, ["batch", str(briefs), *options, "--device", "cpu"], obj=wiring)

    assert result.exit_code == 1, result.output
    rows = json.loads((tmp_path / "out" / "batch.json").read_text())["rows"]
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "grey is outside of the coloured world" in rows[1]["reason"]
    assert (tmp_path / "out" / "a" / "images" / "red.png").is_file()
