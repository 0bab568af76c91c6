"""The replies of the paper's formats, as a training sample writes them and as a model's reply is read.

The prompts are the templates of the dialects `xcomposer1` and `xcomposer2`. What a model is trained to answer them with
is written here, beside what reads it, so that the two cannot come apart: reading what was written gives it back.

Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1. The paper has English formats alone; the Chinese are ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import ReplyInvalid
from .language import base
from .markdown import one_line
from .paper_places import is_enumeration, named_places, numbered_lines
from .replies import MAX_CAPTION, SpotReply, sift, usable_spots

DIALECTS = ("xcomposer1", "xcomposer2")
_QUOTES = '"“”「」'
_LABEL = re.compile(r"[*_]*(?:(?:image |picture )?caption|[图圖]?[片像]?[标標][题題])[*_]*\s*[:：]\s*", re.I)
_BEFORE_CAPTION = re.compile(
    r"^.{0,60}?(?:\bcaption\b[^:：\"“]{0,40}[:：]|[标標][题題](?:[是为為][:：]?|[:：]))\s*", re.I
)


def in_paper_format(dialect: str) -> bool:
    """Whether models of this dialect reply in the paper's formats."""
    return dialect in DIALECTS


def article_reply(blocks: Sequence[str]) -> str:
    """The text of an article by its blocks of Markdown, headings and paragraphs."""
    return "\n\n".join(block.strip() for block in blocks)


def spot_reply(spots: Sequence[tuple[int, str]], *, language: str | None = None) -> str:
    """Where pictures belong, and their captions.

    Args:
        spots: numbers of parts from 1, each once, in reading order, and captions; at least one.
        language: the article's tag; "zh" and its kinds have words of their own.

    Raises:
        ValueError: a caption with nothing in it, or no spot.
    """
    captions = [_as_written(caption) for _, caption in spots]
    if not captions or not all(captions):
        raise ValueError("a reply about places has at least one, and each its caption")
    numbers = [str(number) for number, _ in spots]
    pairs = list(zip(numbers, captions, strict=True))
    if _chinese(language):
        told = "，".join(f"第{number}段：{caption}" for number, caption in pairs)
        return f"我认为可以在第{'、'.join(numbers)}段后插入图片。图片的标题如下：{told}"
    told = ", ".join(f"{number} paragraph: {caption}" for number, caption in pairs)
    return (
        f"I think images can be added under the {', '.join(numbers)} paragraphs. "
        f"The image captions are as follows: {told}"
    )


def caption_reply(caption: str, *, language: str | None = None) -> str:
    """The caption of one place, where it is asked for apart."""
    return f"标题是“{_as_written(caption)}”" if _chinese(language) else f'The caption is: "{_as_written(caption)}"'


def choice_opening(letter: str, *, language: str | None = None) -> str:
    """The reply that takes a candidate, up to its letter: what is scored for each, in place of drawing one."""
    return f"最合适的图是{letter}" if _chinese(language) else f"The {letter}"


def choice_reply(letter: str, *, language: str | None = None) -> str:
    """The reply that takes a candidate. The paper has no reply for the case that none fits."""
    return f"{choice_opening(letter, language=language)}{'。' if _chinese(language) else ' image.'}"


def read_paper_spots(reply: str, count: int) -> SpotReply:
    """What can be used of a reply about places, and what is wrong with the rest.

    Of two captions for one place the first stands. A reply of another form that is understood counts too: places in
    other words, as `paper_places` has them, lines of number, colon, caption, and places without captions.

    Raises:
        ReplyInvalid: nothing of the form asked for, or numbers that may count pictures and name no paragraphs.
    """
    places = named_places(reply)
    with_caption = [place for place in places if place.captioned]
    ends = [*(place.start for place in with_caption[1:]), len(reply)]
    said = [
        (place.numbers, _as_read(reply[place.end : end], last=end == len(reply)), reply[place.start : place.end])
        for place, end in zip(with_caption, ends, strict=False)
    ]
    head = with_caption[0].start if with_caption else len(reply)
    named = [
        number for place in places if place.placed and not place.captioned and place.end <= head
        for number in place.numbers
    ]  # fmt: skip
    if not said and not named:
        return _read_lines(reply, count)
    found, faults = sift(
        [(numbers[0], caption) for numbers, caption, _ in said if len(numbers) == 1 and caption], count
    )
    faults += [
        f"it is not clear which part is meant by {one_line(words)!r}" for numbers, _, words in said if not numbers
    ]
    known = {numbers[0] for numbers, _, _ in said if len(numbers) == 1}
    named += [number for numbers, _, _ in said if len(numbers) > 1 for number in numbers]
    _, beyond = sift([(number, "") for number in dict.fromkeys(named) if number not in known], count)
    empty = [numbers[0] for numbers, caption, _ in said if len(numbers) == 1 and not caption]
    bare = {number for number in (*named, *empty) if 1 <= number <= count} - {number for number, _ in found}
    return SpotReply(found, sorted(bare), [*faults, *beyond])


def _read_lines(reply: str, count: int) -> SpotReply:
    """The places of a reply that has them in no sentence.

    Raises:
        As `read_paper_spots`.
    """
    if lines := numbered_lines(reply):
        found, faults = sift(lines, count)
        return SpotReply(found, faults=faults)
    if is_enumeration(reply):
        raise ReplyInvalid("its numbers may be those of the pictures: name the paragraph that each stands under")
    found, faults = usable_spots(reply, count)
    if not found and not faults:
        raise ReplyInvalid('it does not say "images can be added under the ... paragraphs", nor captions for them')
    return SpotReply(found, faults=faults)


def read_caption(reply: str) -> str:
    """The caption of a reply that gives one alone.

    Raises:
        ReplyInvalid: no words in it.
    """
    line = next((line.strip() for line in reply.splitlines() if line.strip()), "")
    text = _BEFORE_CAPTION.sub("", line)
    quoted = re.match(rf"[{_QUOTES}]([^{_QUOTES}]+)", text)
    caption = _as_read(quoted[1] if quoted else text, last=True)
    if not any(character.isalnum() for character in caption):
        raise ReplyInvalid("it holds no caption")
    return caption


def paragraphs_apart(reply: str) -> str:
    """An article as Markdown: the official checkpoints end a paragraph with one line break, not with an empty line."""
    if "\n\n" in reply or "```" in reply:
        return reply
    return re.sub(r"\n(?!\s|[-*+>|] ?|\d+[.)])", "\n\n", reply.strip())


def _chinese(language: str | None) -> bool:
    return language is not None and base(language) == "zh"


def _as_written(caption: str) -> str:
    """A caption that is read as it is written: in one line, and nothing in it looks like the next place."""
    text = _as_read(caption, last=True)
    for place in reversed(named_places(text)):
        if place.captioned:
            words = text[place.start : place.end].rstrip(":：*_-–— ")
            text = f"{text[: place.start]}{words} {text[place.end :]}"
    return text.strip()


def _as_read(caption: str, *, last: bool) -> str:
    """A caption out of a reply; where another follows, the comma between the two is not of it."""
    line = next((line for line in caption.splitlines() if line.strip()), "")
    text = one_line(_LABEL.sub("", line.strip(), count=1) if _LABEL.match(line.strip()) else line)
    if not last and text.endswith((",", "，", ";", "；")):
        text = text[:-1]
    return one_line(text.strip(_QUOTES + "{}* "))[:MAX_CAPTION].strip()
