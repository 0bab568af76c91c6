"""Pictures as an encoder sees them: a library of them is built as any other, so that what it skips is skipped here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..index.build import build
from ..index.engines.engine import Progress
from ..index.library import Library

if TYPE_CHECKING:
    import numpy as np

    from ..index.encoder import Encoder


@dataclass(frozen=True, slots=True)
class Seen:
    """The vectors of pictures, and the encoder that they came from."""

    encoder: Encoder
    rows: dict[Path, int]  # of those that could be read
    vectors: np.ndarray  # (n, d) float32, unit rows
    is_strange: bool = False  # the embedded encoder does not know such pictures
    caution: str | None = None  # what a reader of the figures should know
    skipped: int = 0  # pictures that could not be read

    def cosines(self, text: str, pictures: Sequence[Path]) -> np.ndarray:
        """How near text is to each picture, (k,) float32 in [-1, 1]; NaN where a picture could not be read."""
        import numpy as np

        query = self.encoder.encode_texts([text])[0]
        rows = np.array([self.rows.get(path, -1) for path in pictures], np.int64)
        found = np.full(len(rows), np.nan, np.float32)
        found[rows >= 0] = self.vectors[rows[rows >= 0]] @ query
        return found


def see(
    sources: Sequence[Path], encoder: Encoder, library: Path, progress: Progress = lambda done, total: None
) -> Seen:
    """Encode pictures, or all below folders, by way of a library; what it holds already is not encoded again.

    Raises:
        SourceMissing: none of them can be read.
        LimnerError: as `index.build.build`.
    """
    summary = build(sources, library, encoder=encoder, progress=progress)
    opened = Library.open(library, encoder=encoder)
    ids, vectors = opened.vectors()
    row_of = {image_id: row for row, image_id in enumerate(ids.tolist())}
    rows = {record.path: row_of[record.id] for record in opened.records()}
    return Seen(encoder, rows, vectors, opened.caution is not None, opened.caution, len(summary.skipped))


@contextmanager
def library_beside(out: Path | None, name: str) -> Iterator[Path]:
    """A folder for such a library: in out, where an interrupted evaluation finds it again, else for the time being."""
    if out is not None:
        yield out / "pictures" / name
        return
    with TemporaryDirectory(prefix="limner-") as folder:
        yield Path(folder) / name
