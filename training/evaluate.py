"""`make evaluate-embedded`: the figures of the embedded models on what was held out, beside the bars they must meet.

Held out by seed and by combination: no picture or text of training shows these subjects at these places.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from limner.composer.article import Brief
from limner.composer.describe import describe
from limner.composer.errors import ReplyInvalid
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.protocols import Message, Picture, Sampling
from limner.composer.replies import read_spots
from limner.composer.select import look_and_score
from limner.composer.write import write
from PIL import Image

from . import nano_clip
from .picture_book.captions import describe as expected
from .picture_book.stories import make_story, without_colour
from .pictures import TEST_SEED, render_pool, scenes_for
from .samples import Item, Pool, make_item, row_of, spot_prompt

BARS = {
    "nano-clip: first hit has subject, colour and place": (0.90, "at least"),
    "selection by nano-vlm": (0.80, "at least"),
    "selection by CLIP top-1, same items": (0.45, "at most"),
    "selection without the earlier text and pictures": (0.35, "at most"),
    "places: F1": (0.80, "at least"),
    "articles that pass every check": (0.95, "at least"),
}


class PoolModel:
    """nano-vlm over rows of a pool: the pool's pictures as files, so that the pipeline's own path is measured."""

    def __init__(self, model: LocalModel, pixels: np.ndarray, folder: Path) -> None:
        self.model = model
        self.folder = folder
        for row, picture in enumerate(pixels):
            Image.fromarray(picture).save(folder / f"{row}.png")

    def with_files(self, messages: Sequence[Message]) -> list[Message]:
        """The same messages with the pictures' files in place of their rows."""
        return [
            replace(
                message,
                parts=tuple(
                    Picture(self.folder / f"{row_of(part)}.png") if isinstance(part, Picture) else part
                    for part in message.parts
                ),
            )
            for message in messages
        ]

    def choose(self, messages: Sequence[Message], count: int) -> int | None:
        """The candidate that the model takes, or None for "none fits"."""
        scores = look_and_score(self.with_files(messages), count, self.model)
        best = int(np.argmax(scores))
        return None if best == count else best


def selection_items(pool: Pool, count: int, *, names_colour: bool) -> Iterator[Item]:
    """Held-out questions: four candidates that all fit the caption, of which one has the article's colour."""
    seed = TEST_SEED
    made = 0
    while made < count:
        seed += 1
        rng = np.random.default_rng([seed, 3])
        story = make_story(seed, held=True)
        if story.names_colour != names_colour:
            if names_colour:
                continue
            story = without_colour(story)
        # Whether or not the text names the colour, the spot has an earlier picture before it.
        item = make_item(replace(story, names_colour=False), pool, rng, m=4, hard=True)
        yield item
        made += 1


def write_items(items: Sequence[Item], pixels: np.ndarray, path: Path) -> None:
    """Items as `limner evaluate selection` reads them, their pictures in a folder beside the file."""
    folder = path.parent / f"{path.stem}-pictures"
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for item in items:
        files = {row: f"{folder.name}/{row}.png" for row in (*item.candidates, *item.placed.values())}
        for row, file in files.items():
            Image.fromarray(pixels[row]).save(path.parent / file)
        context: list[str | dict[str, str]] = []
        for i in range(item.first, item.spot + 1):
            context.append(item.story.paragraphs[i].text)
            if i in item.placed:
                context.append({"picture": files[item.placed[i]]})
        assert item.answer is not None
        line = {
            "title": item.story.title if item.first == 0 else "",
            "context": context,
            "caption": item.story.caption(item.spot),
            "candidates": [files[row] for row in item.candidates],
            "choice": files[item.candidates[item.answer]],
        }
        lines.append(json.dumps(line) + "\n")
    path.write_text("".join(lines))


def clip_choices(items: Sequence[Item], pixels: np.ndarray) -> list[int]:
    """The candidate nearest to the caption, by nano-clip."""
    import open_clip
    import torch

    model = open_clip.create_model(f"local-dir:{nano_clip.OUT}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{nano_clip.OUT}")
    choices = []
    with torch.inference_mode():
        for item in items:
            values = torch.from_numpy(pixels[list(item.candidates)]).permute(0, 3, 1, 2).float() / 255
            images = model.encode_image((values - 0.5) / 0.25, normalize=True)
            text = model.encode_text(tokenizer([item.story.caption(item.spot)]), normalize=True)
            choices.append(int((images @ text.T).argmax()))
    return choices


def selection(model: PoolModel, pool: Pool, pixels: np.ndarray, count: int) -> dict[str, float]:
    """Agreement with the right answer, with and without context, and CLIP's on the same items."""
    figures = {}
    for names_colour, name in ((False, "colour in the pictures alone"), (True, "colour in text and pictures")):
        items = list(selection_items(pool, count, names_colour=names_colour))
        right = [model.choose(item.prompt(), 4) == item.answer for item in items]
        clip = [choice == item.answer for choice, item in zip(clip_choices(items, pixels), items, strict=True)]
        figures[f"{name}: nano-vlm"] = float(np.mean(right))
        if not names_colour:
            bare = [model.choose(item.prompt(context=False), 4) == item.answer for item in items]
            figures[f"{name}: without context"] = float(np.mean(bare))
        figures[f"{name}: CLIP top-1"] = float(np.mean(clip))
    return figures


def places(model: LocalModel, count: int) -> dict[str, float]:
    """F1 of the chosen places over held-out articles, and how many captions are word for word the generator's."""
    hits = chosen = wanted = unparsed = captions = 0
    for seed in range(TEST_SEED, TEST_SEED + count):
        story = make_story(seed, held=True)
        reply = "".join(model.generate(spot_prompt(story, None), sampling=Sampling(256)))
        wanted += len(story.scenes)
        try:
            found = read_spots(reply, len(story.paragraphs))
        except ReplyInvalid:
            unparsed += 1
            continue
        chosen += len(found)
        hits += len({number - 1 for number, _ in found} & set(story.scenes))
        captions += sum(n - 1 in story.scenes and caption == story.caption(n - 1) for n, caption in found)
    return {
        "F1": 2 * hits / (chosen + wanted),
        "captions as the generator's": captions / wanted,
        "replies not parsed": unparsed / count,
    }


def descriptions(model: LocalModel, pool: Pool, folder: Path, count: int) -> dict[str, float]:
    """How many sentences about held-out pictures name their subject, colour and place; no bar is set for it."""
    right = words = 0
    for row in np.linspace(0, len(pool.scenes) - 1, count).astype(int).tolist():
        scene = pool.scenes[row]
        said = describe(folder / f"{row}.png", model).lower()
        first = said.split(" with ")[0]
        right += all(name in first for name in (scene.main.subject, scene.main.colour)) and scene.place in said
        words += said == expected(scene).lower()
    return {"subject, colour and place": right / count, "as the generator's": words / count}


def article_faults(text: str, *, subject: str, places: Sequence[str], paragraphs: int) -> list[str]:
    """What is wrong with a written article; empty when nothing is."""
    faults = []
    if not 5 <= paragraphs <= 9:
        faults.append(f"{paragraphs} paragraphs")
    words = text.lower()
    faults += [f"does not name {name}" for name in (subject, *places) if name not in words]
    lines = [line.strip().lower() for line in re.split(r"(?<=[.?!])\s+|\n+", text) if line.strip()]
    faults += [f"twice: {line}" for line in {line for line in lines if lines.count(line) > 1}]
    return faults


def articles(model: LocalModel, count: int) -> dict[str, object]:
    """The share of articles from held-out instructions that end by themselves and have no fault."""
    good = 0
    examples: list[str] = []
    for seed in range(TEST_SEED, TEST_SEED + count):
        story = make_story(seed, held=True)
        brief = Brief(story.instruction, seed=seed)
        ended = Ended(model)
        try:
            draft = write(brief, ended)
        except ReplyInvalid as exc:
            examples.append(f"{story.instruction!r}: {exc}")
            continue
        body = [block.markdown for block in draft.blocks if block.kind != "heading"]
        faults = article_faults(
            "\n\n".join(body), subject=story.hero.subject, places=story.asked_places, paragraphs=len(body)
        )
        if not ended.by_itself:
            faults.append("did not end by itself")
        good += not faults
        if faults:
            examples.append(f"{story.instruction!r}: {'; '.join(faults)}")
    return {"pass": good / count, "faults": examples}


class Ended:
    """The model, noting whether its last reply ended before the limit of new tokens."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.by_itself = True

    name = property(lambda self: self.model.name)
    dialect = property(lambda self: self.model.dialect)
    context_tokens = property(lambda self: self.model.context_tokens)

    def count_tokens(self, messages):
        return self.model.count_tokens(messages)

    def score(self, messages, answers):
        return self.model.score(messages, answers)

    def generate(self, messages, *, sampling, schema=None):
        reply = "".join(self.model.generate(messages, sampling=sampling))
        tokens = len(self.model.processor.tokenizer.encode(reply, add_special_tokens=False))
        self.by_itself = tokens < sampling.max_new_tokens - 1
        yield reply


def main() -> int:
    """Measure everything and print the table; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=200, help="held-out questions of selection, of each kind")
    parser.add_argument("--articles", type=int, default=100)
    parser.add_argument("--json", type=Path, help="also write every figure here")
    parser.add_argument(
        "--write-items",
        type=Path,
        metavar="FILE",
        help="write the questions whose colour only the pictures show for `limner evaluate selection`, and stop",
    )
    args = parser.parse_args()

    if args.write_items:
        scenes = scenes_for(held=True, each=1, seed=TEST_SEED)
        items = list(selection_items(Pool(scenes), args.items, names_colour=False))
        write_items(items, render_pool(scenes), args.write_items)
        return 0
    clip = nano_clip.evaluate()
    scenes = scenes_for(held=True, each=1, seed=TEST_SEED)
    pool, pixels = Pool(scenes), render_pool(scenes)
    model = load_model("nano-vlm", ModelOptions(device="cpu"))
    with tempfile.TemporaryDirectory() as folder:
        chosen = selection(PoolModel(model, pixels, Path(folder)), pool, pixels, args.items)
        described = descriptions(model, pool, Path(folder), args.items)
    spots = places(model, args.articles)
    written = articles(model, args.articles)

    silent = "colour in the pictures alone"
    measured = {
        "nano-clip: first hit has subject, colour and place": clip["all three"],
        "selection by nano-vlm": chosen[f"{silent}: nano-vlm"],
        "selection by CLIP top-1, same items": chosen[f"{silent}: CLIP top-1"],
        "selection without the earlier text and pictures": chosen[f"{silent}: without context"],
        "places: F1": spots["F1"],
        "articles that pass every check": written["pass"],
    }
    for part in (clip, chosen, described, spots, written):
        print(json.dumps(part, indent=2, ensure_ascii=False))
    missed = 0
    print(f"\n{'what':55} {'measured':>9} {'bar':>15}")
    for name, (bar, sense) in BARS.items():
        value = float(measured[name])  # type: ignore[arg-type]
        met = value >= bar if sense == "at least" else value <= bar
        missed += not met
        print(f"{name:55} {value:9.3f} {f'{sense} {bar:.2f}':>15} {'' if met else 'MISSED'}")
    if args.json:
        everything = {
            "clip": clip,
            "selection": chosen,
            "descriptions": described,
            "places": spots,
            "articles": written,
        }
        args.json.write_text(json.dumps(everything, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
