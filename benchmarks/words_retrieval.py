"""How well words find the picture that a human put beside them: `python -m benchmarks.words_retrieval`.

Real articles are taken apart: at each figure's place the paragraphs before and after it are the query, every picture of
the site is the pool, and the human's picture is right. The constants of index/lexical.py and index/fusion.py were
tuned on every other document; the rest is held out. `--open N` measures how fast the words of N pictures open.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from limner.composer.markdown import plain_text
from limner.composer.retrieve import paragraphs_around
from limner.evaluation.apart import take_apart
from limner.evaluation.ranking import CUTOFFS, rank_of
from limner.index.errors import EncoderUnknown
from limner.index.fusion import fuse, said_channels
from limner.index.lexical import cut_words, index_words, read_words
from limner.index.records import ImageRecord
from limner.index.sentences import SentenceEncoder, index_sentences, load_sentence_encoder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Question:
    """A place in a document, and the pictures that a human has there."""

    document: int
    paragraphs: tuple[str, ...]
    right: tuple[int, ...]  # rows of the pool; any of them counts


def main() -> None:
    """Print the tables, or why one cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the two sites")
    parser.add_argument("--sentences", default="all-MiniLM-L6-v2", help="the sentence encoder")
    parser.add_argument("--open", type=int, metavar="N", help="measure opening the words of N pictures, and stop")
    arguments = parser.parse_args()
    if arguments.open:
        print_opening(arguments.open)
        return
    encoder = None
    try:
        encoder = load_sentence_encoder(arguments.sentences, "cpu")
    except EncoderUnknown as exc:
        print(f"no rows with sentence vectors: {exc}", file=sys.stderr)
    print("R@1 / R@4 / R@8                          held out            all                 tuned on")
    for name, measure in (("anthropology-en", print_anthropology), ("howtocook-zh", print_howtocook)):
        if (arguments.data / name).is_dir():
            measure(arguments.data / name, encoder)
        else:
            print(f"{name}: skipped, {arguments.data / name} is not there")


def print_anthropology(site: Path, encoder: SentenceEncoder | None) -> None:
    """English, by alt text with and without caption, with words alone and with sentences."""
    documents = json.loads((site / "md_index.json").read_text(encoding="utf-8"))
    names = sorted(path.name for path in (site / "media").iterdir())
    figures = {Path(figure["src"]).name: figure for document in documents for figure in document["figures"]}
    questions: list[Question] = []
    for number, document in enumerate(documents):
        apart = take_apart((site / document["doc"]).read_text(encoding="utf-8"))
        for placed in apart.placed:
            around = paragraphs_around(apart.draft.blocks, placed.after_block)
            questions.append(Question(number, around, (names.index(Path(placed.picture.src).name),)))
    for knows in ("alt text and caption", "alt text"):
        records = []
        for row, name in enumerate(names):
            figure = figures.get(name, {"alt": "", "caption": ""})
            caption = figure["caption"].split("(credit")[0].strip() if "caption" in knows else ""
            records.append(record(row, alt=figure["alt"], caption=caption))
        for with_sentences in (None, encoder) if encoder else (None,):
            label = f"{knows}, {'words and sentences' if with_sentences else 'BM25'}"
            print_row(label, ranked(records, questions, with_sentences), questions)


def print_howtocook(site: Path, encoder: SentenceEncoder | None) -> None:
    """Chinese: a recipe's text to its own pictures, by alt text, BM25 alone."""
    placed = json.loads((site / "images_index.json").read_text(encoding="utf-8"))
    records = [record(row, alt=entry["alt"]) for row, entry in enumerate(placed)]
    recipes: dict[str, list[int]] = {}
    for row, entry in enumerate(placed):
        recipes.setdefault(entry["doc"], []).append(row)
    for label, each in (("each of its pictures", True), ("any of its pictures", False)):
        questions: list[Question] = []
        for number, (document, rows) in enumerate(recipes.items()):
            apart = take_apart((site / document).read_text(encoding="utf-8"))
            paragraphs = tuple(map(plain_text, apart.draft.blocks))
            for right in [(row,) for row in rows] if each else [tuple(rows)]:
                questions.append(Question(number, paragraphs, right))
        print_row(f"howtocook-zh alt, BM25, {label}", ranked(records, questions, None), questions)


def record(row: int, *, alt: str, caption: str = "") -> ImageRecord:
    """A picture of which the library knows these texts; its file name says nothing."""
    return ImageRecord(row + 1, Path(f"/pictures/x{row}x.jpg"), 1, 1, f"{row}", 1, 1, alt=alt, caption=caption)


def ranked(
    records: Sequence[ImageRecord], questions: Sequence[Question], encoder: SentenceEncoder | None
) -> np.ndarray:
    """The product's score of every picture for every question, (questions, pictures)."""
    words = index_words([cut_words(records)], np.array([record.id for record in records]))
    sentences = index_sentences(records, encoder) if encoder else None
    rows = np.searchsorted([record.id for record in records], sentences.ids) if sentences else np.empty(0, np.int64)
    scores = [
        fuse(said_channels(words, sentences, encoder, rows, "", question.paragraphs)).scores for question in questions
    ]
    return np.stack(scores)


def recalls(scores: np.ndarray, questions: Sequence[Question]) -> np.ndarray:
    """(questions, cutoffs): the chance that a right picture is within the cutoff, equal scores in random order."""
    ranks = [rank_of(line, question.right) for line, question in zip(scores, questions, strict=True)]
    return np.array([[rank.recall(cutoff) for cutoff in CUTOFFS] for rank in ranks])


def print_row(label: str, scores: np.ndarray, questions: Sequence[Question]) -> None:
    """One line of the table."""
    found = recalls(scores, questions)
    tuned = np.array([question.document % 2 == 0 for question in questions])
    cells = ["/".join(f"{value:.3f}" for value in found[part].mean(0)) for part in (~tuned, tuned | True, tuned)]
    print(f"{label:<40} {cells[0]:<19} {cells[1]:<19} {cells[2]}", flush=True)


def print_opening(count: int) -> None:
    """Seconds to index, to open and to ask the words of so many pictures, and the size of the file."""
    chance = random.Random(0)
    vocabulary = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(30_000)]
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    records = [record(row, alt=" ".join(chance.choices(vocabulary, weights, k=40))) for row in range(count)]
    query = " ".join(chance.choices(vocabulary, weights, k=200))
    started = time.perf_counter()
    data = cut_words(records).to_bytes()
    built = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "words.parquet"
        path.write_bytes(data)
        opened = time.perf_counter()
        index = index_words([read_words(path)], np.array([record.id for record in records]))
        read = time.perf_counter()
        index.scores("", [query])
        asked = time.perf_counter()
    print(
        f"{count:,} pictures of 40 words: index {built - started:.2f} s, open {read - opened:.3f} s, "
        f"a query of 200 words {asked - read:.3f} s, {len(data) / 2**20:.1f} MiB"
    )


if __name__ == "__main__":
    main()
