"""Vectors in Parquet, `id` int64 and `vector` a float16 list of fixed size; some thousands of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atomic import whole_file

if TYPE_CHECKING:
    import numpy as np

ROWS_PER_FILE = 65_536
ROWS_AT_A_TIME = 8_192  # 8 MiB of 512 numbers; a row group of the files


def write_vectors(
    library: Path, name: str, chunks: Iterable[tuple[np.ndarray, np.ndarray]], dimension: int
) -> Iterator[tuple[str, str, int]]:
    """Write (ids (k,), vectors (k, d) float16) to library/name-0000.parquet and on, ROWS_PER_FILE rows each.

    Yields the name, digest and size of each file.

    Raises:
        WriteFailed: the disk refused.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float16(), dimension))])
    for number, group in enumerate(_by_file(_even(chunks))):
        file_name = f"{name}-{number:04d}.parquet"
        with (
            whole_file(library / file_name) as file,
            # A dictionary of 16-bit numbers takes twice the time and gives larger files.
            pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer,
        ):
            for ids, vectors in group:
                writer.write_table(pa.table({"id": pa.array(ids), "vector": vector_column(vectors)}, schema))
        yield file_name, file.sha256, file.size


def read_chunks(paths: Sequence[Path], dimension: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield ids (k,) int64 and vectors (k, d) float16 from files of `write_vectors`, in their order.

    Raises:
        OSError, ValueError: a file cannot be read as one of them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_AT_A_TIME, columns=["id", "vector"]):
                table = pa.Table.from_batches([batch])
                yield table["id"].to_numpy(), vector_matrix(table["vector"], dimension)


def read_vectors(paths: Sequence[Path], dimension: int, ids: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return ids (n,) int64 and vectors (n, d) float16 of the files, in their order; of these ids alone if given.

    Raises:
        OSError, ValueError: a file cannot be read as one of them.
    """
    import numpy as np

    found_ids, found = [np.empty(0, np.int64)], [np.empty((0, dimension), np.float16)]
    for chunk_ids, vectors in read_chunks(paths, dimension):
        if ids is not None:
            wanted = np.isin(chunk_ids, ids)
            chunk_ids, vectors = chunk_ids[wanted], vectors[wanted]
        found_ids.append(chunk_ids)
        found.append(vectors)
    return np.concatenate(found_ids), np.concatenate(found)


def vector_column(vectors: np.ndarray) -> Any:
    """(n, d) float16 as an Arrow fixed-size list."""
    import numpy as np
    import pyarrow as pa

    flat = np.ascontiguousarray(vectors, np.float16).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float16()), vectors.shape[1])


def vector_matrix(column: Any, dimension: int) -> np.ndarray:
    """The inverse of `vector_column`: (n, d) float16.

    Raises:
        ValueError: the vectors have another dimension.
    """
    import numpy as np

    array = column.combine_chunks()
    if len(array) == 0:
        return np.empty((0, dimension), np.float16)
    flat = array.flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(array) * dimension:
        raise ValueError(f"the vectors do not have {dimension} dimensions")
    return flat.reshape(-1, dimension)


def parquet_bytes(table: Any, *, use_dictionary: bool = True) -> bytes:
    """A table as the bytes of a Parquet file; a dictionary of its values is for those that come again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", use_dictionary=use_dictionary)
    return sink.getvalue().to_pybytes()


def _even(chunks: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same rows, ROWS_AT_A_TIME in each chunk but the last."""
    import numpy as np

    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for chunk in chunks:
        waiting.append(chunk)
        count += len(chunk[0])
        if count < ROWS_AT_A_TIME:
            continue
        ids, vectors = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
        for start in range(0, count - ROWS_AT_A_TIME + 1, ROWS_AT_A_TIME):
            yield ids[start : start + ROWS_AT_A_TIME], vectors[start : start + ROWS_AT_A_TIME]
        rest = count - count % ROWS_AT_A_TIME
        waiting = [(ids[rest:], vectors[rest:])]
        count -= rest
    if count:
        ids, vectors = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
        yield ids, vectors


def _by_file(chunks: Iterator[tuple[np.ndarray, np.ndarray]]) -> Iterator[Iterator[tuple[np.ndarray, np.ndarray]]]:
    for first in chunks:
        yield chain([first], islice(chunks, ROWS_PER_FILE // ROWS_AT_A_TIME - 1))
