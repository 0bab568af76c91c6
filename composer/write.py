"""Step 1: a brief to a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .article import Brief, Draft, Material
from .errors import BriefInvalid, ReplyInvalid
from .language import language_name, other_language, without_spaces
from .markdown import one_line, plain_text
from .outline import missing_sections, to_markdown
from .paper_formats import in_paper_format, paragraphs_apart
from .prompts import read_by, render_prompt
from .protocols import Message, Model, Sampling, reads_pictures
from .references import reference_hits, words_of
from .replies import ask, read_article, room_for_reply

MAX_NEW_TOKENS = 4096
MIN_NEW_TOKENS = 256  # a prompt that leaves less than this is refused; an eighth of the context where that is less
TEMPERATURE = 0.5
TOP_P = 0.9
SEED_STEP = 1_000  # beyond the next seed, which a reply that does not parse is asked for again with
SENTENCE_LENGTH = 12  # characters; "He laughed." may well come twice
TITLE_LENGTH = 80  # characters of the instruction that stand in for a title where the writer gave none
# Words of an article, and characters where a language has no spaces.
LENGTHS = {"short": (300, 500), "medium": (700, 1_200), "long": (1_500, 2_500)}
WORDS_IN_PARAGRAPH = 100
CHARACTERS_IN_PARAGRAPH = 170
TOKENS_IN_WORD = 2  # more than in most texts: room for the answer is kept by it
CUT = "[…]"
PLAIN = frozenset({"instruction", "title"})  # all that the prompts of a small model may read
_STEPS = 12  # halvings of what is kept of the material

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+|\n+|(?<=[。？！])")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def write(brief: Brief, model: Model, *, on_text: Callable[[str], None] | None = None) -> Draft:
    """The article's text; the same brief gives the same text.

    It is written a second time, and the better one taken, where it is not what was asked for (the reason is told) and
    where it says a sentence again, as small models fall into (with another seed).

    Raises:
        BriefInvalid: the brief does not fit the model's context.
        ReplyInvalid: the model twice replied with no article.

    Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1, text generation.
    """
    messages, _ = fit_prompt(brief, model)
    sampling = Sampling(
        room_for_reply(model, messages, _new_tokens(brief)),
        TEMPERATURE if brief.temperature is None else brief.temperature,
        top_p=TOP_P if brief.top_p is None else brief.top_p,
        seed=brief.seed,
    )

    def read(reply: str) -> Draft:
        text = paragraphs_apart(reply) if in_paper_format(model.dialect) else reply
        return read_article(text, title=brief.title)

    draft = ask(model, messages, sampling, read, on_text=on_text)
    other = replace(sampling, seed=sampling.seed + SEED_STEP)
    if (reason := _told(brief, draft, model)) is not None:
        again = [*messages, Message("assistant", (draft.markdown,)), *reason]
        room = room_for_reply(model, again, sampling.max_new_tokens)
        if room < min(_least(model), sampling.max_new_tokens):  # then without the first text and the reason
            again, room = messages, sampling.max_new_tokens
        draft = _better(brief, draft, lambda: ask(model, again, replace(other, max_new_tokens=room), read))
    elif said_twice(draft):
        draft = _better(brief, draft, lambda: ask(model, messages, other, read))
    if draft.title:
        return draft
    about = subject(brief) or brief.material[0].name
    return replace(draft, title=one_line(about)[:TITLE_LENGTH])


def subject(brief: Brief) -> str:
    """What the article is about, in the form that a writer understands who reads an instruction and nothing else."""
    parts = [brief.instruction, ", ".join(brief.keywords), to_markdown(brief.outline)]
    return "\n".join(part for part in parts if part) or brief.title or ""


def prompt_notices(brief: Brief, model: Model) -> list[str]:
    """What the writer does not get to see, or not whole."""
    _, notices = fit_prompt(brief, model)
    return notices


def draft_notices(brief: Brief, draft: Draft, model: Model) -> list[str]:
    """In what the text is not as it was asked for."""
    known = read_by("write", dialect=model.dialect, language=brief.language)
    notices: list[str] = []
    if "outline" in known and (missing := missing_sections(draft, brief.outline)):
        notices.append(f"the article lacks these headings of the outline, or has them elsewhere: {'; '.join(missing)}")
    if brief.language and (found := other_language(_texts(draft), brief.language)):
        notices.append(f"the article is in {found}, and was asked for in {language_name(brief.language)}")
    if (wanted := _wanted_length(brief)) is not None:
        length, unit = length_of(draft, brief.language), "characters" if without_spaces(brief.language) else "words"
        if not wanted / 2 <= length <= wanted * 2:
            notices.append(f"the article has {length:,} {unit}, and about {wanted:,} were asked for")
    return notices


def fit_prompt(brief: Brief, model: Model) -> tuple[list[Message], list[str]]:
    """The writer's prompt, and what had to be left out of it.

    Material that does not fit the context is cut in its middle; pictures that do not are told in words.

    Raises:
        BriefInvalid: the rest of the brief does not fit.
    """
    known = read_by("write", dialect=model.dialect, language=brief.language)
    notices = _not_read(brief, model, known)
    if not subject(brief) and "material" not in known:
        raise BriefInvalid(f"{model.name} cannot write from material alone", "say what to write about")
    pictures = reads_pictures(model)
    if brief.reference and "references" in known and not pictures:
        notices.append(f"{model.name} reads no pictures: it is told what the reference pictures say of themselves")
    prompt, bare = _prompts(brief, model, known, pictures)
    least = model.context_tokens - _least(model)
    if (tokens := model.count_tokens(bare)) > least and brief.reference and pictures and "references" in known:
        prompt, bare = _prompts(brief, model, known, False)
        tokens = model.count_tokens(bare)
        notices.append(
            f"the reference pictures do not fit the context of {model.name}: it is told what they say of themselves"
        )
    if tokens > least:
        raise BriefInvalid(
            f"the brief takes {tokens:,} tokens, and {model.name} reads {model.context_tokens:,} with its answer",
            "shorten it, give long texts as --material, or take a model with a longer context",
        )
    if not brief.material or "material" not in known:
        return bare, notices
    # What the answer should have, but where the context is short half of it is the material's.
    room = max(tokens, min(least, max(model.context_tokens - _answer_tokens(brief), model.context_tokens // 2)))
    whole = prompt(1.0)
    if model.count_tokens(whole) <= room:
        return whole, notices
    low, high = 0.0, 1.0  # prompt(low) fits, or is the least there is
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if model.count_tokens(prompt(middle)) <= room else (low, middle)
    total = sum(len(item.text) for item in brief.material)
    kept = sum(len(item.text) for item in _cut(brief.material, low))
    notices.append(
        f"the material is too long for {model.name}: {kept:,} of its {total:,} characters are read, "
        "the middle is left out"
    )
    return prompt(low), notices


def said_twice(draft: Draft) -> list[str]:
    """The sentences that an article has more than once; a few words alone are no sentence."""
    text = "\n".join(plain_text(block) for block in draft.blocks if block.kind == "paragraph")
    sentences = [sentence.strip().lower() for sentence in _SENTENCE_END.split(text)]
    return sorted({s for s in sentences if len(s) >= SENTENCE_LENGTH and sentences.count(s) > 1})


def length_of(draft: Draft, language: str | None) -> int:
    """The words of a text, or its letters in a language that is counted so."""
    text = " ".join(plain_text(block) for block in draft.blocks)
    return sum(map(str.isalnum, text)) if without_spaces(language) else len(_WORD.findall(text))


def _prompts(
    brief: Brief, model: Model, known: frozenset[str], pictures: bool
) -> tuple[Callable[[float], list[Message]], list[Message]]:
    """The prompt by the share of the material that it has, and the one without material."""
    words = _wanted_length(brief)
    values = {
        "instruction": brief.instruction if "outline" in known else subject(brief),
        "title": brief.title,
        "keywords": brief.keywords,
        "outline": brief.outline,
        "references": shown_references(brief, pictures=pictures) if "references" in known else [],
        "words": words,
        "in_characters": without_spaces(brief.language),
        "paragraphs": _paragraphs(words, brief),
        "tone": brief.tone,
        "audience": brief.audience,
    }
    system = [Message("system", (brief.system,))] if brief.system and known > PLAIN else []

    def prompt(material: Sequence[Material]) -> list[Message]:
        asked = render_prompt("write", dialect=model.dialect, language=brief.language, material=material, **values)
        return [*system, *asked]

    return lambda share: prompt(_cut(brief.material, share)), prompt(())


def shown_references(brief: Brief, *, pictures: bool) -> list[dict[str, Path | str | None]]:
    """The reference pictures as a prompt shows them: each with its words, and as a picture where that is read."""
    return [
        {"picture": hit.image.path if pictures else None, "words": words_of(hit.image)}
        for hit in reference_hits(brief.reference)
    ]


def _not_read(brief: Brief, model: Model, known: frozenset[str]) -> list[str]:
    """What the prompts of this model have no place for."""
    places = {key: key for key in ("outline", "material", "language", "tone", "audience")} | {"length": "words"}
    missed = [key for key, name in places.items() if getattr(brief, key) and name not in known]
    missed += ["system"] if brief.system and not known > PLAIN else []
    notices: list[str] = []
    if missed:
        notices.append(
            f"{model.name} writes by an instruction and a title alone: it does not follow {', '.join(missed)}"
        )
    if brief.reference and "references" not in known:
        notices.append(f"{model.name} sees the reference pictures when it chooses, not before it writes")
    return notices


def _told(brief: Brief, draft: Draft, model: Model) -> list[Message] | None:
    """What the writer is told of a text that is not as asked for, in its own language; None where it is."""
    known = read_by("write", dialect=model.dialect, language=brief.language)
    missing = missing_sections(draft, brief.outline) if "outline" in known else []
    found = other_language(_texts(draft), brief.language) if brief.language and "language" in known else None
    if not missing and found is None:
        return None
    return render_prompt("rewrite", dialect=model.dialect, language=brief.language, missing=missing, found=found)


def _better(brief: Brief, draft: Draft, again: Callable[[], Draft]) -> Draft:
    """The second text, unless it is no better than the first."""

    def faults(text: Draft) -> tuple[int, int]:
        foreign = brief.language is not None and other_language(_texts(text), brief.language) is not None
        return len(missing_sections(text, brief.outline)) + foreign, len(said_twice(text))

    try:
        return min(draft, again(), key=faults)
    except ReplyInvalid:
        return draft


def _texts(draft: Draft) -> list[str]:
    """All that is prose or a heading, as one text: names and quotes are short beside the rest."""
    return [" ".join(plain_text(block) for block in draft.blocks if block.kind not in ("code", "html", "table"))]


def _cut(material: Sequence[Material], share: float) -> list[Material]:
    """The material with a share of its characters, the middle of each text left out."""
    return [item if share >= 1 else replace(item, text=_without_middle(item.text, share)) for item in material]


def _without_middle(text: str, share: float) -> str:
    keep = int(len(text) * share)
    return f"{text[: keep - keep // 2]}\n{CUT}\n{text[len(text) - keep // 2 :]}" if keep < len(text) else text


def _wanted_length(brief: Brief) -> int | None:
    if isinstance(brief.length, str):
        return LENGTHS[brief.length][without_spaces(brief.language)]
    return brief.length


def _paragraphs(words: int | None, brief: Brief) -> str | None:
    """How many paragraphs, where nothing else says it."""
    if words is not None:
        about = words / (CHARACTERS_IN_PARAGRAPH if without_spaces(brief.language) else WORDS_IN_PARAGRAPH)
        least = max(1, round(about * 0.8))
        between = "到" if brief.language and brief.language.startswith("zh") else "to"
        return f"{least} {between} {max(least + 1, round(about * 1.2))}"
    if brief.outline:
        return None
    return "5 到 9" if brief.language and brief.language.startswith("zh") else "5 to 9"


def _new_tokens(brief: Brief) -> int:
    return brief.max_new_tokens or max(MAX_NEW_TOKENS, TOKENS_IN_WORD * (_wanted_length(brief) or 0))


def _answer_tokens(brief: Brief) -> int:
    """Room that the material leaves for the answer."""
    return brief.max_new_tokens or TOKENS_IN_WORD * (_wanted_length(brief) or LENGTHS["medium"][0])


def _least(model: Model) -> int:
    return min(MIN_NEW_TOKENS, model.context_tokens // 8)
