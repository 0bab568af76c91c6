"""The pictures of a site as what is searched: of each the library knows what the evaluation lets it know.

Words, sentence vectors and the pictures themselves where they are asked for, found and added as the product's library
does it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ..index.fusion import Channel, fuse, said_channels, weighed
from ..index.lexical import cut_words, index_words
from ..index.records import Hit, ImageRecord
from .ranking import Rank, rank_of

if TYPE_CHECKING:
    import numpy as np

    from ..index.fusion import Fused
    from ..index.lexical import WordIndex
    from ..index.sentences import SentenceEncoder, SentenceIndex
    from .seen import Seen

Knows = Literal["nothing", "file-names", "alt", "captions"]
KNOWS: tuple[Knows, ...] = get_args(Knows)


@dataclass(frozen=True, slots=True)
class Words:
    """What a site's author says of a picture beside it."""

    alt: str = ""
    caption: str = ""


class Pool:
    """All pictures of a site: an ImageSearch of words, and of what an encoder sees where one looked at them."""

    def __init__(
        self,
        root: Path,
        said: Mapping[str, Words],
        knows: Knows,
        *,
        seed: int = 0,
        encoder: SentenceEncoder | None = None,
        seen: Seen | None = None,
    ) -> None:
        """Index the pictures that said names by their paths from root."""
        import numpy as np

        # A search breaks ties by id: dealt at random, they cannot bring back the order in which the author named files.
        names = sorted(said)
        random.Random(seed).shuffle(names)
        self.root = root
        self._names = names
        self._rows = {name: row for row, name in enumerate(names)}
        files = [ImageRecord(row + 1, root / name, 1, 1, f"{row}", 1, 1) for row, name in enumerate(names)]
        known = [_known(file, said[name], knows) for file, name in zip(files, names, strict=True)]
        self._records = [replace(record, path=file.path) for record, file in zip(known, files, strict=True)]
        sources = [root] if knows == "file-names" else []
        self._words: WordIndex = index_words([cut_words(known, sources)], np.arange(1, len(names) + 1))
        self._encoder = encoder
        self._sentences: SentenceIndex | None = None
        self._with_sentences = np.empty(0, np.int64)
        if encoder is not None:
            from ..index.sentences import index_sentences

            sentences = index_sentences(known, encoder)
            # Where nobody said anything there is nothing to compare a text with, and none is encoded.
            self._sentences = sentences if len(sentences.ids) else None
            self._with_sentences = sentences.ids - 1

        self._seen = seen
        self._paths = [record.path for record in self._records]

    def __len__(self) -> int:
        return len(self._records)

    def scores(self, text: str, context: Sequence[str] = ()) -> np.ndarray:
        """Every picture's score, (n,) float32, as the product's library adds its channels.

        The pictures themselves are asked for text, and where there is none for the paragraphs of context.
        """
        return self._fused(text, context).scores

    def _fused(self, text: str, context: Sequence[str]) -> Fused:
        said = said_channels(self._words, self._sentences, self._encoder, self._with_sentences, text, context)
        if self._seen is None:
            return fuse(said)
        near = self._seen.cosines(text or " ".join(context), self._paths)
        return fuse(weighed(Channel("picture", near, 1.0), said, is_strange=self._seen.is_strange))

    def scores_of(self, pictures: Sequence[str], context: Sequence[str]) -> np.ndarray:
        """The scores (k,) of some pictures for the paragraphs around a place."""
        return self.scores("", context)[[self._rows[name] for name in pictures]]

    def rank(self, picture: str, context: Sequence[str]) -> Rank:
        """Where a picture stands for the paragraphs around a place."""
        return rank_of(self.scores("", context), [self._rows[picture]])

    def name(self, hit: Hit) -> str:
        """The path of a picture that was found, from the site's folder."""
        return self._names[hit.image.id - 1]

    def name_of(self, path: Path) -> str:
        """The same of a file."""
        return path.relative_to(self.root).as_posix()

    def hit(self, picture: str, score: float = 0.0) -> Hit:
        """A picture by its path from the site's folder."""
        return Hit(self._records[self._rows[picture]], score)

    def search(self, text: str, m: int, *, exclude: Collection[int] = (), context: Sequence[str] = ()) -> list[Hit]:
        """See ImageSearch."""
        import numpy as np

        fused = self._fused(text, context)
        scores = fused.scores
        allowed = np.ones(len(scores), bool)
        allowed[[image_id - 1 for image_id in exclude]] = False
        rows = np.flatnonzero(allowed)
        best = rows[np.argsort(-scores[rows], kind="stable")[:m]].tolist()
        return [
            Hit(
                self._records[row],
                float(np.clip(scores[row], -1, 1)),
                tuple((name, float(share[row])) for name, share in fused.shares.items()),
            )
            for row in best
        ]

    def duplicates(self, image_id: int) -> frozenset[int]:
        """See ImageSearch: pictures that are the same again are not looked for."""
        return frozenset()


def _known(record: ImageRecord, said: Words, knows: Knows) -> ImageRecord:
    """The record as the library has it."""
    if knows == "file-names":
        return record
    # A picture always has a file name: here one that no text has, so that each level of knowledge is measured alone.
    nameless = replace(record, path=Path(f"/x{record.id}x.jpg"))
    if knows == "nothing":
        return nameless
    return replace(nameless, alt=said.alt, caption=said.caption if knows == "captions" else "")
