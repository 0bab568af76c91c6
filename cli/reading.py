"""How pictures become a library: the options that its first build and its updates share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import options
from .groups import Group

if TYPE_CHECKING:
    from .settings import Settings

READING = Group(
    "reading",
    {
        "index_type": options.IndexType,
        "device": options.Device,
        "workers": options.Workers,
        "processes": options.Processes,
        "batch_size": options.BatchSize,
        "max_pixels": options.MaxPixels,
        "max_bytes": options.MaxBytes,
        "engine": options.Engines,
        "address": options.Address,
    },
)


def reading_of(settings: Settings) -> dict[str, Any]:
    """What `build` and `update` take of them as it is."""
    return {
        name: getattr(settings, name) for name in ("index_type", "workers", "batch_size", "max_pixels", "max_bytes")
    }
