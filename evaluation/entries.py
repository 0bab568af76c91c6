"""The articles that are graded, each with the system that made it and an id that tells nobody which that was.

A system is the models that article.json records, at their commits, or the name that the user gives it. Articles of one
task, which is all that was asked for and the draft where there was one, can be compared from system to system.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..composer.article import Article, Block, Brief, Figure
from ..composer.article_json import brief_tree, read_article
from ..composer.errors import ArticleInvalid
from ..composer.outline import to_markdown
from ..index.content import content_hash
from .errors import EvaluationMismatch

FILE = "article.json"
_ID_DIGITS = 12
_COMMIT_DIGITS = 12
# How an article was made, as against what it was to be.
_MEANS = ("candidates", "seed", "where", "permutations", "fallback", "system", "temperature", "top_p", "max_new_tokens")


@dataclass(frozen=True, slots=True)
class Entry:
    """An article that takes part."""

    id: str  # of its content and a seed: `id_of`; two that are the same have one
    content: str  # a digest of all that a rater gets to see
    system: str
    task: str  # a digest of what was asked for
    path: Path  # of its article.json
    article: Article

    @property
    def folder(self) -> Path:
        """Where its pictures lie."""
        return self.path.parent


def open_entries(given: Sequence[str], *, seed: int = 0) -> list[Entry]:
    """The articles that are named, in their order, each file once.

    Args:
        given: article.json files, their folders, or folders of such folders; `NAME=` before one names the system.
        seed: makes other ids.

    Raises:
        ArticleInvalid: one that is not there, no article, or lacks a picture.
        EvaluationMismatch: a file is given for two systems.
    """
    entries: dict[Path, Entry] = {}
    for text in given:
        name, place = _named(text)
        for path in _files(place):
            article = read_article(path)
            system = name or system_of(article)
            known = entries.get(path.resolve())
            if known is not None and known.system != system:
                raise EvaluationMismatch(
                    f"{path} is given for two systems, {known.system} and {system}", "name it once"
                )
            content, task = _digest(_content(article, path.parent)), _digest(_task(article))
            entries.setdefault(path.resolve(), Entry(id_of(content, seed), content, system, task, path, article))
    return list(entries.values())


def id_of(content: str, seed: int) -> str:
    """What an article is called before raters."""
    return _digest([seed, content])[:_ID_DIGITS]


def in_random_order(entries: Sequence[Entry], *, seed: int = 0) -> list[Entry]:
    """One entry of each id, in an order that depends on the seed and on which articles there are, not on how named."""
    once = {entry.id: entry for entry in reversed(entries)}
    ordered = [once[id_] for id_ in sorted(once)]
    random.Random(seed).shuffle(ordered)
    return ordered


def system_of(article: Article) -> str:
    """The name of the system by its models: "WRITER and SELECTOR with ENCODER", or one name where they are one."""
    models = {role: _pinned(article, role) for role in ("writer", "selector", "encoder") if article.models.get(role)}
    makers = dict.fromkeys(models[role] for role in ("writer", "selector") if role in models)
    return " with ".join(part for part in (" and ".join(makers), models.get("encoder", "")) if part) or "unknown"


def _pinned(article: Article, role: str) -> str:
    model, commit = article.models[role], article.revisions.get(role, "")
    return f"{model}@{commit[:_COMMIT_DIGITS]}" if commit and "@" not in model else model


def instruction_of(article: Article) -> str:
    """All that was asked for, as a rater reads it."""
    brief = article.brief
    lines = [
        "A finished text was given, to be illustrated and not to be changed." if article.draft_path else "",
        brief.instruction,
        f"Title: {brief.title}" if brief.title else "",
        f"Keywords: {', '.join(brief.keywords)}" if brief.keywords else "",
        f"Outline:\n{to_markdown(brief.outline)}" if brief.outline else "",
        *_manner(brief),
        f"Pictures: {brief.images}" if brief.images is not None else "",
        f"Pictures that were brought along: {len(brief.reference)}" if brief.reference else "",
        *(f"Material, {material.name}:\n{material.text}" for material in brief.material),
    ]
    return "\n".join(line for line in lines if line.strip())


def _manner(brief: Brief) -> list[str]:
    length = f"about {brief.length} words" if isinstance(brief.length, int) else brief.length
    named = {"Language": brief.language, "Length": length, "Tone": brief.tone, "Readers": brief.audience}
    return [f"{name}: {said}" for name, said in named.items() if said]


def _named(text: str) -> tuple[str, Path]:
    """The name and the path of `NAME=PATH`; a path that is there is one, whatever stands in it."""
    name, equals, path = text.partition("=")
    if not equals or not name.strip() or Path(text).exists():
        return "", Path(text)
    return name.strip(), Path(path)


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    if (place / FILE).is_file():
        return [place / FILE]
    found = sorted(place.glob(f"*/{FILE}"))
    if not found:
        raise ArticleInvalid(
            f"{place} holds no {FILE}, and no folder with one", "give what `limner compose` or `limner batch` wrote"
        )
    return found


def _task(article: Article) -> list[Any]:
    asked = {key: value for key, value in brief_tree(article.brief).items() if key not in _MEANS}
    asked["reference"] = [reference.hash for reference in article.brief.reference]  # wherever they lie
    return [asked, _text(article) if article.draft_path else ""]


def _text(article: Article) -> str:
    return article.lead + "".join(block.markdown + block.gap for block in article.blocks if isinstance(block, Block))


def _content(article: Article, folder: Path) -> list[Any]:
    """All that a rater gets to see."""
    shown: list[Any] = [instruction_of(article), article.title]
    for block in article.blocks:
        if isinstance(block, Block):
            shown.append(block.markdown)
        elif block.image is not None:
            shown.append([block.caption, block.alt, block.credit, _picture(folder, block)])
    return shown


def _picture(folder: Path, figure: Figure) -> str:
    assert figure.image is not None
    try:
        return content_hash((folder / figure.image).read_bytes())
    except OSError as exc:
        raise ArticleInvalid(
            f"cannot read the picture {folder / figure.image}: {exc.strerror}", "keep images/ beside article.json"
        ) from exc


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
