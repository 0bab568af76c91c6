"""FAISS: the index of a library and its search, and the Parquet files that the index is always made from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# Below it the index holds float32, which is simplest; above it float16, 4x faster and half the memory. Both are exact:
# the vectors are kept as float16.
FLOAT32_UP_TO = 20_000
ROWS_PER_FILE = 65_536


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """Exact inner-product search over unit vectors, by id."""

    faiss_index: Any  # IndexIDMap2

    def __len__(self) -> int:
        return self.faiss_index.ntotal

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.faiss_index.d

    def search(self, query: np.ndarray, m: int, *, exclude: Collection[int] = ()) -> list[tuple[int, float]]:
        """Return the m (id, inner product) nearest to query, best first, equal ones by id.

        query is (d,) float32, unit length. Excluded ids are left out before the m are taken, so m come back whenever
        there are as many left.
        """
        import faiss
        import numpy as np

        if m < 1 or not len(self):
            return []
        parameters = None
        if exclude:
            batch = faiss.IDSelectorBatch(np.fromiter(exclude, np.int64, len(exclude)))
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorNot(batch))  # pyright: ignore[reportCallIssue]
        row = np.ascontiguousarray(query, np.float32).reshape(1, -1)  # (1, d)
        wanted = min(m, len(self))
        take = min(wanted + 1, len(self))
        while True:
            scores, ids = self.faiss_index.search(row, take, params=parameters)
            hits = [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]
            # FAISS cuts equal scores where it likes: take more until the cut does not fall among equals.
            if take == len(self) or len(hits) <= wanted or hits[-1][1] < hits[wanted - 1][1]:
                break
            take = min(2 * take, len(self))
        hits.sort(key=lambda hit: (-hit[1], hit[0]))
        return hits[:wanted]

    def ids(self) -> np.ndarray:
        """The ids (n,) int64, ascending."""
        import faiss

        return faiss.vector_to_array(self.faiss_index.id_map)

    def all_scores(self, query: np.ndarray) -> np.ndarray:
        """Return the inner product of query (d,) with every vector, (n,) float32, in the order of ids."""
        import numpy as np

        row = np.ascontiguousarray(query, np.float32).reshape(1, -1)  # (1, d)
        scores = np.zeros(len(self), np.float32)
        if len(self):
            # All of them: 0.14 s for 100,000 of 512 numbers, where range_search takes 2.4 s.
            found, rows = self.faiss_index.index.search(row, len(self))
            scores[rows[0]] = found[0]
        return scores

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (n,) int64, ascending, and their vectors (n, d) float32."""
        import faiss
        import numpy as np

        ids = faiss.vector_to_array(self.faiss_index.id_map)
        if not len(ids):
            return ids, np.empty((0, self.dimension), np.float32)
        return ids, self.faiss_index.index.reconstruct_n(0, len(ids))

    def to_bytes(self) -> bytes:
        """The index as a file holds it."""
        import faiss

        return faiss.serialize_index(self.faiss_index).tobytes()


def build_index(ids: np.ndarray, vectors: np.ndarray, *, float32_up_to: int = FLOAT32_UP_TO) -> VectorIndex:
    """Index vectors (n, d) float16 under ids (n,) int64, ascending."""
    import faiss
    import numpy as np

    count, dimension = vectors.shape
    if count <= float32_up_to:
        inner = faiss.IndexFlatIP(dimension)
    else:
        inner = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    index = faiss.IndexIDMap2(inner)
    for start in range(0, count, ROWS_PER_FILE):
        stop = start + ROWS_PER_FILE
        index.add_with_ids(vectors[start:stop].astype(np.float32), ids[start:stop].astype(np.int64))
    return VectorIndex(index)


def read_index(path: Path) -> VectorIndex:
    """Read an index from a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such index.
    """
    import faiss
    import numpy as np

    try:
        index = faiss.deserialize_index(np.fromfile(path, np.uint8))
    except RuntimeError as exc:
        raise ValueError(f"{path} is not a FAISS index") from exc
    if not isinstance(index, faiss.IndexIDMap2):
        raise ValueError(f"{path} is a FAISS index of another kind")
    return VectorIndex(index)


def vector_tables(ids: np.ndarray, vectors: np.ndarray) -> Iterator[bytes]:
    """Parquet files of `id` int64 and `vector` float16 fixed-size list, ROWS_PER_FILE rows each."""
    import pyarrow as pa

    for start in range(0, len(ids), ROWS_PER_FILE):
        stop = start + ROWS_PER_FILE
        yield parquet_bytes(
            pa.table({"id": pa.array(ids[start:stop]), "vector": vector_column(vectors[start:stop])}),
        )


def read_vectors(paths: Sequence[Path], dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ids (n,) int64 and vectors (n, d) float16 from files of `vector_tables`, in their order.

    Raises:
        OSError, ValueError: a file cannot be read as one of them.
    """
    import numpy as np
    import pyarrow.parquet as pq

    ids, vectors = [np.empty(0, np.int64)], [np.empty((0, dimension), np.float16)]
    for path in paths:
        table = pq.read_table(path)
        ids.append(table["id"].to_numpy())
        vectors.append(vector_matrix(table["vector"], dimension))
    return np.concatenate(ids), np.concatenate(vectors)


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
    array = column.combine_chunks()
    flat = array.flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(array) * dimension:
        raise ValueError(f"the vectors do not have {dimension} dimensions")
    return flat.reshape(-1, dimension)


def parquet_bytes(table: Any) -> bytes:
    """A table as the bytes of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()
