"""Fine-tunes a model for composition on illustrated articles: to write, to find places for pictures, to choose them.

    python -m training.composition ARTICLES... --model NAME --out FOLDER

ARTICLES are folders of Markdown with their pictures. NAME is a model as `--model` of `limner` names it; FOLDER holds
the result, which `--model` takes. Checkpoints lie in FOLDER/checkpoints, from which `--resume` goes on.

A choice is between the right picture and others of the articles' folders, drawn at random as in the paper, or with
`--library` those that a search by the caption finds. What learns is peft's LoRA in the decoder, an XComposer 2's own
Partial LoRA, and what joins eyes and decoder, at a rate of its own.

Source: Zhang et al. 2023, arXiv:2309.15112, section 3.2 (rates) and appendix C.1; Dong et al. 2024, arXiv:2401.16420.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from limner.composer.errors import ModelUnfit
from limner.composer.models.checkpoint import find_checkpoint
from limner.composer.models.load import load_model
from limner.composer.models.local import LocalModel
from limner.composer.models.options import ModelOptions
from limner.composer.models.xcomposer.checkpoint import PREFIX, find_xcomposer
from limner.composer.protocols import Message
from limner.evaluation.site import open_site
from limner.index.decode import decode
from limner.index.errors import LimnerError, PictureUnreadable
from limner.index.library import Library

from .articles import Illustrated, Learner, articles_of, select_sample, spot_sample, write_sample
from .conversations import Batches, length_of
from .finetune import (
    BRIDGE,
    LORA,
    LORA_BRIDGE,
    PARTIAL_LORA,
    Rate,
    RatedTrainer,
    add_lora,
    has_partial_lora,
    train_only,
)

TASKS = ("write", "spot", "select")
_WEIGHTS = re.compile(r"\.(safetensors|bin|pt|pth)(\.index\.json)?$")
IMAGES_SHARE = 0.35  # of the questions for places that say how many


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of an article."""

    task: str
    article: int
    picture: int = 0  # which of its pictures is to be chosen


@dataclass(frozen=True)
class Lessons:
    """All questions over a set of articles; what is random in one is drawn anew in each epoch."""

    articles: Sequence[Illustrated]
    pool: Sequence[Path]
    learner: Learner
    candidates: int = 4
    search: Callable[[str, int], Sequence[Path]] | None = None
    searched_share: float = 0.5  # of the choices, where there is a search
    tasks: Sequence[str] = TASKS
    seed: int = 0

    def questions(self) -> list[Question]:
        """Each article written and its places found once, and each of its pictures chosen."""
        found: list[Question] = []
        for number, article in enumerate(self.articles):
            found += [Question(task, number) for task in ("write", "spot") if task in self.tasks]
            if "select" in self.tasks:
                found += [Question("select", number, picture) for picture in range(len(article.pictures))]
        return found

    def turns(self, question: Question, epoch: int) -> Sequence[Message]:
        """A question with its reply."""
        article = self.articles[question.article]
        rng = np.random.default_rng([self.seed, epoch, question.article, TASKS.index(question.task), question.picture])
        if question.task == "write":
            return write_sample(article, self.learner, rng).turns
        if question.task == "spot":
            said = rng.random() < IMAGES_SHARE
            images = int(rng.integers(1, len(article.pictures) + 1)) if said else None
            return spot_sample(article, self.learner, images=images).turns
        negatives = self.negatives(article, question.picture, rng)
        return select_sample(article, question.picture, negatives, self.learner, rng).turns

    def negatives(self, article: Illustrated, number: int, rng: np.random.Generator) -> list[Path]:
        """Pictures that are not the article's own: of the search's hits, then of the pool."""
        own = {picture.path for picture in article.pictures}
        wanted = min(self.candidates - 1, len(set(self.pool) - own))
        found: list[Path] = []
        if self.search is not None and rng.random() < self.searched_share:
            hits = self.search(article.pictures[number].caption, self.candidates + len(own))
            found = [path for path in hits if path not in own][:wanted]
        while len(found) < wanted:
            path = self.pool[int(rng.integers(len(self.pool)))]
            if path not in own and path not in found:
                found.append(path)
        return [found[int(i)] for i in rng.permutation(len(found))]


def read_articles(folders: Sequence[Path]) -> tuple[list[Illustrated], list[Path]]:
    """The illustrated articles of several folders, and the pictures of all of them that can be read.

    Raises:
        SiteUnreadable: a folder has no Markdown.
    """
    articles: list[Illustrated] = []
    pool: dict[Path, None] = {}
    for folder in folders:
        site = open_site(folder)
        for file in site.pictures:
            try:
                decode(site.root / file, target_px=32)
                pool[site.root / file] = None
            except PictureUnreadable as exc:
                print(f"left out: {exc.message}")
        for article in articles_of(site):
            pictures = tuple(picture for picture in article.pictures if picture.path in pool)
            if pictures:
                articles.append(Illustrated(article.draft, pictures))
    return articles, list(pool)


def search_in(folder: Path) -> Callable[[str, int], list[Path]]:
    """The paths of a library's pictures that words find, best first."""
    library = Library.open(folder)
    return lambda words, m: [hit.image.path for hit in library.search(words, m)]


def learner_for(model: LocalModel) -> Learner:
    """What the questions must know of a loaded model."""
    return Learner(model.dialect, model.context_tokens, model.count_tokens, model.name)


def prepare(model: LocalModel, args: argparse.Namespace) -> list[Rate]:
    """Choose what learns, and at which rates; puts peft's LoRA into the model where that is what learns.

    Raises:
        ModelUnfit: Partial LoRA alone was asked for, and the model has none or text is to be learnt.
    """
    bridge = Rate(BRIDGE, args.bridge_lr)
    if args.whole:
        rates = [bridge, Rate(r"^(?!.*vi(?:sion|sual))", args.lr)]
        train_only(model.model, rates)
        return rates
    if args.partial_lora:
        if not has_partial_lora(model.model):
            raise ModelUnfit(f"{model.name} has no Partial LoRA", "leave --partial-lora out: peft's LoRA learns then")
        if args.tasks != "select":
            raise ModelUnfit(
                "no token of a text passes through Partial LoRA: it learns to choose pictures and nothing else",
                "give --tasks select, or leave --partial-lora out",
            )
        rates = [Rate(PARTIAL_LORA, args.lr), bridge]
        train_only(model.model, rates)
        return rates
    model.model = add_lora(model.model, rank=args.rank, alpha=args.rank)
    return [Rate(LORA_BRIDGE, args.bridge_lr), Rate(LORA, args.lr)]


def fine_tune(model: LocalModel, lessons: Lessons, args: argparse.Namespace) -> RatedTrainer:
    """Train; the weights that learn are the model's own."""
    import torch
    from transformers import TrainingArguments

    questions = lessons.questions()
    lengths = [length_of(lessons.turns(question, 0), args.picture_tokens) for question in questions]
    dtype, device = model.model.dtype, model.model.device
    rates = prepare(model, args)
    arguments = TrainingArguments(
        output_dir=str(args.out / "checkpoints"),
        num_train_epochs=1,  # the batches of all epochs stand one after the other
        max_steps=args.steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=args.accumulate,
        activation_checkpointing=args.gradient_checkpointing,
        learning_rate=args.lr,
        lr_scheduler_type="cosine",
        warmup_steps=0.03,
        max_grad_norm=1.0,
        bf16=dtype == torch.bfloat16,
        use_cpu=device.type == "cpu",
        logging_steps=args.log_every,
        save_steps=args.save_every,
        save_total_limit=1,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        accelerator_config={"dispatch_batches": False},  # a batch is whole as it comes
        report_to=[],
        disable_tqdm=True,
        seed=args.seed,
    )
    trainer = RatedTrainer(
        rates=rates,
        model=model.model,
        args=arguments,
        train_dataset=Batches(
            lambda index, epoch: lessons.turns(questions[index], epoch),
            lengths,
            model,
            epochs=args.epochs,
            tokens=args.batch_tokens,
            seed=args.seed,
        ),
        data_collator=lambda batches: batches[0],
    )
    trainer.train(resume_from_checkpoint=args.resume or None)
    return trainer


def keep(model: LocalModel, name: str, out: Path) -> None:
    """Write the model as `--model` reads it, in the numbers that it was stored in, with its other files as they were.

    An XComposer is laid out as `limner models convert` does it. peft's adapter is kept in OUT/adapter, and merged into
    the weights.
    """
    trained = model.model
    if hasattr(trained, "peft_config"):
        trained.save_pretrained(out / "adapter")
        trained = trained.merge_and_unload()
    trained.to(next(weight.dtype for weight in trained.parameters() if not weight.requires_grad))
    trained.save_pretrained(out)
    if name.startswith(PREFIX):
        find_xcomposer(name.removeprefix(PREFIX)).processor().save_pretrained(out)
        return
    for file in find_checkpoint(name.partition(":")[2]).folder.iterdir():
        if file.is_file() and not (out / file.name).exists() and not _WEIGHTS.search(file.name):
            shutil.copy(file, out / file.name)


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(prog="python -m training.composition", description=__doc__.splitlines()[0])
    parser.add_argument("articles", type=Path, nargs="+", help="folders of Markdown with their pictures")
    parser.add_argument("--model", required=True, help="as `limner compose --model` takes it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("-m", "--candidates", type=int, default=4, help="pictures to choose from")
    parser.add_argument("--library", type=Path, help="one of the pictures, for candidates that a search finds")
    parser.add_argument("--partial-lora", action="store_true", help="of an XComposer 2, and no LoRA for text beside it")
    parser.add_argument("--whole", action="store_true", help="all weights but the eyes', as 2.0 was made")
    parser.add_argument("--rank", type=int, default=64, help="of peft's LoRA")
    parser.add_argument("--lr", type=float, default=5e-5, help="of the low-rank weights")
    parser.add_argument("--bridge-lr", type=float, default=2e-5, help="of what joins eyes and decoder")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=-1, help="stop after so many")
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--picture-tokens", type=int, default=256, help="about how many the model has for a picture")
    parser.add_argument("--accumulate", type=int, default=8, help="batches a step")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="less memory, a third more time")
    parser.add_argument("--max-picture-side", type=int, default=448, help="pixels")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--log-every", type=int, default=10)
    parser.add_argument("--save-every", type=int, default=200)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Read, train, write."""
    args = arguments().parse_args(given)
    try:
        articles, pool = read_articles(args.articles)
        if not articles:
            print("no article has a picture with a caption or an alt text after a block of text")
            return 1
        options = ModelOptions(device=args.device, dtype=args.dtype, max_picture_side_px=args.max_picture_side)
        model: Any = load_model(args.model, options)
        if not isinstance(model, LocalModel):
            print(f"{args.model} does not run on this machine, and is trained where it does")
            return 1
        search = search_in(args.library) if args.library else None
        lessons = Lessons(
            articles, pool, learner_for(model), args.candidates, search, tasks=args.tasks.split(","), seed=args.seed
        )
        print(f"{len(articles):,} articles with {sum(len(a.pictures) for a in articles):,} pictures of {len(pool):,}")
        fine_tune(model, lessons, args)
        keep(model, args.model, args.out)
    except LimnerError as exc:
        print(f"error: {exc.message}\n{exc.hint}")
        return 1
    print(f"{args.out}: --model {args.model.partition(':')[0]}:{args.out} takes it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
