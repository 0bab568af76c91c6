"""An outline that the user drafts, in Markdown or YAML, and whether an article keeps to it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from markdown_it import MarkdownIt

from .article import Block, Draft, Section
from .errors import BriefInvalid
from .markdown import one_line, plain_text, repeats_title

MAX_SECTIONS = 200
MAX_LEVEL = 5  # below the title there are five levels of headings in Markdown

_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+\S")
_HINT = 'write one section a line, as in "- The harbour", and indent what is inside another'


def is_list(text: str) -> bool:
    """Whether a text is a Markdown list of two items or more and nothing else."""
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) > 1 and all(_ITEM.match(line) for line in lines) and not lines[0][:1].isspace()


def read_outline(text: str) -> tuple[str, tuple[Section, ...]]:
    """The title (empty where there is none) and the sections of a Markdown list, nested or not, or of headings.

    Raises:
        BriefInvalid: a line that is neither, or no section at all.
    """
    title, sections = "", []
    tokens = MarkdownIt("commonmark").parse(text)
    headings = [int(token.tag[1:]) for token in tokens if token.type == "heading_open"]
    only_title = bool(headings) and headings[0] == 1 and headings.count(1) == 1
    level, depth, wanted = 0, 0, False
    for index, token in enumerate(tokens):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif token.type == "list_item_open":
            wanted = True
        elif token.type == "heading_open" and not depth:
            words = plain_inline(tokens[index + 1].content)
            if only_title and token.tag == "h1" and not sections:
                title = words
            else:
                level = int(token.tag[1:]) - only_title
                sections.append(Section(words, level))
        elif token.type == "inline" and tokens[index - 1].type != "heading_open":
            first, _, rest = token.content.partition("\n")
            if wanted:
                sections.append(Section(plain_inline(first), level + depth, plain_inline(rest)))
                wanted = False
            elif depth and sections:  # a paragraph of its own inside of an item
                note = plain_inline(f"{sections[-1].note} {token.content}")
                sections[-1] = replace(sections[-1], note=note)
            elif index == 1 and not rest and len(tokens) > 3:  # "The harbour:", and then the list
                title = plain_inline(first).rstrip(":：")
            else:
                raise BriefInvalid(f"line {(token.map or [0])[0] + 1} of the outline is no item of a list", _HINT)
        elif token.type in ("fence", "code_block", "html_block"):
            raise BriefInvalid(f"line {(token.map or [0])[0] + 1} of the outline is no item of a list", _HINT)
    top = min((section.level for section in sections), default=1)
    return title, _checked(replace(section, level=section.level - top + 1) for section in sections)


def outline_of(tree: Any) -> tuple[str, tuple[Section, ...]]:
    """The same of a list, nested or not, or of a mapping of headings to what stands below them (YAML, TOML, JSON).

    A text below a heading says what the section is about; a mapping of `title` and `sections` names the article too.

    Raises:
        BriefInvalid: another kind of value, or no section at all.
    """
    title = ""
    if isinstance(tree, dict) and {str(key).lower() for key in tree} == {"title", "sections"}:
        values = {str(key).lower(): value for key, value in tree.items()}
        title, tree = one_line(str(values["title"])), values["sections"]
    return title, _checked(_sections(tree, 1))


def plain_inline(text: str) -> str:
    """The words of a line of Markdown."""
    return plain_text(Block("paragraph", text)) or one_line(text)


def to_markdown(sections: Iterable[Section]) -> str:
    """The sections as a nested list."""
    return "\n".join(
        f"{'  ' * (section.level - 1)}- {section.heading}{f': {section.note}' if section.note else ''}"
        for section in sections
    )


def missing_sections(draft: Draft, sections: Iterable[Section]) -> list[str]:
    """The headings that the article lacks, or has before those that should come first.

    Case, punctuation and a number in front do not count; the article may have other headings between.
    """
    blocks = draft.blocks[1:] if draft.blocks and repeats_title(draft.blocks[0], draft.title) else draft.blocks
    rest = [_folded(plain_text(block)) for block in blocks if block.kind == "heading"]
    missing: list[str] = []
    for section in sections:
        wanted = _folded(section.heading)
        if wanted in rest:
            rest = rest[rest.index(wanted) + 1 :]
        else:
            missing.append(section.heading)
    return missing


def _sections(tree: Any, level: int) -> Iterator[Section]:
    if isinstance(tree, dict):
        for key, below in tree.items():
            yield from _entry(key, below, level)
    elif isinstance(tree, list | tuple):
        for item in tree:
            if isinstance(item, dict):
                yield from _sections(item, level)
            elif isinstance(item, list | tuple):
                yield from _sections(item, level + 1)
            else:
                yield from _entry(item, None, level)
    else:
        raise BriefInvalid(f"the outline holds {tree!r} where sections should be", "give a list of headings")


def _entry(heading: Any, below: Any, level: int) -> Iterator[Section]:
    if not isinstance(heading, str | int | float) or isinstance(heading, bool):
        raise BriefInvalid(f"the outline holds {heading!r}, which is no heading", "put it in quotation marks")
    plain = isinstance(below, str | int | float)
    yield Section(one_line(str(heading)), level, one_line(str(below)) if plain else "")
    if below is not None and not plain:
        yield from _sections(below, level + 1)


def _checked(sections: Iterable[Section]) -> tuple[Section, ...]:
    kept: list[Section] = []
    for section in sections:  # one by one: aliases in YAML can name millions
        if not section.heading:
            continue
        if section.level > MAX_LEVEL:
            raise BriefInvalid(
                f"the outline is nested {section.level} deep at {section.heading!r}", f"{MAX_LEVEL} levels are the most"
            )
        kept.append(section)
        if len(kept) > MAX_SECTIONS:
            raise BriefInvalid(f"the outline has more than {MAX_SECTIONS} sections", "give a shorter one")
    if not kept:
        raise BriefInvalid("the outline has no section", _HINT)
    return tuple(kept)


def _folded(text: str) -> str:
    """A heading without what writers change: case, punctuation, a number in front."""
    words = re.sub(r"^[\W_]*\d{1,3}[.)：:、]\s*", "", unicodedata.normalize("NFKC", text))
    return " ".join(
        "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in words).casefold().split()
    )
