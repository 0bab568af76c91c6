"""Rows that share a local model: each runs in its own thread, and what they ask together is answered in one pass.

The model is asked only when every row that still runs waits for it. So which questions stand in a batch does not depend
on how fast a thread is, and the same rows give the same bytes. Knows nothing of briefs or articles.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from ..models.passing import Passing
from ..protocols import Message, Model, Sampling

T = TypeVar("T")
Share = Callable[[Model], Model]  # a model, to the model that one row of the group asks in its place


@runtime_checkable
class ManyModel(Protocol):
    """A model that answers several prompts in one pass, each as it would answer it alone."""

    def generate_many(
        self,
        prompts: Sequence[Sequence[Message]],
        samplings: Sequence[Sampling],
        schemas: Sequence[Mapping[str, Any] | None],
    ) -> list[str]:
        """The whole reply to each prompt, held to its JSON schema where it has one."""
        ...

    def score_many(self, prompts: Sequence[Sequence[Message]], answers: Sequence[Sequence[str]]) -> list[list[float]]:
        """For each prompt the log-probabilities of its answers."""
        ...


class Stopped(Exception):
    """The batch was stopped while a row waited for its answer."""


@dataclass(slots=True, eq=False)
class _Question:
    """What a row waits for."""

    model: Model
    kind: str  # "generate" or "score"
    messages: Sequence[Message]
    detail: Any  # a Sampling, or the answers
    schema: Mapping[str, Any] | None = None
    answer: Future[Any] = field(default_factory=Future)


class Lockstep:
    """One group of rows, and the order in which what they ask is answered."""

    def __init__(self) -> None:
        self._running = 0
        self._waiting: dict[int, _Question] = {}  # by row
        self._asked: list[_Question] = []  # those that are being answered
        self._changed = threading.Condition()
        self._counting = threading.Lock()  # a tokenizer serves one thread at a time
        self._stopped = False

    def run(self, work: Sequence[Callable[[Share], T]]) -> list[Future[T]]:
        """Do each piece of work in a thread of its own; return when all are done, with what each gave or raised.

        A piece is given the way from a model to the one that it is to ask: models that answer many prompts in one pass
        are shared, others are as they were. Ctrl-C ends the pieces at their next question.
        """
        self._running = len(work)
        with ThreadPoolExecutor(len(work) or 1) as threads, ThreadPoolExecutor(1) as one:
            try:
                done = [threads.submit(self._piece, piece, row) for row, piece in enumerate(work)]
                while questions := self._next():
                    self._answer(questions, one)
            except BaseException:
                self._stop()
                raise
        return done

    def ask(self, row: int, question: _Question) -> Any:
        """Hand in a row's question and wait for the answer; called in the row's thread."""
        with self._changed:
            if self._stopped:
                raise Stopped
            self._waiting[row] = question
            self._changed.notify_all()
        return question.answer.result()

    def count_tokens(self, model: Model, messages: Sequence[Message]) -> int:
        """As the model does; for one row at a time."""
        with self._counting:
            return model.count_tokens(messages)

    def _piece(self, piece: Callable[[Share], T], row: int) -> T:
        def share(model: Model) -> Model:
            return _Shared(self, row, model) if isinstance(model, ManyModel) else model

        try:
            return piece(share)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _next(self) -> list[_Question]:
        """The questions of the next pass, in the order of rows, once every row that runs has one; none at the end."""
        with self._changed:
            while len(self._waiting) < self._running:
                self._changed.wait()
            self._asked = [self._waiting.pop(row) for row in _together(self._waiting)]
            return self._asked

    def _answer(self, questions: Sequence[_Question], one: ThreadPoolExecutor) -> None:
        """Answer all in one pass; where it fails, each half in one, so that a fault ends with the row that has it."""
        # In a thread of its own: what it raises, of whatever kind, is then a value, and Ctrl-C reaches this one.
        answers = one.submit(_pass, questions)
        fault = answers.exception()
        if fault is None:
            for question, answer in zip(questions, answers.result(), strict=True):
                question.answer.set_result(answer)
        elif not isinstance(fault, Exception):
            raise fault
        elif len(questions) == 1:
            questions[0].answer.set_exception(fault)
        else:
            middle = len(questions) // 2
            self._answer(questions[:middle], one)
            self._answer(questions[middle:], one)

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            for question in (*self._waiting.values(), *self._asked):
                if not question.answer.done():
                    question.answer.set_exception(Stopped())
            self._waiting.clear()


def _pass(questions: Sequence[_Question]) -> list[Any]:
    model, kind = questions[0].model, questions[0].kind
    assert isinstance(model, ManyModel)
    prompts, details = [q.messages for q in questions], [q.detail for q in questions]
    if kind == "score":
        return list(model.score_many(prompts, details))
    return list(model.generate_many(prompts, details, [question.schema for question in questions]))


def _together(waiting: dict[int, _Question]) -> list[int]:
    """The rows whose questions are answered in the next pass: of one model, and of one kind.

    A row that asks something again falls behind the others. It catches up while they wait: replies come before scores,
    and long replies, which belong to earlier steps, before short ones. Else every later step would take as long as the
    longest reply in the batch.
    """
    replies = {row: question.detail.max_new_tokens for row, question in waiting.items() if question.kind == "generate"}
    if not replies:
        first = waiting[min(waiting)].model if waiting else None
        return sorted(row for row, question in waiting.items() if question.model is first)
    longest = max(sorted(replies), key=lambda row: replies[row])
    return sorted(
        row
        for row, tokens in replies.items()
        if 3 * tokens > 2 * replies[longest] and waiting[row].model is waiting[longest].model
    )


@dataclass(frozen=True, slots=True)
class _Shared(Passing):
    """A model as one row of a group has it."""

    group: Lockstep
    row: int
    model: Model

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return self.group.count_tokens(self.model, messages)

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        yield self.group.ask(self.row, _Question(self.model, "generate", messages, sampling, schema))

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        return self.group.ask(self.row, _Question(self.model, "score", messages, answers))
