"""A build in shards: which files belong to each, and which shards are finished, both on the disk.

A shard is a file of the manifest, a task of the cluster and a part of LIBRARY/work. What became of its files is
written after its part, so that a build that was killed neither opens nor encodes them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atomic import write_whole
from ..scan import Found
from ..vector_files import parquet_bytes
from ..work import Encoded, Work

SHARD_SIZE = 256  # pictures: what a killed build does again for each task that ran
_MANIFEST = "manifest-"
_FINISHED = "finished-"


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of one build."""

    manifest: list[Path]  # a Parquet file each: shard, number, path, size, mtime_ns
    numbers: list[list[int]]  # of each, the places of its files in the build's list
    first: int  # the number of the first one's part


def finished(work: Work) -> dict[Found, str]:
    """The files of shards that earlier builds finished, as they were then, to their hashes; a broken list is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    known: dict[Found, str] = {}
    for path in sorted(work.folder.glob(f"{_FINISHED}*.parquet")):
        with suppress(OSError, pa.ArrowException, KeyError, UnicodeDecodeError):
            with pq.ParquetFile(path) as file:
                table = file.read()
            columns = (table[name].to_pylist() for name in ("path", "size", "mtime_ns", "hash"))
            known |= {
                Found(path, size, mtime_ns): digest for path, size, mtime_ns, digest in zip(*columns, strict=True)
            }
    return known


def write_shards(work: Work, files: Sequence[Found], numbers: Sequence[int], *, size: int = SHARD_SIZE) -> Shards:
    """Cut the files with these numbers into shards and write their manifest.

    Raises:
        WriteFailed: the disk refused.
    """
    import pyarrow as pa

    for old in work.folder.glob(f"{_MANIFEST}*"):
        with suppress(OSError):
            old.unlink()
    cut = [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]
    shards = Shards([], cut, work.reserve(len(cut)))
    for shard, members in enumerate(cut):
        table = pa.table(
            {
                "shard": pa.array([shard] * len(members), pa.int32()),
                "number": pa.array(members, pa.int64()),
                **_stamps([files[number] for number in members]),
            }
        )
        path = work.folder / f"{_MANIFEST}{shard:06d}.parquet"
        write_whole(path, parquet_bytes(table))
        shards.manifest.append(path)
    return shards


def finish_shard(work: Work, number: int, batch: Sequence[Encoded], files: Sequence[tuple[Found, str]]) -> None:
    """Keep a shard's part, then write down which content each of its files has; those without one are tried again.

    Raises:
        WriteFailed: the disk refused.
    """
    import pyarrow as pa

    if batch:
        work.keep(batch, number=number)
    if files:
        table = pa.table({**_stamps([file for file, _ in files]), "hash": pa.array([digest for _, digest in files])})
        # Like its part, of which there may be one of the same number in another run.
        name = f"{_FINISHED}{number:06d}-{files[0][1][:32]}.parquet"
        write_whole(work.folder / name, parquet_bytes(table))


def _stamps(files: Sequence[Found]) -> dict[str, Any]:
    import pyarrow as pa

    return {
        "path": pa.array([file.location for file in files], pa.string()),
        "size": pa.array([file.size for file in files], pa.int64()),
        "mtime_ns": pa.array([file.mtime_ns for file in files], pa.int64()),
    }
