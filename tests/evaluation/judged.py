"""Articles on the disk for raters, and a judge whose every reply a test writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from limner.composer.article import Article, Block, Brief, Figure
from limner.composer.article_json import to_json
from limner.composer.protocols import Message, Sampling
from limner.evaluation.rubric import KEYS
from PIL import Image

from ..colours import COLOURS
from ..composer.models import ScriptedModel

MODELS = {"writer": "secret-writer", "selector": "secret-writer", "encoder": "secret-encoder"}
BRIEF = Brief("Write about boats")


def write_article(
    folder: Path,
    *colours: str,
    text: str = "A boat left at dawn.",
    title: str = "Boats",
    brief: Brief = BRIEF,
    models: Mapping[str, str] = MODELS,
    **more: Any,
) -> Path:
    """An article of a heading, a paragraph, and a picture of each colour; returns its article.json."""
    (folder / "images").mkdir(parents=True)
    blocks: list[Block | Figure] = [Block("heading", f"# {title}"), Block("paragraph", text)]
    for colour in colours:
        Image.new("RGB", (60, 40), COLOURS[colour]).save(folder / "images" / f"{colour}.png")
        figure = Figure(f"A {colour} sail", "chosen", 0.9, (), f"images/{colour}.png", f"/secret/{colour}.png")
        blocks.append(replace(figure, alt=f"{colour} sail", width=60, height=40))
    path = folder / "article.json"
    path.write_text(to_json(Article(title, brief, dict(models), tuple(blocks), **more)))
    return path


def grades(*levels: int) -> dict[str, int]:
    """Eight levels as grades; one level for all of them."""
    return dict(zip(KEYS, levels * 8 if len(levels) == 1 else levels, strict=True))


def a_reply(*levels: int) -> str:
    """What a judge says who gives these levels."""
    return json.dumps({key: {"reason": f"why {key}", "grade": level} for key, level in grades(*levels).items()})


class Judge(ScriptedModel):
    """Says what `reply` gives for its number, from 0, and remembers how it was asked."""

    name = "judge"

    def __init__(self, reply: Callable[[int], str], *, dialect: str = "limner", context_tokens: int = 10_000) -> None:
        super().__init__(context_tokens=context_tokens)
        self.reply = reply
        self.dialect = dialect
        self.samplings: list[Sampling] = []

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        self.samplings.append(sampling)
        self.replies.append(self.reply(len(self.asked)))
        yield from super().generate(messages, sampling=sampling, schema=schema)
