"""Places as replies name them: in the paper's words and in those that models put in their stead, English and Chinese.

    <Seg3>   the 3 paragraph   the 3rd paragraph   paragraph three   第3段   第三段   段落三

Each is the place after a paragraph of the prompt. What may mean another place, or none, is no place: "before paragraph
3", "paragraphs 1 to 3", "three paragraphs", 倒数第三段 (the third from the end), 第二章第三段 (of the second chapter).
Better no picture than one where it does not belong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from .numerals import CARDINALS, CHINESE, ORDINALS


@dataclass(frozen=True, slots=True)
class Named:
    """A part of a reply that names places, one or several in a row."""

    numbers: tuple[int, ...]  # none where it is not clear which are meant
    start: int
    end: int  # behind the colon, where there is one
    captioned: bool  # a colon follows, and a caption
    placed: bool  # it says that a picture goes there, and does not only mention a paragraph


def _any(words: Iterable[str]) -> str:
    """A pattern of these words; "twenty-one" may be written with a blank."""
    longest_first = sorted(words, key=len, reverse=True)
    return "(?:" + "|".join(re.escape(word).replace(r"\-", "[- ]") for word in longest_first) + ")"


_DIGITS = r"\{?\d{1,6}\}?"
_CARDINAL = rf"(?:{_DIGITS}|{_any(CARDINALS)})"
_ORDINAL = rf"(?:{_any(ORDINALS)}|{_DIGITS}(?:st|nd|rd|th)?)"
_HAN = rf"(?:\d{{1,6}}|{_any(CHINESE)})"
_TO = r"(?:\bto\b|\bthrough\b|[-–—~～至到])"  # with a list a form of its own, so that it can be told to be unclear
_AND = rf"\s*(?:,\s*and\b|,|&|\band\b|{_TO})\s*(?:the\s+)?"
_HAN_AND = rf"\s*(?:[、，,和与與]|以?及|{_TO})\s*第?\s*"
# In the order in which they are tried. A list takes "paragraphs": in "a dog of 1920, 3 paragraph:" 1920 is no place.
_FORMS = (
    r"[<\[]?\bseg(?:ment)?\s*[#]?\s*(?P<seg>\d{1,6})\b\s*[>\]]?",
    rf"\bparagraphs\s*(?P<lists>{_CARDINAL}(?:{_AND}{_CARDINAL}){{0,40}})(?!\w)",
    rf"\bpara(?:graph)?\b\.?\s*(?:number|no\.?|[#])?\s*[(]?(?P<numbered>{_CARDINAL}(?:\s*{_TO}\s*{_CARDINAL})?)(?![\w.]\w)(?!\w)[)]?",
    rf"(?<![\w.])(?P<listed>{_ORDINAL}(?:{_AND}{_ORDINAL}){{1,40}})\s+paragraphs\b",
    rf"\bthe\s+(?P<the_listed>{_ORDINAL}(?:{_AND}{_ORDINAL}){{1,40}})\s+paragraph\b",
    rf"(?<=\bthe )(?P<the_many>{_DIGITS})\s+paragraphs\b",  # one, in the paper's sentence; else a count
    rf"(?<![\w.])(?P<counted>{_ORDINAL})\s+paragraph\b",
    rf"第\s*(?P<han>{_HAN}(?:{_HAN_AND}{_HAN}){{0,40}})\s*[个個]?\s*(?:自然)?段(?:落)?",
    rf"段落\s*(?P<han_numbered>{_HAN})(?![\d{''.join(CHINESE)}])",
)
_FORM = re.compile("|".join(_FORMS), re.I)
_NUMBER = re.compile(rf"\d{{1,6}}|{_any(ORDINALS)}|{_any(CARDINALS)}|{_any(CHINESE)}", re.I)

_NUMBERS = CARDINALS | ORDINALS | CHINESE
_LINE = re.compile(
    rf"^\W{{0,4}}(?P<number>\d{{1,6}}|{_any(CARDINALS)}|{_any(CHINESE)})\W{{0,3}}[:：]\s*(?P<caption>\S.*)$",
    re.I | re.M,
)
_ITEM = re.compile(r"^\W{0,4}(\d{1,6})[.)、]\s*\S", re.M)

_UNDER = r"(?:under|after|below|beneath|behind|following)"
_OTHER = r"(?:before|above|preceding|between)"
_JOINT = re.compile(
    rf"[\s)\]}}）\"”]*(?:[,、，&/和及与與或]|\band\b|\bor\b|以及)*\s*(?:{_UNDER}\s+|在)?(?:the\s+)?", re.I
)
_RANGE = re.compile(rf"\s*{_TO}\s*(?:the\s+)?", re.I)
_OTHER_BEFORE = re.compile(
    rf"(?:\b(?:{_OTHER}|hundred|hundred and)\s+(?:the\s+)?|倒[数數]|(?:第\s*\w{{1,3}})?(?:[章节節回卷篇]|部分)的?"
    r"|\d\s*(?:[-–—~～至到]|to\s)\s*)$",
    re.I,
)
_OTHER_AFTER = re.compile(
    r"\s*(?:的?(?:之?前|以前|上[面方]|之?[间間]|开[头始]|開[頭始]|第)|[-–—~～至到]\s*[<\[第\d]"
    r"|(?:to|through)\b|from\s+the\b|before\b|of\s+(?!the\s+(?:text|article|story)\b))",
    re.I,
)
_PICTURE = r"(?:images?|pictures?|captions?|[图圖][片像]?|[配插][图圖]|[标標][题題])"
_COLON = re.compile(
    rf"(?:[\s)\]}}>）*_的]|之?[后後][面边邊]?|下[面方]|[中处處插入添加放]|[之以]?前|上[面方]|之?[间間]|{_PICTURE}){{0,9}}[:：][\s*_]*",
    re.I,
)
_DASH = re.compile(r"[*_]*\s+[-–—]\s+(?!\d)")
_UNDER_BEFORE = re.compile(rf"\b{_UNDER}\s+(?:the\s+)?\Z", re.I)
_HAN_BEFORE = re.compile(r"[于於是为為:：]\s*\Z")
_PLACED_AFTER = re.compile(r"[\s)\]）\"”]*[的之]?(?:[后後下中处處]|[插添加放配])")
_NEGATION = re.compile(r"\b(?:no|not|without|never|neither)\b|n't\b|[不无無没沒]", re.I)
_SENTENCE_END = re.compile(r"[.!?。！？；;\n]")
# What leads to a place and is of no caption before it: on a line of its own, or behind a stop.
_LEAD_IN = re.compile(
    r"(?:\n\s*(?:[-*•#]+\s+|[(]?\d{1,3}[.)、]\s*)?|(?<=[,;:.!，；：。！])\s*)[*_]*"
    rf"(?:(?:an?|the|and|for|inserted|placed|added|{_UNDER}|{_OTHER})\b\s*|{_PICTURE}(?:\s*\d{{1,3}})?\s*[(:：（]?\s*|在)"
    r"{0,6}[*_]*\s*\Z",
    re.I,
)
_BEHIND_STOP = re.compile(r"(?:\n|(?<=[,;:.!，；：。！]))[^\n,;:.!，；：。！]*\Z")
_NEAR = 80  # characters before a place that may lead to it


def numbered_lines(reply: str) -> list[tuple[int, str]]:
    """Lines of number, colon and caption, the number in digits or words."""
    return [(number_of(line["number"]), line["caption"]) for line in _LINE.finditer(reply)]


def is_enumeration(reply: str) -> bool:
    """Whether its lines are numbered 1., 2., 3.: that may count the pictures, and name no places."""
    numbers = [int(number) for number in _ITEM.findall(reply)]
    return bool(numbers) and numbers == list(range(1, len(numbers) + 1))


def named_places(reply: str) -> list[Named]:
    """All that names places in a reply, in the order of the text."""
    rows: list[list[re.Match[str]]] = []
    for form in _FORM.finditer(reply):
        joined = bool(rows) and _join(reply[rows[-1][-1].end() : form.start()])
        rows[-1].append(form) if joined else rows.append([form])
    return [_named(reply, row) for row in rows]


def _join(between: str) -> bool:
    return len(between) < 24 and bool(_JOINT.fullmatch(between) or _RANGE.fullmatch(between))


def _named(reply: str, row: list[re.Match[str]]) -> Named:
    first, last = row[0], row[-1]
    lead = _lead(reply, first)
    colon = _COLON.match(reply, last.end())
    if colon is None and lead is not None and (lead == 0 or reply[lead] == "\n"):
        colon = _DASH.match(reply, last.end())
    captioned = colon is not None and lead is not None and last["the_many"] is None
    ranges = any(_RANGE.fullmatch(reply[one.end() : other.start()]) for one, other in pairwise(row))
    unclear = ranges or any(_is_other(reply, form) for form in row)
    return Named(
        () if unclear else tuple(number for form in row for number in _numbers(form)),
        first.start() if lead is None else lead,
        colon.end() if captioned and colon else last.end(),
        captioned,
        any(_is_placed(reply, form) for form in row),
    )


def _lead(reply: str, form: re.Match[str]) -> int | None:
    """Where the words begin that lead to a place; None for a paragraph that is mentioned in the midst of words."""
    near = max(0, form.start() - _NEAR)
    before = reply[near : form.start()] if near else "\n" + reply[: form.start()]
    found = _LEAD_IN.search(before)
    if found is None and (_UNDER_BEFORE.search(before) or _PLACED_AFTER.match(reply, form.end())):
        found = _BEHIND_STOP.search(before)
    found = found or _OTHER_BEFORE.search(before)
    if found is not None:
        return max(0, form.start() - len(before) + found.start())
    in_papers_words = form["seg"] or (form["counted"] or form["han"] or "x").strip("{}").isdecimal()
    return form.start() if in_papers_words else None


def _is_other(reply: str, form: re.Match[str]) -> bool:
    """Whether a form may mean several paragraphs, or another place than the one after its paragraph."""
    numbers = re.sub(_any({**CARDINALS, **ORDINALS}), "", _said(form), flags=re.I)
    return bool(
        re.search(_TO, numbers, re.I)
        or _OTHER_BEFORE.search(reply, max(0, form.start() - _NEAR), form.start())
        or _OTHER_AFTER.match(reply, form.end())
    )


def _is_placed(reply: str, form: re.Match[str]) -> bool:
    """Whether a picture is said to go there: under it, 在它后面; a `<Seg3>` is named for nothing else."""
    start = form.start()
    sentence = reply[:start]
    for stop in _SENTENCE_END.finditer(reply, 0, start):
        sentence = reply[stop.end() : start]
    if _NEGATION.search(sentence):
        return False
    before = reply[max(0, start - _NEAR) : start]
    placed = _UNDER_BEFORE.search(before) or _HAN_BEFORE.search(before) or _PLACED_AFTER.match(reply, form.end())
    return form["seg"] is not None or placed is not None


def _numbers(form: re.Match[str]) -> list[int]:
    return [number_of(word) for word in _NUMBER.findall(_said(form))]


def _said(form: re.Match[str]) -> str:
    return next(group for group in form.groups() if group)


def number_of(word: str) -> int:
    """The number that digits or a word of one are."""
    if word.isdecimal():
        return int(word)
    return _NUMBERS[word.lower().replace(" ", "-")]
