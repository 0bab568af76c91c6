"""A library written anew from what it holds: without what is gone from it, or without what is damaged."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from .folder import DUPLICATES, SKIPPED, WORDS, discard_strays
from .generation import read_generation
from .index_file import INDEX_PARTS
from .index_types import checked_type
from .lock import writing
from .manifest import check_parts, read_manifest
from .publish import no_change, publish, space_of
from .records import Manifest

# Kinds of parts that are made of the catalogue and the vectors; skipped files are only tried again.
MADE_OF_OTHERS = (*INDEX_PARTS, WORDS, DUPLICATES, SKIPPED)


def compact(library: Path, *, index_type: str | None = None) -> int:
    """Write library anew without what is gone from it, and return how many bytes that gave back.

    Raises:
        LibraryMissing, LibraryDamaged, LibraryLocked, WriteFailed: as `build`.
        IndexTypeUnknown, MemoryShort: as `build`.
        ListsInvalid: the library's lists are for another type.
    """
    index_type = index_type and checked_type(index_type)
    old, new = _write_anew(library, index_type=index_type)
    return sum(old.sizes.values()) - sum(new.sizes.values())


def make_anew(library: Path, kinds: tuple[str, ...]) -> None:
    """Write library anew without its parts of these kinds, which are some of MADE_OF_OTHERS: they are made again.

    Raises:
        LibraryMissing, LibraryDamaged, LibraryLocked, WriteFailed, MemoryShort: as `build`.
    """
    _write_anew(library, without=kinds)


def _write_anew(
    library: Path, *, index_type: str | None = None, without: tuple[str, ...] = ()
) -> tuple[Manifest, Manifest]:
    """The manifests before and after."""
    library = Path(os.path.abspath(library))  # noqa: PTH100
    read_manifest(library)
    with writing(library):
        manifest = read_manifest(library)
        check_parts(library, manifest, ignore=without)
        left = {name: digest for name, digest in manifest.parts.items() if not name.startswith(without)}
        # Contents above this number are compared with all others; below it they were when they came.
        known_below = 0 if DUPLICATES in without else manifest.next_vector_id
        old = read_generation(library, replace(manifest, parts=left, next_vector_id=known_below))
        try:
            new = publish(
                library,
                old,
                no_change(manifest, old),
                encoder=space_of(manifest),
                sources=manifest.sources,
                whole=True,
                index_type=index_type,
            )
        finally:
            discard_strays(library)
    return manifest, new
