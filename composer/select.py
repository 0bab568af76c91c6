"""Step 3b: one of the candidates, looking at all text and pictures that come before; "none fits" is an answer too.

The model first says what it sees in each candidate, then its answers are scored. The look is what makes small models
choose by context at all (training/LOG.md), and it is kept in run/calls.jsonl for whoever asks why.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .article import Candidates, Choice, Draft
from .errors import ReplyInvalid
from .markdown import plain_text, repeats_title
from .prompts import render_prompt
from .protocols import Message, Model, Sampling

LETTERS = string.ascii_uppercase
MAX_CANDIDATES = len(LETTERS)
NONE = "none"
CUT = "[…]"
LOOK_TOKENS = 24  # for each candidate, and once more for the article
ANSWER_TOKENS = 64  # the question for the letter, and the letter


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice at a spot, and how much of the context had to be cut for it."""

    choice: Choice
    cut_items: int = 0


def select(draft: Draft, placed: Mapping[int, Path], candidates: Candidates, model: Model) -> Selection:
    """Let the model look, score every candidate and "none" after that, and take the most probable.

    Args:
        draft: the whole text; only what stands up to the spot is read.
        placed: block index to the picture that stands after it.
        candidates: at most 26 pictures.
        model: looks by `generate`, answers by `score`.

    Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1, image retrieval and selection; scored over the option
    letters in place of sampling one.
    """
    if not candidates.hits:
        return Selection(Choice(candidates, "no_candidates", None, ()))
    messages, cut = fit_prompt(draft, placed, candidates, model)
    note = ""
    for _ in range(2):
        try:
            *shares, none = _softmax(look_and_score(messages, len(candidates.hits), model))
        except ReplyInvalid as exc:
            note = exc.message
            continue
        best = max(range(len(shares)), key=lambda i: (shares[i], -i))
        if none > shares[best]:
            return Selection(Choice(candidates, "none_fit", None, tuple(shares), none), cut)
        return Selection(Choice(candidates, "chosen", best, tuple(shares), none), cut)
    return Selection(Choice(candidates, "unparsed", None, (), note=note), cut)


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
    items: list[dict[str, object]] = []
    for index in range(candidates.spot.after_block + 1):
        block = draft.blocks[index]
        if plain_text(block) and not repeats_title(block, draft.title):
            items.append({"text": block.markdown.strip(), "picture": None})
        if index in placed:
            items.append({"text": "", "picture": placed[index]})
    room = model.context_tokens - _look_tokens(len(candidates.hits)) - ANSWER_TOKENS

    def prompt(removed: int) -> list[Message]:
        return _prompt(draft.title, _without_middle(items, removed), candidates, model.dialect)

    if not items or model.count_tokens(prompt(0)) <= room:
        return prompt(0), 0
    low, high = 0, len(items) - 1  # prompt(low) does not fit; prompt(high) keeps the last item alone
    while high - low > 1:
        middle = (low + high) // 2
        if model.count_tokens(prompt(middle)) <= room:
            high = middle
        else:
            low = middle
    return prompt(high), high


def _look_tokens(count: int) -> int:
    return LOOK_TOKENS * (1 + count)


def _without_middle(items: Sequence[dict[str, object]], removed: int) -> list[dict[str, object]]:
    """The items without a run of `removed` of them, from the middle; the last one always stays."""
    if removed <= 0:
        return list(items)
    begin = min(max(1, (len(items) - removed) // 2), len(items) - 1 - removed)
    begin = max(0, begin)
    return [*items[:begin], {"text": CUT, "picture": None}, *items[begin + removed :]]


def _prompt(title: str, context: Sequence[dict[str, object]], candidates: Candidates, dialect: str) -> list[Message]:
    return render_prompt(
        "select",
        dialect=dialect,
        title=title,
        context=context,
        caption=candidates.spot.caption,
        candidates=[
            {"letter": letter, "picture": hit.image.path} for letter, hit in zip(LETTERS, candidates.hits, strict=False)
        ],
    )


def _softmax(scores: Sequence[float]) -> list[float]:
    if any(math.isnan(score) or score == math.inf for score in scores) or max(scores) == -math.inf:
        raise ReplyInvalid("the model gave no probability to one of the answers")
    highest = max(scores)
    weights = [math.exp(score - highest) for score in scores]
    return [weight / sum(weights) for weight in weights]
