"""A batch of briefs against the same briefs one after another in one warm process: the ratio of articles a minute.

    python -m benchmarks.batch_speed [--count 200] [--batch-size 32] [--library DIR] [--profile]

The model is nano-vlm, the briefs are instructions of its world that training held out, the library is the sample one.
One after another is `compose` as the command calls it, with all that a local model keeps from spot to spot; a few
articles are made before either is timed. Processor time counts all threads of the process: on a shared machine it is
the fairer of the two. The batch runs once more, and its files must be the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from limner.composer.article import Brief
from limner.composer.batch.batch import run_batch
from limner.composer.batch.engines import GROUP_SIZE, LocalEngine
from limner.composer.batch.rows import Row, read_rows
from limner.composer.batch.work import Parts
from limner.composer.brief import BriefFields
from limner.composer.models.load import EMBEDDED, load_model
from limner.composer.models.options import ModelOptions
from limner.composer.pipeline import compose
from limner.index.build import build
from limner.index.encoder import load_encoder
from limner.index.library import Library

from training.evaluate import TEST_SEED
from training.picture_book.stories import make_story

WARM = 2  # articles
FORMATS = ("html", "markdown")


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder by its relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=GROUP_SIZE)
    parser.add_argument("--library", type=Path, help="the sample library; built if it is not there")
    parser.add_argument(
        "--profile", action="store_true", help="show where the batch spends its time, and do nothing else"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        library = sample_library(arguments.library or folder / "library")
        model = load_model(EMBEDDED, ModelOptions(device="cpu"))
        parts = Parts(model, model, lambda brief: library, library.manifest.encoder)
        models = {"writer": model.name, "selector": model.name, "encoder": parts.encoder}
        stories = (make_story(seed, held=True) for seed in itertools.count(TEST_SEED))
        told = (story.instruction for story in stories if "\n" not in story.instruction)
        instructions = list(itertools.islice(told, arguments.count))
        briefs = folder / "briefs.jsonl"
        briefs.write_text(
            "".join(json.dumps({"id": f"{i:04}", "instruction": t}) + "\n" for i, t in enumerate(instructions))
        )
        rows = read_rows(briefs, BriefFields(seed=0))

        def one_after_another(count: int, name: str) -> None:
            for number, text in enumerate(instructions[:count]):
                out = folder / name / str(number)
                compose(Brief(text), writer=model, selector=model, library=library, encoder=parts.encoder, out=out)

        def in_a_batch(some: list[Row], name: str) -> None:
            engine = LocalEngine(parts, folder / name, arguments.batch_size)
            made = run_batch(some, engine, folder / name, models=models, formats=FORMATS, embed=False, resume=False)
            assert made.complete, [row.reason for row in made.rows if row.reason]

        in_a_batch(rows[:WARM], "warm")
        if arguments.profile:
            import cProfile

            cProfile.runctx("in_a_batch(rows, 'batch')", globals(), locals(), sort="cumulative")
            return
        batch = timed(lambda: in_a_batch(rows, "batch"))
        print(f"{len(rows)} in batches of {arguments.batch_size}: {batch[0]:.1f} s, {batch[1]:.1f} s of processors")
        one_after_another(WARM, "warm-single")
        single = timed(lambda: one_after_another(len(rows), "single"))
        print(f"one after another: {single[0]:.1f} s, {single[1]:.1f} s of processors")
        print(f"articles a minute: {60 * len(rows) / single[0]:.1f} and {60 * len(rows) / batch[0]:.1f}")
        print(f"ratio: {single[0] / batch[0]:.2f} by the clock, {single[1] / batch[1]:.2f} by processor time")
        in_a_batch(rows, "again")
        same = digests(folder / "batch") == digests(folder / "again")
        print(f"the same batch once more gives the same bytes: {same}")
        alike = sum(
            (folder / "single" / str(i) / "article.json").read_bytes()
            == (folder / "batch" / f"{i:04}" / "article.json").read_bytes()
            for i in range(len(rows))
        )
        print(f"articles that are the same bytes as when they are composed alone: {alike} of {len(rows)}")


def sample_library(folder: Path) -> Library:
    """The library of the drawn picture book."""
    if not (folder / "manifest.json").exists():
        with resources.as_file(resources.files("limner.sample_repos") / "picture_book") as pictures:
            build([pictures], folder, encoder=load_encoder("nano-clip", "cpu"), workers=os.cpu_count())
    return Library.open(folder, device="cpu")


if __name__ == "__main__":
    main()
