"""Reading small pictures by threads and by processes, with no encoder: what is left of it to the process that builds.

    python -m benchmarks.read_ahead [--count 3000] [--side-px 224] [--workers 2] [--folder DIR]

A build beside a GPU can be no faster than the milliseconds that its own process has to spend on a picture: those of all
threads, which share Python's lock, or those of the one that takes what other processes have read.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from limner.index.build import BATCH_SIZE
from limner.index.decode import MAX_BYTES, MAX_PIXELS
from limner.index.engines.ahead import Ahead, on_threads
from limner.index.engines.processes import in_processes
from limner.index.engines.steps import Reading
from limner.index.scan import Found, scan
from limner.index.work import Contents
from PIL import Image

from .folders import make_folder

SIDE_PX = 320


@dataclass(frozen=True, slots=True)
class Square:
    """What most encoders do first."""

    side_px: int

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.resize((self.side_px, self.side_px), Image.Resampling.BICUBIC)


def measured(ahead: Ahead, files: Sequence[Found], side_px: int, workers: int) -> tuple[float, float, float]:
    """Pictures a second, processor ms of this process a picture, and seconds to the first, which count in neither."""
    reading = Reading(Contents().version, side_px, Square(side_px), MAX_PIXELS, MAX_BYTES)
    called = time.perf_counter()
    reads = ahead(files, reading, contents=Contents(), workers=workers, batch_size=BATCH_SIZE)
    first = next(reads)
    assert first.decoded
    began, processor = time.perf_counter(), time.process_time()
    for read in reads:
        assert read.decoded
        np.asarray(read.decoded.image)  # as the encoder takes it
    spent, used = time.perf_counter() - began, time.process_time() - processor
    return (len(files) - 1) / spent, used / (len(files) - 1) * 1000, began - called


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--side-px", type=int, default=224)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        pictures = Path(place, "pictures")
        make_folder(pictures, arguments.count, side_px=SIDE_PX)
        files = [Found(path, *stamp) for path, stamp in scan([pictures]).pictures.items()]
        print(f"{arguments.count:,} pictures of {SIDE_PX} px to {arguments.side_px}, {arguments.workers} at a time")
        for name, ahead in (("threads", on_threads), ("processes", in_processes)):
            rate, own_ms, start_s = measured(ahead, files, arguments.side_px, arguments.workers)
            print(
                f"{name:9} {rate:5.0f} a second; the first after {start_s:.1f} s; {own_ms:.2f} ms of this process each"
            )


if __name__ == "__main__":
    main()
