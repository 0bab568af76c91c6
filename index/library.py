"""The one door for readers: open a library, ask it for pictures."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import LibraryDamaged
from .manifest import check_parts, damaged, mismatch, read_manifest
from .records import Hit, ImageRecord, Manifest

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from .catalogue import Catalogue
    from .encoder import Encoder
    from .vectors import VectorIndex


class Library:
    """One generation of a library, in memory: a later build does not change what an open one returns.

    Whether a picture's file is still at its path is the caller's matter.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        catalogue: Catalogue,
        index: VectorIndex,
        group_of: dict[int, int],
        device: str = "auto",
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._catalogue = catalogue
        self._index = index
        self._group_of = group_of  # picture to group, of those that have one
        members: dict[int, set[int]] = {}
        for image_id, group in group_of.items():
            members.setdefault(group, set()).add(image_id)
        self._members = {group: frozenset(ids) for group, ids in members.items()}
        self._device = device
        self._encoder: Encoder | None = None
        self._encoder_lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, *, encoder: Encoder | None = None, device: str = "auto") -> Library:
        """Open the library in folder and check it against its digests.

        The encoder is loaded by the manifest's name, on device, when the first search needs it, unless one is given.

        Raises:
            LibraryMissing: none is there.
            LibraryDamaged: a part is missing or was changed; the message names it.
            EncoderMismatch: the library was built with other weights than the given encoder's.
        """
        folder = Path(os.path.abspath(folder))  # noqa: PTH100
        manifest = read_manifest(folder)
        while True:
            try:
                parts = _open_parts(folder, manifest)
                break
            except LibraryDamaged:
                # A build may have published and cleared the old parts away between the manifest and its parts.
                newer = read_manifest(folder)
                if newer.generation == manifest.generation:
                    raise
                manifest = newer
        library = cls(folder, manifest, *parts, device)
        if encoder is not None:
            library._accept(encoder)
        return library

    @property
    def manifest(self) -> Manifest:
        """What the library says of itself."""
        return self._manifest

    @property
    def folder(self) -> Path:
        """Where it lies, absolute."""
        return self._folder

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded on first use.

        Raises:
            EncoderUnknown, DeviceMissing: it cannot be loaded.
            EncoderMismatch: what has its name now has other weights.
        """
        with self._encoder_lock:
            if self._encoder is None:
                from .encoder import load_encoder

                self._accept(load_encoder(self._manifest.encoder, self._device))
            assert self._encoder is not None
            return self._encoder

    def __len__(self) -> int:
        return self._manifest.count

    def search(self, text: str, m: int, *, exclude: Collection[int] = ()) -> list[Hit]:
        """Return the m pictures nearest to text, best first, without those whose ids are excluded.

        Scores are cosine similarities in [-1, 1]. Fewer than m pictures returns them all; ties break by image id.

        Raises:
            EncoderMismatch, EncoderUnknown, DeviceMissing: as `encoder`.

        Source: Radford et al. 2021, arXiv:2103.00020.
        """
        return self._nearest(self.encoder.encode_texts([text])[0], m, exclude)

    def search_image(self, image: Image.Image | Path, m: int, *, exclude: Collection[int] = ()) -> list[Hit]:
        """Return the m pictures nearest to a picture, as `search` does for words.

        Raises:
            PictureUnreadable: image is a path to no picture.
        """
        from .decode import decode

        encoder = self.encoder
        if isinstance(image, Path):
            image = decode(image, target_px=encoder.image_side_px)
        return self._nearest(encoder.encode_images([image.convert("RGB")])[0], m, exclude)

    def records(self) -> list[ImageRecord]:
        """All records, by id."""
        return self._catalogue.records()

    def sample(self, n: int) -> list[ImageRecord]:
        """n records spread evenly over the ids, always the same ones; all of them when there are fewer."""
        return self._catalogue.sample(n)

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ids (n,) int64, ascending, and their unit vectors (n, d) float32."""
        return self._index.vectors()

    def duplicates(self, image_id: int) -> frozenset[int]:
        """The ids of the pictures that are this one again, exactly or nearly, without its own; mostly none."""
        return self._members.get(self._group_of.get(image_id, 0), frozenset()) - {image_id}

    def groups(self) -> list[list[ImageRecord]]:
        """The groups of pictures that are the same one again, each by id, by their first ids."""
        records = self._catalogue.by_ids(list(self._group_of))
        return [[records[image_id] for image_id in sorted(self._members[key])] for key in sorted(self._members)]

    def _nearest(self, query: np.ndarray, m: int, exclude: Collection[int]) -> list[Hit]:
        found = self._index.search(query, m, exclude=exclude)
        records = self._catalogue.by_ids([image_id for image_id, _ in found])
        # Vectors are stored in half precision, so a product can pass 1 in the fourth decimal.
        return [Hit(records[image_id], max(-1.0, min(1.0, score))) for image_id, score in found]

    def _accept(self, encoder: Encoder) -> None:
        if encoder.fingerprint != self._manifest.fingerprint:
            raise mismatch(self._folder, self._manifest, encoder)
        self._encoder = encoder


def _open_parts(folder: Path, manifest: Manifest) -> tuple[Catalogue, VectorIndex, dict[int, int]]:
    from .catalogue import Catalogue
    from .duplicates import read_groups
    from .folder import CATALOGUE, DUPLICATES, part_paths
    from .index_file import open_index

    check_parts(folder, manifest)
    catalogues = part_paths(folder, manifest, CATALOGUE)
    if not catalogues:
        raise damaged(folder, "its manifest names no catalogue")
    try:
        catalogue = Catalogue.open(catalogues)
        groups = read_groups(part_paths(folder, manifest, DUPLICATES))
    except (OSError, ValueError) as exc:
        raise damaged(folder, "its catalogue cannot be read") from exc
    index = open_index(folder, manifest, *catalogue.vector_ids())
    if not len(catalogue) == len(index) == manifest.count:
        raise damaged(folder, "its catalogue and manifest disagree")
    return catalogue, index, {image_id: member.group for image_id, member in groups.items()}
