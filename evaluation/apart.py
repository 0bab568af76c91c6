"""A document taken apart: its text without pictures, and which picture its author had at which place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import yaml
from markdown_it.token import Token

from ..composer.article import Block, Draft
from ..composer.markdown import one_line, parse_tokens, plain_text
from .markup import (
    Found,
    Picture,
    caption_of,
    closes_figure,
    figure_caption,
    find_pictures,
    opens_figure,
    with_pictures,
)

# What is left of a line when its picture is gone: nothing, or the marks of a list, a quote or a hard break.
_BARE = re.compile(r"(?:[\s>\\]|[-+*](?=\s|\Z)|\d{1,9}[.)](?=\s|\Z))*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_WITHOUT_WORDS = ("rule", "code", "front_matter")
_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.S)
# Jekyll puts a site's addresses together with Liquid, whose braces and blanks are no part of a CommonMark destination.
_LIQUID_BASE = re.compile(r"\{\{-?\s*site\.(?:base)?url\s*-?\}\}")
_LIQUID_PATH = re.compile(
    r"\{\{-?\s*(?P<quote>[\"'])(?P<path>[^\"'{}\r\n]*)(?P=quote)\s*\|\s*(?:relative|absolute)_url\s*-?\}\}"
)
_UNCLOSED = re.compile(
    r"\ufeff?(?:---[ \t]*(?:\r\n|\r|\n)[\w\"'][^:\r\n]*:|\+\+\+[ \t]*(?:\r\n|\r|\n)[\w\"'.-]+[ \t]*=)"
)
# The protocol takes the credit out of a caption: it names who made a picture, and often what it shows.
_CREDIT = re.compile(r"\s*[(（\[](?:(?:photo|image|picture)\s+)?(?:credits?|attribution|source)\b.*", re.I | re.S)


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture at the place that the author gave it."""

    picture: Picture
    after_block: int  # index into the draft's blocks without pictures; -1 is before all of them


@dataclass(frozen=True, slots=True)
class Apart:
    """A document's text without its pictures and their captions, and the pictures in reading order."""

    draft: Draft
    placed: tuple[Placed, ...]
    fault: str = ""  # what is wrong with its front matter; the rest was read all the same


def take_apart(text: str) -> Apart:
    """Take the pictures out of a Markdown document, with their captions.

    A picture that shares a block with text stands after that block, or before it where it begins with the picture. A
    paragraph that is emphasised from end to end is the caption of the picture that it follows.
    """
    text = _LIQUID_PATH.sub(lambda match: match["path"], _LIQUID_BASE.sub("", text))
    draft, tokens = parse_tokens(text, plugin=with_pictures)
    kept: list[Block] = []
    placed: list[Placed] = []
    alone: list[int] = []  # the pictures of the last block, where it had nothing else: the next may be their caption
    for blocks, inside in _whole_figures(draft.blocks, tokens):
        pictures, rest = _without_pictures(blocks, inside)
        here = list(range(len(placed), len(placed) + len(pictures)))
        placed += [Placed(picture, len(kept) - (begins or not rest)) for picture, begins in pictures]
        caption = ""
        if pictures and rest and all(begins for _, begins in pictures):
            caption = caption_of(_parsed(rest[0]))
        elif not pictures and alone:
            here, caption = alone, caption_of(inside[0])
        if caption:
            _say(placed, here, caption)
        else:
            kept += rest
        alone = here if pictures and not rest else []
    return Apart(replace(draft, blocks=tuple(kept)), tuple(placed), _front_matter_fault(text, draft))


def without_credit(caption: str) -> str:
    """A caption without a credit in brackets at its end."""
    return _CREDIT.sub("", caption).strip()


def _whole_figures(
    blocks: Sequence[Block], tokens: Sequence[Sequence[Token]]
) -> Iterator[tuple[Sequence[Block], Sequence[Sequence[Token]]]]:
    """Each block alone, but those of a `figure` that has blank lines inside, which are one figure together."""
    start = 0
    while start < len(blocks):
        end = start + 1
        if blocks[start].kind == "html" and opens_figure(blocks[start].markdown):
            ends = (i + 1 for i in range(end, len(blocks)) if closes_figure(blocks[i].markdown))
            end = next(ends, end)
        yield blocks[start:end], tokens[start:end]
        start = end


def _without_pictures(
    blocks: Sequence[Block], tokens: Sequence[Sequence[Token]]
) -> tuple[list[tuple[Picture, bool]], Sequence[Block]]:
    """The pictures of a block, each with whether the block begins with it, and what is left of the block.

    Of the blocks of one figure nothing is left, if it has a picture.
    """
    if len(blocks) > 1:
        pairs = zip(blocks, tokens, strict=True)
        every = [found.picture for block, part in pairs for found in find_pictures(block.markdown, part)]
        said = figure_caption("".join(block.markdown + block.gap for block in blocks))
        return [(replace(picture, caption=picture.caption or said), True) for picture in every], [] if every else blocks
    (block,) = blocks
    found = list(find_pictures(block.markdown, tokens[0]))
    if not found:
        return [], blocks
    left = Block(block.kind, _cut_out(block.markdown, found), block.gap)
    pictures: list[tuple[Picture, bool]] = []
    lead, end = "", 0
    for each in found:
        lead += block.markdown[end : each.start]
        end = each.end
        pictures.append((each.picture, bool(_BARE.fullmatch(lead))))
    return pictures, [left] if _has_words(left) else []


def _has_words(block: Block) -> bool:
    if block.kind == "html":
        return bool(_TAG.sub("", block.markdown).strip())
    return block.kind in _WITHOUT_WORDS or bool(plain_text(block))


def _cut_out(source: str, pictures: Sequence[Found]) -> str:
    """The source without the pictures' characters, and without lines that had nothing else."""
    marked: list[str] = []
    end = 0
    for found in pictures:
        marked += [source[end : max(found.start, end)], "\0"]  # no Markdown has this character
        end = max(found.end, end)
    lines = _LINE.findall("".join([*marked, source[end:]]))
    kept = [line.replace("\0", "") for line in lines if "\0" not in line or not _BARE.fullmatch(line.replace("\0", ""))]
    return "".join(kept).rstrip("\r\n")


def _say(placed: list[Placed], which: Sequence[int], caption: str) -> None:
    for index in which:
        if not placed[index].picture.caption:
            placed[index] = replace(placed[index], picture=replace(placed[index].picture, caption=caption))


def _parsed(block: Block) -> Sequence[Token]:
    tokens = parse_tokens(block.markdown)[1]
    return tokens[0] if len(tokens) == 1 else ()


def _front_matter_fault(text: str, draft: Draft) -> str:
    if not draft.blocks or draft.blocks[0].kind != "front_matter":
        return "its front matter never ends" if _UNCLOSED.match(text) else ""
    matter = draft.blocks[0].markdown
    inside = "\n".join(matter.splitlines()[1:-1])
    try:
        if matter.startswith("+++"):
            tomllib.loads(inside)
        else:
            yaml.compose(inside)  # no value is made: whether it can be read is all that is asked
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        return f"its front matter cannot be read: {one_line(str(exc))[:200]}"
    return ""
