"""Step 3b: one of the candidates, looking at all text and pictures that come before; "none fits" is an answer too.

A model of the general dialect reads the article so far, the caption and the candidates once, and its answers are
scored; nothing is generated. The article stands first and only grows from spot to spot, so that what is read of it
stays read. A dialect with a `choose` prompt is of a small model that first says what it sees in each candidate and
answers after that: the look is what makes it choose by context at all (training/LOG.md); it is kept in run/calls.jsonl.
A model of the paper's formats has no answer for "none fits": it always takes one.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .article import Candidates, Choice, Draft, Fallback
from .errors import ReplyInvalid
from .markdown import plain_text, repeats_title
from .paper_formats import choice_opening, in_paper_format
from .prompts import has_prompt, render_prompt
from .protocols import Message, Model, Sampling

LETTERS = string.ascii_uppercase
MAX_CANDIDATES = len(LETTERS)
NONE = "none"
CUT = "[…]"
LOOK_TOKENS = 24  # for each candidate, and once more for the article
ANSWER_TOKENS = 64  # the question for the letter, and the letter
LOWEST = -20.0  # the log-probability of an answer that one of several readings gave none


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice at a spot, and how much of the context had to be cut for it."""

    choice: Choice
    cut_items: int = 0


def select(
    draft: Draft,
    placed: Mapping[int, Path],
    candidates: Candidates,
    model: Model,
    *,
    permutations: int = 1,
    fallback: Fallback = "skip",
    language: str | None = None,
) -> Selection:
    """Let the model score every candidate and "none", and take the most probable.

    Args:
        draft: the whole text; only what stands up to the spot is read.
        placed: block index to the picture that stands after it.
        candidates: at most 26 pictures.
        model: answers by `score`.
        permutations: how many rotations of the candidates it is asked about, at most one a candidate. Log-probabilities
            are averaged, so that what a model gives to a position whatever stands there is the same for all.
        fallback: "top1" takes the library's first candidate where the model finds that none fits, and says so. An
            answer that was not usable says nothing of the candidates: the place stays empty.
        language: the article's, for the prompts of a language of its own.

    Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1, image retrieval and selection; scored over the option
    letters in place of sampling one.
    """
    count = len(candidates.hits)
    if not count:
        return Selection(Choice(candidates, "no_candidates", None, ()))
    context, cut = _fitted(draft, placed, candidates, model, language)
    readings: list[list[float]] = []
    for shift in rotations(count, permutations):
        turned = replace(candidates, hits=candidates.hits[shift:] + candidates.hits[:shift])
        messages = _prompt(draft.title, context, turned, model.dialect, language)
        try:
            *scores, none = _asked_twice(messages, count, model, language)
        except ReplyInvalid as exc:
            return Selection(Choice(candidates, "unparsed", None, (), note=exc.message), cut)
        readings.append([*(scores[(i - shift) % count] for i in range(count)), none])
    *shares, none = _shares(readings)
    best = max(range(count), key=lambda i: (shares[i], -i))
    if none <= shares[best]:
        return Selection(Choice(candidates, "chosen", best, tuple(shares), none), cut)
    if fallback == "top1":
        return Selection(Choice(candidates, "fallback", 0, tuple(shares), none), cut)
    return Selection(Choice(candidates, "none_fit", None, tuple(shares), none), cut)


def rotations(count: int, permutations: int) -> list[int]:
    """By how many places the candidates are turned in each reading, spread evenly; never twice by the same."""
    number = max(1, min(permutations, count))
    return [count * i // number for i in range(number)]


def score_candidates(messages: Sequence[Message], count: int, model: Model, language: str | None = None) -> list[float]:
    """The log-probabilities of the letters of `count` candidates and of "none", which the paper's formats lack."""
    if has_prompt("choose", dialect=model.dialect):
        return look_and_score(messages, count, model)
    if in_paper_format(model.dialect):
        answers = [choice_opening(letter, language=language) for letter in LETTERS[:count]]
        return [*model.score(messages, answers), -math.inf]
    return model.score(messages, [*LETTERS[:count], NONE])


def look_and_score(messages: Sequence[Message], count: int, model: Model) -> list[float]:
    """The log-probabilities of the letters of `count` candidates and of "none", after a look at each in words."""
    look = up_to_last_line("".join(model.generate(messages, sampling=Sampling(_look_tokens(count)))), count)
    asked = [*messages, Message("assistant", (look,)), *render_prompt("choose", dialect=model.dialect)]
    return model.score(asked, [*LETTERS[:count], NONE])


def up_to_last_line(look: str, count: int) -> str:
    """A look without what follows the last candidate: a small model goes on to some that are not there."""
    last = re.search(rf"^\W*{LETTERS[count - 1]}\b.*$", look, re.MULTILINE)
    return look[: last.end()] if last else look


def fit_prompt(
    draft: Draft, placed: Mapping[int, Path], candidates: Candidates, model: Model
) -> tuple[list[Message], int]:
    """The prompt, cut in the middle of the old context where it would not fit; how many of its items were cut.

    The beginning of the article, the text right before the spot, the caption and the candidates are never cut. Where
    even these do not fit, the candidates stay and all of the context but the last item goes.
    """
    context, cut = _fitted(draft, placed, candidates, model)
    return _prompt(draft.title, context, candidates, model.dialect), cut


def _fitted(
    draft: Draft, placed: Mapping[int, Path], candidates: Candidates, model: Model, language: str | None = None
) -> tuple[list[dict[str, object]], int]:
    """The items of the context that fit, and how many do not."""
    items: list[dict[str, object]] = []
    for index in range(candidates.spot.after_block + 1):
        block = draft.blocks[index]
        if plain_text(block) and not repeats_title(block, draft.title):
            items.append({"text": block.markdown.strip(), "picture": None})
        if index in placed:
            items.append({"text": "", "picture": placed[index]})
    looks = has_prompt("choose", dialect=model.dialect)
    room = model.context_tokens - ANSWER_TOKENS - (_look_tokens(len(candidates.hits)) if looks else 0)

    def fits(removed: int) -> bool:
        messages = _prompt(draft.title, _without_middle(items, removed), candidates, model.dialect, language)
        return model.count_tokens(messages) <= room

    if not items or fits(0):
        return items, 0
    low, high = 0, len(items) - 1  # prompt(low) does not fit; prompt(high) keeps the last item alone
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle
    return _without_middle(items, high), high


def _asked_twice(messages: Sequence[Message], count: int, model: Model, language: str | None) -> list[float]:
    """The log-probabilities of the answers, asked for once more where the first reply is not usable.

    Raises:
        ReplyInvalid: neither reply is.
    """
    try:
        return _checked(score_candidates(messages, count, model, language))
    except ReplyInvalid:
        return _checked(score_candidates(messages, count, model, language))


def _checked(scores: list[float]) -> list[float]:
    """The scores, where they are log-probabilities; an answer may have none, as a server names the likeliest alone."""
    if any(math.isnan(score) or score == math.inf for score in scores):
        raise ReplyInvalid("the model gave one of the answers what is no probability")
    if not any(math.isfinite(score) for score in scores):
        raise ReplyInvalid("the model gave no probability to any of the answers")
    return scores


def _shares(readings: Sequence[Sequence[float]]) -> list[float]:
    """The probabilities of the answers: the softmax of their mean log-probability over the readings.

    A model's leaning to a position adds the same to whatever stands there. Over all rotations every candidate gets the
    same sum of it, which the softmax takes out; a mean of probabilities would keep a part.
    """
    means: list[float] = []
    for answer in zip(*map(_log_softmax, readings), strict=True):
        known = [score for score in answer if math.isfinite(score)]
        # One reading without this answer among the likeliest counts against it, and does not rule it out.
        total = sum(known) + LOWEST * (len(answer) - len(known))
        means.append(total / len(answer) if known else -math.inf)
    return [math.exp(score) for score in _log_softmax(means)]


def _log_softmax(scores: Sequence[float]) -> list[float]:
    highest = max(scores)
    total = highest + math.log(sum(math.exp(score - highest) for score in scores))
    return [score - total for score in scores]


def _look_tokens(count: int) -> int:
    return LOOK_TOKENS * (1 + count)


def _without_middle(items: Sequence[dict[str, object]], removed: int) -> list[dict[str, object]]:
    """The items without a run of `removed` of them, from the middle; the last one always stays."""
    if removed <= 0:
        return list(items)
    begin = min(max(1, (len(items) - removed) // 2), len(items) - 1 - removed)
    begin = max(0, begin)
    return [*items[:begin], {"text": CUT, "picture": None}, *items[begin + removed :]]


def _prompt(
    title: str,
    context: Sequence[dict[str, object]],
    candidates: Candidates,
    dialect: str,
    language: str | None = None,
) -> list[Message]:
    return render_prompt(
        "select",
        dialect=dialect,
        language=language,
        title=title,
        context=context,
        caption=candidates.spot.caption,
        candidates=[
            {"letter": letter, "picture": hit.image.path} for letter, hit in zip(LETTERS, candidates.hits, strict=False)
        ],
    )
