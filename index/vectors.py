"""The exact indexes of FAISS and their search; the quantised ones are in quantised.py, Parquet in vector_files.py."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atomic import WholeFile
from .index_types import FLAT, SQ16, exact_type_for
from .pictures import Pictures

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """Exact inner-product search over unit vectors, by picture; pictures with the same content share a vector."""

    faiss_index: Any  # IndexIDMap2, by vector id
    pictures: Pictures  # by vector id

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def image_ids(self) -> np.ndarray:
        """(n,) int64, ascending."""
        return self.pictures.ids

    @property
    def index_type(self) -> str:
        """Its name in `index_types`."""
        import faiss

        return FLAT if isinstance(faiss.downcast_index(self.faiss_index.index), faiss.IndexFlat) else SQ16

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.faiss_index.d

    def search(self, query: np.ndarray, m: int, *, exclude: Collection[int] = ()) -> list[tuple[int, float]]:
        """Return the m (picture id, inner product) nearest to query, best first, equal ones by id.

        query is (d,) float32, unit length. Excluded ids are left out before the m are taken, so m come back whenever
        there are as many left.
        """
        import faiss
        import numpy as np

        if m < 1 or not len(self):
            return []
        left_out = set(exclude)
        parameters = None
        if left_out:
            batch = faiss.IDSelectorBatch(self._used_up(left_out))
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorNot(batch))  # pyright: ignore[reportCallIssue]
        row = np.ascontiguousarray(query, np.float32).reshape(1, -1)  # (1, d)
        total = self.faiss_index.ntotal
        wanted = min(m, len(self))
        take = min(wanted + 1, total)
        while True:
            scores, ids = self.faiss_index.search(row, take, params=parameters)
            hits = [(int(i), float(s)) for i, s in zip(ids[0], scores[0], strict=True) if i >= 0]
            # FAISS cuts equal scores where it likes: take more until the cut does not fall among equals.
            if take == total or len(hits) <= wanted or hits[-1][1] < hits[wanted - 1][1]:
                break
            take = min(2 * take, total)
        found = self._pictures(hits, left_out)
        found.sort(key=lambda hit: (-hit[1], hit[0]))
        return found[:wanted]

    def all_scores(self, query: np.ndarray) -> np.ndarray:
        """Return the inner product of query (d,) with every picture's vector, (n,) float32, in the order of ids."""
        import numpy as np

        if not len(self):
            return np.empty(0, np.float32)
        row = np.ascontiguousarray(query, np.float32).reshape(1, -1)  # (1, d)
        total = self.faiss_index.ntotal
        # All of them: 0.14 s for 100,000 of 512 numbers, where range_search takes 2.4 s.
        found, rows = self.faiss_index.index.search(row, total)
        scores = np.empty(total, np.float32)
        scores[rows[0]] = found[0]
        return scores[self._rows()]

    def nearest_rows(self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None) -> np.ndarray:
        """The rows of the k vectors nearest to each of queries (q, d), united, ascending; of allowed (n,) bool alone.

        For an index whose pictures have a vector each, added in the order of ids: row and place are the same.
        """
        import faiss
        import numpy as np

        parameters = None
        if allowed is not None:
            bits = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # pyright: ignore[reportCallIssue]
            parameters = faiss.SearchParameters(sel=bits)  # pyright: ignore[reportCallIssue]
        take = min(k, len(self))
        if not take:
            return np.empty(0, np.int64)
        _, rows = self.faiss_index.index.search(np.ascontiguousarray(queries, np.float32), take, params=parameters)
        return np.unique(rows[rows >= 0])

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (n,) int64 of the pictures, ascending, and their vectors (n, d) float32."""
        import numpy as np

        if not len(self):
            return self.image_ids, np.empty((0, self.dimension), np.float32)
        rows = self.faiss_index.index.reconstruct_n(0, self.faiss_index.ntotal)
        return self.image_ids, rows[self._rows()]

    def of_pictures(self, image_ids: np.ndarray, vector_ids: np.ndarray) -> VectorIndex:
        """The index for these pictures, ids ascending; vectors that none of them has leave it.

        Raises:
            ValueError: a vector is not in the index.
        """
        import faiss
        import numpy as np

        ids = faiss.vector_to_array(self.faiss_index.id_map)
        ordered = np.sort(ids)
        places = np.searchsorted(ordered, vector_ids)
        if not (places < len(ids)).all() or not np.array_equal(ordered[places], vector_ids):
            raise ValueError("a picture has no vector")
        used = np.zeros(len(ids), bool)
        used[places] = True
        gone = ordered[~used]
        if len(gone):
            self.faiss_index.remove_ids(faiss.IDSelectorBatch(gone))
        return VectorIndex(self.faiss_index, Pictures.of(image_ids, vector_ids))

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Take vectors (k, d) float16 under new ids into the FAISS index; no picture has them yet."""
        import numpy as np

        self.faiss_index.add_with_ids(vectors.astype(np.float32), ids.astype(np.int64))

    def reserve(self, count: int) -> None:
        """Make room for so many vectors: an index that grows holds what it has twice each time that it doubles."""
        import faiss

        inner: Any = faiss.downcast_index(self.faiss_index.index)
        there = inner.codes.size()
        inner.codes.resize(count * inner.code_size)
        inner.codes.resize(there)  # the room stays

    def write(self, file: WholeFile) -> None:
        """Write the FAISS index."""
        write_faiss(self.faiss_index, file)

    def _rows(self) -> np.ndarray:
        """Where in the FAISS index the vector of each picture stands, (n,) int64."""
        import faiss
        import numpy as np

        ids = faiss.vector_to_array(self.faiss_index.id_map)
        order = np.argsort(ids)
        return order[np.searchsorted(ids, self.pictures.vectors, sorter=order)]

    def _used_up(self, left_out: Collection[int]) -> np.ndarray:
        """The vectors all of whose pictures are left out."""
        import numpy as np

        there = self.pictures.places(left_out)
        vectors, gone = np.unique(self.pictures.vectors[there], return_counts=True)
        first, last = self.pictures.holders(vectors)
        return vectors[gone == last - first]

    def _pictures(self, hits: Sequence[tuple[int, float]], left_out: Collection[int]) -> list[tuple[int, float]]:
        """(vector id, score) to (picture id, score): one for each picture that has the vector and is not left out."""
        import numpy as np

        places, scores = self.pictures.having(
            np.array([i for i, _ in hits], np.int64), np.array([score for _, score in hits], np.float32)
        )
        found = zip(self.image_ids[places].tolist(), scores.tolist(), strict=True)
        return [(image_id, score) for image_id, score in found if image_id not in left_out]


def new_index(dimension: int, kind: str) -> VectorIndex:
    """An empty index of an exact type."""
    import faiss
    import numpy as np

    if kind == FLAT:
        inner = faiss.IndexFlatIP(dimension)
    else:
        assert kind == SQ16, kind
        inner = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    return VectorIndex(faiss.IndexIDMap2(inner), Pictures(*(np.empty(0, np.int64),) * 3))


def build_index(ids: np.ndarray, vectors: np.ndarray, *, kind: str | None = None) -> VectorIndex:
    """Index vectors (n, d) float16 of as many pictures under ids (n,) int64, ascending; by default as suits so many."""
    index = new_index(vectors.shape[1], kind or exact_type_for(len(ids)))
    index.add(ids, vectors)
    return index.of_pictures(ids, ids)


def read_faiss(path: Path) -> Any:
    """Read what FAISS wrote, piece by piece, so that it is not in memory twice.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is nothing of FAISS.
    """
    import faiss

    with path.open("rb") as file:
        reader = faiss.PyCallbackIOReader(file.read, 1 << 22)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            return faiss.read_index(reader)
        except RuntimeError as exc:
            raise ValueError(f"{path} is not a FAISS index") from exc


def write_faiss(index: Any, file: WholeFile) -> None:
    """Write an index of FAISS piece by piece, so that it is not in memory twice."""
    import faiss

    faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, 1 << 22))  # pyright: ignore[reportAttributeAccessIssue]


def read_index(path: Path) -> VectorIndex:
    """Read an exact index from a file: of one picture a vector, until `of_pictures` says otherwise.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such index.
    """
    import faiss
    import numpy as np

    index = read_faiss(path)
    if not isinstance(index, faiss.IndexIDMap2):
        raise ValueError(f"{path} is a FAISS index of another kind")
    ids = np.sort(faiss.vector_to_array(index.id_map))
    return VectorIndex(index, Pictures.of(ids, ids))
