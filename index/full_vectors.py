"""Vectors in full beside a quantised index, float16 in a file that is mapped and not read, to re-score candidates.

The file holds three NumPy arrays one after another: the vectors (n, d) float16, their ids (n,) int64 in the same order,
and their sum (d,) float64.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .vector_files import ROWS_AT_A_TIME

if TYPE_CHECKING:
    import numpy as np

    from .atomic import WholeFile


class FullVectors:
    """Vectors by row: those of a file, and later ones that are kept in memory."""

    def __init__(self, mapped: np.ndarray, ids: np.ndarray, total: np.ndarray) -> None:
        import numpy as np

        self._mapped = mapped  # (n, d) float16
        self._later = np.empty((0, mapped.shape[1]), np.float16)
        self._mapped_total = total  # (d,) float64
        self.ids = ids  # (rows,) int64

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._mapped.shape[1]

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Take vectors (k, d) float16 in behind the others."""
        import numpy as np

        self._later = np.concatenate([self._later, vectors])
        self.ids = np.concatenate([self.ids, ids])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The vectors (k, d) float32 of rows (k,)."""
        import numpy as np

        first_later = len(self._mapped)
        if not len(self._later):
            return self._mapped[rows].astype(np.float32)
        later = rows >= first_later
        found = np.empty((len(rows), self._mapped.shape[1]), np.float32)
        found[~later] = self._mapped[rows[~later]]
        found[later] = self._later[rows[later] - first_later]
        return found

    def scores(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The inner products (k,) float32 of query (d,) float32 with rows (k,)."""
        import numpy as np

        parts = [self.take(rows[at : at + ROWS_AT_A_TIME]) @ query for at in range(0, len(rows), ROWS_AT_A_TIME)]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def total(self, times: np.ndarray) -> np.ndarray:
        """The sum (d,) float64 of all vectors, each as often as times (rows,) says; most count once in the file."""
        import numpy as np

        more = times.astype(np.int64)
        more[: len(self._mapped)] -= 1
        total = self._mapped_total.copy()
        for rows in _pieces(np.flatnonzero(more)):
            total += more[rows].astype(np.float64) @ self.take(rows).astype(np.float64)
        return total


class FullVectorsWriter:
    """Writes count vectors of one dimension, as they come, to a file for `read_full_vectors`."""

    def __init__(self, file: WholeFile, count: int, dimension: int) -> None:
        import numpy as np

        self._file = file
        self._count = count
        self._ids: list[np.ndarray] = []
        self._total = np.zeros(dimension, np.float64)
        _write_header(file, (count, dimension), "<f2")

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Write vectors (k, d) float16 under ids (k,)."""
        import numpy as np

        self._file.write(np.ascontiguousarray(vectors, "<f2").tobytes())
        self._ids.append(ids)
        for at in range(0, len(vectors), ROWS_AT_A_TIME):
            self._total += vectors[at : at + ROWS_AT_A_TIME].sum(0, dtype=np.float64)

    def close(self) -> None:
        """Write what stands behind the vectors."""
        import numpy as np

        ids = np.concatenate([np.empty(0, "<i8"), *self._ids]).astype("<i8")
        assert len(ids) == self._count, (len(ids), self._count)
        for array in (ids, self._total.astype("<f8")):
            _write_header(self._file, array.shape, array.dtype.str)
            self._file.write(array.tobytes())


def read_full_vectors(path: Path) -> FullVectors:
    """Map the file that `FullVectorsWriter` wrote; its vectors stay on the disk until they are asked for.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file.
    """
    import numpy as np

    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if len(shape) != 2 or dtype != np.dtype("<f2"):
            raise ValueError(f"{path} holds no vectors in full")
        start = file.tell()
        file.seek(start + shape[0] * shape[1] * dtype.itemsize)
        ids, total = (np.lib.format.read_array(file, allow_pickle=False) for _ in range(2))
    if ids.shape != shape[:1] or total.shape != shape[1:]:
        raise ValueError(f"{path} holds no vectors in full")
    mapped = np.memmap(path, dtype, "r", start, shape) if shape[0] else np.empty(shape, dtype)
    return FullVectors(np.asarray(mapped), ids, total)


def _write_header(file: WholeFile, shape: tuple[int, ...], dtype: str) -> None:
    from io import BytesIO

    import numpy as np

    header: dict[str, Any] = {"descr": dtype, "fortran_order": False, "shape": shape}
    buffer = BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    file.write(buffer.getvalue())


def _pieces(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[at : at + ROWS_AT_A_TIME] for at in range(0, len(rows), ROWS_AT_A_TIME)]
