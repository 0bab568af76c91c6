"""A model's reply to a validated value, or ReplyInvalid with a reason that the model can be told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from .article import Draft
from .errors import ReplyInvalid
from .markdown import one_line, parse_reply_article
from .protocols import Message, Model, Sampling

T = TypeVar("T")

MAX_CAPTION = 300  # characters
_SPOT_LINE = re.compile(r"^\W{0,4}(?P<number>\d{1,6})\W{0,3}\s*[:.)–—-]\s*(?P<caption>\S.*)$")


@dataclass(frozen=True, slots=True)
class SpotReply:
    """What a reply about places says; numbers are from 1, in reading order."""

    found: list[tuple[int, str]]  # places with their captions
    bare: list[int] = field(default_factory=list)  # places that it names and gives no caption
    faults: list[str] = field(default_factory=list)  # what is wrong with the rest


def read_article(reply: str, *, title: str | None) -> Draft:
    """The article that a writer replied with, in Markdown.

    Raises:
        ReplyInvalid: no paragraph in it.
    """
    draft = parse_reply_article(reply, title=title)
    if not any(block.kind != "heading" for block in draft.blocks):
        raise ReplyInvalid("the reply holds no paragraph")
    return draft


def read_spots(reply: str, count: int) -> list[tuple[int, str]]:
    """The places (numbers from 1 to count, in reading order) and captions that a model replied with, in JSON or lines.

    Talk around the JSON and lines without a number are passed over; an empty list, or "none" alone, says that no place
    was found. The dialect asks for one of the two forms; a model that gives the other is understood as well.

    Raises:
        ReplyInvalid: nothing of the form asked for, a number beyond the article, or one given twice.
    """
    found, faults = usable_spots(reply, count)
    if faults:
        raise ReplyInvalid(faults[0])
    if not found and _spots_of_json(reply) is None and one_line(reply).strip(".\"'").lower() != "none":
        raise ReplyInvalid("it has neither JSON of the form asked for nor lines of number, colon, caption")
    return found


def usable_spots(reply: str, count: int) -> tuple[list[tuple[int, str]], list[str]]:
    """The places and captions of a reply that can be used, and what is wrong with its other lines.

    Of two captions for one place the first stands.

    Raises:
        ReplyInvalid: JSON of another form.
    """
    return sift(_spots_of_json(reply) or _spots_of_lines(reply), count)


def sift(said: Sequence[tuple[int, str]], count: int) -> tuple[list[tuple[int, str]], list[str]]:
    """Of numbers and captions those that can be used, in reading order, and what is wrong with the others."""
    found: dict[int, str] = {}
    faults: list[str] = []
    for number, caption in said:
        if not 1 <= number <= count:
            faults.append(f"there is no part {number}; the parts are 1 to {count}")
        elif number in found:
            faults.append(f"part {number} is named twice")
        else:
            found[number] = one_line(caption)[:MAX_CAPTION]
    return sorted(found.items()), faults


class _Spot(BaseModel):
    model_config = ConfigDict(extra="ignore")

    after: int
    caption: str


_SPOTS = TypeAdapter(list[_Spot])


def _spots_of_json(reply: str) -> list[tuple[int, str]] | None:
    """The numbers and captions of a reply in JSON, None for a reply that is not.

    Raises:
        ReplyInvalid: JSON of another form.
    """
    value = json_in(reply)
    if value and isinstance(value, dict):
        value = value.get("pictures", [value])
    if not isinstance(value, list) or any(not isinstance(item, dict) for item in value):
        return None
    try:
        spots = _SPOTS.validate_python(value)
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise ReplyInvalid(f"the JSON has another form: {place}: {fault['msg']}") from exc
    if any(not one_line(spot.caption) for spot in spots):
        raise ReplyInvalid("a caption is empty")
    return [(spot.after, spot.caption) for spot in spots]


def json_in(reply: str) -> Any:
    """The object or list in a reply, with or without a fence or talk around it; None where there is none."""
    for begin, end in ("{}", "[]"):
        first, last = reply.find(begin), reply.rfind(end)
        try:
            if 0 <= first < last:
                return json.loads(reply[first : last + 1])
        except ValueError:
            continue
    return None


def _spots_of_lines(reply: str) -> list[tuple[int, str]]:
    matches = (_SPOT_LINE.match(line.strip()) for line in reply.splitlines())
    return [(int(match["number"]), match["caption"]) for match in matches if match]


def ask(
    model: Model,
    messages: Sequence[Message],
    sampling: Sampling,
    read: Callable[[str], T],
    *,
    on_text: Callable[[str], None] | None = None,
    schema: Mapping[str, Any] | None = None,
    salvage: Callable[[str], T | None] = lambda reply: None,
) -> T:
    """Ask, and ask once more with the reason where the reply does not parse; `on_text` hears the first reply.

    With a JSON schema the model is held to it, where it can be. Where neither reply parses, salvage may take what can
    be used of the first, or of the second; None is nothing.

    Raises:
        ReplyInvalid: neither reply did.
    """
    pieces: list[str] = []
    for piece in model.generate(messages, sampling=sampling, schema=schema):
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
        later = replace(sampling, seed=sampling.seed + 1)
        second = "".join(model.generate(again, sampling=later, schema=schema))
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
