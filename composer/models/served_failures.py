"""What goes wrong with a server, in our words: each failure names the thing, and the fix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import ContentRefused, ContextExceeded, ModelUnknown, ServerFailed, ServerRefused, ServerUnreachable

if TYPE_CHECKING:
    import openai

    from ...index.errors import LimnerError
    from .served_server import Server

KEYS = ("LIMNER_API_KEY", "OPENAI_API_KEY")  # the first that is set
REASON_CHARACTERS = 300
LISTED = 8  # models that an error names

_CONTEXT = re.compile(
    r"context.{0,12}(?:length|size|window)|maximum model length|max_model_len|too many tokens|prompt is too long", re.I
)
_VISION = re.compile(
    r"image|vision|multi-?modal|mmproj|content.{0,30}(?:must be a string|valid string|str type)|unknown variant", re.I
)
_TOO_MANY = re.compile(r"at most \d+ (?:image|picture|multi)|too many images|(?:number|count) of images", re.I)
_FILTERED = re.compile(
    r"content.?(?:filter|polic|management)|(?:data|content).?inspection|inappropriate content|moderation|safety system",
    re.I,
)
_NO_MODEL = re.compile(r"model\b.{0,80}(?:not found|not exist|unknown)|(?:unknown|invalid) model|pinned to", re.I)


class CutShort(Exception):
    """A reply that ended before the server said that it was at its end."""


class NotAChat(Exception):
    """JSON that is no reply of a chat; what it says of an error, if it does."""


def _reason(exc: Exception, server: Server) -> str:
    """What the server said of a failure, on one line."""
    return " ".join(server.clean(said(exc)).split())[:REASON_CHARACTERS]


def in_words(exc: Exception, server: Server, model: str, prompt_tokens: int, context_tokens: int) -> LimnerError:
    """A failure of the client as one of ours."""
    import openai

    if isinstance(exc, CutShort | openai.APIConnectionError):
        return _unreachable(exc, server)
    reason = _reason(exc, server)
    if isinstance(exc, openai.APIStatusError):
        return _refused(exc, server, reason, model, prompt_tokens, context_tokens)
    if isinstance(exc, NotAChat):
        return ServerFailed(
            f"{server.base_url} answered with something that is not a reply of a chat: {reason}",
            "look at --base-url: an OpenAI-compatible server has to run there",
        )
    if isinstance(exc, ValueError) or "<html" in reason.lower():
        return ServerFailed(
            f"{server.base_url} answered with something that is not JSON", address_hint(server.base_url)
        )
    return ServerFailed(f"{server.base_url} failed: {reason}", "look at what the server itself reports")


def _unreachable(exc: Exception, server: Server) -> ServerUnreachable:
    import httpx2
    import openai

    cause = exc.__cause__
    if isinstance(exc, openai.APITimeoutError) and not isinstance(cause, httpx2.ConnectTimeout):
        return ServerUnreachable(
            f"{server.base_url} was silent for {server.timeout_s:g} s",
            "look whether it still works; for a model that is slow to begin set a larger timeout_s",
        )
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol):
        why = " ".join(str(cause).split()) or "no answer"
        return ServerUnreachable(
            f"cannot connect to {server.base_url} ({server.clean(why)})",
            "start the server, or give its address with --base-url",
        )
    return ServerUnreachable(
        f"{server.base_url} broke the reply off before its end",
        "look at what the server itself reports, then run the command again; compose goes on with --resume",
    )


def _refused(
    exc: openai.APIStatusError, server: Server, reason: str, model: str, prompt_tokens: int, context_tokens: int
) -> LimnerError:
    status = exc.status_code
    if status in (400, 403, 422) and is_filtered(exc):
        return ContentRefused(
            f"the filter of {server.base_url} does not let this through ({status}): {reason}",
            "another text or other pictures may pass, and so may another model",
        )
    if status in (401, 403):
        return _no_entry(server, status, reason)
    if status == 404 or (status in (400, 422) and _NO_MODEL.search(reason)):
        return _not_found(server, reason, model)
    if status == 429:
        return ServerRefused(
            f"{server.base_url} takes no more requests for now: {reason}",
            "wait, or lower max_requests; a quota that is used up needs its owner",
        )
    if status in (400, 413, 422) and is_context(exc):
        return ContextExceeded(
            f"the prompt of about {prompt_tokens:,} tokens is too long for {model}, which was taken to have room "
            f"for {context_tokens:,}: {reason}",
            "give its true length with --context-tokens, and Limner cuts what does not fit; or serve it with more",
        )
    if status in (400, 413, 422) and _TOO_MANY.search(reason):
        return ServerRefused(
            f"{server.base_url} takes fewer pictures in a request: {reason}",
            "lower -m, or let it take more (for vLLM that is --limit-mm-per-prompt)",
        )
    if status in (400, 415, 422, 500, 501) and _VISION.search(reason):
        return ServerRefused(
            f"{model} does not read pictures there: {reason}",
            "serve a vision-language model, with its vision part (for llama.cpp that is --mmproj)",
        )
    if status == 413:
        return ServerRefused(
            f"{server.base_url} takes no request of this size: {reason}", "lower max_picture_bytes or -m"
        )
    if status >= 500:
        return ServerFailed(f"{server.base_url} failed ({status}): {reason}", "look at what the server itself reports")
    return ServerRefused(f"{server.base_url} refuses the request ({status}): {reason}", "see what it says there")


def _no_entry(server: Server, status: int, reason: str) -> ServerRefused:
    if server.key_from is None:
        return ServerRefused(
            f"{server.base_url} wants a key ({status}), and none is set", f"set {KEYS[1]} in the environment"
        )
    return ServerRefused(
        f"{server.base_url} refuses the key in {server.key_from} ({status}): {reason}", "set the one for this server"
    )


def _not_found(server: Server, reason: str, model: str) -> LimnerError:
    from openai import OpenAIError

    if "model" not in reason.lower() and "pinned" not in reason:
        return ServerRefused(f"{server.base_url} has no chat completions (404)", address_hint(server.base_url))
    try:
        names = [entry["id"] for entry in server.models()]
    except (OpenAIError, ServerFailed, ValueError):
        names = []
    more = ", …" if len(names) > LISTED else ""
    return ModelUnknown(
        f"{server.base_url} has no model {model!r}",
        f"it has {', '.join(names[:LISTED])}{more}" if names else f"it says: {reason}",
    )


def address_hint(base_url: str) -> str:
    """What may be wrong with an address at which no chat is found."""
    if urlsplit(base_url).path.strip("/"):
        return "look at --base-url: it is the address below which /chat/completions lies"
    return f"most servers answer below /v1: try --base-url {base_url}/v1"


def said(exc: Exception) -> str:
    """The server's own words in a failure."""
    body = getattr(exc, "body", None)
    if isinstance(body, dict):
        for name in ("message", "detail", "error"):
            value = body.get(name)
            if isinstance(value, dict):
                value = value.get("message")
            if value:
                return str(value)
        return str(body)
    if isinstance(body, str) and body.strip():
        return "a web page" if body.lstrip().lower().startswith(("<!doctype", "<html")) else body
    return str(exc)


def is_context(exc: Exception) -> bool:
    """Whether a request was refused for its length."""
    return getattr(exc, "code", None) == "context_length_exceeded" or bool(_CONTEXT.search(said(exc)))


def is_filtered(exc: Exception) -> bool:
    """Whether a request was refused for its content."""
    return bool(_FILTERED.search(f"{getattr(exc, 'code', None)} {said(exc)}"))
