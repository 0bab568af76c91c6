"""Lists that several libraries share: learnt once, kept by each of them, and no longer learnt when an index is written.

Their file is an index of FAISS that was trained and holds no vectors: the lists' centres, and how a list holds vectors.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atomic import whole_file, write_whole
from .catalogue import read_rows
from .errors import ListsInvalid
from .folder import CATALOGUE, LISTS, VECTORS, part_paths
from .index_types import AUTO, QUANTISED, TRAINED_ON, checked_type, lists_for, type_for
from .manifest import check_parts, damaged, part_fault, read_manifest
from .memory import check_learning
from .quantised import empty_index, sample_rows, train, type_of
from .records import Manifest
from .vector_files import read_vectors
from .vectors import read_faiss, write_faiss

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Lists:
    """A file of lists, by what it must agree in with a library."""

    path: Path
    index_type: str  # quantised
    dimension: int  # numbers in a vector
    count: int
    sha256: str  # of the file


@dataclass(frozen=True, slots=True)
class Training:
    """What `train_lists` did."""

    lists: Lists
    wanted: int  # lists that so many pictures would have
    vectors: int  # of the sample


def train_lists(library: Path, count: int, out: Path, *, index_type: str = AUTO) -> Training:
    """Learn from a library's vectors the lists that suit count pictures in all, and write them to out.

    The sample is the one that an index of these vectors would learn from. A list needs TRAINED_ON vectors, so a small
    library gives fewer than count pictures would have. index_type is the type that the lists are for.

    Raises:
        ListsInvalid: out is there; the type is an exact one; the library is too small.
        LibraryMissing, LibraryDamaged: as `read_manifest`; its vectors are not what the manifest says.
        IndexTypeUnknown, MemoryShort, WriteFailed: as `build`.
    """
    kind = type_for(count, checked_type(index_type))
    if kind not in QUANTISED:
        raise ListsInvalid(
            f"for {count:,} pictures the index is {kind}, which has no lists",
            f"name the number of all pictures, and `--index-type` {' or '.join(QUANTISED)} for a smaller one",
        )
    _refuse_to_overwrite(out)
    manifest = read_manifest(library)
    check_parts(library, manifest, digest=lambda name: name.startswith((CATALOGUE, VECTORS)))
    ids = _vector_ids(library, manifest)
    if len(ids) < TRAINED_ON:
        raise ListsInvalid(
            f"the library {library} holds {len(ids)} different pictures, too few to learn lists from",
            f"take one of {TRAINED_ON} or more; {TRAINED_ON} for each list are best",
        )
    wanted = lists_for(count)
    lists = min(wanted, len(ids) // TRAINED_ON)
    chosen = ids[sample_rows(len(ids), lists)]
    check_learning(lists, len(chosen), manifest.dimension)
    index = train(kind, _vectors(library, manifest, chosen), lists)
    _refuse_to_overwrite(out)  # that took a while
    with whole_file(out) as file:
        write_faiss(index, file)
    return Training(Lists(out, kind, manifest.dimension, lists, file.sha256), wanted, len(chosen))


def read_lists(path: Path, dimension: int) -> Lists:
    """Read what `train_lists` wrote, for vectors of so many numbers.

    Raises:
        ListsInvalid: it is not there, nothing of the kind, or for other vectors.
    """
    learn = f"`limner index train --library SAMPLE --for N --out {path}`"
    try:
        data = path.read_bytes()
        index = read_faiss(path)
    except OSError as exc:
        raise ListsInvalid(f"cannot read the lists {path}: {exc.strerror or exc}", f"{learn} learns some") from exc
    except ValueError as exc:
        raise ListsInvalid(f"{path} holds no lists: it is not of FAISS, or cut short", f"{learn} learns some") from exc
    kind = type_of(index)
    if kind is None or not _is_trained_and_empty(index, kind):
        raise ListsInvalid(f"{path} holds no lists that were learnt for libraries", f"{learn} learns some")
    if index.d != dimension:
        raise ListsInvalid(
            f"the lists {path} are for vectors of {index.d} numbers, the encoder gives {dimension}",
            "learn lists from a library of the same encoder: `limner index train`",
        )
    return Lists(path, kind, index.d, index.nlist, hashlib.sha256(data).hexdigest())


def own_lists(library: Path, manifest: Manifest | None) -> Lists | None:
    """The lists that a library keeps, if it does.

    Raises:
        LibraryDamaged: they are not what the manifest says.
    """
    paths = part_paths(library, manifest, LISTS) if manifest else []
    if not manifest or not paths:
        return None
    try:
        lists = read_lists(paths[0], manifest.dimension)
    except ListsInvalid as exc:
        raise damaged(library, f"its part {paths[0].name} cannot be read") from exc
    if lists.sha256 != manifest.parts[paths[0].name]:
        raise damaged(library, f"its part {paths[0].name} was changed")
    return lists


def own_digest(manifest: Manifest) -> str | None:
    """The SHA-256 of the lists that a library keeps, if it does."""
    return next((digest for name, digest in manifest.parts.items() if name.startswith(LISTS)), None)


def unless_own(lists: Lists | None, library: Path, manifest: Manifest | None) -> Lists | None:
    """The lists, or None where the library keeps the same ones, whole."""
    if lists is None or manifest is None or own_digest(manifest) != lists.sha256:
        return lists
    name = next(name for name in manifest.parts if name.startswith(LISTS))
    return lists if part_fault(library, manifest, name) else None


def copy_lists(lists: Lists, to: Path) -> tuple[Lists, int]:
    """Write the lists to another file; return them there, and how many bytes they take.

    Raises:
        ListsInvalid: the file is no longer what was read.
        WriteFailed: the disk refused.
    """
    try:
        data = lists.path.read_bytes()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != lists.sha256:
        raise ListsInvalid(f"the lists {lists.path} were changed meanwhile", "run the same command again")
    write_whole(to, data)
    return replace(lists, path=to), len(data)


def check_agreement(lists: Lists | None, asked: str) -> None:
    """Do nothing where an index of the type that is asked for can be made of the lists, or is an exact one.

    Raises:
        ListsInvalid: it is of the other quantised type.
    """
    if lists is not None and asked in QUANTISED and asked != lists.index_type:
        raise ListsInvalid(
            f"the lists {lists.path} are for an index of type {lists.index_type}, and {asked} is asked for",
            f"`--index-type auto` or {lists.index_type} takes them; `limner index train --index-type {asked}` learns"
            " others",
        )


def _refuse_to_overwrite(out: Path) -> None:
    if os.path.lexists(out):
        raise ListsInvalid(f"{out} is there already", "name another file; libraries may have been built with this one")


def _vector_ids(library: Path, manifest: Manifest) -> np.ndarray:
    """Of the vectors that pictures have, ascending."""
    import numpy as np

    try:
        rows = read_rows(part_paths(library, manifest, CATALOGUE), ("vector_id",))
    except (OSError, ValueError) as exc:
        raise damaged(library, "its catalogue cannot be read") from exc
    return np.unique(rows["vector_id"].to_numpy())


def _vectors(library: Path, manifest: Manifest, ids: np.ndarray) -> np.ndarray:
    """Those with ids (k,), ascending: (k, d) float32."""
    import numpy as np

    try:
        found, vectors = read_vectors(part_paths(library, manifest, VECTORS), manifest.dimension, ids)
    except (OSError, ValueError) as exc:
        raise damaged(library, "its vectors cannot be read") from exc
    order = np.argsort(found)
    if not np.array_equal(found[order], ids):
        raise damaged(library, "vectors of its pictures are missing")
    return vectors[order].astype(np.float32)


def _is_trained_and_empty(index: Any, kind: str) -> bool:
    """Whether an index of a quantised type is as `train` gives it."""
    import faiss

    return (
        index.is_trained
        and index.ntotal == 0
        and index.quantizer.ntotal == index.nlist
        and index.metric_type == faiss.METRIC_INNER_PRODUCT
        and index.code_size == empty_index(kind, index.d, 1).code_size  # the same bits a number
    )
