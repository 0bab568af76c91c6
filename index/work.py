"""What a build has finished and not yet published: parts under LIBRARY/work, so that a killed build goes on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import write_whole
from .vectors import parquet_bytes, vector_column, vector_matrix

if TYPE_CHECKING:
    import numpy as np

WORK_NAME = "work"
_FINGERPRINT_LETTERS = 16


@dataclass(frozen=True, slots=True)
class Encoded:
    """All that the content of a file gives; the same for every file with this hash."""

    hash: str  # SHA-256 of the file's bytes
    width: int  # pixels, upright
    height: int
    embedded: str | None  # what the file says of itself, as `metadata.to_json` gives it; None: not read yet
    vector: np.ndarray  # (d,) float16, unit length


class Work:
    """The parts of one encoder; those of another encoder are of no use and go with the next publication."""

    def __init__(self, library: Path, fingerprint: str, dimension: int) -> None:
        self._root = library / WORK_NAME
        self._folder = self._root / fingerprint[:_FINGERPRINT_LETTERS]
        self._dimension = dimension

    def load(self) -> dict[str, Encoded]:
        """What earlier builds finished, by hash; a part that cannot be read is dropped and its work done again."""
        finished: dict[str, Encoded] = {}
        for path in sorted(self._folder.glob("*.parquet")):
            try:
                finished.update(self._read(path))
            except (OSError, ValueError, KeyError):
                with suppress(OSError):
                    path.unlink()
        return finished

    def keep(self, batch: Sequence[Encoded]) -> None:
        """Put a finished batch on the disk.

        Raises:
            WriteFailed: the disk refused.
        """
        import numpy as np
        import pyarrow as pa

        columns = {
            "hash": pa.array([item.hash for item in batch]),
            "width": pa.array([item.width for item in batch]),
            "height": pa.array([item.height for item in batch]),
            "embedded": pa.array([item.embedded for item in batch], pa.string()),
            "vector": vector_column(np.stack([item.vector for item in batch])),
        }
        # Named by content: two builds never disagree on a name, and none is overwritten by other work.
        write_whole(self._folder / f"{batch[0].hash[:32]}.parquet", parquet_bytes(pa.table(columns)))

    def clear(self) -> None:
        """Remove all parts, of any encoder."""
        # Only what has our names goes: somebody may have a folder `work` of their own here.
        for folder in self._root.glob("[0-9a-f]" * _FINGERPRINT_LETTERS):
            for path in folder.glob("*.parquet*"):
                with suppress(OSError):
                    path.unlink()
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            self._root.rmdir()

    def _read(self, path: Path) -> dict[str, Encoded]:
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        matrix = vector_matrix(table["vector"], self._dimension)
        columns = (table[name].to_pylist() for name in ("hash", "width", "height", "embedded"))
        return {row[0]: Encoded(*row) for row in zip(*columns, matrix, strict=True)}
