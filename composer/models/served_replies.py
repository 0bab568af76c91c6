"""The replies of OpenAI-compatible servers to text: whole or in a stream, with JSON or thinking in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .served_answers import json_in, without_thought
from .served_failures import CutShort, NotAChat


def held_to(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a request that holds its reply to a JSON schema."""
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
    }


def choice_of(reply: Any) -> Any:
    """The first choice of a reply.

    Raises:
        ValueError: it is no JSON.
        NotAChat: it is JSON, of another form.
    """
    if isinstance(reply, str):
        raise ValueError("the reply is not JSON")
    choices = getattr(reply, "choices", None)
    choice = choices[0] if isinstance(choices, list) and choices else None
    if getattr(choice, "message", None) is None:
        raise NotAChat(_error_in(getattr(reply, "error", None)))
    return choice


def texts_of(stream: Any) -> Iterator[str]:
    """The pieces of text in a stream of events.

    Raises:
        CutShort: it ended before its end.
        ValueError, NotAChat: as `choice_of`, for servers that do not stream.
    """
    kind = stream.response.headers.get("content-type", "")
    finished = False
    try:
        if "html" in kind or "json" in kind:
            yield _text_of_whole(json.loads(stream.response.read()))
            return
        for chunk in stream:
            choices = getattr(chunk, "choices", None)
            for choice in choices[:1] if isinstance(choices, list) else ():
                if text := getattr(getattr(choice, "delta", None), "content", None):
                    yield str(text)
                finished = finished or getattr(choice, "finish_reason", None) is not None
    finally:
        stream.close()
    if not finished:
        raise CutShort("the stream ended without its last event")


def _text_of_whole(value: Any) -> str:
    """The text of a reply that came whole though a stream was asked for."""
    try:
        return str(value["choices"][0]["message"]["content"] or "")
    except (TypeError, LookupError) as exc:
        raise NotAChat(_error_in(value.get("error") if isinstance(value, dict) else None)) from exc


def _error_in(error: object) -> str:
    """What a reply with the status of success says of a failure all the same."""
    if isinstance(error, Mapping):
        error = error.get("message")
    return str(error or "it has no choices")


def after_thought(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of a reply without the thinking that some models put before it, between tags."""
    begun_so_far = ""
    waiting = True
    for piece in pieces:
        if not waiting:
            yield piece
            continue
        begun_so_far += piece
        start = begun_so_far.lstrip().lower()
        waiting = "<think".startswith(start) or (start.startswith("<think") and "</think" not in start)
        waiting = waiting or (start.startswith("<think") and not start.partition("</think")[2].partition(">")[1])
        if not waiting:
            yield without_thought(begun_so_far)
    if waiting and (rest := without_thought(begun_so_far)):
        yield rest


def only_json(reply: str) -> str:
    """The JSON in a reply that may have words or a fence around it; the reply itself where there is none."""
    text = without_thought(reply).strip()
    value = json_in(text)
    if value is None and (inside := re.search(r"[{\[].*[}\]]", text, re.DOTALL)):
        value = json_in(inside[0])
    return text if value is None else json.dumps(value, ensure_ascii=False)
