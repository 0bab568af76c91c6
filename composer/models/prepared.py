"""Pictures as a model's image processor gives them, each prepared once: later spots ask about the same again.

Only where a picture alone gives one row of `pixel_values` and nothing else; what a family does with several pictures
together (tiles, masks, grids) is left to its own processor.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from typing import Any

from cachetools import LRUCache
from PIL import Image

IDENTITY = "limner.identity"  # in `Image.info`: the same only for the same picture, decoded in the same way
KEPT_BYTES = 128_000_000


class PreparedOnce:
    """An image processor that remembers what it gave for pictures that say who they are; else it is the one it has."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self._each: bool | None = None  # whether pictures can be prepared one by one; None: not known yet
        self._kept: LRUCache[Hashable, Any] = LRUCache(KEPT_BYTES, getsizeof=lambda row: row.nbytes)
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_own":
            raise AttributeError(name)
        return getattr(self._own, name)

    def __call__(self, images: Any, **options: Any) -> Any:
        """As the image processor does."""
        flat = _flat(images)
        names = [image.info.get(IDENTITY) if isinstance(image, Image.Image) else None for image in flat]
        if not flat or None in names or self._each is False:
            return self._own(images, **options)
        asked = tuple(sorted((name, repr(value)) for name, value in options.items()))
        rows = []
        for image, name in zip(flat, names, strict=True):
            with self._lock:
                row = self._kept.get((name, asked))
            if row is None:
                made = self._own([image], **options)
                if self._each is None:
                    self._each = _is_row(made)
                if not self._each:
                    return self._own(images, **options)
                row = made["pixel_values"]
                with self._lock:
                    if row.nbytes <= KEPT_BYTES:
                        self._kept[(name, asked)] = row
            rows.append(row)
        return _together(rows, options.get("return_tensors"))


def _flat(images: Any) -> list[Any]:
    """The pictures in reading order; some processors have a list of them for each prompt."""
    return [image for part in images for image in _flat(part)] if isinstance(images, list | tuple) else [images]


def _is_row(made: Any) -> bool:
    """Whether a picture alone gave one row of pixels and nothing else."""
    import torch

    values = made.get("pixel_values")
    return set(made) == {"pixel_values"} and isinstance(values, torch.Tensor) and values.ndim == 4 and len(values) == 1


def _together(rows: Sequence[Any], form: Any) -> Any:
    import torch
    from transformers import BatchFeature

    return BatchFeature({"pixel_values": torch.cat(list(rows))}, tensor_type=form)
