"""The file of the FAISS index: with the vectors of later parts it is the index of a generation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic import whole_file
from .catalogue import read_rows
from .folder import CATALOGUE, INDEX, VECTORS, discard_strays, last_generation, part_number, part_paths
from .lock import writing
from .manifest import check_parts, damaged, read_manifest, write_manifest
from .records import Manifest
from .vector_files import read_chunks
from .vectors import VectorIndex, new_index, read_index

if TYPE_CHECKING:
    import numpy as np


def open_index(library: Path, manifest: Manifest, image_ids: np.ndarray, vector_ids: np.ndarray) -> VectorIndex:
    """The index of these pictures, ids ascending: its file, and the vectors of later parts.

    Raises:
        LibraryDamaged: they cannot be read, or do not hold a picture's vector.
    """
    import numpy as np

    files = part_paths(library, manifest, INDEX)
    if len(files) != 1:
        raise damaged(library, "its manifest names no index, or two")
    path = files[0]
    later = [
        library / name
        for name in sorted(manifest.parts)
        if name.startswith(VECTORS) and part_number(name) > part_number(path.name)
    ]
    try:
        index = read_index(path)
        if index.dimension != manifest.dimension:
            raise ValueError(f"{path} has vectors of another dimension")
        for ids, vectors in read_chunks(later, manifest.dimension):
            # An index that was repaired holds vectors of parts that a later one has taken in since.
            new = ~np.isin(ids, index.image_ids)
            index.add(ids[new], vectors[new])
        return index.of_pictures(image_ids, vector_ids)
    except (OSError, ValueError) as exc:
        raise damaged(library, f"its part {path.name} cannot be read, or lacks vectors of its catalogue") from exc


def rewrite_index(library: Path) -> None:
    """Make the index anew from the vectors; everything else stays as it is.

    Raises:
        LibraryLocked, WriteFailed, LibraryDamaged: the library is as it was.
    """
    import numpy as np

    with writing(library):
        manifest = read_manifest(library)
        check_parts(library, manifest, ignore=INDEX)
        number = last_generation(library) + 1
        rows = read_rows(part_paths(library, manifest, CATALOGUE), ("vector_id",))
        wanted = np.unique(rows["vector_id"].to_numpy())
        index = new_index(manifest.dimension, len(wanted))
        for ids, vectors in read_chunks(part_paths(library, manifest, VECTORS), manifest.dimension):
            still = np.isin(ids, wanted)
            index.add(ids[still], vectors[still])
        name = f"{INDEX}{number:06d}.faiss"
        with whole_file(library / name) as file:
            index.write(file)
        parts = {part: digest for part, digest in manifest.parts.items() if not part.startswith(INDEX)}
        sizes = {part: manifest.sizes[part] for part in parts}
        write_manifest(
            library,
            replace(
                manifest,
                generation=number,
                parts=parts | {name: file.sha256},
                sizes=sizes | {name: file.size},
            ),
        )
        discard_strays(library)
