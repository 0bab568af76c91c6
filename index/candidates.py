"""Which pictures of a large library a search looks at: the best of each channel, united, and what each says of them.

A channel is brought to its scale by its average and its best over all pictures (see `fusion`), and these are had
without asking every picture: the average inner product is that with the mean vector, words know the pictures that they
belong to, and sentences are averaged over a sample. So a picture among the candidates gets the score that asking all
would give it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .fusion import SENTENCE_WEIGHT, Channel

if TYPE_CHECKING:
    import numpy as np

    from .lexical import WordIndex
    from .quantised import QuantisedIndex
    from .sentences import SentenceEncoder, SentenceIndex

# Of each channel; four times as many as are asked for where that is more.
CANDIDATES = 300


@dataclass(frozen=True, slots=True)
class Channels:
    """What can be asked of a large library."""

    pictures: QuantisedIndex
    words: WordIndex
    sentences: SentenceIndex | None
    sentence_encoder: SentenceEncoder | None
    with_sentences: np.ndarray  # (k,) int64: the places of the pictures that have a sentence vector, ascending


def candidates(
    channels: Channels,
    query: np.ndarray,
    text: str,
    context: Sequence[str],
    m: int,
    allowed: np.ndarray | None = None,
) -> tuple[np.ndarray, list[Channel]]:
    """The places (k,) int64 of the candidates, ascending, and what each channel says of them, the pictures' first.

    query (d,) is text for the vectors. With allowed (n,) bool there is no other candidate, and there are at least m
    where it has as many. The weights are those of `fusion.said_channels`, and 1 for the pictures.
    """
    import numpy as np

    k = max(CANDIDATES, 4 * m)
    near, scores = channels.pictures.nearest(query, k, allowed)
    if allowed is not None:
        _, scores = channels.pictures.nearest(query, 1)
    found, full = channels.words.scores(text, context)
    places = np.union1d(near, _best_by_words(channels.pictures, query, found, k, allowed))
    sentences, encoder, rows = channels.sentences, channels.sentence_encoder, channels.with_sentences
    asked = sentences.question(encoder, text, context) if sentences and encoder else []
    best_sentence = 0.0
    if sentences and asked:
        near = sentences.nearest(asked, k)
        best_sentence = float(sentences.scores_at(asked, near).max(initial=-np.inf))
        if allowed is not None:
            near = sentences.nearest(asked, k, allowed[rows])
        places = np.union1d(places, rows[near])

    of_pictures = channels.pictures.scores(query, places)
    average = float(channels.pictures.mean.astype(np.float64) @ query.astype(np.float64))
    best = float(max(scores.max(initial=-1), of_pictures.max(initial=-1)))
    of_words = float(found.mean(dtype=np.float64)), float(found.max(initial=0))
    said = [Channel("words", found[places], 1.0, full, channels.words.said[places], of_words)]
    if sentences and encoder:
        values = np.full(len(places), np.nan, np.float32)
        there = np.isin(places, rows)
        values[there] = sentences.scores_at(asked, np.searchsorted(rows, places[there]))
        average_sentence = sentences.average(asked)
        said = [
            replace(said[0], weight=1 - SENTENCE_WEIGHT),
            Channel("sentences", values, SENTENCE_WEIGHT, of_all=(average_sentence, best_sentence)),
        ]
    return places, [Channel("picture", of_pictures, 1.0, of_all=(average, best)), *said]


def _best_by_words(
    pictures: QuantisedIndex, query: np.ndarray, found: np.ndarray, k: int, allowed: np.ndarray | None
) -> np.ndarray:
    """The places of the k best by their words' scores found (n,); among equal ones the vectors decide."""
    import numpy as np

    places = np.flatnonzero(found > 0 if allowed is None else (found > 0) & allowed)
    if len(places) <= k:
        return places
    scores = found[places]
    cut = np.partition(scores, len(scores) - k)[len(scores) - k]
    sure = places[scores > cut]
    equal = np.zeros(len(found), bool)
    equal[places[scores == cut]] = True
    return np.concatenate([sure, pictures.nearest(query, k - len(sure), equal)[0]])
