"""Rows in lockstep: what is asked together, and that one row's fault stays with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from limner.composer.batch.lockstep import Lockstep, ManyModel, Share, Stopped
from limner.composer.errors import ReplyInvalid
from limner.composer.protocols import Message, Model, Sampling


class Echo:
    """Answers with what it is asked; remembers which prompts stood in each pass."""

    name = "echo"
    dialect = "limner"
    context_tokens = 100
    revision = "abc"

    def __init__(self, *, fails_at: str = "", fault: BaseException | None = None) -> None:
        self.passes: list[tuple[str, list[str]]] = []
        self.fails_at = fails_at
        self.fault = fault or ReplyInvalid("cannot")

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(messages)

    def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Iterator[str]:
        raise AssertionError("asked alone")

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        raise AssertionError("asked alone")

    def generate_many(self, prompts: Any, samplings: Any, schemas: Any) -> list[str]:
        return self._pass(
            "generate",
            prompts,
            [f"{_text(p)}:{s.seed}:{h}" for p, s, h in zip(prompts, samplings, schemas, strict=True)],
        )

    def score_many(self, prompts: Any, answers: Any) -> list[list[float]]:
        return self._pass("score", prompts, [[float(len(a)) for a in row] for row in answers])

    def _pass(self, kind: str, prompts: Any, answers: Any) -> Any:
        texts = [_text(prompt) for prompt in prompts]
        self.passes.append((kind, texts))
        if self.fails_at and self.fails_at in texts:
            raise self.fault
        return answers


def _text(prompt: Sequence[Message]) -> str:
    return str(prompt[0].parts[0])


def said(model: Model, text: str, *, tokens: int = 10, seed: int = 0) -> str:
    return "".join(model.generate([Message("user", (text,))], sampling=Sampling(tokens, seed=seed)))


def asks(echo: Echo, *texts: str, pause_s: float = 0.0) -> Callable[[Share], list[str]]:
    def work(share: Share) -> list[str]:
        model = share(echo)
        answers: list[str] = []
        for text in texts:
            time.sleep(pause_s)
            answers.append(said(model, text))
        return answers

    return work


def test_each_pass_has_the_questions_of_all_rows_that_run() -> None:
    echo = Echo()
    done = Lockstep().run([asks(echo, "a1", "a2", "a3"), asks(echo, "b1", pause_s=0.05), asks(echo, "c1", "c2")])

    assert isinstance(echo, ManyModel)
    assert [texts for _, texts in echo.passes] == [["a1", "b1", "c1"], ["a2", "c2"], ["a3"]]
    assert [future.result() for future in done] == [
        ["a1:0:None", "a2:0:None", "a3:0:None"],
        ["b1:0:None"],
        ["c1:0:None", "c2:0:None"],
    ]


@pytest.mark.parametrize("slow", range(3))
def test_passes_do_not_depend_on_how_fast_a_row_is(slow: int) -> None:
    echo = Echo()
    Lockstep().run([asks(echo, f"{row}1", f"{row}2", pause_s=0.05 * (row == slow)) for row in range(3)])

    assert [texts for _, texts in echo.passes] == [["01", "11", "21"], ["02", "12", "22"]]


def test_seeds_schemas_and_scores_come_back_to_their_rows() -> None:
    echo = Echo()

    def work(share: Share) -> object:
        model: Any = share(echo)
        reply = "".join(
            model.generate([Message("user", ("x",))], sampling=Sampling(5, seed=7), schema={"type": "null"})
        )
        return reply, model.score([Message("user", ("x",))], ["a", "none"]), model.revision, model.count_tokens([])

    [done] = Lockstep().run([work])
    assert done.result() == ("x:7:{'type': 'null'}", [1.0, 4.0], "abc", 0)


def test_a_row_that_asks_again_catches_up_before_the_others_go_on() -> None:
    echo = Echo()

    def work(name: str, *, again: bool) -> Callable[[Share], None]:
        def row(share: Share) -> None:
            model = share(echo)
            said(model, f"{name} writes", tokens=1000)
            if again:
                said(model, f"{name} writes again", tokens=990)
            said(model, f"{name} looks", tokens=50)
            model.score([Message("user", (f"{name} scores",))], ["a"])

        return row

    Lockstep().run([work("a", again=True), work("b", again=False)])
    assert echo.passes == [
        ("generate", ["a writes", "b writes"]),
        ("generate", ["a writes again"]),
        ("generate", ["a looks", "b looks"]),
        ("score", ["a scores", "b scores"]),
    ]


def test_a_fault_ends_up_with_the_row_that_has_it() -> None:
    echo = Echo(fails_at="3")
    done = Lockstep().run([asks(echo, str(row), f"{row} again") for row in range(5)])

    faults = [future.exception() for future in done]
    assert [isinstance(fault, ReplyInvalid) for fault in faults] == [False, False, False, True, False]
    assert echo.passes[-1] == ("generate", ["0 again", "1 again", "2 again", "4 again"])


def test_an_interrupt_stops_every_row_at_its_question() -> None:
    echo = Echo(fails_at="1", fault=KeyboardInterrupt())
    began: list[int] = []

    def work(share: Share) -> None:
        began.append(1)
        try:
            said(share(echo), "1")
        except Stopped:
            began.append(-1)
            raise

    with pytest.raises(KeyboardInterrupt):
        Lockstep().run([work, work, work])
    assert sorted(began) == [-1, -1, -1, 1, 1, 1]


def test_two_models_are_asked_in_passes_of_their_own() -> None:
    writer, selector = Echo(), Echo()

    def work(share: Share) -> None:
        said(share(writer), "w")
        share(selector).score([Message("user", ("s",))], ["a"])

    Lockstep().run([work, work])
    assert writer.passes == [("generate", ["w", "w"])]
    assert selector.passes == [("score", ["s", "s"])]


def test_a_model_that_answers_one_at_a_time_is_not_shared() -> None:
    class Single:
        name = "single"

    single: Any = Single()
    [done] = Lockstep().run([lambda share: share(single)])
    assert done.result() is single
