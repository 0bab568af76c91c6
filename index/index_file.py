"""The files of the index: written with its vectors, and opened as the index of a generation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import whole_file
from .folder import FULL, INDEX, VECTORS, part_number, part_paths
from .full_vectors import FullVectorsWriter, read_full_vectors
from .index_types import QUANTISED, type_for
from .lists import Lists
from .manifest import damaged
from .memory import check_memory
from .quantised import QuantisedIndex, read_quantised, write_quantised
from .records import Manifest
from .vector_files import read_chunks
from .vectors import VectorIndex, new_index, read_index

if TYPE_CHECKING:
    import numpy as np

# What the vectors say again, and can be made anew from them.
INDEX_PARTS = (INDEX, FULL)


def open_index(
    library: Path, manifest: Manifest, image_ids: np.ndarray, vector_ids: np.ndarray
) -> VectorIndex | QuantisedIndex:
    """The index of these pictures, ids ascending: its files, and the vectors of later parts.

    Raises:
        LibraryDamaged: they cannot be read, or do not hold a picture's vector.
    """
    import numpy as np

    files, full = part_paths(library, manifest, INDEX), part_paths(library, manifest, FULL)
    if len(files) != 1 or len(full) > 1:
        raise damaged(library, "its manifest names no index, or two")
    path = files[0]
    later = [
        library / name
        for name in sorted(manifest.parts)
        if name.startswith(VECTORS) and part_number(name) > part_number(path.name)
    ]
    try:
        index = read_quantised(path, full[0]) if full else read_index(path)
        if index.dimension != manifest.dimension:
            raise ValueError(f"{path} has vectors of another dimension")
        for ids, vectors in read_chunks(later, manifest.dimension):
            # An index that was repaired holds vectors of parts that a later one has taken in since.
            new = ~np.isin(ids, index.image_ids)
            index.add(ids[new], vectors[new])
        return index.of_pictures(image_ids, vector_ids)
    except (OSError, ValueError) as exc:
        raise damaged(library, f"its part {path.name} cannot be read, or lacks vectors of its catalogue") from exc


@dataclass(frozen=True, slots=True)
class IndexWriter:
    """Takes in the vectors of an index that is being written; afterwards it names its files."""

    add: Callable[[np.ndarray, np.ndarray], None]  # ids (k,) int64, vectors (k, d) float16
    parts: list[tuple[str, str, int]] = field(default_factory=list)  # name, SHA-256, bytes


@contextmanager
def writing_index(
    library: Path, number: int, dimension: int, count: int, asked: str, lists: Lists | None
) -> Iterator[IndexWriter]:
    """Write an index of count vectors, of the type that is asked for; when the block ends its files are there.

    A quantised one is made of lists where some are given.

    Raises:
        MemoryShort: there is not enough to build it.
        WriteFailed: the disk refused.
    """
    import pyarrow as pa

    kind = type_for(count, asked, lists and lists.index_type)
    check_memory(kind, count, dimension)
    pa.default_memory_pool().release_unused()  # what was read before this, which takes the most memory of a build
    path = library / f"{INDEX}{number:06d}.faiss"
    if kind in QUANTISED:
        full_path = library / f"{FULL}{number:06d}.npy"
        with whole_file(full_path) as file:
            full = FullVectorsWriter(file, count, dimension)
            writer = IndexWriter(full.add)
            yield writer
            full.close()
        writer.parts.append((full_path.name, file.sha256, file.size))
        with whole_file(path) as file:
            write_quantised(file, kind, read_full_vectors(full_path), lists and lists.path)
    else:
        index = new_index(dimension, kind)
        index.reserve(count)
        writer = IndexWriter(index.add)
        yield writer
        with whole_file(path) as file:
            index.write(file)
    writer.parts.append((path.name, file.sha256, file.size))
