"""Which answer a served model gave: out of the log-probabilities of its first token, or out of what it wrote."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

_THOUGHT = re.compile(r"^\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_AROUND = " \t\r\n\"'`*_.,:;()[]{}<>#-▁Ġ"  # marks around an answer; the last two are spaces inside tokens
_STATED = re.compile(r"\banswer\b(?:\s+is)?\W+(\w+)", re.IGNORECASE)


def answer_schema(answers: Sequence[str]) -> dict[str, Any]:
    """The JSON schema that holds a reply to one of the answers."""
    return {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(answers)}},
        "required": ["answer"],
        "additionalProperties": False,
    }


def scores_of(tokens: Iterable[tuple[str, float]], answers: Sequence[str]) -> list[float] | None:
    """The log-probability of each answer, or None where no token begins an answer.

    Args:
        tokens: the most probable first tokens of the reply with their natural-log probabilities, as many as the server
            gives. With or without a space before, upper or lower case: all are the same answer, and their probabilities
            are summed. A longer answer ("none") is told by its first token.
        answers: what to look for.

    An answer that is not among the tokens gets the most that it can have: no more than the least probable token that
    the server named, and no more than what all named tokens leave.
    """
    found = dict.fromkeys(answers, 0.0)
    least, named = 1.0, 0.0
    for token, log_probability in tokens:
        probability = math.exp(min(log_probability, 0.0))
        least, named = min(least, probability), named + probability
        answer = begun(token, answers)
        if answer is not None:
            found[answer] += probability
    if not any(found.values()):
        return None
    left = max(min(least, 1.0 - named), 1e-12)
    return [math.log(found[answer] or left) for answer in answers]


def begun(token: str, answers: Sequence[str]) -> str | None:
    """The answer that a reply's first token is, or is the beginning of; None for another or for more than one."""
    text = token.strip(_AROUND).casefold()
    if not text:
        return None
    whole = [answer for answer in answers if answer.casefold() == text]
    near = whole or [answer for answer in answers if answer.casefold().startswith(text)]
    return near[0] if len(near) == 1 else None


def answer_in(reply: str, answers: Sequence[str]) -> str | None:
    """The one answer that a written reply gives, or None: "B", "(b).", "**B**: the dog", '{"answer": "B"}'.

    Answers that are all longer than a letter may go on: "The B image." is "The B".
    """
    text = without_thought(reply).strip()
    value = json_in(text)
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, str):
        text = value
    by_name = {answer.casefold(): answer for answer in answers}
    if whole := by_name.get(text.strip(_AROUND).casefold()):
        return whole
    if all(len(folded) > 1 for folded in by_name):
        begun_so = [answer for folded, answer in by_name.items() if _begins(text.casefold(), folded)]
        return begun_so[0] if len(begun_so) == 1 else None
    # "A" alone begins many sentences; "A:", "A." and "A)" do not.
    first = re.match(r"[\s\"'`*_(\[]*(\w+)[\"'`*_]*\s*[.:)\]\n]", text)
    if first and (answer := by_name.get(first[1].casefold())):
        return answer
    stated = {by_name.get(word.casefold()) for word in _STATED.findall(text)} - {None}
    return stated.pop() if len(stated) == 1 else None


def _begins(text: str, answer: str) -> bool:
    return re.match(re.escape(answer) + r"(?![a-z0-9])", text.lstrip(_AROUND)) is not None


def without_thought(reply: str) -> str:
    """A reply without the thinking that some models put before it."""
    return _THOUGHT.sub("", reply, count=1)


def json_in(text: str) -> Any:
    """The JSON value that a reply is, with or without a fence around it, or None."""
    inside = re.sub(r"\A\s*```\w*\s*\n|\n?\s*```\s*\Z", "", text)
    try:
        return json.loads(inside)
    except ValueError:
        return None
