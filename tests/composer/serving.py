"""What the tests of served models share: a prompt, its reply, and answers of servers that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from limner.composer.models.served import ServedModel
from limner.composer.protocols import Message, Sampling

from .servers import Exchange

PROMPT = [Message("user", ("Say something.",))]
ANSWERS = ["A", "B", "C", "none"]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
Connect = Callable[..., ServedModel]


def reply(model: ServedModel, prompt: list[Message] = PROMPT, **sampling: Any) -> str:
    return "".join(model.generate(prompt, sampling=Sampling(**{"max_new_tokens": 50, **sampling})))


def status(code: int, message: str, **headers: str) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.fail(code, message, **headers)


def web_page(exchange: Exchange) -> None:
    exchange.send(200, "<!DOCTYPE html><html><body>Log in</body></html>", "text/html")
