"""Libraries merged to one, against writing that one from what is already known: prints the ratio.

    python -m benchmarks.merge [--count 100000] [--shards 4] [--index-type auto] [--folder DIR]

The vectors are made up. The other side is a generation's publication alone, without scan and encoder: a merge does that
too, after reading its libraries, and once more after one of them has changed a little.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from limner.index.generation import Generation, read_generation
from limner.index.library import Library
from limner.index.manifest import read_manifest
from limner.index.merge import merge
from limner.index.publish import publish

from .update_changed import SPACE, change


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of processors."""
    started, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - before


def peak() -> float:
    """Memory at the highest point until now, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--index-type", default="auto")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        place, each = Path(name), arguments.count // arguments.shards
        shards = [place / f"shard-{number}" for number in range(arguments.shards)]
        for number, shard in enumerate(shards):
            publish(shard, Generation(shard), change(1 + number * each, each, []), encoder=SPACE, sources=["/pictures"])
        whole, merged = place / "whole", place / "merged"
        every = change(1, each * arguments.shards, [])
        kind = arguments.index_type
        anew = timed(
            lambda: publish(whole, Generation(whole), every, encoder=SPACE, sources=["/pictures"], index_type=kind)
        )
        before = peak()
        once = timed(lambda: merge(shards, merged, index_type=kind))
        after = peak()
        old = read_generation(shards[0], read_manifest(shards[0]))
        more = change(1 + 10 * arguments.count, 100, [1, 2])
        publish(shards[0], old, more, encoder=SPACE, sources=["/pictures"])
        again = timed(lambda: merge(shards, merged, index_type=kind))
        assert len(Library.open(merged, device="cpu")) == each * arguments.shards + 98
    print(f"{each * arguments.shards:,} pictures in {arguments.shards} libraries, index {kind}")
    for what, (wall, processor) in (("written anew", anew), ("merged", once), ("100 more, merged again", again)):
        ratio = f"{wall / anew[0]:.2f}, of processor seconds {processor / anew[1]:.2f}"
        print(f"{what:<24}{wall:>8.1f} s{processor:>8.1f} of processors   ratio {ratio}")
    print(f"memory at the highest: {before:.0f} MB before the first merge, {after:.0f} MB after it")


if __name__ == "__main__":
    main()
