"""An update of 100 pictures among 100,000 against writing the library anew: prints the ratio.

    python -m benchmarks.update_changed [--count 100000] [--changed 100] [--folder DIR]

The vectors are made up and already there: what is measured is what a generation costs on the disk and in memory, with
the reading of the one before, and without scanning, decoding and encoding, which are the same for both.
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
from limner.index.generation import Generation, read_generation
from limner.index.library import Library
from limner.index.manifest import read_manifest
from limner.index.publish import Change, Space, TableRows, publish
from limner.index.records import ImageRecord

DIMENSION = 512
SPACE = Space("made up", "0" * 64, DIMENSION)


def change(first: int, count: int, gone: list[int]) -> Change:
    """count new pictures from id `first` on, and some that are gone."""
    rng = np.random.default_rng(first)
    hashes = rng.integers(0, 2**63, count)
    records = [
        ImageRecord(
            first + i,
            Path(f"/pictures/{(first + i) // 1000:05d}/picture-{first + i:08d}.jpg"),
            1000,
            1000,
            hashlib.sha256(str(first + i).encode()).hexdigest(),
            640,
            480,
            title=f"picture {first + i}",
            perceptual_hash=f"{hashes[i]:016x}",
            vector_id=first + i,
        )
        for i in range(count)
    ]

    def vectors() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, count, 8192):
            rows = rng.standard_normal((min(8192, count - start), DIMENSION)).astype(np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            yield np.arange(first + start, first + start + len(rows)), rows.astype(np.float16)

    rows = TableRows(rows_of(records))
    return Change(rows, gone, vectors(), next_id=first + count, next_vector_id=first + count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--changed", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        library = Path(place)
        first = change(1, arguments.count, [])
        started = time.perf_counter()
        publish(library, Generation(library), first, encoder=SPACE, sources=["/pictures"])
        whole_s = time.perf_counter() - started
        whole = sum(read_manifest(library).sizes.values())
        seconds, written = [], []
        for step in range(5):
            before = read_manifest(library)
            new = change(
                1 + arguments.count + step * arguments.changed, arguments.changed, [1 + 7 * step, 2 + 7 * step]
            )
            started = time.perf_counter()
            publish(library, read_generation(library, before), new, encoder=SPACE, sources=["/pictures"])
            seconds.append(time.perf_counter() - started)
            after = read_manifest(library)
            written.append(sum(size for name, size in after.sizes.items() if name not in before.sizes))
        started = time.perf_counter()
        assert len(Library.open(library)) == arguments.count + 5 * (arguments.changed - 2)
        open_s = time.perf_counter() - started
    update_s = float(np.median(seconds))
    print(f"{arguments.count:,} pictures written anew: {whole_s:.2f} s, {whole / 1e6:.1f} MB")
    print(f"{arguments.changed} more and 2 fewer: {update_s:.2f} s, {np.median(written) / 1e6:.2f} MB")
    print(
        f"ratio {whole_s / update_s:.1f} in time, {whole / np.median(written):.0f} in bytes; opened in {open_s:.2f} s"
    )


if __name__ == "__main__":
    main()
