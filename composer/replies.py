"""A model's reply to a validated value, or ReplyInvalid with a reason that the model can be told."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from .article import Draft
from .errors import ReplyInvalid
from .markdown import one_line, parse_reply_article
from .protocols import Message, Model, Sampling

T = TypeVar("T")

MAX_CAPTION = 300  # characters
_SPOT_LINE = re.compile(r"^\W{0,4}(?P<number>\d{1,6})\W{0,3}\s*[:.)–—-]\s*(?P<caption>\S.*)$")


def read_article(reply: str, *, title: str | None) -> Draft:
    """The article that a writer replied with.

    Raises:
        ReplyInvalid: no paragraph in it.
    """
    draft = parse_reply_article(reply, title=title)
    if not any(block.kind != "heading" for block in draft.blocks):
        raise ReplyInvalid("the reply holds no paragraph")
    return draft


def read_spots(reply: str, count: int) -> list[tuple[int, str]]:
    """The places (numbers from 1 to count, in reading order) and captions that a model replied with.

    Lines without a number are talk and are passed over; "none" alone says that no place was found.

    Raises:
        ReplyInvalid: no line of the form asked for, a number beyond the article, or one given twice.
    """
    found, faults = usable_spots(reply, count)
    if faults:
        raise ReplyInvalid(faults[0])
    if not found and one_line(reply).strip(".\"'").lower() != "none":
        raise ReplyInvalid("no line has the form: number, colon, caption")
    return found


def usable_spots(reply: str, count: int) -> tuple[list[tuple[int, str]], list[str]]:
    """The places and captions of a reply that can be used, and what is wrong with its other lines.

    Of two captions for one place the first stands.
    """
    found: dict[int, str] = {}
    faults: list[str] = []
    for line in reply.splitlines():
        match = _SPOT_LINE.match(line.strip())
        if match is None:
            continue
        number, caption = int(match["number"]), one_line(match["caption"])[:MAX_CAPTION]
        if not 1 <= number <= count:
            faults.append(f"there is no part {number}; the parts are 1 to {count}")
        elif number in found:
            faults.append(f"part {number} is named twice")
        else:
            found[number] = caption
    return sorted(found.items()), faults


def ask(
    model: Model,
    messages: Sequence[Message],
    sampling: Sampling,
    read: Callable[[str], T],
    *,
    on_text: Callable[[str], None] | None = None,
    salvage: Callable[[str], T | None] = lambda reply: None,
) -> T:
    """Ask, and ask once more with the reason where the reply does not parse; `on_text` hears the first reply.

    Where neither does, salvage may take what can be used of the first, or of the second; None is nothing.

    Raises:
        ReplyInvalid: neither reply did.
    """
    pieces: list[str] = []
    for piece in model.generate(messages, sampling=sampling):
        pieces.append(piece)
        if on_text is not None:
            on_text(piece)
    reply = "".join(pieces)
    try:
        return read(reply)
    except ReplyInvalid as exc:
        again = [
            *messages,
            Message("assistant", (reply,)),
            Message("user", (f"This answer cannot be used: {exc.message}. Answer again, in the form asked for.",)),
        ]
        second = "".join(model.generate(again, sampling=replace(sampling, seed=sampling.seed + 1)))
        try:
            return read(second)
        except ReplyInvalid:
            for tried in (reply, second):
                if (saved := salvage(tried)) is not None:
                    return saved
            raise


def room_for_reply(model: Model, messages: Sequence[Message], wanted: int) -> int:
    """How many new tokens the model can give after this prompt, at most `wanted` and at least 1."""
    return max(1, min(wanted, model.context_tokens - model.count_tokens(messages)))
