"""Whether a library is what its manifest says, part by part, and which command mends what is not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .catalogue import read_rows
from .compact import MADE_OF_OTHERS, make_anew
from .duplicates import read_groups
from .errors import LibraryDamaged
from .folder import CATALOGUE, DUPLICATES, INDEX, LISTS, VECTORS, part_paths
from .index_file import INDEX_PARTS, open_index
from .manifest import part_fault, read_manifest
from .places import place
from .records import Manifest
from .vector_files import read_chunks

if TYPE_CHECKING:
    import numpy as np

_LENGTH_TOLERANCE = 2e-3  # half precision rounds each number by up to 5e-4 of it


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    part: str  # a file of the library, or the path of a picture
    what: str
    fix: str  # the command that mends it


def verify(library: Path, *, files: bool = False) -> list[Fault]:
    """What is wrong with a library; with files also which pictures are no longer as they were indexed.

    Raises:
        LibraryMissing, LibraryDamaged: there is no manifest to compare with.
    """
    library = Path(os.path.abspath(library))  # noqa: PTH100
    manifest = read_manifest(library)
    faults: list[Fault] = []
    for name in sorted(manifest.parts):
        what = part_fault(library, manifest, name)
        if what:
            faults.append(Fault(name, what, _fix(library, name)))
    whole = not any(fault.part.startswith((CATALOGUE, VECTORS)) for fault in faults)
    if whole:
        faults += _compare_parts(library, manifest, {fault.part for fault in faults})
    if files and not any(fault.part.startswith(CATALOGUE) for fault in faults):
        faults += _compare_files(library, manifest)
    return faults


def repair(library: Path) -> list[Fault]:
    """Make anew what is made of catalogue and vectors, if no more is damaged; return what is still wrong.

    A damaged list of skipped files is forgotten, and they are tried again.

    Raises:
        LibraryMissing, LibraryDamaged, LibraryLocked, WriteFailed: as `build`.
    """
    library = Path(os.path.abspath(library))  # noqa: PTH100
    faults = verify(library)
    if faults and all(fault.part.startswith(MADE_OF_OTHERS) for fault in faults):
        make_anew(library, tuple(kind for kind in MADE_OF_OTHERS if any(f.part.startswith(kind) for f in faults)))
        faults = verify(library)
    return faults


def _fix(library: Path, part: str) -> str:
    if part.startswith(MADE_OF_OTHERS):
        return f"limner index verify --repair --library {library}"
    if part.startswith(LISTS):
        return f"limner index build SOURCE --library {library} --lists LISTS.faiss"
    return f"limner index build SOURCE --library {library} --rebuild"


def _compare_parts(library: Path, manifest: Manifest, faulty: set[str]) -> list[Fault]:
    """Catalogue against manifest, vectors against catalogue, index against vectors."""
    import numpy as np

    faults: list[Fault] = []

    def fault(part: str, what: str) -> None:
        faults.append(Fault(part, what, _fix(library, part)))

    rows = read_rows(part_paths(library, manifest, CATALOGUE), ("id", "vector_id"))
    ids, vector_ids = rows["id"].to_numpy(), rows["vector_id"].to_numpy()
    if len(ids) != manifest.count:
        fault(CATALOGUE, f"has {len(ids)} pictures, the manifest {manifest.count}")
    if len(np.unique(ids)) != len(ids):
        fault(CATALOGUE, "has an id twice")
    if len(ids) and (ids.max() >= manifest.next_id or vector_ids.max() >= manifest.next_vector_id):
        fault(CATALOGUE, "has an id that the manifest would give away again")
    held = np.unique(vector_ids)
    kept, wrong = _check_vectors(library, manifest)
    if wrong:
        fault(VECTORS, f"{wrong} vectors are not of unit length")
    if not np.isin(held, kept).all():
        fault(VECTORS, f"{(~np.isin(held, kept)).sum()} pictures' vectors are missing")
        return faults
    name = next((part for part in manifest.parts if part.startswith(INDEX)), INDEX)
    if not any(part.startswith(INDEX_PARTS) for part in faulty):
        try:
            index_ids, rows = open_index(library, manifest, ids, vector_ids).vectors()
        except LibraryDamaged:
            fault(name, "cannot be read, or lacks vectors")
        else:
            wrong = _count_different(library, manifest, index_ids, vector_ids, rows)
            if wrong:
                fault(name, f"{wrong} of its vectors are not those of the library")
    grouped = read_groups(path for path in part_paths(library, manifest, DUPLICATES) if path.name not in faulty)
    if not np.isin(np.fromiter(grouped, np.int64, len(grouped)), ids).all():
        fault(DUPLICATES, "has pictures that the catalogue has not")
    return faults


def _check_vectors(library: Path, manifest: Manifest) -> tuple[np.ndarray, int]:
    """The ids of all vectors, and how many of them are not of unit length."""
    import numpy as np

    ids, wrong = [np.empty(0, np.int64)], 0
    for chunk_ids, vectors in read_chunks(part_paths(library, manifest, VECTORS), manifest.dimension):
        ids.append(chunk_ids)
        lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
        wrong += int((~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)).sum())
    return np.concatenate(ids), wrong


def _count_different(
    library: Path, manifest: Manifest, image_ids: np.ndarray, vector_ids: np.ndarray, rows: np.ndarray
) -> int:
    """How many vectors the index gives otherwise than the files; rows (n, d) float32 are the index's, by picture."""
    import numpy as np

    held, first = np.unique(vector_ids, return_index=True)
    wrong = 0
    for ids, vectors in read_chunks(part_paths(library, manifest, VECTORS), manifest.dimension):
        there = np.isin(ids, held)
        mine = rows[first[np.searchsorted(held, ids[there])]]
        wrong += int((mine != vectors[there].astype(np.float32)).any(axis=1).sum())
    return wrong


def _compare_files(library: Path, manifest: Manifest) -> list[Fault]:
    """Pictures whose file is gone or has another size or time than when it was indexed."""
    rows = read_rows(part_paths(library, manifest, CATALOGUE), ("path", "size", "mtime_ns"))
    fix = f"limner index update --library {library}"
    faults: list[Fault] = []
    for path, size, mtime_ns in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True):
        try:
            status = place(path).stat()
        except OSError as exc:
            faults.append(Fault(path, f"the file cannot be found ({exc.strerror})", fix))
            continue
        if (status.st_size, status.st_mtime_ns) != (size, mtime_ns):
            faults.append(Fault(path, "the file was changed since it was indexed", fix))
    return faults
