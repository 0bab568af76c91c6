"""A sentence encoder that remembers: every system of an evaluation asks about the same paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    import numpy as np

    from ..index.sentences import SentenceEncoder

_TEXTS = 50_000  # of 384 numbers: 77 MB


class Remembered:
    """An encoder whose last texts are not encoded again."""

    def __init__(self, encoder: SentenceEncoder, *, texts: int = _TEXTS) -> None:
        """Wrap encoder; texts is how many are remembered."""
        self._encoder = encoder
        self._known: LRUCache[str, np.ndarray] = LRUCache(texts)
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.dimension = encoder.dimension

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """See SentenceEncoder."""
        import numpy as np

        found = {text: self._known[text] for text in texts if text in self._known}
        if new := [text for text in dict.fromkeys(texts) if text not in found]:
            vectors = dict(zip(new, self._encoder.encode(new), strict=True))
            self._known.update(vectors)
            found |= vectors
        return np.array([found[text] for text in texts], np.float32).reshape(-1, self.dimension)
