"""A build of photographs of 12 megapixels against decoding them alone: prints the ratio in pictures a second.

    python -m benchmarks.build_large [--count 2000] [--workers N] [--repeats 3] [--folder DIR] [--encoder NAME]

Decoding alone is the build's own function on a thread a processor, without hashing, metadata and encoding. The two take
turns; processor seconds are printed beside, because they tell more where the machine has other work too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from limner.index.build import build
from limner.index.decode import decode
from limner.index.encoder import load_encoder

from .photographs import make_photographs


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and seconds of all processors."""
    started, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - processor


def decode_all(pictures: Path, target_px: int, workers: int) -> None:
    """What no build of these pictures can do without."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda path: decode(path, target_px=target_px).size, sorted(pictures.iterdir())):
            pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--workers", type=int, help="of the build; its own number by default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--encoder", default="nano-clip@auto", help="by default in the precision that is faster")
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.encoder, "cpu")
    decoding, building = [], []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        pictures, library = Path(place, "pictures"), Path(place, "library")
        size = make_photographs(pictures, arguments.count) / arguments.count / 1e6
        build([min(pictures.iterdir())], library, encoder=encoder)  # start-up: imports
        for _ in range(arguments.repeats):
            shutil.rmtree(library)
            decoding.append(timed(lambda: decode_all(pictures, encoder.image_side_px, os.cpu_count() or 1)))
            building.append(timed(lambda: build([pictures], library, encoder=encoder, workers=arguments.workers)))
    (decode_s, decode_cpu_s), (build_s, build_cpu_s) = (
        tuple(map(statistics.median, zip(*rounds, strict=True))) for rounds in (decoding, building)
    )
    print(f"{arguments.count:,} photographs of 12 MP, {size:.1f} MB each, {os.cpu_count()} processors, {encoder.name}")
    print(f"decoding alone {arguments.count / decode_s:.1f} a second, building {arguments.count / build_s:.1f}")
    print(f"ratio {decode_s / build_s:.2f} (at least 0.90); of processor seconds {decode_cpu_s / build_cpu_s:.2f}")


if __name__ == "__main__":
    main()
