"""Peak memory of a build of 10,000 pictures against one of 100,000, vectors apart: prints the ratio.

    python -m benchmarks.build_memory [--counts 10000 100000] [--folder DIR]

Each build runs in a process of its own, with small made JPEGs and an encoder that costs nothing; all else is as it is.
The index holds every vector once, so count * dimension * 2 bytes (float16 above 20,000 pictures, else twice that) are
taken off the peak.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from limner.index.build import build
from limner.index.index_types import FLOAT32_UP_TO

from .folders import CheapEncoder, make_folder

DIMENSION = 512


def peak_mb(pictures: Path, library: Path) -> float:
    """Build in this process and return its peak resident memory."""
    build([pictures], library, encoder=CheapEncoder(DIMENSION), workers=2)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=[10_000, 100_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--build", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.build:
        print(peak_mb(*arguments.build))
        return
    rest = []
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
            pictures, library = Path(place, "pictures"), Path(place, "library")
            make_folder(pictures, count)
            command = [sys.executable, "-m", "benchmarks.build_memory", "--build", str(pictures), str(library)]
            peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        vectors = count * DIMENSION * (4 if count <= FLOAT32_UP_TO else 2) / 2**20
        rest.append(peak - vectors)
        print(f"{count:>9,} pictures: peak {peak:.0f} MiB, vectors {vectors:.0f} MiB, the rest {rest[-1]:.0f} MiB")
    print(f"ratio {rest[1] / rest[0]:.2f} (at most 1.20)")


if __name__ == "__main__":
    main()
