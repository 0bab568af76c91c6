"""How well near duplicates are told from different pictures, and how fast: prints precision, recall and seconds.

    python -m benchmarks.duplicates FOLDER... [--encoder nano-clip] [--every 2] [--count 100000]

Of every picture below the folders copies are made: compressed, scaled, cut, brightened. Recall is the share of copies
that are linked to their original; precision the share of links between originals that a reader called the same picture
again (they are printed, for looking at).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from limner.index.decode import decode
from limner.index.encoder import load_encoder
from limner.index.errors import PictureUnreadable
from limner.index.likeness import MAX_BITS, MIN_COSINE, near_pairs, perceptual_hash
from limner.index.scan import scan
from PIL import Image, ImageEnhance


def copies(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """What becomes of a picture on its way through the world."""
    width, height = image.size
    yield "JPEG, quality 50", _again(image, quality=50)
    yield "JPEG, quality 20", _again(image, quality=20)
    yield "half the size", image.resize((max(width // 2, 1), max(height // 2, 1)))
    yield "cut by 2 % on each side", _cut(image, 0.02)
    yield "cut by 5 % on each side", _cut(image, 0.05)
    yield "20 % brighter", ImageEnhance.Brightness(image).enhance(1.2)
    yield "20 % darker", ImageEnhance.Brightness(image).enhance(0.8)
    yield "20 % more contrast", ImageEnhance.Contrast(image).enhance(1.2)


def _again(image: Image.Image, quality: int) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _cut(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    return image.crop((int(share * width), int(share * height), int((1 - share) * width), int((1 - share) * height)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--encoder", default="nano-clip")
    parser.add_argument("--every", type=int, default=2, help="make copies of every so many pictures")
    parser.add_argument("--count", type=int, default=100_000, help="hashes for the measurement of speed")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        _measure(folder, arguments.encoder, arguments.every)
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, arguments.count, np.uint64)
    started = time.process_time()
    left, _ = near_pairs(hashes, np.ones(len(hashes), bool))
    print(
        f"{arguments.count:,} hashes: {len(left)} near pairs in {time.process_time() - started:.1f} s of one processor"
    )


def _measure(folder: Path, encoder_name: str, every: int) -> None:
    encoder = load_encoder(encoder_name, "cpu")
    hashes: list[str] = []
    vectors: list[np.ndarray] = []
    found: dict[str, list[bool]] = {}
    names: list[str] = []
    for number, path in enumerate(sorted(scan([folder]).pictures)):
        try:
            image = decode(Path(path), target_px=encoder.image_side_px)
        except PictureUnreadable:
            continue
        made = list(copies(image)) if number % every == 0 else []
        rows = encoder.encode_images([image, *(copy for _, copy in made)])
        mine = perceptual_hash(image)
        for (kind, copy), row in zip(made, rows[1:], strict=True):
            found.setdefault(kind, []).append(_linked(mine, perceptual_hash(copy), float(rows[0] @ row)))
        hashes.append(mine)
        vectors.append(rows[0])
        names.append(Path(path).name)
    print(f"{folder.name}: {len(names)} pictures")
    for kind, linked in found.items():
        print(f"  recall {np.mean(linked):.3f}  {kind}")
    every_one = [linked for kind in found.values() for linked in kind]
    print(f"  recall {np.mean(every_one):.3f}  of all {len(every_one)} copies")
    for a in range(len(names)):
        for b in range(a):
            if _linked(hashes[a], hashes[b], float(vectors[a] @ vectors[b])):
                print(f"  originals linked: {names[a]}  {names[b]}")


def _linked(a: str, b: str, cosine: float) -> bool:
    if not a or not b:
        return False
    return (int(a, 16) ^ int(b, 16)).bit_count() <= MAX_BITS and cosine >= MIN_COSINE


if __name__ == "__main__":
    main()
