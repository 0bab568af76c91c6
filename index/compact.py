"""A library without what is gone from it."""

from __future__ import annotations

import os
from pathlib import Path

from .folder import discard_strays
from .generation import read_generation
from .index_types import checked_type
from .lock import writing
from .manifest import check_parts, read_manifest
from .publish import no_change, publish, space_of


def compact(library: Path, *, index_type: str | None = None) -> int:
    """Write library anew without what is gone from it, and return how many bytes that gave back.

    Raises:
        LibraryMissing, LibraryDamaged, LibraryLocked, WriteFailed: as `build`.
        IndexTypeUnknown, MemoryShort: as `build`.
        ListsInvalid: the library's lists are for another type.
    """
    library = Path(os.path.abspath(library))  # noqa: PTH100
    index_type = index_type and checked_type(index_type)
    read_manifest(library)
    with writing(library):
        manifest = read_manifest(library)
        check_parts(library, manifest)
        old = read_generation(library, manifest)
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
    return sum(manifest.sizes.values()) - sum(new.sizes.values())
