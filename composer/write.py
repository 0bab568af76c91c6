"""Step 1: an instruction to a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .article import Brief, Draft
from .markdown import one_line
from .prompts import render_prompt
from .protocols import Model, Sampling
from .replies import ask, read_article, room_for_reply

MAX_NEW_TOKENS = 4096
TEMPERATURE = 0.7
TITLE_LENGTH = 80  # characters of the instruction that stand in for a title where the writer gave none


def write(brief: Brief, model: Model, *, on_text: Callable[[str], None] | None = None) -> Draft:
    """The article's text; the same brief gives the same text.

    Raises:
        ReplyInvalid: the model twice replied with no article.

    Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1, text generation.
    """
    messages = render_prompt("write", instruction=brief.instruction, title=brief.title)
    sampling = Sampling(room_for_reply(model, messages, MAX_NEW_TOKENS), TEMPERATURE, top_p=0.9, seed=brief.seed)
    draft = ask(model, messages, sampling, lambda reply: read_article(reply, title=brief.title), on_text=on_text)
    return draft if draft.title else replace(draft, title=one_line(brief.instruction)[:TITLE_LENGTH])
