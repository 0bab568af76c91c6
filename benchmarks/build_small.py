"""A build of small pictures with ViT-B-32 against the model's forward pass alone: prints the ratio.

    python -m benchmarks.build_small [--count 5000] [--precision auto] [--workers N] [--repeats 3] [--folder DIR]

The model has random weights. Forward alone is the model's own call on as many pictures in batches of the same size,
which lie ready as pixels; the two take turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from limner.index.build import BATCH_SIZE, build
from limner.index.encoder import OpenClipEncoder, load_encoder
from limner.index.precision import with_precision
from PIL import Image

from .build_large import timed
from .checkpoint import write_checkpoint
from .folders import make_folder

SIDE_PX = 320


def forward_all(encoder: OpenClipEncoder, count: int) -> None:
    """What no build of so many pictures can do without."""
    import torch

    noise = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    pixels = encoder.pixels([Image.fromarray(noise)] * BATCH_SIZE)
    with torch.inference_mode():
        for start in range(0, count, BATCH_SIZE):
            encoder.model.encode_image(pixels[: count - start]).cpu()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--workers", type=int, help="of the build; its own number by default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    forward, building = [], []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        pictures, library = Path(place, "pictures"), Path(place, "library")
        make_folder(pictures, arguments.count, side_px=SIDE_PX)
        checkpoint = write_checkpoint(Path(place, "checkpoint"))
        encoder = load_encoder(with_precision(str(checkpoint), arguments.precision))
        build([next(pictures.rglob("*.jpg"))], library, encoder=encoder)  # start-up: imports
        for _ in range(arguments.repeats):
            shutil.rmtree(library)
            forward.append(timed(lambda: forward_all(encoder, arguments.count)))
            building.append(timed(lambda: build([pictures], library, encoder=encoder, workers=arguments.workers)))
    (forward_s, forward_cpu_s), (build_s, build_cpu_s) = (
        tuple(map(statistics.median, zip(*rounds, strict=True))) for rounds in (forward, building)
    )
    precision = str(encoder.dtype).removeprefix("torch.")
    print(f"{arguments.count:,} pictures of {SIDE_PX} px, {precision}, {os.cpu_count()} processors")
    print(f"forward alone {arguments.count / forward_s:.1f} a second, building {arguments.count / build_s:.1f}")
    print(f"ratio {forward_s / build_s:.2f} (at least 0.90); of processor seconds {forward_cpu_s / build_cpu_s:.2f}")


if __name__ == "__main__":
    main()
