"""A model behind an OpenAI-compatible address (vLLM, llama.cpp, Ollama, transformers serve, hosted). Owns no prompt."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ModelUnknown, ReplyInvalid, ServerFailed
from ..prompts import dialects
from ..protocols import Message, Sampling
from .load import SERVED_PREFIX, ModelInfo
from .served_answers import answer_in, answer_schema, begun, scores_of, without_thought
from .served_failures import LISTED, is_context, is_filtered, said
from .served_messages import PictureBounds, estimate_tokens, wire
from .served_replies import after_thought, choice_of, held_to, only_json, texts_of
from .served_server import Server, reach

if TYPE_CHECKING:
    from .options import ModelOptions

DIALECT = "limner"
CONTEXT_TOKENS = 8192  # where the server does not say and nothing is set
TOP_LOGPROBS = 20  # the most that OpenAI and vLLM give
FEW_LOGPROBS = 5  # the most that some others do
ANSWER_TOKENS = 24  # of an answer in words: {"answer": "none"}, with room for a fence
THINKING_TOKENS = 1024  # of the same, asked once more: some models think first
SMALLEST_REPLY = 64  # tokens; below that a request is not made to fit

# What may be left out of a request that a server refuses, and the words by which refusals name it.
_OPTIONAL = {
    "response_format": ("response_format", "json_schema", "structured", "grammar"),
    "logprobs": ("logprobs",),
    "seed": ("seed",),
    "top_p": ("top_p",),
    "temperature": ("temperature",),
}
_LIMIT = re.compile(r"context (?:length|size) is(?: only)? (\d+)", re.I)
_PROMPT = re.compile(r"(\d+) (?:input tokens|in the messages)", re.I)
T = TypeVar("T")


@dataclass
class ServedModel:
    """A model of a server, with what was learnt of the server on the way."""

    name: str
    model: str
    server: Server
    context_tokens: int
    dialect: str
    bounds: PictureBounds
    picture_tokens: int
    _left_out: set[str] = field(default_factory=set, repr=False)  # optional parts of requests that were refused
    _top_logprobs: int = TOP_LOGPROBS
    _newer_limit: bool = False  # the server wants max_completion_tokens in place of max_tokens

    @property
    def gives_probabilities(self) -> bool:
        """Whether scores are probabilities, as far as is known: where not, they are an answer in words."""
        return "logprobs" not in self._left_out

    def close(self) -> None:
        """End the connections to the server."""
        self.server.close()

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """About how many tokens the prompt has; see `estimate_tokens`."""
        return estimate_tokens(messages, self.picture_tokens)

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        """Yield the reply piece by piece; one that is empty is asked for once more.

        With a schema the reply is JSON: held to it where the server offers that, else only asked for, and then the
        reader has to check it.

        Raises:
            ServerFailed: or one of its kinds; what was yielded until then is not the whole reply.
            ReplyInvalid: nothing came back, twice.
            PictureUnreadable: a picture's file is gone.
        """
        request: dict[str, Any] = {"max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature}
        if sampling.temperature > 0:
            request["top_p"] = sampling.top_p
        if schema is not None:
            request |= held_to(schema)
        for seed in (sampling.seed, sampling.seed + 1):
            empty = True
            pieces = self._stream(messages, {**request, "seed": seed})
            if schema is not None:
                pieces = iter([only_json("".join(pieces))])
            for piece in self.server.cleaned(after_thought(pieces)):
                empty = empty and not piece.strip()
                yield piece
            if not empty:
                return
        raise ReplyInvalid(
            f"{self.name} replied with no text",
            "look at what the server itself reports; a model that thinks first may need more room than it has",
        )

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        """The log-probability of each answer, from those of the first token where the server gives them.

        Where it does not, the model names one answer: that one gets 0 and the others minus infinity, which no
        probability is, so that a reader can tell. An answer that is none of them is asked for once more.

        Raises:
            ServerFailed: or one of its kinds.
            ReplyInvalid: no answer, twice.
            PictureUnreadable: a picture's file is gone.
        """
        asked = 0
        reply = ""
        if "logprobs" not in self._left_out:
            reply, tokens = self._first_token(messages)
            if tokens and (scores := scores_of(tokens, answers)):
                return scores
            if not tokens:
                self._left_out.add("logprobs")
                asked = 1
                if answer := begun(reply, answers):
                    return _certain(answer, answers)
        for room in (ANSWER_TOKENS, THINKING_TOKENS)[asked:]:
            reply = self._answer(messages, answers, room)
            if answer := answer_in(reply, answers):
                return _certain(answer, answers)
        shown = " ".join(self.server.clean(without_thought(reply)).split())[:80]
        raise ReplyInvalid(f"{self.name} answered {shown!r}, which is none of {', '.join(answers)}")

    def _first_token(self, messages: Sequence[Message]) -> tuple[str, list[tuple[str, float]]]:
        """The reply's first token, and the most probable ones with their log-probabilities; none where not given."""
        choice = self._complete(messages, {"max_tokens": 1, "temperature": 0.0, "logprobs": True})
        content = getattr(choice.logprobs, "content", None)
        top = content[0].top_logprobs if content else None
        tokens = [(entry.token, entry.logprob) for entry in top or () if entry.logprob is not None]
        return choice.message.content or "", tokens

    def _answer(self, messages: Sequence[Message], answers: Sequence[str], room: int) -> str:
        """What the model says when it is held to the answers as far as the server can."""
        form = held_to(answer_schema(answers))
        return self._complete(messages, {"max_tokens": room, "temperature": 0.0, **form}).message.content or ""

    def _complete(self, messages: Sequence[Message], request: dict[str, Any]) -> Any:
        """The one choice of a reply that comes whole."""
        create = self.server.client.chat.completions.create
        body = self._body(messages, request)
        with self.server.slots, self._translated(messages):
            return self._adapted(body, lambda fitted: choice_of(create(**fitted)))

    def _stream(self, messages: Sequence[Message], request: dict[str, Any]) -> Iterator[str]:
        """The pieces of a reply; before the first the request may be made again, after it not."""
        create = self.server.client.chat.completions.create

        def begin(fitted: dict[str, Any]) -> tuple[str, Iterator[str]]:
            texts = texts_of(create(**fitted, stream=True))
            return next(texts, ""), texts

        body = self._body(messages, request)
        with self.server.slots, self._translated(messages):
            first, rest = self._adapted(body, begin)
            yield first
            yield from rest

    def _translated(self, messages: Sequence[Message]) -> AbstractContextManager[None]:
        return self.server.translated(
            self.model, prompt_tokens=self.count_tokens(messages), context_tokens=self.context_tokens
        )

    def _body(self, messages: Sequence[Message], request: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self.model, "messages": wire(messages, self.bounds), **request}

    def _adapted(self, body: dict[str, Any], send: Callable[[dict[str, Any]], T]) -> T:
        """What `send` gives for a request in the form that this server takes, which its refusals teach."""
        from openai import BadRequestError, UnprocessableEntityError

        while True:
            fitted = self._fitted(body)
            try:
                return self.server.retried(lambda: send(fitted))  # noqa: B023 - called at once
            except (BadRequestError, UnprocessableEntityError) as exc:
                if not self._learn(exc, body, fitted):
                    raise

    def _fitted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        fitted = {name: value for name, value in body.items() if name not in self._left_out}
        if "logprobs" in fitted:
            fitted["top_logprobs"] = self._top_logprobs
        if self._newer_limit:
            fitted["max_completion_tokens"] = fitted.pop("max_tokens")
        return fitted

    def _learn(self, exc: Exception, body: dict[str, Any], sent: Mapping[str, Any]) -> bool:
        """Whether a refusal says what to do without; that is remembered."""
        words = said(exc).lower()
        if is_filtered(exc):
            return False
        if is_context(exc):
            limit, prompt = _LIMIT.search(words), _PROMPT.search(words)
            room = int(limit[1]) - int(prompt[1]) if limit and prompt else 0
            if not SMALLEST_REPLY <= room < body["max_tokens"]:
                return False
            body["max_tokens"] = room  # the prompt fits, only the room that was asked for the reply does not
            return True
        if "could not finish" in words and body["max_tokens"] < THINKING_TOKENS:
            body["max_tokens"] = THINKING_TOKENS
            return True
        if "max_completion_tokens" in words and "max_tokens" in sent:
            self._newer_limit = True
            return True
        if "logprobs" in words and sent.get("top_logprobs", 0) > FEW_LOGPROBS:
            self._top_logprobs = FEW_LOGPROBS
            return True
        named = [part for part, names in _OPTIONAL.items() if part in sent and any(name in words for name in names)]
        if not named and "response_format" in sent:
            named = ["response_format"]  # the newest part of the interface
        self._left_out.update(named)
        return bool(named)


def connect(name: str, options: ModelOptions) -> ServedModel:
    """The model of a server that `openai:NAME` and `--base-url` name; asks the server what it offers.

    Raises:
        ServerUnreachable: nobody answers there.
        ServerRefused: no address or one that cannot be, or another key is wanted.
        ModelUnknown: no name, or no such dialect.
    """
    dialect = options.dialect or DIALECT
    if dialect not in dialects():
        raise ModelUnknown(f"no prompts are written in the dialect {dialect!r}", f"there are {', '.join(dialects())}")
    with ExitStack() as on_failure:
        server = reach(options)
        on_failure.callback(server.close)
        model = _connected(name, server, dialect, options)
        on_failure.pop_all()
    return model


def _connected(name: str, server: Server, dialect: str, options: ModelOptions) -> ServedModel:
    entries = _offered(server)
    model = name.removeprefix(SERVED_PREFIX)
    if not model:
        names = ", ".join(entry["id"] for entry in entries[:LISTED])
        raise ModelUnknown(
            f"{SERVED_PREFIX} is followed by a model's name", f"{server.base_url} has {names or 'no list'}"
        )
    return ServedModel(
        name,
        model,
        server,
        options.context_tokens or _context_tokens(server, model, entries) or CONTEXT_TOKENS,
        dialect,
        PictureBounds(options.max_picture_side_px, options.max_picture_bytes),
        options.picture_tokens,
    )


def offered(options: ModelOptions) -> list[ModelInfo]:
    """The models that a server offers.

    Raises:
        ServerFailed: or one of its kinds; it cannot be asked, or gives no list.
    """
    with closing(reach(options)) as server, server.translated():
        names = [f"{SERVED_PREFIX}{entry['id']}" for entry in server.models()]
    note = "not all of a server's models read pictures"
    return [ModelInfo("served", name, True, f"--base-url {server.base_url}", note) for name in names]


def _offered(server: Server) -> list[dict[str, Any]]:
    """What a server lists, nothing where it has no list: not all have, and its chat may work all the same."""
    from openai import APIStatusError, AuthenticationError, PermissionDeniedError

    with server.translated():
        try:
            return server.models()
        except (AuthenticationError, PermissionDeniedError):
            raise
        except (APIStatusError, ServerFailed, ValueError):
            return []


def _context_tokens(server: Server, model: str, entries: Sequence[Mapping[str, Any]]) -> int | None:
    """How long prompt and reply may be together, where the server says: vLLM in its list, llama.cpp beside it."""
    from openai import OpenAIError

    entry = next((entry for entry in entries if entry.get("id") == model), None)
    if entry is None and len(entries) == 1:
        entry = entries[0]  # llama.cpp serves one model, under any name
    if entry is None:
        return None
    meta = entry.get("meta")
    if isinstance(meta, Mapping):
        try:
            properties = server.get("/props")
        except (OpenAIError, ValueError):
            properties = None
        said_there = properties.get("default_generation_settings") if isinstance(properties, Mapping) else None
        if isinstance(said_there, Mapping) and _positive(said_there.get("n_ctx")):
            return said_there["n_ctx"]
        return next((meta[name] for name in ("n_ctx", "n_ctx_train") if _positive(meta.get(name))), None)
    return next((entry[name] for name in ("max_model_len", "context_length") if _positive(entry.get(name))), None)


def _positive(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _certain(answer: str, answers: Sequence[str]) -> list[float]:
    return [0.0 if other == answer else -math.inf for other in answers]
