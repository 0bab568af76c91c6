"""Several channels to one ranking: what each says of a picture, on one scale, and how much of the score is whose.

Each channel is brought to a scale on which 0 is its average picture and 1 its best (no picture is above 1, none counts
below -1), then they are added with fixed weights. Ranks alone (reciprocal rank fusion) lose how far the best stands
out, and give a picture that one channel does not know a worse place for that.

What nobody said is not held against a picture: where it has no words of its own, words can raise it and never lower it
below the average. So pictures without words keep their order, and one is overtaken only by a picture that the words
of the query speak for.

Source: Bruch et al. 2023, arXiv:2210.11934 (convex combination against rank fusion).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from .lexical import WordIndex
    from .sentences import SentenceEncoder, SentenceIndex

PICTURE_WEIGHT = 0.5
# The embedded encoder over pictures that it does not know: its order is hardly better than chance there. At .1 it
# spoilt the places that words choose by how far the best picture leads (benchmarks/LOG.md).
PICTURE_WEIGHT_WHEN_STRANGE = 0.03
# Within the words; tuned on half of the documents of benchmarks/words_retrieval.py.
SENTENCE_WEIGHT = 0.6
_NO_DIFFERENCE = 1e-6


@dataclass(frozen=True, slots=True)
class Channel:
    """What one way of searching says of all pictures, or of some of them: then it knows average and best of all."""

    name: str  # "picture", "words" or "sentences"
    scores: np.ndarray  # (n,) float32, the better the higher; NaN where it says nothing
    weight: float
    full: float = 0.0  # the score of a perfect match, where the channel knows it
    against: np.ndarray | None = None  # (n,) bool: the pictures that it may put below the average; None: all
    of_all: tuple[float, float] | None = None  # average and best over all pictures; None: scores are of all


@dataclass(frozen=True, slots=True)
class Fused:
    """Every picture's score in [-1, 1], and the shares that it is the sum of."""

    scores: np.ndarray  # (n,) float32
    shares: dict[str, np.ndarray]  # channel's name -> (n,) float32


def said_channels(
    words: WordIndex,
    sentences: SentenceIndex | None,
    encoder: SentenceEncoder | None,
    rows: np.ndarray,
    text: str,
    context: Sequence[str] = (),
    *,
    beside: Sequence[WordIndex] = (),
) -> list[Channel]:
    """What is said of the pictures, asked for text and context: words, and sentences where there are any.

    rows (k,) are the places of the pictures that have a sentence vector; the weights sum to 1. beside are the words of
    other libraries that are searched as one with this one.
    """
    import numpy as np

    found, full = words.scores(text, context, beside=beside)
    if sentences is None or encoder is None:
        return [Channel("words", found, 1.0, full, against=words.said)]
    scores = np.full(words.count, np.nan, np.float32)
    scores[rows] = sentences.scores(encoder, text, context)
    return [
        Channel("words", found, 1 - SENTENCE_WEIGHT, full, against=words.said),
        Channel("sentences", scores, SENTENCE_WEIGHT),
    ]


def weighed(picture: Channel, said: Sequence[Channel], *, is_strange: bool) -> list[Channel]:
    """The channels with their weights, which sum to 1: those of said share what the picture leaves.

    is_strange: the embedded encoder does not know such pictures.
    """
    weight = PICTURE_WEIGHT_WHEN_STRANGE if is_strange else PICTURE_WEIGHT
    return [
        replace(picture, weight=weight),
        *(replace(channel, weight=(1 - weight) * channel.weight) for channel in said),
    ]


def joined(libraries: Sequence[Sequence[Channel]]) -> list[Channel]:
    """The channels of several libraries, the same ones in each, as those of one that has all their pictures."""
    import numpy as np

    def against(same: Sequence[Channel]) -> np.ndarray | None:
        if all(channel.against is None for channel in same):
            return None
        every = [np.ones(len(c.scores), bool) if c.against is None else c.against for c in same]
        return np.concatenate(every)

    return [
        replace(same[0], scores=np.concatenate([channel.scores for channel in same]), against=against(same))
        for same in zip(*libraries, strict=True)
    ]


def fuse(channels: Sequence[Channel]) -> Fused:
    """Add channels by their weights, which need not sum to 1; one that tells no picture from another is left out."""
    import numpy as np

    speaking = [channel for channel in channels if _speaks(*_average_and_best(channel))]
    values = {channel.name: scaled(channel) for channel in speaking}
    total = sum(channel.weight for channel in speaking)
    shares = {channel.name: values[channel.name] * np.float32(channel.weight / total) for channel in speaking}
    return Fused(sum(shares.values(), np.zeros(len(channels[0].scores), np.float32)), shares)


def scaled(channel: Channel) -> np.ndarray:
    """A channel's scores with its average at 0 and its best at 1; (n,) float32 in [-1, 1], 0 where it says nothing."""
    import numpy as np

    values = np.zeros(len(channel.scores), np.float32)
    average, best = _average_and_best(channel)
    if not _speaks(average, best):
        return values
    heard = ~np.isnan(channel.scores)
    reach = max(best, channel.full) - average
    values[heard] = np.clip((channel.scores[heard].astype(np.float64) - average) / reach, -1, 1)
    if channel.against is not None:
        np.maximum(values, 0, out=values, where=~channel.against)
    return values


def _average_and_best(channel: Channel) -> tuple[float, float]:
    """Over all pictures of which it says something; the same twice where there are none."""
    import numpy as np

    if channel.of_all is not None:
        return channel.of_all
    said = channel.scores[~np.isnan(channel.scores)].astype(np.float64)
    return (float(said.mean()), float(said.max())) if len(said) else (0.0, 0.0)


def _speaks(average: float, best: float) -> bool:
    return best - average > _NO_DIFFERENCE
