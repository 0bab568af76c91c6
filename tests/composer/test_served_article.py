"""Whole articles by a served model: what it says stays text, and the key to it stays secret."""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from limner.composer.article import Article, Brief, Figure
from limner.composer.errors import ServerFailed, ServerRefused
from limner.composer.models import served_server
from limner.composer.models.load import load_model
from limner.composer.models.options import ModelOptions
from limner.composer.models.served import ServedModel
from limner.composer.pipeline import compose
from limner.index.library import Library
from playwright.sync_api import Browser

from .articles import HOSTILE
from .servers import Answer, Exchange, ScriptedServer
from .test_page import open_page

KEY = "sk-limner-0123456789abcdefXYZ"
TEXT = "# Colours\n\nEverything was red that day.\n\nEverything was blue that day.\n"
Made = Callable[..., Article]


@pytest.fixture
def made(server: ScriptedServer, colour_library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """made(answers): the article that a server with these answers gives, in tmp_path/out."""
    monkeypatch.setattr(served_server, "FIRST_WAIT_S", 0.01)
    monkeypatch.delenv("LIMNER_API_KEY", raising=False)

    def make(answer: Answer, out: Path = tmp_path / "out") -> Article:
        server.script = [answer]
        model = load_model("openai:m", ModelOptions(base_url=server.base_url, timeout_s=5))
        assert isinstance(model, ServedModel)
        try:
            return compose(
                Brief("Of colours"), writer=model, selector=model, library=colour_library, encoder="colour", out=out
            )
        finally:
            model.close()

    return make


def writes(article: str = TEXT, spots: str = "1: red\n2: blue\n", letter: str = "A") -> Answer:
    """A server that knows the three questions apart."""

    def answer(exchange: Exchange) -> None:
        text = str(exchange.body["messages"])
        if "logprobs" in exchange.body:
            exchange.say(letter, top=[(letter, -0.1), ("none", -3.0)])
        elif "The instruction:" in text:
            exchange.say(article)
        else:
            exchange.say(spots)

    return answer


def figures(article: Article) -> list[Figure]:
    return [block for block in article.blocks if isinstance(block, Figure)]


def test_article_by_a_served_model(made: Made, server: ScriptedServer) -> None:
    article = made(writes())
    assert article.title == "Colours"
    assert article.models == {"writer": "openai:m", "selector": "openai:m", "encoder": "colour"}
    assert [Path(str(figure.source)).name for figure in figures(article)] == ["red.png", "blue.png"]
    red, none = math.exp(-0.1), math.exp(-3.0)
    expected = red / (red + none + 3 * (1 - red - none))  # B, C and D are not named: no more than what is left
    assert figures(article)[0].confidence == pytest.approx(expected)
    pictures = [exchange for exchange in server.asked if "image_url" in str(exchange.body)]
    assert len(pictures) == 2  # one at each of two places


@pytest.mark.parametrize("text", [*HOSTILE, "# 颜色\n\n那一天一切都是红色的。", "Все было красным."])
def test_whatever_a_server_says_is_shown_as_text(made: Made, browser: Browser, tmp_path: Path, text: str) -> None:
    article = made(writes(f"# Colours {text}\n\nEverything was red.\n\n{text}\n", f"1: red {text}\n"))
    page = open_page(browser)
    page.show(tmp_path / "out" / "article.html")
    assert page.page.evaluate("window.pwned") is None
    assert page.happened == []
    assert page.page.evaluate("document.scripts.length") == 0
    assert figures(article)
    page.page.close()


@pytest.mark.parametrize("text", ["", "<script>alert(1)</script>", "我不明白。"])
def test_reply_of_no_use_leaves_a_place_empty_and_says_so(made: Made, text: str) -> None:
    def no_letter(exchange: Exchange) -> None:
        if "The candidates:" in str(exchange.body):
            exchange.say(text)
        else:
            writes()(exchange)

    article = made(no_letter)
    assert {figure.outcome for figure in figures(article)} == {"unparsed"}
    assert all("which is none of A, B, C, D, none" in figure.note for figure in figures(article))
    assert any("was not usable" in notice for notice in article.notices)


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "LIMNER_API_KEY"])
def test_key_stands_nowhere_though_the_server_repeats_it(
    made: Made,
    server: ScriptedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    variable: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-one-entirely")
    monkeypatch.setenv(variable, f" {KEY}\n")
    caplog.set_level(logging.DEBUG)
    failed: list[bool] = []
    answers = writes(TEXT.replace("that day", f"that {KEY} day"), f"1: red {KEY}\n2: blue\n")

    def repeats(exchange: Exchange) -> None:
        if len(failed) < 2:
            failed.append(True)
            exchange.fail(500, f"cannot do this for Bearer {KEY}")
        else:
            answers(exchange)

    made(repeats)
    assert {exchange.headers["authorization"] for exchange in server.asked} == {f"Bearer {KEY}"}
    everything = written(tmp_path / "out").decode("utf-8", "replace")
    assert "that [key] day" in everything and "calls.jsonl" in str(list((tmp_path / "out" / "run").iterdir()))
    assert KEY not in everything
    assert KEY not in caplog.text
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500])
def test_key_stands_in_no_error_and_no_traceback(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises((ServerFailed, ServerRefused)) as raised:
        made(lambda exchange: exchange.fail(status, f"not with {KEY} for Bearer%20{KEY}", retry_after="0"))
    shown = "".join(traceback.format_exception(raised.value))
    assert KEY not in shown and KEY not in repr(raised.value) and KEY not in raised.value.hint
    assert KEY.encode() not in written(tmp_path / "out")


def test_key_is_not_in_the_models_repr_nor_taken_from_a_line_that_is_none(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_API_KEY", KEY)
    model = load_model("openai:m", ModelOptions(base_url=server.base_url))
    assert isinstance(model, ServedModel)
    assert KEY not in repr(model) and KEY not in str(vars(model))
    model.close()
    monkeypatch.setenv("LIMNER_API_KEY", "sk-“quoted”-secret")
    with pytest.raises(ServerRefused, match="LIMNER_API_KEY holds characters") as raised:
        load_model("openai:m", ModelOptions(base_url=server.base_url))
    assert "quoted" not in str(raised.value)


STOPPED = """
import signal, sys
from limner.composer.models.load import load_model
from limner.composer.models.options import ModelOptions
from limner.composer.protocols import Message, Sampling

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background runner has it ignored
model = load_model("openai:m", ModelOptions(base_url=sys.argv[1]))
try:
    list(model.generate([Message("user", ("x",))], sampling=Sampling(9)))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("waits", ["for a reply", "to try again"])
def test_ctrl_c_ends_a_wait_at_once(server: ScriptedServer, waits: str) -> None:
    def hang(exchange: Exchange) -> None:
        if waits == "to try again":
            exchange.fail(429, "busy", retry_after="60")
        else:
            time.sleep(30)

    server.script = [hang]
    process = subprocess.Popen([sys.executable, "-c", STOPPED, server.base_url])
    until = time.monotonic() + 60
    while not server.asked and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert time.monotonic() - begin < 10  # a loaded machine ends a process slowly; the waits are 30 and 60 seconds
