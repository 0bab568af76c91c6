"""Opening a library of made-up pictures of which much is said, and its first searches: prints processor seconds.

    python -m benchmarks.opening [--count 100000] [--keep DIR]

Every picture has a title, a caption of 12 words of 20,000, rare ones rarely, and keywords; 64 numbers a vector, because
this is about the words. Nothing is decoded: the rows are published as a build would.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from limner.index.catalogue import rows_of
from limner.index.generation import Generation
from limner.index.library import Library
from limner.index.publish import Change, Space, TableRows, publish
from limner.index.records import ImageRecord

from .folders import CheapEncoder

DIMENSION = 64
VOCABULARY = 20_000


def change(count: int) -> Change:
    """A first generation of so many pictures."""
    rng = np.random.default_rng(1)
    words = np.array(["".join(rng.choice(list("abcdefghiklmnoprstuvw"), 7)) for _ in range(VOCABULARY)])
    chosen = words[np.minimum(rng.zipf(1.3, (count, 15)) - 1, VOCABULARY - 1)].tolist()
    hashes = rng.integers(0, 2**64, count, np.uint64).tolist()
    records = [
        ImageRecord(
            number + 1,
            Path(f"/pictures/{number // 1000:04d}/{number:07d}.jpg"),
            1000,
            10**18 + number,
            hashlib.sha256(str(number).encode()).hexdigest(),
            640,
            480,
            title=f"picture {number}",
            caption=" ".join(said[:12]),
            keywords=tuple(said[12:]),
            perceptual_hash=f"{hashes[number]:016x}",
            vector_id=number + 1,
        )
        for number, said in enumerate(chosen)
    ]

    def vectors() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, count, 8192):
            rows = rng.standard_normal((min(8192, count - start), DIMENSION)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            yield np.arange(start + 1, start + 1 + len(rows)), rows.astype(np.float16)

    rows = TableRows(rows_of(records))
    return Change(rows, (), vectors(), next_id=count + 1, next_vector_id=count + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="keep the library in this folder, and take the one that is there")
    arguments = parser.parse_args()
    encoder = CheapEncoder(DIMENSION)
    with tempfile.TemporaryDirectory() as place:
        folder = arguments.keep or Path(place)
        if not (folder / "manifest.json").exists():
            space = Space(encoder.name, encoder.fingerprint, DIMENSION)
            publish(folder, Generation(folder), change(arguments.count), encoder=space, sources=["/pictures"])
        Library.open(folder)  # imports
        opening, first, next_ = [], [], []
        for _ in range(3):
            started = time.process_time()
            library = Library.open(folder, encoder=encoder)
            opened = time.process_time()
            library.search("a picture of 99 balloons", 8)
            searched = time.process_time()
            library.search("another picture", 8)
            opening.append(opened - started)
            first.append(searched - opened)
            next_.append(time.process_time() - searched)
    print(f"{arguments.count:,} pictures: opened in {min(opening):.2f} s of a processor, "
          f"first search {min(first):.3f} s, next {min(next_):.3f} s")  # fmt: skip


if __name__ == "__main__":
    main()
