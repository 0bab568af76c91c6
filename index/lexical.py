"""Words to pictures: BM25 over what is said of each picture. Knows nothing of vectors.

On the disk lies how often each word is said of each picture, in parts as the catalogue is: the weight of a word hangs
on all pictures, and is worked out when the library is opened. So an update cuts what it changed into words, no more.

A query is long here, whole paragraphs, so its words count by their rarity too and repetition counts little: idf on both
sides and log(1 + n) raised recall at 1 from .60 to .65 (benchmarks/words_retrieval.py).

Source: Robertson and Zaragoza 2009; the variant is Lucene's (Kamphuis et al. 2020).
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from .metadata import title_from_name
from .records import ImageRecord
from .vector_files import parquet_bytes

if TYPE_CHECKING:
    import numpy as np

K1 = 1.2
B = 0.75
TEXT_WEIGHT = 8  # a word of the text counts like so many in the paragraphs around it

# Runs of Chinese characters, which a dictionary cuts into words; and words of all scripts with spaces.
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(rf"(?P<han>[{_HAN}]+)|[^\W_{_HAN}]+")
_EVERY = ""  # its row in a file has all pictures of the part; no word is empty


@dataclass(frozen=True, slots=True)
class WordIndex:
    """For every word the pictures that it belongs to, by their place in the order of ids, and its weight in each."""

    count: int  # pictures, with words or without
    said: np.ndarray  # (count,) bool: somebody said something of it; a file name alone is not said
    words: Sequence[str]  # sorted
    starts: np.ndarray  # (words + 1,) int64: where each word's pictures begin
    pictures: np.ndarray  # (postings,) int32
    weights: np.ndarray  # (postings,) float32: BM25 with its idf

    def __len__(self) -> int:
        return len(self.words)

    def scores(
        self, text: str, context: Sequence[str] = (), *, beside: Sequence[WordIndex] = ()
    ) -> tuple[np.ndarray, float]:
        """Return every picture's score, (count,) float32, 0 where no word is shared, and the score of a full match.

        A full match has each word of text once. context is supplementary: the paragraphs around a place. With indexes
        beside this one a word is as rare as in all of them; a text is as long as it is among those of its own.
        """
        import numpy as np

        cut = _cutter()
        wanted = Counter({word: TEXT_WEIGHT * n for word, n in Counter(cut(text)).items()})
        named = list(wanted)
        wanted.update(word for paragraph in context for word in cut(paragraph))
        found = np.zeros(self.count, np.float32)
        everywhere = (self, *beside)
        for word, n in sorted(wanted.items()):  # in one order, so that sums are the same in every run
            if (here := self._postings(word)) is not None:
                idf = _idf(word, everywhere)
                # The weights hold the idf of this index.
                rarer = idf / _idf(word, [self]) if beside else 1.0
                found[self.pictures[here]] += idf * math.log1p(n) * rarer * self.weights[here]
        full = sum(math.log1p(wanted[word]) * _idf(word, everywhere) ** 2 / (1 + K1) for word in named)
        return found, float(full)

    def holders(self, word: str) -> int:
        """How many pictures a word belongs to."""
        here = self._postings(word)
        return 0 if here is None else int(here.stop - here.start)

    def _postings(self, word: str) -> slice | None:
        """Where a word's pictures and weights stand; a search, because a table of the words takes long to make."""
        place = bisect_left(self.words, word)
        if place == len(self.words) or self.words[place] != word:
            return None
        return slice(self.starts[place], self.starts[place + 1])


def _idf(word: str, indexes: Sequence[WordIndex]) -> float:
    count, n = sum(index.count for index in indexes), sum(index.holders(word) for index in indexes)
    return math.log(1 + (count - n + 0.5) / (n + 0.5))


@dataclass(frozen=True, slots=True)
class WordPart:
    """How often each word is said of some pictures, in the order of words, and of ids for each word."""

    ids: np.ndarray  # (pictures,) int64, ascending
    said: np.ndarray  # (pictures,) bool: somebody said something of it; a file name alone is not said
    words: list[str]  # sorted
    starts: np.ndarray  # (words + 1,) int64: where each word's pictures begin
    pictures: np.ndarray  # (postings,) int32, places in ids
    counts: np.ndarray  # (postings,) int32

    def to_bytes(self) -> bytes:
        """The part as a Parquet file holds it: a row a word, with ids, and one of the empty word."""
        import numpy as np
        import pyarrow as pa

        starts = pa.array(np.concatenate([[0], len(self.ids) + self.starts]), pa.int64())
        ids = np.concatenate([self.ids, self.ids[self.pictures]])
        counts = np.concatenate([self.said.astype(np.int32), self.counts])
        columns = {
            "word": pa.array([_EVERY, *self.words], pa.string()),
            "pictures": pa.LargeListArray.from_arrays(starts, pa.array(ids, pa.int64())),
            "counts": pa.LargeListArray.from_arrays(starts, pa.array(counts, pa.int32())),
        }
        return parquet_bytes(pa.table(columns))


def cut_words(records: Iterable[ImageRecord], sources: Sequence[Path] = ()) -> WordPart:
    """Cut what is said of records, which come in the order of ids; sources are the folders that they were found in."""
    import numpy as np

    cut = _cutter()
    folders = cache(lambda folder: _folders_below(folder, sources))
    vocabulary: dict[str, int] = {}
    ids, said = array("q"), bytearray()
    pictures, words, counts = array("i"), array("i"), array("i")
    for place, record in enumerate(records):
        name = title_from_name(record.path)
        by_somebody = _said(record, name)
        ids.append(record.id)
        said.append(bool(by_somebody))
        for word, count in Counter(cut("\n".join([by_somebody, name, *folders(record.path.parent)]))).items():
            pictures.append(place)
            words.append(vocabulary.setdefault(word, len(vocabulary)))
            counts.append(count)
    ordered = sorted(vocabulary)
    rank = np.empty(len(ordered), np.int32)
    rank[[vocabulary[word] for word in ordered]] = np.arange(len(ordered), dtype=np.int32)
    ranks = rank[np.array(words, np.int32)]
    order = np.argsort(ranks, kind="stable")  # the pictures of a word stay in their order
    return WordPart(
        np.array(ids, np.int64),
        np.array(said, np.uint8).astype(bool),
        ordered,
        np.searchsorted(ranks[order], np.arange(len(ordered) + 1)),
        np.array(pictures, np.int32)[order],
        np.array(counts, np.int32)[order],
    )


def index_words(parts: Sequence[WordPart], ids: np.ndarray) -> WordIndex:
    """Index the pictures with these ids, ascending, by the parts that speak of them, of which the last one counts.

    The index does not depend on how the pictures are spread over parts.

    Raises:
        ValueError: no part has a picture.
    """
    import numpy as np

    speaker = np.full(len(ids), -1, np.int32)  # which part counts for a picture
    said = np.zeros(len(ids), bool)
    places: list[np.ndarray] = []  # of each part's pictures in ids, -1 for one that is not there
    for number, part in enumerate(parts):
        place = np.searchsorted(ids, part.ids).clip(max=max(len(ids) - 1, 0))
        here = ids[place] == part.ids if len(ids) else np.zeros(len(part.ids), bool)
        speaker[place[here]] = number
        said[place[here]] = part.said[here]
        places.append(np.where(here, place, -1).astype(np.int32))
    if (speaker < 0).any():
        raise ValueError("a picture is in no part of the words")
    # Parts are sorted, and sorting runs that are sorted takes one pass.
    ordered = parts[0].words if len(parts) == 1 else list(dict.fromkeys(sorted(chain(*(part.words for part in parts)))))
    none = np.empty(0, np.int32)
    found = [(none, none, none)]
    for number, (part, place) in enumerate(zip(parts, places, strict=True)):
        ranks = _ranks(part.words, ordered).repeat(np.diff(part.starts))
        counts_here = (place >= 0) & (speaker[place] == number) if len(ids) else place >= 0
        if counts_here.all():
            found.append((ranks, place[part.pictures], part.counts))
        else:
            kept = counts_here[part.pictures]
            found.append((ranks[kept], place[part.pictures[kept]], part.counts[kept]))
    words, pictures, counts = (np.concatenate(columns) for columns in zip(*found, strict=True))
    if len(parts) > 1:
        order = np.argsort(words.astype(np.int64) * len(ids) + pictures, kind="stable")
        words, pictures, counts = words[order], pictures[order], counts[order]
    holders = np.bincount(words, minlength=len(ordered))
    if not holders.all():  # words of pictures that are gone
        ordered = [ordered[word] for word in np.flatnonzero(holders).tolist()]
        holders = holders[holders > 0]
    return WordIndex(
        len(ids),
        said,
        ordered,
        np.concatenate([[0], np.cumsum(holders)]).astype(np.int64),
        pictures,
        _weights(pictures, counts, holders, len(ids)),
    )


def _ranks(words: Sequence[str], ordered: Sequence[str]) -> np.ndarray:
    """Where each of words, sorted, stands in ordered, which has them all: (words,) int32."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(words) == len(ordered):
        return np.arange(len(words), dtype=np.int32)
    among = pa.array(ordered, pa.string())
    places = pc.index_in(pa.array(words, pa.string()), value_set=among)  # pyright: ignore[reportAttributeAccessIssue]
    return places.to_numpy(zero_copy_only=False).astype(np.int32)


def _weights(pictures: np.ndarray, counts: np.ndarray, holders: np.ndarray, total: int) -> np.ndarray:
    """BM25 of each posting, (postings,) float32; holders (words,) is how many of the total pictures a word has."""
    import numpy as np

    if not len(counts):
        return np.empty(0, np.float32)
    lengths = np.bincount(pictures, weights=counts, minlength=total)
    idf = np.log(1 + (total - holders + 0.5) / (holders + 0.5))
    at_rest = K1 * (1 - B + B * lengths / lengths.mean())
    return (idf.repeat(holders) * counts / (counts + at_rest[pictures])).astype(np.float32)


def read_words(path: Path) -> WordPart:
    """Read a part from the file that `WordPart.to_bytes` made.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such part.
    """
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    try:
        words = table["word"].to_pylist()
        lists = [table[name].combine_chunks() for name in ("pictures", "counts")]
    except KeyError as exc:
        raise ValueError(f"{path} is not a part of the words") from exc
    starts = lists[0].offsets.to_numpy()
    ids, counts = (column.values.to_numpy() for column in lists)
    if not words or words[0] != _EVERY or len(ids) != len(counts) or starts[0] != 0:
        raise ValueError(f"{path} is not a part of the words")
    own, spoken_of = ids[: starts[1]], ids[starts[1] :]
    pictures = _places(own, spoken_of)
    if len(spoken_of) and (pictures.max() >= len(own) or (own[pictures] != spoken_of).any()):
        raise ValueError(f"{path} names pictures that it does not have")
    return WordPart(
        own,
        counts[: starts[1]].astype(bool),
        words[1:],
        starts[1:] - starts[1],
        pictures.astype(np.int32),
        counts[starts[1] :],
    )


def _places(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """As `np.searchsorted`, for what is in own, ascending; where ids have few gaps by a table, ten times as fast."""
    import numpy as np

    if not len(own) or not len(wanted):
        return np.searchsorted(own, wanted)
    first, span = own[0], own[-1] - own[0] + 1
    if span > 4 * len(wanted) or wanted.min() < first or wanted.max() > own[-1]:
        return np.searchsorted(own, wanted)
    table = np.zeros(span, np.int32)
    table[own - first] = np.arange(len(own), dtype=np.int32)
    return table[wanted - first]


def said_of(record: ImageRecord) -> str:
    """What somebody said of a picture: title, caption, alt text and keywords; not its file name."""
    return _said(record, title_from_name(record.path))


def _said(record: ImageRecord, name: str) -> str:
    title = "" if record.title == name else record.title
    return "\n".join(part for part in (title, record.caption, record.alt, *record.keywords) if part)


def _folders_below(folder: Path, sources: Sequence[Path]) -> tuple[str, ...]:
    """The names of the folders from the nearest of sources down to this one; none where it is below none of them."""
    above = [source for source in sources if source == folder or source in folder.parents]
    nearest = max(above, key=lambda source: len(source.parts), default=folder)
    return folder.relative_to(nearest).parts


def _cutter() -> Callable[[str], Iterator[str]]:
    """A function from a text to its words, stemmed and without those that say nothing; for one thread."""
    import Stemmer

    stem = Stemmer.Stemmer("english").stemWord
    passed_over = _passed_over()

    def cut(text: str) -> Iterator[str]:
        for run in _RUNS.finditer(unicodedata.normalize("NFKC", text).casefold()):
            if run["han"]:
                yield from _chinese(run[0])
            elif run[0] not in passed_over:
                yield stem(run[0])

    return cut


def _chinese(run: str) -> Iterator[str]:
    import rjieba

    # Long words come with the shorter ones in them: the query may name either.
    yield from (word for word in rjieba.cut_for_search(run) if word not in _passed_over())


@cache
def _passed_over() -> frozenset[str]:
    from bm25s import stopwords

    return frozenset((*stopwords.STOPWORDS_EN, *stopwords.STOPWORDS_EN_PLUS, *stopwords.STOPWORDS_CHINESE))
