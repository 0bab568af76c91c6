"""A generation of the library as a writer reads it: what is known of pictures, and of files that are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .catalogue import read_rows
from .duplicates import Member, read_groups
from .folder import CATALOGUE, DUPLICATES, FULL, INDEX, LISTS, SENTENCES, SKIPPED, VECTORS, part_paths
from .manifest import VERSION, check_parts, damaged, read_manifest
from .records import Manifest
from .sentences import SentenceIndex, read_sentences
from .work import Contents

_READERS = ("limner", "pillow", "pi-heif", "rawpy")
# Besides the texts that people and files say: what a build must know of a picture to see what changed.
_KNOWN = ("id", "path", "size", "mtime_ns", "hash", "width", "height", "perceptual_hash", "embedded", "vector_id")


@dataclass(frozen=True, slots=True)
class Skipped:
    """What a build did not take, as the next one remembers it."""

    broken: list[tuple[str, int, int, str]] = field(default_factory=list)  # path, size, mtime_ns, reason
    notices: list[tuple[str, str]] = field(default_factory=list)  # metadata file, what is odd
    tried: str = ""  # `tried_with` of the broken files


@dataclass(frozen=True)
class Generation:
    """The pictures of a library, or none of a library that is to be."""

    library: Path
    manifest: Manifest | None = None
    skipped: Skipped = field(default_factory=Skipped)
    next_id: int = 1
    version: int = VERSION  # of the format that it is written in again

    @cached_property
    def rows(self) -> Any:
        """An Arrow table of what a build must know of each picture, by id; read when something changed.

        Raises:
            LibraryDamaged: a file of the catalogue cannot be read.
        """
        return self._read(_KNOWN)

    @cached_property
    def groups(self) -> dict[int, Member]:
        """The pictures that are the same one again as another, by picture; read when something changed.

        Raises:
            LibraryDamaged: the list of duplicates cannot be read.
        """
        try:
            return read_groups(part_paths(self.library, self.manifest, DUPLICATES)) if self.manifest else {}
        except (OSError, ValueError) as exc:
            raise damaged(self.library, "its list of duplicates cannot be read") from exc

    def __len__(self) -> int:
        return self.manifest.count if self.manifest else 0

    def column(self, name: str) -> list[Any]:
        """A column of the rows."""
        return _to_list(self.rows[name])

    def stamps(self) -> dict[str, tuple[int, int]]:
        """The pictures' paths to (size, mtime_ns)."""
        rows = self._read(("path", "size", "mtime_ns"))
        stamps = zip(_to_list(rows["size"]), _to_list(rows["mtime_ns"]), strict=True)
        return dict(zip(_to_list(rows["path"]), stamps, strict=True))

    def contents(self) -> Contents:
        """What is known of the pictures' contents."""
        contents = Contents(self.version)
        names = ("hash", "width", "height", "perceptual_hash", "embedded", "vector_id")
        for row in zip(*map(self.column, names), strict=True):
            contents.add(*row)
        return contents

    def _read(self, columns: Sequence[str]) -> Any:
        paths = part_paths(self.library, self.manifest, CATALOGUE) if self.manifest else []
        try:
            rows = read_rows(paths, columns)
        except (OSError, ValueError) as exc:
            raise damaged(self.library, "its catalogue cannot be read") from exc
        if len(rows) != len(self):
            raise damaged(self.library, "its catalogue and manifest disagree")
        return rows


def _to_list(column: Any) -> list[Any]:
    # By way of NumPy: five times as fast as Arrow's own conversion.
    return column.to_numpy().tolist()


def read_generation(library: Path, manifest: Manifest, *, ignore: tuple[str, ...] = ()) -> Generation:
    """Read what the manifest names, all but the vectors.

    The parts that are read are compared with their digests; of the others, which may be gigabytes, the sizes. Parts
    whose names begin as one of ignore are not looked at.

    Raises:
        LibraryDamaged: a part is gone, was changed or cannot be read.
    """
    unread = (VECTORS, INDEX, FULL, LISTS)
    check_parts(library, manifest, digest=lambda name: not name.startswith(unread), ignore=ignore)
    try:
        skipped = _read_skipped(part_paths(library, manifest, SKIPPED))
    except (OSError, ValueError) as exc:
        raise damaged(library, "its list of skipped files cannot be read") from exc
    return Generation(library, manifest, skipped, manifest.next_id, manifest.version)


def read_sentence_part(library: Path, manifest: Manifest) -> SentenceIndex | None:
    """The library's sentence vectors, if it has any.

    Raises:
        LibraryDamaged: they cannot be read.
    """
    paths = part_paths(library, manifest, SENTENCES)
    try:
        return read_sentences(paths[0]) if paths else None
    except (OSError, ValueError) as exc:
        raise damaged(library, f"its part {paths[0].name} cannot be read") from exc


def sentences_of(library: Path) -> str | None:
    """The name of the sentence encoder that a library was built with, if with any.

    Raises:
        LibraryMissing, LibraryDamaged: as `read_manifest`.
    """
    index = read_sentence_part(library, read_manifest(library))
    return index.encoder if index else None


def count_broken(library: Path, manifest: Manifest) -> int:
    """How many files a build remembers as broken.

    Raises:
        LibraryDamaged: the part that holds them cannot be read.
    """
    try:
        return len(_read_skipped(part_paths(library, manifest, SKIPPED)).broken)
    except (OSError, ValueError) as exc:
        raise damaged(library, "its list of skipped files cannot be read") from exc


def skipped_table(skipped: Skipped) -> Any:
    """Skipped files and notices as an Arrow table."""
    import pyarrow as pa

    rows = [(*row, skipped.tried) for row in skipped.broken]
    rows += [(path, -1, -1, what, "") for path, what in skipped.notices]
    names = ("path", "size", "mtime_ns", "reason", "tried")
    types = (pa.string(), pa.int64(), pa.int64(), pa.string(), pa.string())
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, types, strict=True)})


def _read_skipped(paths: Sequence[Path]) -> Skipped:
    """The inverse of `skipped_table`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken: list[tuple[str, int, int, str]] = []
    notices: list[tuple[str, str]] = []
    tried = ""
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                rows = file.read().to_pylist()
            for row in rows:
                if row["size"] < 0:
                    notices.append((row["path"], row["reason"]))
                else:
                    tried = row["tried"]
                    broken.append((row["path"], row["size"], row["mtime_ns"], row["reason"]))
        except (pa.ArrowException, KeyError) as exc:
            raise ValueError(f"{path} is no list of skipped files") from exc
    return Skipped(broken, notices, tried)


def tried_with(max_pixels: int, max_bytes: int) -> str:
    """With what files were found broken: another version may read them, and so may other limits."""
    return f"{', '.join(map(_named, _READERS))}, {max_pixels} pixels, {max_bytes} bytes"


def _named(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"
