"""An OpenAI-compatible server: its address, the key to it, requests that are tried again, its failures in our words.

Knows nothing of messages and answers. The key comes from the environment alone and is kept out of everything that is
said, written or raised, also where the server repeats it.
"""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from ..errors import ContextExceeded, ModelUnknown, ServerFailed, ServerRefused, ServerUnreachable

if TYPE_CHECKING:
    import openai
    from openai import OpenAI
    from tenacity import RetryCallState

    from ...index.errors import LimnerError
    from .options import ModelOptions

KEYS = ("LIMNER_API_KEY", "OPENAI_API_KEY")  # the first that is set
SHORTEST_SECRET = 8  # characters; shorter keys are words like "ollama", which servers ignore and articles may use
HIDDEN = "[key]"
CONNECT_S = 10.0
FIRST_WAIT_S = 0.5
LONGEST_BACKOFF_S = 8.0
LONGEST_WAIT_S = 120.0  # a server that asks for more patience is given up
REASON_CHARACTERS = 300
LISTED = 8  # models that an error names

_CONTEXT = re.compile(
    r"context.{0,12}(?:length|size|window)|maximum model length|max_model_len|too many tokens|prompt is too long", re.I
)
_VISION = re.compile(
    r"image|vision|multi-?modal|mmproj|content.{0,30}(?:must be a string|valid string|str type)|unknown variant", re.I
)
_NO_MODEL = re.compile(
    r"model\b.{0,80}(?:not found|not exist|unknown|invalid)|(?:unknown|invalid) model|pinned to", re.I
)
T = TypeVar("T")


class CutShort(Exception):
    """A reply that ended before the server said that it was at its end."""


@dataclass
class Server:
    """A server that is asked by several threads at once, within its limit of requests under way."""

    base_url: str
    timeout_s: float
    retries: int
    key_from: str | None  # the variable
    client: OpenAI = field(repr=False)
    slots: threading.BoundedSemaphore = field(repr=False)
    _key: str = field(repr=False)

    def retried(self, work: Callable[[], T]) -> T:
        """What `work` gives, tried again after failures that may pass: with growing pauses, or as Retry-After says.

        Raises what the last try raised, as the client has it: `translated` puts it into our words.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        tries = Retrying(
            stop=stop_after_attempt(1 + self.retries), wait=_pause_s, retry=retry_if_exception(_may_pass), reraise=True
        )
        return tries(work)

    def models(self) -> list[dict[str, Any]]:
        """What the server says that it offers, each with its `id`; asked once."""
        listed = self.client.get("/models", cast_to=object)
        entries = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(entries, list):
            raise ServerRefused(f"{self.base_url} gives no list of models", self._address_hint())
        named = (entry for entry in entries if isinstance(entry, dict) and "id" in entry)
        return [{**entry, "id": self.clean(str(entry["id"]))} for entry in named]

    def close(self) -> None:
        """End the connections."""
        self.client.close()

    def get(self, path: str) -> Any:
        """The JSON at a path of the server beside its /v1."""
        return self.client.get(self.base_url.removesuffix("/v1") + path, cast_to=object)

    @contextmanager
    def translated(self, model: str = "", *, prompt_tokens: int = 0, context_tokens: int = 0) -> Iterator[None]:
        """Turn the client's failures into ours, with no trace of the key.

        Raises:
            ServerUnreachable: no connection, no answer in time, or one that was cut.
            ServerRefused: the key, or the request.
            ModelUnknown: the server has no such model.
            ContextExceeded: the prompt is too long for it.
            ServerFailed: it failed itself, or answers in no form that is known.
        """
        from openai import OpenAIError

        try:
            yield
        except (OpenAIError, CutShort, ValueError) as exc:  # ValueError: what should be JSON is not
            ours = self._in_words(exc, model, prompt_tokens, context_tokens)
            ours = type(ours)(self.clean(ours.message), self.clean(ours.hint))
            # A traceback prints causes too, and a server may have repeated the key in its message.
            raise ours from (exc if self.clean(str(exc)) == str(exc) else None)

    def clean(self, text: str) -> str:
        """The text without the key."""
        if len(self._key) < SHORTEST_SECRET:
            return text
        return text.replace(self._key, HIDDEN).replace(quote(self._key, safe=""), HIDDEN)

    def cleaned(self, pieces: Iterable[str]) -> Iterator[str]:
        """The pieces of a reply without the key, also where it is cut in two."""
        held = ""
        for piece in pieces:
            held = self.clean(held + piece)
            keep = next((n for n in range(min(len(self._key), len(held)), 0, -1) if self._key.startswith(held[-n:])), 0)
            if len(self._key) < SHORTEST_SECRET:
                keep = 0
            if ready := held[: len(held) - keep]:
                yield ready
            held = held[len(held) - keep :]
        if held:
            yield held

    def reason(self, exc: Exception) -> str:
        """What the server said of a failure, on one line."""
        return " ".join(self.clean(said(exc)).split())[:REASON_CHARACTERS]

    def _in_words(self, exc: Exception, model: str, prompt_tokens: int, context_tokens: int) -> LimnerError:
        import openai

        if isinstance(exc, CutShort | openai.APIConnectionError):
            return self._unreachable(exc)
        reason = self.reason(exc)
        if isinstance(exc, openai.APIStatusError):
            return self._refused(exc, reason, model, prompt_tokens, context_tokens)
        if isinstance(exc, ValueError) or "<html" in reason.lower():
            return ServerFailed(f"{self.base_url} answered with something that is not JSON", self._address_hint())
        return ServerFailed(f"{self.base_url} failed: {reason}", "look at what the server itself reports")

    def _unreachable(self, exc: Exception) -> ServerUnreachable:
        import httpx2
        import openai

        cause = exc.__cause__
        if isinstance(exc, openai.APITimeoutError) and not isinstance(cause, httpx2.ConnectTimeout):
            return ServerUnreachable(
                f"{self.base_url} was silent for {self.timeout_s:g} s",
                "look whether it still works; for a model that is slow to begin set a larger timeout_s",
            )
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol):
            why = " ".join(str(cause).split()) or "no answer"
            return ServerUnreachable(
                f"cannot connect to {self.base_url} ({self.clean(why)})",
                "start the server, or give its address with --base-url",
            )
        return ServerUnreachable(
            f"{self.base_url} broke the reply off before its end",
            "look at what the server itself reports, then run the command again; compose goes on with --resume",
        )

    def _refused(
        self, exc: openai.APIStatusError, reason: str, model: str, prompt_tokens: int, context_tokens: int
    ) -> LimnerError:
        status = exc.status_code
        if status in (401, 403):
            return self._no_entry(status, reason)
        if status == 404 or (status in (400, 422) and _NO_MODEL.search(reason)):
            return self._not_found(reason, model)
        if status == 429:
            return ServerRefused(
                f"{self.base_url} takes no more requests for now: {reason}",
                "wait, or lower max_requests; a quota that is used up needs its owner",
            )
        if status in (400, 413, 422) and is_context(exc):
            return ContextExceeded(
                f"the prompt of about {prompt_tokens:,} tokens is too long for {model}, which was taken to have room "
                f"for {context_tokens:,}: {reason}",
                "give its true length with --context-tokens, and Limner cuts what does not fit; or serve it with more",
            )
        if status in (400, 415, 422, 500, 501) and _VISION.search(reason):
            return ServerRefused(
                f"{model} does not read pictures there: {reason}",
                "serve a vision-language model, with its vision part (for llama.cpp that is --mmproj)",
            )
        if status == 413:
            return ServerRefused(
                f"{self.base_url} takes no request of this size: {reason}", "lower max_picture_bytes or -m"
            )
        if status >= 500:
            return ServerFailed(
                f"{self.base_url} failed ({status}): {reason}", "look at what the server itself reports"
            )
        return ServerRefused(f"{self.base_url} refuses the request ({status}): {reason}", "see what it says there")

    def _no_entry(self, status: int, reason: str) -> ServerRefused:
        if self.key_from is None:
            return ServerRefused(
                f"{self.base_url} wants a key ({status}), and none is set", f"set {KEYS[1]} in the environment"
            )
        return ServerRefused(
            f"{self.base_url} refuses the key in {self.key_from} ({status}): {reason}", "set the one for this server"
        )

    def _not_found(self, reason: str, model: str) -> LimnerError:
        from openai import OpenAIError

        if "model" not in reason.lower() and "pinned" not in reason:
            return ServerRefused(f"{self.base_url} has no chat completions (404)", self._address_hint())
        try:
            names = [entry["id"] for entry in self.models()]
        except (OpenAIError, ServerFailed, ValueError):
            names = []
        more = ", …" if len(names) > LISTED else ""
        return ModelUnknown(
            f"{self.base_url} has no model {model!r}",
            f"it has {', '.join(names[:LISTED])}{more}"
            if names
            else "`limner models list --base-url` shows what it has",
        )

    def _address_hint(self) -> str:
        if urlsplit(self.base_url).path.strip("/"):
            return "look at --base-url: it is the address below which /chat/completions lies"
        return f"most servers answer below /v1: try --base-url {self.base_url}/v1"


def reach(options: ModelOptions) -> Server:
    """The server at the address that is set; nothing is sent yet.

    Raises:
        ServerRefused: no address, or one that cannot be; a key that cannot be.
    """
    import httpx2
    from openai import DefaultHttpxClient, OpenAI

    base_url = _address(options.base_url)
    variable, key = _key()
    timeout = httpx2.Timeout(options.timeout_s, connect=min(CONNECT_S, options.timeout_s), pool=None)
    host = urlsplit(base_url).hostname or ""
    here = host == "localhost" or host == "::1" or host.startswith("127.")
    client = OpenAI(
        base_url=base_url,
        api_key=key or "none",  # the client wants one; servers without keys ignore it
        timeout=timeout,
        max_retries=0,  # `Server.retried` does that: a silent server is not worth another wait of that length
        http_client=DefaultHttpxClient(timeout=timeout, trust_env=not here),  # no proxy lies before this machine
    )
    slots = threading.BoundedSemaphore(options.max_requests)
    return Server(base_url, options.timeout_s, options.retries, variable, client, slots, key)


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


def _address(base_url: str | None) -> str:
    if not base_url:
        raise ServerRefused(
            "a served model needs the address of its server",
            "give it with --base-url, as http://localhost:8000/v1; https://api.openai.com/v1 is OpenAI's own",
        )
    parts = urlsplit(base_url.strip().rstrip("/"))
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ServerRefused(f"{shown!r} is no address of a server", "it begins with http:// or https://")
    if "@" in parts.netloc or parts.query:
        raise ServerRefused(f"the address {shown} has a key in it", f"set the key in {KEYS[1]} instead")
    return shown.removesuffix("/chat/completions")


def _key() -> tuple[str | None, str]:
    for variable in KEYS:
        if key := os.environ.get(variable, "").strip():
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ServerRefused(f"{variable} holds characters that no key has", "set it anew, without quotes")
            return variable, key
    return None, ""


def _may_pass(exc: BaseException) -> bool:
    """Whether the same request may succeed another time."""
    import httpx2
    import openai

    if isinstance(exc, openai.APITimeoutError):
        return isinstance(exc.__cause__, httpx2.ConnectTimeout)
    if isinstance(exc, CutShort | openai.APIConnectionError):
        return True
    if not isinstance(exc, openai.APIStatusError) or exc.code == "insufficient_quota":
        return False
    if exc.response.headers.get("x-should-retry") == "false" or (_retry_after_s(exc) or 0) > LONGEST_WAIT_S:
        return False
    return exc.status_code in (408, 409, 429) or exc.status_code >= 500


def _pause_s(state: RetryCallState) -> float:
    exc = state.outcome.exception() if state.outcome else None
    asked = _retry_after_s(exc)
    if asked is not None:
        return asked
    return min(LONGEST_BACKOFF_S, FIRST_WAIT_S * 2 ** (state.attempt_number - 1)) * random.uniform(0.75, 1)


def _retry_after_s(exc: BaseException | None) -> float | None:
    """What Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    response = getattr(exc, "response", None)
    value = (response.headers.get("retry-after") or "").strip() if response is not None else ""
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        return _until_s(value) if value else None
    except ValueError:
        return None


def _until_s(date: str) -> float:
    when = parsedate_to_datetime(date)
    return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())
