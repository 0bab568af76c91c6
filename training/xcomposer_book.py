"""Prepares what a tiny InternLM-XComposer 2 learns in the picture-book world, once, into a folder.

    python -m training.xcomposer_book FOLDER

    tokenizer.model   a SentencePiece file as the official checkpoints have; numbers.json names tokens of it
    samples.npz.xz    the conversations as tokens, one token a picture, and which pictures they show
    held.npz.xz       questions of selection from what is held out of training, in the same form
    pictures.webp     the pictures of the training samples, 80x80 each, in a square; held.webp those held out

Needs the whole of Limner; `training.xcomposer_train` reads the folder and needs torch and transformers alone. Prompts
and replies are those of the dialect `xcomposer2` (arXiv:2309.15112, appendix C.1).
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from limner.composer.article import Brief, Spot
from limner.composer.markdown import parse_draft
from limner.composer.prompts import render_prompt
from limner.composer.protocols import Message, Picture
from limner.composer.select import LETTERS

from .articles import Illustrated, Learner, Placed, Sample, choice, choice_prompt, spot_sample, without_context, written
from .evaluate import selection_items
from .picture_book.captions import describe
from .picture_book.stories import Story, make_story, without_colour
from .pictures import TEST_SEED, WORK, from_json, render_pool, scenes_for
from .samples import NO, YES, Item, Pool, assistant, look_line, make_item, row_of, stand_in

VOCABULARY = 2048
SPECIAL = ("[UNUSED_TOKEN_0]", "[UNUSED_TOKEN_146]", "[UNUSED_TOKEN_145]")
TASKS = ("write", "spot", "select", "describe")
KEPT = 3  # of the seven pictures of each subject, colour, place and time
STRANGER_SHARE = 0.35
SHOWN_TOKENS = 12  # of what a picture shows in words, at most
LEARNER = Learner("xcomposer2", 4096, lambda messages: 0)  # no story comes near to the end of the context


def illustrated(story: Story) -> Illustrated:
    """A story as an article; its pictures have captions and no files."""
    draft = parse_draft(story.markdown)
    pictures = tuple(Placed(i + 1, Path(), story.caption(i)) for i in story.scenes)  # the title is a block too
    return Illustrated(draft, pictures)


def item_sample(item: Item, *, context: bool = True) -> Sample:
    """A question of selection; without `context` the earlier text and pictures are taken out."""
    assert item.answer is not None
    draft = parse_draft(item.story.markdown)
    first = item.first + 1 if item.first else 0
    if first:
        draft = replace(draft, title="", blocks=draft.blocks[first:])
    placed = {i + 1 - first: stand_in(row) for i, row in item.placed.items()}
    spot = Spot(item.spot + 1 - first, item.story.caption(item.spot))
    if not context:
        draft, placed, spot = without_context(draft), {}, replace(spot, after_block=-1)
    prompt = choice_prompt(draft, placed, spot, [stand_in(row) for row in item.candidates], LEARNER)
    return Sample("select", (*prompt, choice(item.answer, LEARNER)), item.answer, len(item.candidates))


def describe_sample(pool: Pool, rng: np.random.Generator) -> Sample:
    """Picture to sentence, which stands for the pairs of pictures and texts of the paper's first stage."""
    row = int(rng.integers(len(pool.scenes)))
    prompt = render_prompt("describe", dialect=LEARNER.dialect, image=stand_in(row))
    return Sample("describe", (*prompt, assistant(describe(pool.scenes[row]))))


def samples_of(seed: int, pool: Pool) -> Iterator[Sample]:
    """What one story teaches: to write it, find its places, choose its pictures twice; and two pictures described.

    A hero that no picture shows has no pictures to choose from: another story takes its place there.
    """
    rng = np.random.default_rng([31, seed])
    story = make_story(seed, stranger=bool(rng.random() < STRANGER_SHARE))
    if rng.random() < 0.2:
        story = without_colour(story)
    article = illustrated(story)
    yield written(article.draft, Brief(story.instruction), LEARNER)
    images = int(rng.integers(1, len(article.pictures) + 1)) if rng.random() < 0.35 else None
    yield spot_sample(article, LEARNER, images=images)
    for number in range(2):
        story = make_story(seed)
        if rng.random() < 0.6:
            story = without_colour(story)
        short = number == 0 and bool(rng.random() < 0.5)
        yield item_sample(_item(story, pool, rng, short=short))
        yield describe_sample(pool, rng)


def _item(story: Story, pool: Pool, rng: np.random.Generator, *, short: bool) -> Item:
    """Candidates that differ in colour alone, or drawn from the pool as the paper draws them; or both."""
    m = 4 if rng.random() < 0.75 else int(rng.integers(2, 7))
    return make_item(story, pool, rng, m=m, hard=bool(rng.random() < 0.7), short=short, first_share=0.1)


class Encoder:
    """Conversations to tokens in the model's own frame, with one token for each picture."""

    def __init__(self, tokenizer: Any) -> None:
        from limner.composer.models.xcomposer.processor import CHAT_TEMPLATE, IMAGE

        self.tokenizer, self.template, self.place = tokenizer, CHAT_TEMPLATE, IMAGE

    def __call__(self, turns: Sequence[Message]) -> tuple[list[int], int, list[int]]:
        """Tokens, where the reply begins among them, and the pictures' rows."""
        asked = self._tokens(turns[:-1], reply_follows=True)
        tokens = self._tokens(turns, reply_follows=False)
        assert tokens[: len(asked)] == asked
        rows = [row_of(part) for turn in turns for part in turn.parts if isinstance(part, Picture)]
        return tokens[:-1], len(asked), rows  # the line break after the last turn is the frame's, not the reply's

    def _tokens(self, turns: Sequence[Message], *, reply_follows: bool) -> list[int]:
        chat = [
            {"role": turn.role, "content": "".join(self.place if isinstance(p, Picture) else p for p in turn.parts)}
            for turn in turns
        ]
        text = self.tokenizer.apply_chat_template(
            chat, chat_template=self.template, tokenize=False, add_generation_prompt=reply_follows
        )
        return self.tokenizer.encode(text, add_special_tokens=False)


def train_tokenizer(file: Path, pool: Pool, stories: int = 3000) -> None:
    """A SentencePiece file of the kind that InternLM2 has, of the picture book's words."""
    import sentencepiece

    texts = [
        line
        for seed in range(stories)
        for sample in samples_of(seed, pool)
        for turn in sample.turns
        for part in turn.parts
        if isinstance(part, str)
        for line in part.splitlines()
        if line
    ]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(file.with_suffix("")),
        model_type="bpe",
        vocab_size=VOCABULARY,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        user_defined_symbols=list(SPECIAL),
        hard_vocab_limit=False,
        num_threads=2,
        minloglevel=2,
    )
    file.with_suffix(".vocab").unlink()


def pack(samples: Iterable[tuple[str, list[int], int, list[int], int, int]]) -> dict[str, np.ndarray]:
    """Encoded samples as flat arrays; `starts` and `row_starts` say where each sample's tokens and pictures begin."""
    found = list(samples)
    return {
        "ids": np.array([token for sample in found for token in sample[1]], np.uint16),
        "starts": np.cumsum([0, *(len(sample[1]) for sample in found)]),
        "reply": np.array([sample[2] for sample in found], np.int32),
        "rows": np.array([row for sample in found for row in sample[3]], np.uint16),
        "row_starts": np.cumsum([0, *(len(sample[3]) for sample in found)]),
        "task": np.array([TASKS.index(sample[0]) for sample in found], np.uint8),
        "answer": np.array([sample[4] for sample in found], np.int8),
        "candidates": np.array([sample[5] for sample in found], np.uint8),
    }


def numbers(tokenizer: Any) -> dict[str, Any]:
    """What training must know of the tokenizer."""
    place, *_, end = tokenizer.convert_tokens_to_ids(list(SPECIAL))
    return {
        "vocab_size": len(tokenizer),
        "image_token_id": place,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": end,  # a reply ends with its turn
        "pad_token_id": tokenizer.pad_token_id,
        "letters": [tokenizer.encode(f" {letter}", add_special_tokens=False)[0] for letter in LETTERS[:6]],
        "head": len(tokenizer.encode(f"<s>{SPECIAL[1]}user\n", add_special_tokens=False)),
        "question": tokenizer.encode("\nBased on", add_special_tokens=False)[
            1
        ],  # how every question of selection begins
        "verdicts": [tokenizer.encode(f" {word}", add_special_tokens=False)[0] for word in (YES, NO)],
    }


def shown(pool: Pool, tokenizer: Any) -> dict[str, np.ndarray]:
    """Of each picture: the tokens of subject, colour and place; and the words for all of it, padded with -1."""
    names = np.zeros((len(pool.scenes), 3), np.int16)
    words = np.full((len(pool.scenes), SHOWN_TOKENS), -1, np.int16)
    for row, scene in enumerate(pool.scenes):
        for column, name in enumerate((scene.main.subject, scene.main.colour, scene.place)):
            names[row, column] = tokenizer.encode(f" {name}", add_special_tokens=False)[0]
        tokens = tokenizer.encode(f" {look_line(scene.main, scene.place)}", add_special_tokens=False)
        words[row, : len(tokens)] = tokens
    return {"names": names, "words": words}


def save(arrays: dict[str, np.ndarray], file: Path) -> None:
    """An .npz, compressed as a whole: the same sentences come again and again."""
    raw = io.BytesIO()
    np.savez(raw, **arrays)  # pyright: ignore[reportArgumentType]
    file.write_bytes(lzma.compress(raw.getvalue(), preset=6))


def save_pictures(pixels: np.ndarray, file: Path, quality: int) -> None:
    """Pictures (n, 80, 80, 3) in a square of rows, the rest of it black."""
    from PIL import Image

    side = int(np.ceil(len(pixels) ** 0.5))
    square = np.zeros((side * side, *pixels.shape[1:]), np.uint8)
    square[: len(pixels)] = pixels
    height, width = pixels.shape[1:3]
    whole = square.reshape(side, side, height, width, 3).swapaxes(1, 2).reshape(side * height, side * width, 3)
    Image.fromarray(whole).save(file, quality=quality, method=4)


def training_pool() -> tuple[Pool, np.ndarray]:
    """The kept pictures by what they show, and their rows in training/work/pictures.npy."""
    scenes = [from_json(values) for values in json.loads((WORK / "scenes.json").read_text())]
    rows = np.array([row for row in range(len(scenes)) if row % 7 < KEPT])
    return Pool([scenes[row] for row in rows]), rows


_state: dict[str, Any] = {}


def _begin(tokenizer_file: Path) -> None:
    _state["pool"] = training_pool()[0]
    _state["encoder"] = Encoder(load(tokenizer_file))


def _encoded(seeds: range) -> list[tuple[str, list[int], int, list[int], int, int]]:
    pool, encoder = _state["pool"], _state["encoder"]
    return [
        (sample.task, *encoder(sample.turns), sample.answer, sample.candidates)
        for seed in seeds
        for sample in samples_of(seed, pool)
    ]


def load(tokenizer_file: Path) -> Any:
    """The tokenizer by the way that official checkpoints take."""
    from limner.composer.models.checkpoint import Checkpoint
    from limner.composer.models.xcomposer.tokenizer import load_tokenizer

    return load_tokenizer(Checkpoint("the picture book's", tokenizer_file.parent), SPECIAL)


def main() -> None:
    """Prepare everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stories", type=int, default=30_000)
    parser.add_argument("--items", type=int, default=400, help="held-out questions of selection")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    pool, rows = training_pool()
    tokenizer_file = args.folder / "tokenizer.model"
    if not tokenizer_file.exists():
        train_tokenizer(tokenizer_file, pool)
    tokenizer = load(tokenizer_file)
    (args.folder / "numbers.json").write_text(json.dumps(numbers(tokenizer), indent=2) + "\n")
    chunks = [range(first, min(first + 200, args.stories)) for first in range(0, args.stories, 200)]
    with ProcessPoolExecutor(args.workers, initializer=_begin, initargs=(tokenizer_file,)) as executor:
        encoded = [sample for part in executor.map(_encoded, chunks) for sample in part]
    save({**pack(encoded), **shown(pool, tokenizer)}, args.folder / "samples.npz.xz")
    pixels = np.load(WORK / "pictures.npy", mmap_mode="r")
    save_pictures(pixels[rows], args.folder / "pictures.webp", quality=75)

    scenes = scenes_for(held=True, each=1, seed=TEST_SEED)
    held, encoder = Pool(scenes), Encoder(tokenizer)
    items = list(selection_items(held, args.items, names_colour=False))
    bare = [item_sample(item, context=False) for item in items]
    told = [item_sample(item) for item in selection_items(held, args.items, names_colour=True)]
    questions = [(s.task, *encoder(s.turns), s.answer, s.candidates) for s in (*map(item_sample, items), *bare, *told)]
    save({**pack(questions), **shown(held, tokenizer)}, args.folder / "held.npz.xz")
    save_pictures(render_pool(scenes), args.folder / "held.webp", quality=90)


if __name__ == "__main__":
    main()
