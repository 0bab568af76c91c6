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

from ..errors import ServerRefused
from .served_failures import KEYS, CutShort, NotAChat, address_hint, in_words

if TYPE_CHECKING:
    from openai import OpenAI
    from tenacity import RetryCallState

    from .options import ModelOptions

SHORTEST_SECRET = 8  # characters; shorter keys are words like "ollama", which servers ignore and articles may use
HIDDEN = "[key]"
CONNECT_S = 10.0
FIRST_WAIT_S = 0.5
LONGEST_BACKOFF_S = 8.0
LONGEST_WAIT_S = 120.0  # a server that asks for more patience is given up

T = TypeVar("T")


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
            raise ServerRefused(f"{self.base_url} gives no list of models", address_hint(self.base_url))
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
        except (OpenAIError, CutShort, NotAChat, ValueError) as exc:  # ValueError: what should be JSON is not
            ours = in_words(exc, self, model, prompt_tokens, context_tokens)
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
