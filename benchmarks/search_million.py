"""Vector search of a million: recall at 8, and the library's search against FAISS's own call, as ratios in one run.

    python -m benchmarks.search_million [--count 1000000] [--queries 500] [--type ivf-sq8]
        [--asked N...] [--gpu] [--folder DIR | --keep DIR]

Pictures are made up: 512 numbers, count / 250 Gaussians of unequal weight about centres on the sphere, all on one side
of it, so that the cosine of two pictures at random is about .3. A text is made for a picture: half of what sets that
picture off from all, more noise than that, and a direction of its own that no picture has and all texts share, which is
what sets texts off from pictures in CLIP: its cosine with its picture is about .36, with any other about .05.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from limner.index.atomic import whole_file
from limner.index.free import size
from limner.index.full_vectors import FullVectorsWriter, read_full_vectors
from limner.index.gpu import gpu_count
from limner.index.index_types import IVF_SQ8, QUANTISED
from limner.index.memory import build_bytes, search_bytes
from limner.index.quantised import LISTS_ASKED, RESCORED, QuantisedIndex, read_quantised, write_quantised

DIMENSION = 512
SEED = 20
M = 8
CHUNK = 8_192
SIDE = 0.8  # of the way that all pictures lie along one direction, against their own
SPREAD = 0.5  # of a cluster, against the distance of its centre


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


class World:
    """Pictures and texts, the same for the same count."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(SEED)
        self.count = count
        clusters = max(1, count // 250)
        self.side, self.other_side = unit(rng.standard_normal((2, DIMENSION)))
        self.centres = unit(unit(rng.standard_normal((clusters, DIMENSION))) + SIDE * self.side)
        weights = rng.pareto(1.5, clusters) + 0.2
        self.weights = weights / weights.sum()

    def pictures(self) -> Iterator[np.ndarray]:
        """(k, d) float16, unit rows."""
        workers = os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            for at in range(0, self.count, CHUNK * workers):
                yield from pool.map(self._chunk, range(at, min(at + CHUNK * workers, self.count), CHUNK))

    def _chunk(self, at: int) -> np.ndarray:
        rng = np.random.default_rng([SEED + 1, at])
        chosen = rng.choice(len(self.centres), min(CHUNK, self.count - at), p=self.weights)
        own = rng.standard_normal((len(chosen), DIMENSION), np.float32) / np.float32(np.sqrt(DIMENSION))
        return unit(self.centres[chosen] + SPREAD * own).astype(np.float16)

    def texts(self, pictures: np.ndarray) -> np.ndarray:
        """(k, d) float32 unit rows, one for each of these pictures."""
        rng = np.random.default_rng(SEED + 2)
        own = unit(pictures - (pictures @ self.side)[:, None] * self.side)  # what sets a picture off from all
        noise = unit(rng.standard_normal(pictures.shape))
        return unit(0.5 * own + 0.7 * noise + 1.0 * self.other_side + 0.1 * self.side)


def exact(folder: Path, queries: np.ndarray) -> np.ndarray:
    """The rows (q, 8) of the best pictures, by NumPy."""
    full = read_full_vectors(folder / "full.npy")
    best = np.full((len(queries), M), -2, np.float32)
    rows = np.zeros((len(queries), M), np.int64)
    for at in range(0, len(full), CHUNK):
        here = np.arange(at, min(at + CHUNK, len(full)))
        scores = np.concatenate([best, queries @ full.take(here).T], axis=1)
        known = np.concatenate([rows, np.broadcast_to(here, (len(queries), len(here)))], axis=1)
        top = np.argpartition(-scores, M, axis=1)[:, :M]
        best, rows = np.take_along_axis(scores, top, 1), np.take_along_axis(known, top, 1)
    return rows


def seconds(search: Callable[[np.ndarray], object], queries: np.ndarray) -> list[float]:
    taken = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        taken.append(time.perf_counter() - started)
    return taken


def bare(index: QuantisedIndex) -> Callable[[np.ndarray], object]:
    """FAISS's own call with what the library asks it for."""
    import faiss

    times, least = RESCORED[index.index_type]
    if index.gpu is not None:
        on_gpus = index.gpu.faiss_index
        return lambda query: on_gpus.search(query[None], max(times * M, least))
    parameters = faiss.SearchParametersIVF(nprobe=min(LISTS_ASKED[index.index_type], index.faiss_index.nlist))
    return lambda query: index.faiss_index.search(query[None], max(times * M, least), params=parameters)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--type", choices=QUANTISED, default=IVF_SQ8)
    parser.add_argument("--gpu", action="store_true", help="ask the GPU, which must be there")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the index in this folder, and take the one that is there")
    parser.add_argument("--asked", type=int, nargs="+", help="lists asked, in place of the library's number")
    arguments = parser.parse_args()
    if arguments.gpu and not gpu_count():
        raise SystemExit("no GPU here that FAISS can use")
    world = World(arguments.count)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = arguments.keep or Path(place)
        measure(world, folder, arguments.type, arguments.queries, gpu=arguments.gpu, asked=arguments.asked)


def measure(world: World, folder: Path, kind: str, count: int, *, gpu: bool, asked: list[int] | None) -> None:
    started = time.perf_counter()
    if not (folder / "full.npy").exists():
        with whole_file(folder / "full.npy") as file:
            writer = FullVectorsWriter(file, world.count, DIMENSION)
            for at, vectors in zip(range(0, world.count, CHUNK), world.pictures(), strict=True):
                writer.add(np.arange(at, at + len(vectors)), vectors)
            writer.close()
        print(f"made in {time.perf_counter() - started:.0f} s", flush=True)
    path = folder / f"{kind}.faiss"
    started = time.perf_counter()
    if not path.exists():
        with whole_file(path) as file:
            write_quantised(file, kind, read_full_vectors(folder / "full.npy"))
        print(f"built in {time.perf_counter() - started:.0f} s", flush=True)
    started = time.perf_counter()
    ids = np.arange(world.count)
    index = read_quantised(path, folder / "full.npy").of_pictures(ids, ids)
    print(f"opened in {time.perf_counter() - started:.2f} s")
    rng = np.random.default_rng(SEED + 3)
    chosen = np.sort(rng.choice(world.count, count, replace=False))
    pictures = index.full.take(chosen)
    texts = world.texts(pictures)
    some = index.full.take(np.sort(rng.choice(world.count, 1000)))
    print(f"cosines: two pictures {np.mean(some[:500] @ some[500:].T):.2f}, "
          f"text and any picture {np.mean(texts @ some.T):.2f}, "
          f"text and its own {np.mean((texts * pictures).sum(1)):.2f}")  # fmt: skip
    right = exact(folder, texts)
    for lists in asked or [LISTS_ASKED[kind]]:
        LISTS_ASKED[kind] = lists
        asked_there = index.on_gpus() if gpu else index
        if gpu and asked_there.gpu is None:
            raise SystemExit("the GPU has no room for this, or does not know the type")
        measure_search(asked_there, texts, right)
    print(f"estimate: {size(build_bytes(kind, world.count, DIMENSION))} to build, "
          f"{size(search_bytes(kind, world.count, DIMENSION))} to search")  # fmt: skip


def measure_search(index: QuantisedIndex, texts: np.ndarray, right: np.ndarray) -> None:
    found = [[i for i, _ in index.search(query, M)] for query in texts]
    recall = np.mean([len(set(a) & set(b)) / M for a, b in zip(found, right.tolist(), strict=True)])
    once = bare(index)
    ratios = []
    for _ in range(5):  # in turns, so that other work on the machine falls on both
        ours, theirs = seconds(lambda query: index.search(query, M), texts), seconds(once, texts)
        ratios.append(np.median(ours) / np.median(theirs))
    lists, asked = index.faiss_index.nlist, LISTS_ASKED[index.index_type]
    print(f"{len(index):,} vectors, {index.index_type}, {lists} lists, {asked} asked, {len(texts)} texts")
    print(f"recall at {M}: {recall:.4f} (at least .98)")
    print(f"time of a search against FAISS's own call: ratio {np.median(ratios):.2f} (at most 1.3), "
          f"{np.median(ours) * 1000:.2f} ms")  # fmt: skip
    if index.gpu is not None:
        on_cpu = replace(index, gpu=None)
        taken = seconds(lambda query: on_cpu.search(query, M), texts)
        theirs = [[i for i, _ in on_cpu.search(query, M)] for query in texts]
        same = np.mean([len(set(a) & set(b)) / M for a, b in zip(found, theirs, strict=True)])
        print(f"on the CPU {np.median(taken) * 1000:.2f} ms, {np.median(taken) / np.median(ours):.1f} times as long, "
              f"and {same:.4f} of the hits the same")  # fmt: skip


if __name__ == "__main__":
    main()
