"""Interleaved articles to what a model is to reply in composing them: to write, to find places, to choose pictures.

The questions are the pipeline's own, asked in the dialect of the model that learns; only the replies stand here, and
those of the paper's formats beside what reads them. Knows nothing of tokens or training.

Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from limner.composer.article import Brief, Candidates, Draft, Section, Spot
from limner.composer.errors import ModelUnfit
from limner.composer.markdown import plain_text, repeats_title
from limner.composer.paper_formats import article_reply, choice_reply, in_paper_format, spot_reply
from limner.composer.prompts import has_prompt
from limner.composer.protocols import Message
from limner.composer.select import LETTERS
from limner.composer.select import fit_prompt as select_prompt
from limner.composer.spot import can_stand_after, first_prompt
from limner.composer.write import fit_prompt as write_prompt
from limner.evaluation.site import Site
from limner.index.records import Hit, ImageRecord

KEYWORD_SHARE, OUTLINE_SHARE = 0.25, 0.25  # of the instructions; the others are titles


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture of an article."""

    after_block: int  # index into the draft's blocks
    path: Path
    caption: str


@dataclass(frozen=True, slots=True)
class Illustrated:
    """An article without its pictures, and those in reading order, one at most after a block."""

    draft: Draft
    pictures: tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A question and its reply; the candidates of a selection are the last pictures."""

    task: str  # "write", "spot" or "select"
    turns: tuple[Message, ...]
    answer: int = -1  # index of the candidate that is right
    candidates: int = 0


@dataclass(frozen=True, slots=True)
class Learner:
    """What the pipeline's questions must know of the model that they are put to."""

    dialect: str
    context_tokens: int
    count_tokens: Callable[[Sequence[Message]], int]
    name: str = "the model"
    reads_pictures: bool = True

    def __post_init__(self) -> None:
        """Refuse a model that looks at the candidates in words first: its replies are not those written here.

        Raises:
            ModelUnfit: it is such a model.
        """
        if has_prompt("choose", dialect=self.dialect):
            raise ModelUnfit(
                f"{self.name} replies in the dialect {self.dialect}, which this recipe does not write",
                "the embedded model is trained by training.nano_vlm",
            )


def articles_of(site: Site) -> Iterator[Illustrated]:
    """The articles of a folder of Markdown that have pictures with captions, or else alt texts, after a block of text.

    Of several pictures after one block the first counts, as a reply about places has one for each.
    """
    for page in site.pages():
        found: dict[int, Placed] = {}
        for picture in page.pictures:
            after, shown = picture.placed.after_block, picture.placed.picture
            caption = shown.caption or shown.alt
            if after >= 0 and caption and can_stand_after(page.draft.blocks[after]):
                found.setdefault(after, Placed(after, site.root / picture.file, caption))
        if found and page.draft.title:
            yield Illustrated(page.draft, tuple(found[after] for after in sorted(found)))


def write_sample(article: Illustrated, learner: Learner, rng: np.random.Generator) -> Sample:
    """Instruction to text: the instruction is the title, words of it, or the headings as an outline."""
    return written(article.draft, _brief(article.draft, rng), learner)


def written(draft: Draft, brief: Brief, learner: Learner) -> Sample:
    """A brief to its text."""
    blocks = [block.markdown for block in draft.blocks if block.kind != "front_matter"]
    if draft.title and not any(repeats_title(block, draft.title) for block in draft.blocks):
        blocks = [f"# {draft.title}", *blocks]
    prompt, _ = write_prompt(brief, learner)  # pyright: ignore[reportArgumentType]
    return Sample("write", (*prompt, _reply(article_reply(blocks))))


def spot_sample(article: Illustrated, learner: Learner, *, images: int | None) -> Sample:
    """Text to places and captions; with `images` to so many, the first ones."""
    blocks = article.draft.blocks
    shown = [i for i, b in enumerate(blocks) if plain_text(b) and not repeats_title(b, article.draft.title)]
    numbered = [index for index in shown if can_stand_after(blocks[index])]
    spots = [(numbered.index(picture.after_block) + 1, picture.caption) for picture in article.pictures[:images]]
    prompt = first_prompt(article.draft, learner, images=images)  # pyright: ignore[reportArgumentType]
    if in_paper_format(learner.dialect):
        reply = spot_reply(spots)
    else:
        pictures = [{"after": number, "caption": caption} for number, caption in spots]
        reply = json.dumps({"pictures": pictures}, ensure_ascii=False)
    return Sample("spot", (*prompt, _reply(reply)))


def select_sample(
    article: Illustrated, number: int, negatives: Sequence[Path], learner: Learner, rng: np.random.Generator
) -> Sample:
    """The article up to one of its pictures, with those before it, to the choice of that picture.

    Args:
        article: whose pictures before that one are in the question.
        number: of the picture among the article's.
        negatives: what else is to choose from.
        learner: who is asked.
        rng: at which place the right picture stands.
    """
    answer = int(rng.integers(len(negatives) + 1))
    wanted = article.pictures[number]
    candidates = [*negatives[:answer], wanted.path, *negatives[answer:]]
    placed = {picture.after_block: picture.path for picture in article.pictures[:number]}
    prompt = choice_prompt(article.draft, placed, Spot(wanted.after_block, wanted.caption), candidates, learner)
    return Sample("select", (*prompt, choice(answer, learner)), answer, len(candidates))


def choice_prompt(
    draft: Draft, placed: Mapping[int, Path], spot: Spot, candidates: Sequence[Path], learner: Learner
) -> list[Message]:
    """The pipeline's question which of these pictures stands at a spot."""
    hits = tuple(Hit(ImageRecord(i, path, 0, 0, "", 0, 0), 0.0) for i, path in enumerate(candidates))
    return select_prompt(draft, placed, Candidates(spot, hits), learner)[0]  # pyright: ignore[reportArgumentType]


def choice(answer: int, learner: Learner) -> Message:
    """The reply that takes a candidate."""
    letter = LETTERS[answer]
    return _reply(choice_reply(letter) if in_paper_format(learner.dialect) else letter)


def _brief(draft: Draft, rng: np.random.Generator) -> Brief:
    kind = rng.random()
    sections = tuple(
        Section(text, max(1, _level(block.markdown) - 1))
        for block in draft.blocks
        if block.kind == "heading" and (text := plain_text(block)) and not repeats_title(block, draft.title)
    )
    if kind < OUTLINE_SHARE and sections:
        return Brief("", title=draft.title, outline=sections)
    words = [word.strip(".,:;!?()") for word in draft.title.split()]
    if kind < OUTLINE_SHARE + KEYWORD_SHARE and len(words) > 1:
        return Brief("", keywords=tuple(dict.fromkeys(word for word in words if len(word) > 2)) or (draft.title,))
    return Brief(draft.title)


def _level(heading: str) -> int:
    marks = len(heading) - len(heading.lstrip("#"))
    return min(marks, 3) if marks else 2  # an underlined one


def _reply(text: str) -> Message:
    return Message("assistant", (text,))


def without_context(draft: Draft) -> Draft:
    """An article of which nothing is shown."""
    return replace(draft, title="", blocks=())
