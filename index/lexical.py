"""Words to pictures: BM25 over what is said of each picture. Knows nothing of vectors.

A query is long here, whole paragraphs, so its words count by their rarity too and repetition counts little: idf on both
sides and log(1 + n) raised recall at 1 from .60 to .65 (benchmarks/words_retrieval.py).

Source: Robertson and Zaragoza 2009; bm25s, arXiv:2407.03618.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
_SAID = ""  # its row in the file lists the pictures of which somebody said something; no word is empty


@dataclass(frozen=True, slots=True)
class WordIndex:
    """For every word the pictures that it belongs to, by their place in the order of ids, and its weight in each."""

    count: int  # pictures, with words or without
    said: np.ndarray  # (count,) bool: somebody said something of it; a file name alone is not said
    words: dict[str, int]
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
            if (place := self.words.get(word)) is not None:
                here = slice(self.starts[place], self.starts[place + 1])
                idf = _idf(word, everywhere)
                # The weights hold the idf of this index.
                rarer = idf / _idf(word, [self]) if beside else 1.0
                found[self.pictures[here]] += idf * math.log1p(n) * rarer * self.weights[here]
        full = sum(math.log1p(wanted[word]) * _idf(word, everywhere) ** 2 / (1 + K1) for word in named)
        return found, float(full)

    def to_bytes(self) -> bytes:
        """The index as a Parquet file holds it: a row a word, and one of the empty word."""
        import numpy as np
        import pyarrow as pa

        said = np.flatnonzero(self.said).astype(np.int32)
        ends = len(said) + self.starts
        starts = pa.array(np.concatenate([[0], ends]), pa.int64())
        postings = np.concatenate([said, self.pictures])
        weights = np.concatenate([np.zeros(len(said), np.float32), self.weights])
        columns = {
            "word": pa.array([_SAID, *self.words], pa.string()),
            "pictures": pa.LargeListArray.from_arrays(starts, pa.array(postings)),
            "weights": pa.LargeListArray.from_arrays(starts, pa.array(weights)),
        }
        return parquet_bytes(pa.table(columns).replace_schema_metadata({"pictures": str(self.count)}))

    def holders(self, word: str) -> int:
        """How many pictures a word belongs to."""
        place = self.words.get(word)
        return 0 if place is None else int(self.starts[place + 1] - self.starts[place])


def _idf(word: str, indexes: Sequence[WordIndex]) -> float:
    count, n = sum(index.count for index in indexes), sum(index.holders(word) for index in indexes)
    return math.log(1 + (count - n + 0.5) / (n + 0.5))


def index_words(records: Sequence[ImageRecord], sources: Sequence[Path] = ()) -> WordIndex:
    """Index what is said of records, which are in the order of ids; sources are the folders that they were found in."""
    import bm25s
    import numpy as np

    cut = _cutter()
    vocabulary: dict[str, int] = {}
    documents = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in cut(words_of(record, sources))] for record in records
    ]
    said = np.array([bool(said_of(record)) for record in records], bool)
    if not vocabulary:
        none = np.zeros(0, np.int32)
        return WordIndex(len(records), said, {}, np.zeros(1, np.int64), none, none.astype(np.float32))
    ranking = bm25s.BM25(method="lucene", k1=K1, b=B)
    ranking.index((documents, vocabulary), show_progress=False, create_empty_token=False)
    postings: Any = ranking.scores
    return WordIndex(
        len(records),
        said,
        vocabulary,
        postings["indptr"].astype(np.int64),
        postings["indices"].astype(np.int32),
        postings["data"].astype(np.float32),
    )


def read_words(path: Path) -> WordIndex:
    """Read an index from the file that `WordIndex.to_bytes` made.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such index.
    """
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    try:
        count = int(table.schema.metadata[b"pictures"])
        words = table["word"].to_pylist()
        lists = [table[name].combine_chunks() for name in ("pictures", "weights")]
    except (KeyError, TypeError) as exc:
        raise ValueError(f"{path} is not an index of words") from exc
    starts = lists[0].offsets.to_numpy()
    pictures, weights = (column.values.to_numpy() for column in lists)
    if not words or words[0] != _SAID or len(pictures) != len(weights) or starts[0] != 0:
        raise ValueError(f"{path} is not an index of words")
    if len(pictures) and not 0 <= pictures.min() <= pictures.max() < count:
        raise ValueError(f"{path} names pictures that it does not have")
    said = np.zeros(count, bool)
    first = starts[1]  # before it stand the pictures of which something is said
    said[pictures[:first]] = True
    vocabulary = {word: place for place, word in enumerate(words[1:])}
    return WordIndex(count, said, vocabulary, starts[1:] - first, pictures[first:], weights[first:])


def said_of(record: ImageRecord) -> str:
    """What somebody said of a picture: title, caption, alt text and keywords; not its file name."""
    title = "" if record.title == title_from_name(record.path) else record.title
    return "\n".join(part for part in (title, record.caption, record.alt, *record.keywords) if part)


def words_of(record: ImageRecord, sources: Sequence[Path] = ()) -> str:
    """What is said of a picture, with the words of its file name and of its folders below the source."""
    above = [source for source in sources if source in record.path.parents]
    nearest = max(above, key=lambda source: len(source.parts), default=record.path.parent)
    folders = record.path.relative_to(nearest).parts[:-1]
    return "\n".join([said_of(record), title_from_name(record.path), *folders])


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
