"""`openai:` against a server that refuses, hangs and breaks off: one line says what failed, one how to mend it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from limner.composer.errors import (
    ContentRefused,
    ContextExceeded,
    ModelUnknown,
    ServerFailed,
    ServerRefused,
    ServerUnreachable,
)
from limner.composer.models import served_server
from limner.composer.protocols import Sampling

from .servers import Exchange, ScriptedServer
from .serving import ANSWERS, PROMPT, SCHEMA, Connect, reply, status, web_page


@pytest.mark.parametrize(
    ("answer", "error", "message", "hint"),
    [
        (status(401, "bad key"), ServerRefused, "wants a key", "OPENAI_API_KEY"),
        (status(403, "no"), ServerRefused, "wants a key", "OPENAI_API_KEY"),
        (status(404, "The model `m` does not exist."), ModelUnknown, "has no model 'm'", "it has m"),
        (status(400, "Server is pinned to 'n'; requested 'm'."), ModelUnknown, "has no model 'm'", "it has m"),
        (status(404, "File Not Found"), ServerRefused, "no chat completions", "--base-url"),
        (status(429, "slow down", retry_after="0"), ServerRefused, "slow down", "max_requests"),
        (status(500, "out of memory"), ServerFailed, "out of memory", "server itself"),
        (status(413, "too large"), ServerRefused, "size", "max_picture_bytes"),
        (status(400, "image_url is only supported by vision models"), ServerRefused, "not read pictures", "mmproj"),
        (status(400, "At most 1 image(s) may be provided in one request."), ServerRefused, "fewer pictures", "-m"),
        (status(500, "image input is not supported - hint: provide the mmproj"), ServerRefused, "pictures", "mmproj"),
        (
            status(400, "This model's maximum context length is 2048 tokens, you gave 9000"),
            *(ContextExceeded, r"about 13 tokens is too long for m.*8,192.*9000", "--context-tokens"),
        ),
        (status(400, "Filtered by our content management policy"), ContentRefused, "filter", "other pictures"),
        (status(403, "Your input was flagged by moderation"), ContentRefused, "flagged", "another model"),
        (status(418, "teapot"), ServerRefused, "418.*teapot", ""),
        (web_page, ServerFailed, "not JSON", "--base-url"),
        (lambda exchange: exchange.send(200, "{'a", "application/json"), ServerFailed, "not JSON", "--base-url"),
        (lambda exchange: exchange.send(200, {"hello": "there"}), ServerFailed, "not a reply of a chat", "--base-url"),
        (lambda exchange: exchange.send(200, {"error": {"message": "no credits"}}), ServerFailed, "no credits", ""),
        (lambda exchange: exchange.drop(), ServerUnreachable, "broke the reply off", "--resume"),
    ],
)
@pytest.mark.parametrize("question", ["generate", "score"])
def test_failures_name_the_fix(
    server: ScriptedServer, connect: Connect, answer: Any, error: type, message: str, hint: str, question: str
) -> None:
    model = connect(retries=1)
    server.script = [answer]
    with pytest.raises(error, match=message) as raised:
        reply(model) if question == "generate" else model.score(PROMPT, ANSWERS)
    assert hint in raised.value.hint
    assert "\n" not in str(raised.value)


def test_a_content_that_is_refused_does_not_pass_for_a_form_that_is(server: ScriptedServer, connect: Connect) -> None:
    model = connect()
    server.script = [status(400, "content_filter: not this"), lambda exchange: exchange.say("{}")]
    with pytest.raises(ContentRefused):
        list(model.generate(PROMPT, sampling=Sampling(9), schema=SCHEMA))
    assert list(model.generate(PROMPT, sampling=Sampling(9), schema=SCHEMA)) == ["{}"]
    assert [("response_format" in request.body) for request in server.asked] == [True, True]


def test_hang_is_given_up_after_the_time_out_and_not_tried_again(server: ScriptedServer, connect: Connect) -> None:
    server.script = [lambda exchange: time.sleep(3)]
    model = connect(timeout_s=0.5)
    begin = time.monotonic()
    with pytest.raises(ServerUnreachable, match=r"silent for 0\.5 s"):
        reply(model)
    assert time.monotonic() - begin < 2
    assert len(server.asked) == 1


def test_hang_in_the_middle_of_a_reply_is_a_time_out(server: ScriptedServer, connect: Connect) -> None:
    def half(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.event("Half")
        time.sleep(3)

    server.script = [half]
    with pytest.raises(ServerUnreachable, match=r"silent for 0\.5 s"):
        reply(connect(timeout_s=0.5))


@pytest.mark.parametrize("politely", [False, True])
def test_cut_stream_is_no_whole_reply(server: ScriptedServer, connect: Connect, politely: bool) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.event("Half a sen")
        if politely:
            exchange.end_stream()  # well-formed HTTP, but the server never said that it had finished
        else:
            exchange.drop()

    server.script = [cut]
    with pytest.raises(ServerUnreachable, match="broke the reply off"):
        reply(connect())
    assert len(server.asked) == 1  # what was said cannot be taken back


def test_stream_that_is_cut_before_its_first_word_is_tried_again(server: ScriptedServer, connect: Connect) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.drop()

    server.script = [cut, cut, lambda exchange: exchange.say("Whole.")]
    assert reply(connect()) == "Whole."


def test_error_within_a_stream_is_told(server: ScriptedServer, connect: Connect) -> None:
    def broken(exchange: Exchange) -> None:
        exchange.begin_stream()
        exchange.event("Half")
        exchange._chunk(b'data: {"error": {"message": "CUDA out of memory"}}\n\n')
        exchange.end_stream()

    server.script = [broken]
    with pytest.raises(ServerFailed, match="CUDA out of memory"):
        reply(connect())


def test_nobody_there(connect: Connect, server: ScriptedServer) -> None:
    server.close()
    with pytest.raises(ServerUnreachable, match=r"cannot connect to http://127\.0\.0\.1") as raised:
        connect()
    assert "--base-url" in raised.value.hint


@pytest.mark.parametrize(
    ("base_url", "message", "hint"),
    [
        (None, "needs the address", "--base-url"),
        ("localhost:8000/v1", "no address", "http://"),
        ("http://user:secret-pass@host/v1", "has a key in it", "OPENAI_API_KEY"),
    ],
)
def test_address_that_cannot_be(connect: Connect, base_url: str | None, message: str, hint: str) -> None:
    with pytest.raises(ServerRefused, match=message) as raised:
        connect(base_url=base_url)
    assert hint in raised.value.hint
    assert "secret-pass" not in str(raised.value)


def test_address_without_v1_is_mended_by_the_hint(server: ScriptedServer, connect: Connect) -> None:
    model = connect(base_url=server.base_url.removesuffix("/v1"))
    with pytest.raises(ServerRefused, match="no chat completions") as raised:
        reply(model)
    assert raised.value.hint.endswith(f"--base-url {server.base_url}")


def test_names_that_cannot_be(connect: Connect) -> None:
    with pytest.raises(ModelUnknown, match="followed by a model's name"):
        connect("openai:")
    with pytest.raises(ModelUnknown, match="dialect 'klingon'"):
        connect(dialect="klingon")


# Trying again.


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(server: ScriptedServer, connect: Connect, as_date: bool) -> None:
    def busy(exchange: Exchange) -> None:
        when = datetime.now(UTC) + timedelta(seconds=2)
        exchange.fail(429, "busy", retry_after=format_datetime(when, usegmt=True) if as_date else "1")

    server.script = [busy, lambda exchange: exchange.say("At last.")]
    assert reply(connect()) == "At last."
    waited = server.at[1] - server.at[0]
    assert 0.95 <= waited < 4  # a date has whole seconds: two from now are more than one


def test_tries_are_bounded_and_further_and_further_apart(
    server: ScriptedServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_server, "FIRST_WAIT_S", 0.1)
    server.script = [status(503, "loading")]
    with pytest.raises(ServerFailed, match="loading"):
        reply(connect(retries=3))
    pauses = [after - before for before, after in zip(server.at, server.at[1:], strict=False)]
    assert len(pauses) == 3
    assert pauses[0] < pauses[1] < pauses[2]


@pytest.mark.parametrize(
    "answer", [status(429, "come back tomorrow", retry_after="86400"), status(400, "no"), status(401, "no")]
)
def test_what_will_not_pass_is_not_tried_again(server: ScriptedServer, connect: Connect, answer: Any) -> None:
    server.script = [answer]
    with pytest.raises(ServerRefused):
        reply(connect())
    assert len(server.asked) == 1


def test_requests_under_way_are_limited(server: ScriptedServer, connect: Connect) -> None:
    def takes_time(exchange: Exchange) -> None:
        time.sleep(0.1)
        exchange.say("Done.")

    server.script = [takes_time]
    model = connect(max_requests=2)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: reply(model), range(8))) == {"Done."}
    assert server.most_under_way == 2
