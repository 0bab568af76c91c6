"""An update with nothing changed against a bare walk that lists and stats the same files: prints the ratio.

python -m benchmarks.update_unchanged [--count 100000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from limner.index.build import build, update

from .folders import CheapEncoder, make_folder


def bare_walk(folder: str) -> int:
    """The least that tells whether files changed: os.scandir and a stat of each."""
    count, folders = 0, [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat()
                    count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        pictures, library = Path(place, "pictures"), Path(place, "library")
        make_folder(pictures, arguments.count, distinct=False)
        encoder = CheapEncoder(64)
        build([pictures], library, encoder=encoder)
        update(library, encoder=encoder)  # start-up: imports
        bare_walk(str(pictures))
        walks, updates = [], []
        for _ in range(arguments.repeats):
            started = time.perf_counter()
            assert bare_walk(str(pictures)) == arguments.count
            walks.append(time.perf_counter() - started)
            started = time.perf_counter()
            assert update(library, encoder=encoder).unchanged == arguments.count
            updates.append(time.perf_counter() - started)
    walk, updated = statistics.median(walks), statistics.median(updates)
    print(f"{arguments.count:,} files: bare walk {walk:.3f} s, update with nothing changed {updated:.3f} s")
    print(f"ratio {updated / walk:.2f} (at most 2)")


if __name__ == "__main__":
    main()
