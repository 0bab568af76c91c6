"""Step 1: an instruction to a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from .article import Brief, Draft
from .markdown import one_line, plain_text
from .prompts import render_prompt
from .protocols import Model, Sampling
from .replies import ask, read_article, room_for_reply

MAX_NEW_TOKENS = 4096
TEMPERATURE = 0.5
SEED_STEP = 1_000  # beyond the next seed, which a reply that does not parse is asked for again with
SENTENCE_LENGTH = 12  # characters; "He laughed." may well come twice
TITLE_LENGTH = 80  # characters of the instruction that stand in for a title where the writer gave none

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+|\n+|(?<=[。？！])")


def write(brief: Brief, model: Model, *, on_text: Callable[[str], None] | None = None) -> Draft:
    """The article's text; the same brief gives the same text.

    Small models fall into saying a sentence again: such an article is written a second time, with another seed, and the
    one that says less twice is taken.

    Raises:
        ReplyInvalid: the model twice replied with no article.

    Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1, text generation.
    """
    messages = render_prompt("write", dialect=model.dialect, instruction=brief.instruction, title=brief.title)
    sampling = Sampling(room_for_reply(model, messages, MAX_NEW_TOKENS), TEMPERATURE, top_p=0.9, seed=brief.seed)
    draft = ask(model, messages, sampling, lambda reply: read_article(reply, title=brief.title), on_text=on_text)
    if said_twice(draft):
        other = replace(sampling, seed=sampling.seed + SEED_STEP)
        again = ask(model, messages, other, lambda reply: read_article(reply, title=brief.title))
        draft = min(draft, again, key=lambda candidate: len(said_twice(candidate)))
    return draft if draft.title else replace(draft, title=one_line(brief.instruction)[:TITLE_LENGTH])


def said_twice(draft: Draft) -> list[str]:
    """The sentences that an article has more than once; a few words alone are no sentence."""
    text = "\n".join(plain_text(block) for block in draft.blocks if block.kind == "paragraph")
    sentences = [sentence.strip().lower() for sentence in _SENTENCE_END.split(text)]
    return sorted({s for s in sentences if len(s) >= SENTENCE_LENGTH and sentences.count(s) > 1})
