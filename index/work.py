"""What a build has finished and not yet published: parts under LIBRARY/work, so that a killed build goes on."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atomic import write_whole
from .columns import Digests, Texts
from .manifest import VERSION
from .vector_files import parquet_bytes, vector_column, vector_matrix

if TYPE_CHECKING:
    import numpy as np

WORK_NAME = "work"
_FINGERPRINT_LETTERS = 16


@dataclass(frozen=True, slots=True)
class Encoded:
    """All that the content of a file gives; the same for every file with this hash."""

    hash: str  # of the file's bytes
    width: int  # pixels, upright
    height: int
    perceptual_hash: str
    embedded: str  # what the file says of itself, as `metadata.to_json` gives it
    vector: np.ndarray  # (d,) float16, unit length


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a content besides its vector."""

    hash: str
    width: int
    height: int
    perceptual_hash: str
    embedded: str
    vector_id: int  # 0 where no generation has its vector yet


class Contents:
    """Contents by hash, numbered as they come: in columns, because a million objects would take the memory."""

    def __init__(self, version: int = VERSION) -> None:
        """Args: version: of the library's format, which says how contents are named."""
        self.version = version
        self._digests = Digests()
        self._widths, self._heights = array("i"), array("i")
        self._perceptual = array("Q")
        self._even = bytearray()  # 1 where there is no perceptual hash
        self._embedded = Texts()
        self.vector_ids = array("q")

    def __len__(self) -> int:
        return len(self._digests)

    def add(
        self, digest: str, width: int, height: int, perceptual_hash: str, embedded: str, vector_id: int = 0
    ) -> None:
        """Take a content in; one that is known stays as it is."""
        key = bytes.fromhex(digest)
        if self._digests.find(key) is not None:
            return
        self._widths.append(width)
        self._heights.append(height)
        self._perceptual.append(int(perceptual_hash or "0", 16))
        self._even.append(not perceptual_hash)
        self._embedded.append(embedded)
        self.vector_ids.append(vector_id)
        self._digests.append(key)  # last: whoever finds it finds all of it

    def find(self, digest: str) -> int | None:
        """The number of the content with this hash."""
        return self._digests.find(bytes.fromhex(digest))

    def hash(self, number: int) -> str:
        """The hash of a content."""
        return self._digests[number].hex()

    def perceptual_hash(self, number: int) -> str:
        """The perceptual hash of a content, empty where it has none."""
        return "" if self._even[number] else f"{self._perceptual[number]:016x}"

    def __getitem__(self, number: int) -> Content:
        return Content(
            self.hash(number),
            self._widths[number],
            self._heights[number],
            self.perceptual_hash(number),
            self._embedded[number],
            self.vector_ids[number],
        )


class Work:
    """The parts of one encoder; those of another encoder are of no use and go with the next publication."""

    def __init__(self, library: Path, fingerprint: str, dimension: int) -> None:
        self._root = library / WORK_NAME
        self._folder = self._root / fingerprint[:_FINGERPRINT_LETTERS]
        self._dimension = dimension
        self._number = 0

    def load(self, contents: Contents) -> None:
        """Take in what earlier builds finished; a part that cannot be read is dropped and its work done again."""
        for path in self._paths():
            try:
                table, _ = self._read(path)
            except (OSError, ValueError, KeyError):
                with suppress(OSError):
                    path.unlink()
                continue
            columns = (table[name].to_pylist() for name in ("hash", "width", "height", "perceptual_hash", "embedded"))
            for row in zip(*columns, strict=True):
                contents.add(*row)
            self._number = int(path.name[:6]) + 1

    @property
    def folder(self) -> Path:
        """Where the parts of this encoder lie; `clear` removes every Parquet file in it."""
        return self._folder

    def reserve(self, count: int) -> int:
        """The first of so many numbers for parts that are not finished in their order."""
        first = self._number
        self._number += count
        return first

    def keep(self, batch: Sequence[Encoded], *, number: int | None = None) -> None:
        """Put a finished batch on the disk, as the next part or under a number that was reserved.

        Raises:
            WriteFailed: the disk refused.
        """
        import numpy as np
        import pyarrow as pa

        columns = {
            "hash": pa.array([item.hash for item in batch]),
            "width": pa.array([item.width for item in batch]),
            "height": pa.array([item.height for item in batch]),
            "perceptual_hash": pa.array([item.perceptual_hash for item in batch]),
            "embedded": pa.array([item.embedded for item in batch]),
            "vector": vector_column(np.stack([item.vector for item in batch])),
        }
        # In the order of the build, which is the order of the vectors' ids; the hash keeps two builds apart.
        name = f"{self.reserve(1) if number is None else number:06d}-{batch[0].hash[:32]}.parquet"
        write_whole(self._folder / name, parquet_bytes(pa.table(columns), use_dictionary=False))

    def vectors(self, contents: Contents) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The vectors of these contents that have an id, (k,) int64 and (k, d) float16, each once.

        Raises:
            OSError, ValueError: a part was lost since it was kept.
        """
        import numpy as np

        given = bytearray(len(contents))
        for path in self._paths():
            table, matrix = self._read(path)
            numbers = [contents.find(digest) for digest in table["hash"].to_pylist()]
            kept: list[int] = []
            rows: list[int] = []
            for row, number in enumerate(numbers):
                if number is not None and contents.vector_ids[number] and not given[number]:
                    given[number] = True
                    kept.append(contents.vector_ids[number])
                    rows.append(row)
            yield np.array(kept, np.int64), matrix[rows]

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

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]" * 6 + "-*.parquet"))

    def _read(self, path: Path) -> tuple[Any, np.ndarray]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            table = file.read()
        return table, vector_matrix(table["vector"], self._dimension)
