"""What a model reads to choose an article's pictures, against the least that it must and against the reference's way.

python -m benchmarks.selection_cost [--width 768] [--layers 2] [--side 448]

An article of 12 paragraphs with 6 spots and 8 candidates at each, by a tiny Qwen2.5-VL of random weights. The least is
every token of the article and every placed picture once, and every candidate once; captions, labels and the question
are not in it. The reference (InternLM-XComposer's demo) reads everything again at each spot.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from limner.composer.article import Candidates, Choice, Draft, Spot
from limner.composer.markdown import parse_draft
from limner.composer.models.local import LocalModel
from limner.composer.protocols import Message, Picture
from limner.composer.select import fit_prompt, select
from limner.index.records import Hit, ImageRecord
from PIL import Image

from .tiny_qwen import make_qwen

PARAGRAPHS, SPOTS, CANDIDATES = 12, 6, 8
BAR = 1.15
TEXTS = Path(__file__).parents[1]


@dataclass
class Read:
    """What went through the model."""

    tokens: int = 0
    pictures: int = 0


@contextmanager
def counted(model: LocalModel) -> Iterator[Read]:
    """Count the tokens of every call of the model, and the pictures of every call of its vision tower."""
    read = Read()

    def language(module: object, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        read.tokens += int(kwargs["inputs_embeds"].shape[1])

    def vision(module: object, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]) -> None:
        grid = kwargs["grid_thw"] if "grid_thw" in kwargs else args[1]
        read.pictures += int(grid.shape[0])

    inner = model.model.model
    handles = [
        inner.language_model.register_forward_pre_hook(language, with_kwargs=True),
        inner.visual.register_forward_pre_hook(vision, with_kwargs=True),
    ]
    try:
        yield read
    finally:
        for handle in handles:
            handle.remove()


def article(text: str) -> Draft:
    """12 paragraphs of about 90 words from a text."""
    words = text.split()
    length = 90
    assert len(words) >= PARAGRAPHS * length
    paragraphs = [" ".join(words[i * length : (i + 1) * length]) for i in range(PARAGRAPHS)]
    return parse_draft("# An article\n\n" + "\n\n".join(f"So {paragraph}." for paragraph in paragraphs) + "\n")


def pictures(folder: Path, side_px: int) -> list[tuple[Hit, ...]]:
    """8 pictures for each spot, all different."""
    found = []
    for spot in range(SPOTS):
        hits = []
        for number in range(CANDIDATES):
            path = folder / f"{spot}-{number}.png"
            Image.linear_gradient("L").resize((side_px, side_px)).rotate(spot * 40 + number * 5).save(path)
            key = spot * CANDIDATES + number
            hits.append(Hit(ImageRecord(key, path, 1, 1, str(key), side_px, side_px), 0.5))
        found.append(tuple(hits))
    return found


def choose(model: LocalModel, draft: Draft, found: list[tuple[Hit, ...]], *, again: bool) -> tuple[list[Choice], float]:
    """Choose at every spot in order, as the pipeline does; `again` reads all anew each time. And processor seconds."""
    model._prefix.drop()
    placed: dict[int, Path] = {}
    choices = []
    started = time.process_time()
    for number, hits in enumerate(found):
        if again:
            model._prefix.drop()
        spot = Spot(2 * number + 2, f"What is told here, number {number}")  # after every other paragraph
        choice = select(draft, placed, Candidates(spot, hits), model, fallback="top1").choice
        assert choice.hit
        placed[spot.after_block] = choice.hit.image.path
        choices.append(choice)
    return choices, time.process_time() - started


def least(model: LocalModel, draft: Draft, choices: list[Choice]) -> Read:
    """Every token of the article up to the last spot and every placed picture once, and every candidate once."""
    last = choices[-1]
    placed = {c.spot.after_block: c.hit.image.path for c in choices[:-1] if c.hit}
    [whole], _ = fit_prompt(draft, placed, last.candidates, model)
    end = next(i for i, part in enumerate(whole.parts) if isinstance(part, str) and "</article>" in part)
    context = [*whole.parts[:end], str(whole.parts[end]).partition("</article>")[0]]
    candidates = [Picture(hit.image.path) for choice in choices for hit in choice.candidates.hits]
    empty = model.count_tokens([Message("user", ("",))])
    tokens = model.count_tokens([Message("user", tuple(context))])  # with the marks of the turn, which must be read
    tokens += sum(model.count_tokens([Message("user", (picture,))]) - empty for picture in candidates)
    return Read(tokens, len(placed) + len(candidates))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=768, help="of the language model")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--side", type=int, default=448, help="of the pictures, in pixels")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # threads that wait for each other on a busy machine count as work
    texts = [path.read_text(encoding="utf-8") for path in (TEXTS / "README.md", TEXTS / "docs" / "library.md")]
    with tempfile.TemporaryDirectory() as place:
        parts = make_qwen(
            texts, vocabulary=4000, width=arguments.width, layers=arguments.layers, side_px=arguments.side
        )
        model = LocalModel("tiny", *parts, context_tokens=32_768)
        draft, found = article(texts[0]), pictures(Path(place), arguments.side)
        choose(model, draft, found[:1], again=True)  # start-up
        with counted(model) as kept:
            choices, seconds = choose(model, draft, found, again=False)
        with counted(model) as anew:
            others, slow = choose(model, draft, found, again=True)
        minimum = least(model, draft, choices)
    same = [a.chosen == b.chosen for a, b in zip(choices, others, strict=True)]
    assert all(same), "the cache changed a choice"
    print(f"least: {minimum.tokens:,} tokens, {minimum.pictures} pictures")
    print(f"tokens read: {kept.tokens:,}, {kept.tokens / minimum.tokens:.3f} of the least (at most {BAR})")
    print(f"pictures read: {kept.pictures}, {kept.pictures / minimum.pictures:.3f} of the least (at most {BAR})")
    print(f"tokens read all again: {anew.tokens:,}, {anew.tokens / minimum.tokens:.2f} of the least")
    print(f"pictures read all again: {anew.pictures}, {anew.pictures / minimum.pictures:.2f} of the least")
    print(f"processor seconds: {seconds:.2f} against {slow:.2f} all again, {slow / seconds:.2f} times as fast")


if __name__ == "__main__":
    main()
