"""A generation of the library as a writer reads it: what is known of pictures, and of files that are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .catalogue import read_rows
from .duplicates import DUPLICATES, Member, read_groups
from .manifest import check_parts, damaged
from .records import Manifest
from .work import Contents

CATALOGUE = "catalogue/"
VECTORS = "vectors/"
SKIPPED = "skipped-"
# Besides the texts that people and files say: what a build must know of a picture to see what changed.
_KNOWN = ("id", "path", "size", "mtime_ns", "hash", "width", "height", "perceptual_hash", "vector_id")


@dataclass(frozen=True, slots=True)
class Skipped:
    """What a build did not take, as the next one remembers it."""

    broken: list[tuple[str, int, int, str]] = field(default_factory=list)  # path, size, mtime_ns, reason
    notices: list[tuple[str, str]] = field(default_factory=list)  # metadata file, what is odd


@dataclass(frozen=True, slots=True)
class Generation:
    """The pictures of a library, or none of a library that is to be."""

    manifest: Manifest | None = None
    rows: Any = None  # Arrow table of _KNOWN, by id
    skipped: Skipped = field(default_factory=Skipped)
    groups: dict[int, Member] = field(default_factory=dict)  # by picture, of those that have one
    next_id: int = 1

    def __len__(self) -> int:
        return 0 if self.rows is None else len(self.rows)

    def column(self, name: str) -> list[Any]:
        """A column of the rows."""
        return [] if self.rows is None else self.rows[name].to_pylist()

    def contents(self) -> Contents:
        """What is known of the pictures' contents."""
        contents = Contents()
        names = ("hash", "width", "height", "perceptual_hash", "vector_id")
        for row in zip(*map(self.column, names), strict=True):
            contents.add(*row)
        return contents


def read_generation(library: Path, manifest: Manifest) -> Generation:
    """Read what the manifest names, all but the vectors.

    The parts that are read are compared with their digests; of the others, which may be gigabytes, the sizes.

    Raises:
        LibraryDamaged: a part is gone, was changed or cannot be read.
    """
    check_parts(library, manifest, digest=lambda name: not name.startswith((VECTORS, "index-")))
    try:
        rows = read_rows(part_paths(library, manifest, CATALOGUE), _KNOWN)
        skipped = _read_skipped(part_paths(library, manifest, SKIPPED))
        groups = read_groups(part_paths(library, manifest, DUPLICATES))
    except (OSError, ValueError) as exc:
        raise damaged(library, "its catalogue cannot be read") from exc
    if len(rows) != manifest.count:
        raise damaged(library, "its catalogue and manifest disagree")
    return Generation(manifest, rows, skipped, groups, manifest.next_id)


def part_paths(library: Path, manifest: Manifest, kind: str) -> list[Path]:
    """The parts whose names begin so, older ones first."""
    return [library / name for name in sorted(manifest.parts) if name.startswith(kind)]


def skipped_table(skipped: Skipped) -> Any:
    """Skipped files and notices as an Arrow table."""
    import pyarrow as pa

    rows = [(*row, _tried_by()) for row in skipped.broken]
    rows += [(path, -1, -1, what, "") for path, what in skipped.notices]
    names = ("path", "size", "mtime_ns", "reason", "tried_by")
    types = (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.string())
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, types, strict=True)})


def _read_skipped(paths: Sequence[Path]) -> Skipped:
    """The notices, and the broken files that this Limner would find broken again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    skipped = Skipped()
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                rows = file.read().to_pylist()
            for row in rows:
                if row["size"] < 0:
                    skipped.notices.append((row["path"], row["reason"]))
                elif row["tried_by"] == _tried_by():
                    skipped.broken.append((row["path"], row["size"], row["mtime_ns"], row["reason"]))
        except (pa.ArrowException, KeyError) as exc:
            raise ValueError(f"{path} is no list of skipped files") from exc
    return skipped


@cache
def _tried_by() -> str:
    """Who found a file broken: another version may read it."""
    return f"limner {version('limner')}, pillow {version('pillow')}"
