"""A model as judge: it reads an article whole, text and pictures in place, and grades it in the eight dimensions.

Each article is read by itself, so that nothing tells which system made it, and several times with other draws. What
cannot be read as grades is asked for once more and then counted; no grade is made up.

Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.2 and table A14; the answer is JSON here.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..composer.article import Figure
from ..composer.batch.lockstep import Share
from ..composer.batch.threads import in_threads
from ..composer.errors import ContentRefused, ContextExceeded, ModelUnfit, ReplyInvalid
from ..composer.markdown import one_line, plain_text, repeats_title
from ..composer.models.passing import Passing
from ..composer.prompts import has_prompt, render_prompt, reply_schema
from ..composer.protocols import Message, Model, Pinned, Sampling, reads_pictures
from ..composer.replies import ask, json_in
from .entries import Entry, instruction_of
from .records import Keeper
from .rubric import DIMENSIONS, KEYS, LEVELS, Level
from .verdicts import Outcome, Verdict

REPEATS = 3  # of the paper
TEMPERATURE = 0.7  # without any, all repeats would be one
MAX_NEW_TOKENS = 1600  # eight reasons of a sentence or two
MIN_NEW_TOKENS = 256  # with less room the eight cannot be told
_AGAIN_TOKENS = 64  # the question for another answer
_STEP, _DIALECT = "judge", "limner"
_KEPT_CHARACTERS = 500  # of a reply that could not be read
Progress = Callable[[int, int], None]  # done, of all


class _Grade(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    reason: str = ""
    grade: Level


_GRADES = TypeAdapter(dict[str, _Grade])


def asked_for(model: Model, *, seed: int) -> dict[str, Any]:
    """All that verdicts depend on beside the article and the repeat, for `keep_records`."""
    prompt = [_prompt(model.dialect, instruction="", title="", article=[]), _schema(model.dialect)]
    return {
        "evaluation": _STEP,
        "judge": model.name,
        "revision": model.revision if isinstance(model, Pinned) else "",
        "seed": seed,
        "prompt": hashlib.sha256(repr(prompt).encode()).hexdigest(),
    }


def judge(
    entries: Sequence[Entry],
    model: Model,
    keeper: Keeper[Verdict],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> list[Verdict]:
    """The verdicts on entries, in their order, each with its repeats; those that the keeper has are not asked for.

    jobs is how many readings are under way at a time: more than one for a model that several threads may ask, as they
    may a server's. They are kept as they come, and are the same however many there are.

    Raises:
        ModelUnfit: the model reads no pictures.
        LimnerError: whatever keeps the model from answering at all.
    """
    if not reads_pictures(model):
        raise ModelUnfit(
            f"{model.name} reads no pictures, and a judge looks at them", "name one that does (`limner models list`)"
        )
    wanted = [(entry, repeat) for entry in entries for repeat in range(1, repeats + 1)]
    verdicts = [keeper.get(entry.id, _rater(repeat)) for entry, repeat in wanted]
    missing = [place for place, verdict in enumerate(verdicts) if verdict is None]
    readings = [partial(_verdict, *wanted[place], model, seed) for place in missing]
    done = len(wanted) - len(missing)
    progress(done, len(wanted))
    with closing(in_threads(readings, jobs)) as finished:
        for number, reading in finished:
            verdict = verdicts[missing[number]] = reading.result()
            keeper.add(verdict)
            done += 1
            progress(done, len(wanted))
    return [verdict for verdict in verdicts if verdict is not None]


def show(entry: Entry, dialect: str) -> list[Message]:
    """The prompt: what was asked for, the article with its pictures as a reader sees it, and the eight questions."""
    title = one_line(entry.article.title)
    items: list[dict[str, object]] = []
    for block in entry.article.blocks:
        if isinstance(block, Figure):
            if block.image is not None:
                items.append({"text": one_line(block.caption), "picture": entry.folder / block.image})
        elif plain_text(block) and not repeats_title(block, title):
            items.append({"text": block.markdown.strip(), "picture": None})
    return _prompt(dialect, instruction=instruction_of(entry.article), title=title, article=items)


def read_grades(reply: str) -> tuple[dict[str, int], dict[str, str]]:
    """The eight grades of a reply, and the reasons for them.

    Raises:
        ReplyInvalid: no JSON of the form asked for, a dimension that is missing, or a grade that is none of the levels.
    """
    value = json_in(reply)
    if not isinstance(value, dict):
        raise ReplyInvalid("it is not JSON of the form asked for")
    if missing := [key for key in KEYS if key not in value]:
        raise ReplyInvalid(f"it has no {', '.join(missing)}")
    try:
        grades = _GRADES.validate_python({key: value[key] for key in KEYS})
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_context=False)[0]
        raise ReplyInvalid(f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}") from exc
    return (
        {key: found.grade for key, found in grades.items()},
        {key: one_line(found.reason) for key, found in grades.items()},
    )


def _verdict(entry: Entry, repeat: int, model: Model, seed: int, share: Share) -> Verdict:
    metered = _Metered(share(model))
    outcome: Outcome = "graded"
    grades, reasons, note = dict[str, int](), dict[str, str](), ""
    began = time.monotonic()
    try:
        grades, reasons = _asked(entry, metered, repeat, seed)
    except ReplyInvalid as exc:
        outcome, note = "unparsed", exc.message
    except ContextExceeded as exc:
        outcome, note = "too_long", exc.message
    except ContentRefused as exc:
        outcome, note = "refused", exc.message
    return Verdict(
        entry.id,
        _rater(repeat),
        outcome,
        grades,
        reasons,
        one_line(note),
        tuple(one_line(reply)[:_KEPT_CHARACTERS] for reply in metered.replies) if outcome == "unparsed" else (),
        metered.calls,
        metered.prompt_tokens,
        sum(metered.tokens_of(reply) for reply in metered.replies),
        round(time.monotonic() - began, 3),
    )


def _asked(entry: Entry, model: _Metered, repeat: int, seed: int) -> tuple[dict[str, int], dict[str, str]]:
    messages = show(entry, model.dialect)
    tokens = model.count_tokens(messages)
    # A reply that cannot be read stands in the second prompt, before another one of its length.
    room = min(MAX_NEW_TOKENS, (model.context_tokens - tokens - _AGAIN_TOKENS) // 2)
    if room < MIN_NEW_TOKENS:
        raise ContextExceeded(
            f"the article makes a prompt of about {tokens:,} tokens, and {model.name} takes {model.context_tokens:,}"
        )
    draw = hashlib.sha256(f"{seed} {entry.id} {repeat}".encode()).digest()
    sampling = Sampling(room, TEMPERATURE, seed=int.from_bytes(draw[:4]) // 2)
    return ask(model, messages, sampling, read_grades, schema=_schema(model.dialect))


def _prompt(dialect: str, **values: Any) -> list[Message]:
    """The question: in the general dialect where the model's own has none."""
    return render_prompt(
        _STEP,
        dialect=dialect if has_prompt(_STEP, dialect=dialect) else _DIALECT,
        dimensions=DIMENSIONS,
        levels=LEVELS,
        **values,
    )


def _schema(dialect: str) -> dict[str, Any] | None:
    """The form of the reply. A model whose dialect knows no such task is not held to it: that would make grades of
    whatever it has to say.
    """
    return reply_schema(_STEP, dialect=dialect, dimensions=DIMENSIONS, levels=LEVELS)


def _rater(repeat: int) -> str:
    return f"reading {repeat}"


@dataclass(slots=True)
class _Metered(Passing):
    """A model that counts what it is asked, and remembers what it replied."""

    model: Model
    calls: int = 0
    prompt_tokens: int = 0
    replies: list[str] = field(default_factory=list)

    def generate(
        self, messages: Sequence[Message], *, sampling: Sampling, schema: Mapping[str, Any] | None = None
    ) -> Iterator[str]:
        self.calls += 1
        self.prompt_tokens += self.model.count_tokens(messages)
        pieces: list[str] = []
        try:
            for piece in self.model.generate(messages, sampling=sampling, schema=schema):
                pieces.append(piece)
                yield piece
        finally:
            self.replies.append("".join(pieces))

    def score(self, messages: Sequence[Message], answers: Sequence[str]) -> list[float]:
        return self.model.score(messages, answers)

    def tokens_of(self, reply: str) -> int:
        """The tokens of a reply alone, without those that a chat puts around a turn."""
        with_text, without = ([Message("user", (text,))] for text in (reply, ""))
        return max(0, self.model.count_tokens(with_text) - self.model.count_tokens(without))
