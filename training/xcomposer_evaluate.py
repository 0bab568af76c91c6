"""What the tiny InternLM-XComposer 2 of the picture-book world can do, on what was held out of training.

    python -m training.xcomposer_evaluate --data FOLDER --weights FILE --out FOLDER

`--data` is what `training.xcomposer_book` prepared and `--weights` what `training.xcomposer_train` saved. The model is
put together in `--out`, where `--model xcomposer:` finds it, and measured through the pipeline's own steps. Table 10 of
the paper is the agreement of the chosen picture with the right one, beside that of the picture nearest to the caption.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from limner.composer.markdown import parse_draft
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.models.xcomposer.checkpoint import PREFIX
from limner.composer.models.xcomposer.processor import XComposer2Processor, image_processor
from limner.composer.select import score_candidates
from limner.composer.spot import find_spots
from limner.evaluation.intervals import Share, estimates
from safetensors.torch import load_file

from .evaluate import PoolModel, articles, clip_choices, selection_items
from .picture_book.stories import make_story
from .pictures import TEST_SEED, render_pool, scenes_for
from .samples import Item, Pool
from .xcomposer_book import item_sample, load
from .xcomposer_tiny import build_model


def assemble(data: Path, weights: Path, out: Path) -> None:
    """Write the trained weights behind nano-clip's eyes as `limner models convert` lays a checkpoint out."""
    numbers = json.loads((data / "numbers.json").read_text())
    model = build_model(numbers)
    trained = {name: value.float() for name, value in load_file(weights).items()}
    missing, unexpected = model.load_state_dict(trained, strict=False)
    assert not unexpected and all(".vision_tower." in name for name in missing), (missing, unexpected)
    model.generation_config.eos_token_id = numbers["eos_token_id"]
    model.generation_config.pad_token_id = numbers["pad_token_id"]
    model.to(torch.bfloat16).save_pretrained(out)
    config = model.config
    pictures = image_processor(config.tile_side_px)
    XComposer2Processor(pictures, load(data / "tokenizer.model"), config.tile_side_tokens).save_pretrained(out)


def choices(model: PoolModel, items: Sequence[Item], *, context: bool = True) -> list[int]:
    """The candidate that the model takes for each question."""
    chosen = []
    for item in items:
        question = model.with_files(item_sample(item, context=context).turns[:-1])
        *scores, _ = score_candidates(question, len(item.candidates), model.model)
        chosen.append(int(np.argmax(scores)))
    return chosen


def agreement(chosen: Sequence[int], items: Sequence[Item]) -> dict[str, float | None]:
    """The share of right choices, with its 95 % interval."""
    [found] = estimates([[Share(float(c == item.answer), 1.0)] for c, item in zip(chosen, items, strict=True)])
    return {"share": round(found.value, 3), "low": found.low, "high": found.high}


def selection(model: PoolModel, pool: Pool, pixels: np.ndarray, count: int) -> dict[str, object]:
    """Table 10: ours, ours without what comes before, and CLIP's first, on the same held-out questions."""
    figures: dict[str, object] = {}
    for names_colour, name in ((False, "colour in the pictures alone"), (True, "colour in text and pictures")):
        items = list(selection_items(pool, count, names_colour=names_colour))
        figures[f"{name}: ours"] = agreement(choices(model, items), items)
        if not names_colour:
            figures[f"{name}: ours without context"] = agreement(choices(model, items, context=False), items)
        figures[f"{name}: CLIP top-1"] = agreement(clip_choices(items, pixels), items)
    return figures


def places(model: LocalModel, count: int) -> dict[str, float]:
    """F1 of the places found in held-out articles, and how many captions are word for word the generator's."""
    hits = chosen = wanted = captions = notices = 0
    for seed in range(TEST_SEED, TEST_SEED + count):
        story = make_story(seed, held=True)
        found = find_spots(parse_draft(story.markdown), model, images=None)
        right = {i + 1: story.caption(i) for i in story.scenes}  # by block: the title is one too
        wanted += len(right)
        chosen += len(found.spots)
        hits += sum(spot.after_block in right for spot in found.spots)
        captions += sum(right.get(spot.after_block) == spot.caption for spot in found.spots)
        notices += bool(found.notices)
    return {
        "F1": 2 * hits / (chosen + wanted),
        "captions as the generator's": captions / wanted,
        "replies with faults": notices / count,
    }


def main() -> None:
    """Put together and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--items", type=int, default=200, help="held-out questions of selection, of each kind")
    parser.add_argument("--articles", type=int, default=100)
    args = parser.parse_args()
    assemble(args.data, args.weights, args.out)
    model = load_model(f"{PREFIX}{args.out}", ModelOptions(device="cpu", dtype="float32"))
    assert isinstance(model, LocalModel)
    scenes = scenes_for(held=True, each=1, seed=TEST_SEED)
    pool, pixels = Pool(scenes), render_pool(scenes)
    with tempfile.TemporaryDirectory() as folder:
        chosen = selection(PoolModel(model, pixels, Path(folder)), pool, pixels, args.items)
    print(json.dumps(chosen, indent=2), flush=True)
    print(json.dumps(places(model, args.articles), indent=2), flush=True)
    print(json.dumps(articles(model, args.articles), indent=2))


if __name__ == "__main__":
    main()
