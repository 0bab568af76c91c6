"""Our messages in the form that OpenAI-compatible servers read, pictures inside as data URLs; and their length."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from ...index.decode import ANY_SIZE, decode
from ...index.errors import PictureUnreadable
from ..protocols import Message, Picture

KEPT_PICTURES = 64  # encoded ones: an article's pictures are sent again at every later spot
QUALITIES = (90, 80, 65)  # of JPEG, tried in this order before a picture is made smaller
SMALLEST_SIDE_PX = 32
CHARACTERS_PER_TOKEN = 3  # English has about 4; to count too many is the safe side
TOKENS_PER_MESSAGE = 8  # the turn's own marks

# What chat templates mark turns and pictures with. A server reads them out of any text that it is sent, so that words
# from outside could open a turn; a served model's tokens are not known here, and so these are the common forms.
_CONTROL = re.compile(
    r"<(?=[|｜][^<>\n]{1,64}[|｜]>)"
    r"|<(?=[|｜]?/?(?:s|bos|eos|pad|unk|image|img|video|audio|think|start_of_turn|end_of_turn|start_of_image"
    r"|end_of_image|image_soft_token|IMG_CONTEXT|turn|channel|message)[|｜]?>)"
    r"|\[(?=/?(?:INST|IMG|IMG_BREAK|IMG_END|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\])",
    re.IGNORECASE,
)
_BREAK = "\u200b"


@dataclass(frozen=True, slots=True)
class PictureBounds:
    """How large a picture may be when it is sent."""

    max_side_px: int
    max_bytes: int  # of the JPEG, before base64 adds a third


def wire(messages: Sequence[Message], bounds: PictureBounds) -> list[dict[str, Any]]:
    """The messages as JSON; one that has no picture is a plain text, which every server understands.

    Raises:
        PictureUnreadable: a picture's file is gone or broken.
    """
    return [{"role": message.role, "content": _content(message, bounds)} for message in messages]


def estimate_tokens(messages: Sequence[Message], picture_tokens: int) -> int:
    """About how many tokens the prompt has: a third of its ASCII characters, all others, and so many a picture.

    Servers do not count for us in one way, so this errs on the high side: English text has fewer, and a Chinese,
    Cyrillic or Greek character is rarely more than one.
    """
    total = 0
    for message in messages:
        total += TOKENS_PER_MESSAGE
        for part in message.parts:
            if isinstance(part, Picture):
                total += picture_tokens
            else:
                ascii_only = sum(character.isascii() for character in part)
                total += -(-ascii_only // CHARACTERS_PER_TOKEN) + len(part) - ascii_only
    return total


def harmless(text: str) -> str:
    """The text with what looks like a model's control tokens broken up by an invisible space."""
    return _CONTROL.sub(lambda found: found[0] + _BREAK, text)


def _content(message: Message, bounds: PictureBounds) -> str | list[dict[str, Any]]:
    if all(isinstance(part, str) for part in message.parts):
        return harmless("".join(part for part in message.parts if isinstance(part, str)))
    return [_part(part, bounds) for part in message.parts]


def _part(part: str | Picture, bounds: PictureBounds) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": harmless(part)}
    try:
        mtime_ns = part.path.stat().st_mtime_ns
    except OSError as exc:
        raise PictureUnreadable(str(part.path), exc.strerror or "the file is not there") from exc
    return {"type": "image_url", "image_url": {"url": data_url(part.path, mtime_ns, bounds)}}


@lru_cache(KEPT_PICTURES)
def data_url(path: Path, mtime_ns: int, bounds: PictureBounds) -> str:
    """A picture as a JPEG within the bounds, upright and without its metadata; another time of change is another one.

    Raises:
        PictureUnreadable: its file is gone or broken.
    """
    image = decode(path, target_px=bounds.max_side_px, max_pixels=ANY_SIZE, max_bytes=ANY_SIZE)
    image.thumbnail((bounds.max_side_px, bounds.max_side_px))
    while True:
        for quality in QUALITIES:
            buffer = BytesIO()
            image.save(buffer, "JPEG", quality=quality, subsampling=0)  # whole colours: drawings have thin lines
            if buffer.tell() <= bounds.max_bytes:
                return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
        if max(image.size) <= SMALLEST_SIDE_PX:
            raise PictureUnreadable(str(path), f"no picture fits into {bounds.max_bytes:,} bytes; set more")
        width, height = image.size
        image = image.resize((max(1, width * 3 // 4), max(1, height * 3 // 4)))
