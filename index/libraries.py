"""Several libraries of one encoder, searched as one: what is too large for one library, or built at several places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import EncoderMismatch
from .fusion import Fused, fuse, joined
from .library import Library, strange_to
from .records import Hit

if TYPE_CHECKING:
    import numpy as np


class Libraries:
    """Libraries of one encoder, and of one sentence encoder or none; the first ones' encoders are used."""

    def __init__(self, libraries: Sequence[Library]) -> None:
        """Put libraries, at least one, together.

        Raises:
            EncoderMismatch: their vectors come from different encoders, so their scores say nothing to each other.
        """
        first = libraries[0]
        for other in libraries[1:]:
            if other.manifest.fingerprint != first.manifest.fingerprint:
                raise EncoderMismatch(
                    f"the libraries {first.folder} and {other.folder} were built with different encoders "
                    f"({first.manifest.encoder} and {other.manifest.encoder})",
                    f"`limner index build SOURCE --library {other.folder} --encoder {first.manifest.encoder} --rebuild`"
                    " makes them alike",
                )
            if other.sentence_fingerprint != first.sentence_fingerprint:
                raise EncoderMismatch(
                    f"the libraries {first.folder} and {other.folder} have different sentence vectors, or one has none",
                    "build both with the same --sentences",
                )
        self._libraries = tuple(libraries)

    def __len__(self) -> int:
        return sum(map(len, self._libraries))

    @property
    def caution(self) -> str | None:
        """What a searcher should know of these libraries, or None."""
        return strange_to(self._libraries[0].manifest.encoder, self._strange) if self._is_strange else None

    def count(self, where: str) -> int:
        """How many pictures a condition holds for.

        Raises:
            FilterInvalid: it is no condition.
        """
        return sum(len(library.where(where)) for library in self._libraries)

    def search(
        self, text: str, m: int, *, where: str | None = None, context: Sequence[str] = ()
    ) -> list[tuple[Library, Hit]]:
        """Return the m pictures that fit text best, best first, each with its library, within which its id counts.

        Scores are those of one library with all the pictures: cosines are compared as they are, words are as rare as
        they are in all libraries, and the average and the best that a score is measured by are those of all. One thing
        differs: how long a text is counts against the average of its own library. Ties break by library, then by id.

        Raises:
            FilterInvalid: where is no condition.
            EncoderMismatch, EncoderUnknown, DeviceMissing: as `Library.encoder`.
        """
        import numpy as np

        if m < 1 or not len(self):
            return []
        first = self._libraries[0]
        query, sentence_encoder = first.encoder.encode_texts([text])[0], first.sentence_encoder
        fused = fuse(
            joined(
                [
                    library.channels(
                        text,
                        context,
                        query,
                        sentence_encoder,
                        is_strange=self._is_strange,
                        beside=[other for other in self._libraries if other is not library],
                    )
                    for library in self._libraries
                ]
            )
        )
        starts = np.cumsum([0, *map(len, self._libraries)])
        rows = np.arange(len(self)) if where is None else self._rows(where, starts)
        best = rows[np.argsort(-fused.scores[rows], kind="stable")[:m]]
        places = np.searchsorted(starts, best, "right") - 1
        found: dict[int, Hit] = {}
        for place, library in enumerate(self._libraries):
            mine = best[places == place]
            hits = library.hits(_part(fused, starts[place], starts[place + 1]), mine - starts[place])
            found.update(zip(mine.tolist(), hits, strict=True))
        return [(self._libraries[place], found[row]) for place, row in zip(places.tolist(), best.tolist(), strict=True)]

    def _rows(self, where: str, starts: np.ndarray) -> np.ndarray:
        """The places of the pictures that a condition holds for, among all."""
        import numpy as np

        kept = [library.rows(library.where(where).ids) for library in self._libraries]
        return np.concatenate([rows + start for rows, start in zip(kept, starts[:-1], strict=True)])

    @property
    def _strange(self) -> float:
        return sum(library.manifest.strange * len(library) for library in self._libraries) / max(len(self), 1)

    @property
    def _is_strange(self) -> bool:
        from .familiar import STRANGE_LIBRARY

        return self._strange > STRANGE_LIBRARY


def _part(fused: Fused, start: int, end: int) -> Fused:
    return Fused(fused.scores[start:end], {name: share[start:end] for name, share in fused.shares.items()})
