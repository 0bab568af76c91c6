"""The one door for readers: open a library, ask it for pictures."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EncoderMismatch, LibraryDamaged
from .manifest import check_parts, damaged, mismatch, read_manifest
from .records import Hit, ImageRecord, Manifest

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from .catalogue import Catalogue
    from .encoder import Encoder
    from .fusion import Channel, Fused
    from .lexical import WordIndex
    from .quantised import QuantisedIndex
    from .sentences import SentenceEncoder, SentenceIndex
    from .vectors import VectorIndex


class Library:
    """One generation of a library, in memory: a later build does not change what an open one returns.

    Whether a picture's file is still at its path is the caller's matter.
    """

    def __init__(self, folder: Path, manifest: Manifest, parts: _Parts, device: str = "auto") -> None:
        self._folder = folder
        self._manifest = manifest
        self._catalogue = parts.catalogue
        self._index = parts.index
        self._words = parts.words
        self._sentences = parts.sentences
        self._ids = parts.index.image_ids  # (n,) int64, ascending
        self._with_sentences = parts.index.pictures.places(parts.sentences.ids if parts.sentences else ())
        self._group_of = parts.group_of
        members: dict[int, set[int]] = {}
        for image_id, group in parts.group_of.items():
            members.setdefault(group, set()).add(image_id)
        self._members = {group: frozenset(ids) for group, ids in members.items()}
        self._device = device
        self._encoder: Encoder | None = None
        self._sentence_encoder: SentenceEncoder | None = None
        self._encoder_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        encoder: Encoder | None = None,
        sentences: SentenceEncoder | None = None,
        device: str = "auto",
    ) -> Library:
        """Open the library in folder and check it against its digests.

        Its encoders are loaded by their names, on device, when the first search needs them, unless they are given. A
        quantised index is copied to the GPUs, unless device is cpu.

        Raises:
            LibraryMissing: none is there.
            LibraryDamaged: a part is missing or was changed; the message names it.
            EncoderMismatch: the library was built with other weights than the given encoder's.
        """
        folder = Path(os.path.abspath(folder))  # noqa: PTH100
        manifest = read_manifest(folder)
        while True:
            try:
                parts = _open_parts(folder, manifest, device)
                break
            except LibraryDamaged:
                # A build may have published and cleared the old parts away between the manifest and its parts.
                newer = read_manifest(folder)
                if newer.generation == manifest.generation:
                    raise
                manifest = newer
        library = cls(folder, manifest, parts, device)
        if encoder is not None:
            library._accept(encoder)
        if sentences is not None:
            library._accept_sentences(sentences)
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

    @property
    def sentence_encoder(self) -> SentenceEncoder | None:
        """The encoder of the library's sentence vectors, loaded on first use; None where it has none.

        Raises:
            As `encoder`.
        """
        if self._sentences is None:
            return None
        with self._encoder_lock:
            if self._sentence_encoder is None:
                from .sentences import load_sentence_encoder

                self._accept_sentences(load_sentence_encoder(self._sentences.encoder, self._device))
            return self._sentence_encoder

    @property
    def index_type(self) -> str:
        """The type of the index of its vectors, one of `index_types.TYPES`."""
        return self._index.index_type

    @property
    def sentence_fingerprint(self) -> str | None:
        """That of the encoder of its sentence vectors; None where it has none."""
        return self._sentences.fingerprint if self._sentences else None

    @property
    def caution(self) -> str | None:
        """What a searcher should know of this library, or None."""
        if not self._is_strange:
            return None
        return strange_to(self._manifest.encoder, self._manifest.strange)

    def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
        """Return the m pictures that fit text best, best first, without those whose ids are excluded.

        The vectors of the pictures are asked for text, what is said of them for text and context: the paragraphs
        around the place that a picture is for. Hits have each channel's share of the score (see `fusion`). Fewer than
        m pictures returns them all; ties break by image id. Of a library with a quantised index those are looked at
        that are among the best of a channel (see `candidates`).

        Raises:
            EncoderMismatch, EncoderUnknown, DeviceMissing: as `encoder`.

        Source: Radford et al. 2021, arXiv:2103.00020.
        """
        return self._search(text, m, exclude, context, None)

    def where(self, condition: str) -> Filtered:
        """The pictures that a condition on the catalogue's columns holds for, as an SQL expression.

        Raises:
            FilterInvalid: it is no such condition.
        """
        return Filtered(self, tuple(self._catalogue.ids_where(condition)))

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

    def _search(
        self, text: str, m: int, exclude: Collection[int], context: Sequence[str], among: Collection[int] | None
    ) -> list[Hit]:
        import numpy as np

        if m < 1 or not len(self._ids):
            return []
        allowed = self._allowed(exclude, among)
        places, fused = self._fused(text, context, m, allowed)
        rows = np.arange(len(places)) if allowed is None else np.flatnonzero(allowed[places])
        # Sorted by score, equal ones by id: places are in the order of ids, and a stable sort keeps it.
        best = rows[np.argsort(-fused.scores[rows], kind="stable")[:m]]
        return self.hits(fused, best, places)

    def hits(self, fused: Fused, best: np.ndarray, places: np.ndarray | None = None) -> list[Hit]:
        """The pictures in these rows, as they are scored; places (k,) are those of the rows, all pictures' if None."""
        import numpy as np

        ids: list[int] = self._ids[best if places is None else places[best]].tolist()
        records = self._catalogue.by_ids(ids)
        return [
            Hit(
                records[image_id],
                float(np.clip(fused.scores[row], -1, 1)),
                tuple((name, float(share[row])) for name, share in fused.shares.items()),
            )
            for image_id, row in zip(ids, best, strict=True)
        ]

    def _allowed(self, exclude: Collection[int], among: Collection[int] | None) -> np.ndarray | None:
        """(n,) bool: which pictures may be found, in the order of ids; None where all may."""
        import numpy as np

        if among is None and not exclude:
            return None
        allowed = np.full(len(self._ids), among is None)
        if among is not None:
            allowed[self._index.pictures.places(among)] = True
        allowed[self._index.pictures.places(exclude)] = False
        return allowed

    def _fused(self, text: str, context: Sequence[str], m: int, allowed: np.ndarray | None) -> tuple[np.ndarray, Fused]:
        """What the channels say together, of the pictures at places (k,): of all, or of the candidates among many."""
        import numpy as np

        from .candidates import Channels, candidates
        from .fusion import fuse, weighed
        from .vectors import VectorIndex

        query, sentence_encoder = self.encoder.encode_texts([text])[0], self.sentence_encoder
        if isinstance(self._index, VectorIndex):
            channels = self.channels(text, context, query, sentence_encoder, is_strange=self._is_strange)
            return np.arange(len(self._ids)), fuse(channels)
        many = Channels(self._index, self._words, self._sentences, sentence_encoder, self._with_sentences)
        places, (picture, *said) = candidates(many, query, text, context, m, allowed)
        return places, fuse(weighed(picture, said, is_strange=self._is_strange))

    def channels(
        self,
        text: str,
        context: Sequence[str],
        query: np.ndarray,
        sentence_encoder: SentenceEncoder | None,
        *,
        is_strange: bool,
        beside: Sequence[Library] = (),
    ) -> list[Channel]:
        """What each channel says of every picture; query is text's vector, beside what is searched as one with this."""
        from .fusion import Channel, said_channels, weighed

        words = [library._words for library in beside]
        said = said_channels(
            self._words, self._sentences, sentence_encoder, self._with_sentences, text, context, beside=words
        )
        return weighed(Channel("picture", self._index.all_scores(query), 1.0), said, is_strange=is_strange)

    def rows(self, ids: Collection[int]) -> np.ndarray:
        """The places of ids in their order; unknown ones are left out."""
        return self._index.pictures.places(ids)

    @property
    def _is_strange(self) -> bool:
        from .familiar import STRANGE_LIBRARY

        return self._manifest.strange > STRANGE_LIBRARY

    def _accept_sentences(self, encoder: SentenceEncoder) -> None:
        if self._sentences is not None and encoder.fingerprint != self._sentences.fingerprint:
            raise EncoderMismatch(
                f"the sentence vectors of {self._folder} were made with other weights than {encoder.name} has",
                f"`limner index build SOURCE --library {self._folder} --sentences {encoder.name}` makes them anew",
            )
        self._sentence_encoder = encoder

    def _accept(self, encoder: Encoder) -> None:
        if encoder.fingerprint != self._manifest.fingerprint:
            raise mismatch(self._folder, self._manifest, encoder)
        self._encoder = encoder


def strange_to(encoder: str, share: float) -> str:
    """The caution of a library of which the encoder does not know this share."""
    return (
        f"{encoder} knows only drawn picture-book scenes, and {share:.0%} of this "
        "library's pictures are strange to it: searches lean on what is said of the pictures"
    )


@dataclass(frozen=True, slots=True)
class Filtered:
    """Some of a library's pictures, searched as the library is: m hits come whenever it holds m."""

    library: Library
    ids: tuple[int, ...]  # ascending

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
        """As `Library.search`, among these pictures alone; scores are those that the whole library gives."""
        return self.library._search(text, m, exclude, context, self.ids)

    def duplicates(self, image_id: int) -> frozenset[int]:
        """As `Library.duplicates`: copies beyond these pictures count too."""
        return self.library.duplicates(image_id)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a generation is made of, read into memory."""

    catalogue: Catalogue
    index: VectorIndex | QuantisedIndex
    words: WordIndex
    sentences: SentenceIndex | None
    group_of: dict[int, int]  # picture to its group of duplicates, of those that have one


def _open_parts(folder: Path, manifest: Manifest, device: str) -> _Parts:
    from .catalogue import Catalogue
    from .duplicates import read_groups
    from .folder import CATALOGUE, DUPLICATES, WORDS, part_paths
    from .generation import read_sentence_part
    from .index_file import open_index
    from .lexical import index_words, read_words
    from .quantised import QuantisedIndex

    check_parts(folder, manifest)
    catalogues, words_paths = part_paths(folder, manifest, CATALOGUE), part_paths(folder, manifest, WORDS)
    if not catalogues or not words_paths:
        raise damaged(folder, "its manifest names no catalogue or no index of words")
    try:
        catalogue = Catalogue.open(catalogues)
        groups = read_groups(part_paths(folder, manifest, DUPLICATES))
        ids, vector_ids = catalogue.vector_ids()
        words = index_words(list(map(read_words, words_paths)), ids)
    except (OSError, ValueError) as exc:
        raise damaged(folder, "its catalogue, duplicates or words cannot be read") from exc
    index = open_index(folder, manifest, ids, vector_ids)
    if not len(catalogue) == len(index) == words.count == manifest.count:
        raise damaged(folder, "its catalogue, indexes and manifest disagree")
    if isinstance(index, QuantisedIndex) and device != "cpu":
        index = index.on_gpus()
    group_of = {image_id: member.group for image_id, member in groups.items()}
    return _Parts(catalogue, index, words, read_sentence_part(folder, manifest), group_of)
