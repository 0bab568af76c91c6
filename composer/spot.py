"""Step 2: where pictures belong, and what each should show; one call a window of text that fits the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .article import ILLUSTRATABLE, Block, Draft, Spot
from .errors import ReplyInvalid
from .language import language_name, other_language
from .markdown import plain_text, repeats_title, swallows_what_follows
from .paper_formats import in_paper_format, read_caption, read_paper_spots
from .prompts import read_by, render_prompt, reply_schema
from .protocols import Message, Model, Sampling
from .replies import SpotReply, ask, read_spots, room_for_reply, usable_spots

MAX_NEW_TOKENS = 1024
CAPTION_TOKENS = 128
REPLY_TOKENS_PER_PART = 32  # room kept for the answer: a number and a short caption


@dataclass(frozen=True, slots=True)
class Spots:
    """The places found, in reading order, and what went wrong on the way."""

    spots: tuple[Spot, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A block as the prompt shows it."""

    block: int
    text: str
    illustratable: bool


def find_spots(
    draft: Draft,
    model: Model,
    *,
    images: int | None,
    seed: int = 0,
    language: str | None = None,
    references: Sequence[Mapping[str, object]] = (),
) -> Spots:
    """The places for pictures, each after another block; with `images`, at most so many.

    Captions in another language than the one that is asked for are asked for once more; what comes then is taken, and
    the notices say so. `references` are the user's own pictures, as `write.shown_references` has them.

    A draft that does not fit the model's context is read in consecutive windows, and `images` is shared out among them.
    Of replies that twice name places that are not there, or one place twice, the other lines count; a window with no
    usable line stays without pictures. The notices say so.

    Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1, image spotting and captioning.
    """
    parts = _parts(draft)
    possible = sum(part.illustratable for part in parts)
    notices: list[str] = []
    if images is not None and images > possible:
        notices.append(f"{images} pictures asked for, the text has places for {possible}")
        images = possible
    if not possible:
        return Spots((), tuple(notices))
    question = _question(draft.title, model, language, references)
    windows = _windows(question, parts)
    wanted = _shared_out(images, [sum(part.illustratable for part in window) for window in windows])
    spots: list[Spot] = []
    for number, (window, share) in enumerate(zip(windows, wanted, strict=True), start=1):
        if share == 0:
            continue
        where = f" for part {number} of {len(windows)} of the text" if len(windows) > 1 else ""
        try:
            found, faults = _ask_window(question, window, share, seed)
            spots += found
            if faults:
                lines = f"{len(faults)} line{'' if len(faults) == 1 else 's'} of the model's reply about places"
                notices.append(f"{lines} could not be used{where}: {faults[0]}")
        except ReplyInvalid as exc:
            notices.append(f"the model's reply about places for pictures was not usable{where}: {exc.message}")
    if images is not None and len(spots) < images and not notices:
        notices.append(f"{images} pictures asked for, the model found places for {len(spots)}")
    return Spots(tuple(spots), (*notices, *caption_notices(spots, language)))


def caption_notices(spots: Sequence[Spot], language: str | None) -> list[str]:
    """Whether the captions are in another language than the one that was asked for."""
    found = other_language([spot.caption for spot in spots], language) if language else None
    return (
        []
        if not found or not language
        else [f"captions are in {found}, and were asked for in {language_name(language)}"]
    )


def first_prompt(
    draft: Draft,
    model: Model,
    *,
    images: int | None,
    language: str | None = None,
    references: Sequence[Mapping[str, object]] = (),
) -> list[Message]:
    """What `find_spots` asks first; empty where the text has no place for a picture."""
    parts = _parts(draft)
    question = _question(draft.title, model, language, references)
    windows = _windows(question, parts)
    possible = sum(part.illustratable for part in parts)
    wanted = None if images is None else min(images, possible)
    shares = _shared_out(wanted, [sum(part.illustratable for part in window) for window in windows])
    asked = (question.prompt(window, share) for window, share in zip(windows, shares, strict=True) if share != 0)
    return next(asked, [])


def _parts(draft: Draft) -> list[_Part]:
    return [
        _Part(index, block.markdown.strip(), can_stand_after(block))
        for index, block in enumerate(draft.blocks)
        if plain_text(block) and not repeats_title(block, draft.title)
    ]


def can_stand_after(block: Block) -> bool:
    """Whether a picture may follow this block."""
    return block.kind in ILLUSTRATABLE and not swallows_what_follows(block.markdown)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is the same in every window."""

    title: str
    model: Model
    language: str | None
    references: Sequence[Mapping[str, object]]

    def prompt(self, window: Sequence[_Part], images: int | None) -> list[Message]:
        return render_prompt(
            "spot",
            dialect=self.model.dialect,
            language=self.language,
            title=self.title,
            blocks=_numbered(window),
            images=images,
            references=self.references,
        )

    def caption_prompt(self, window: Sequence[_Part], place: int) -> list[Message]:
        """The question for the caption of one place, by its number; what follows the next block is not shown."""
        blocks = _numbered(window)
        last = next(i for i, block in enumerate(blocks) if block["number"] == place)
        return render_prompt(
            "caption", dialect=self.model.dialect, language=self.language, blocks=blocks[: last + 2], place=place
        )

    def fits(self, window: Sequence[_Part]) -> bool:
        reply = min(MAX_NEW_TOKENS, REPLY_TOKENS_PER_PART * (1 + sum(part.illustratable for part in window)))
        return self.model.count_tokens(self.prompt(window, 1)) + reply <= self.model.context_tokens


def _question(title: str, model: Model, language: str | None, references: Sequence[Mapping[str, object]]) -> _Question:
    """The question with the references as pictures, in words, or without: half of the context is the most for them."""
    in_words = [{**reference, "picture": None} for reference in references]
    for shown in (references, in_words):
        question = _Question(title, model, language, shown)
        if not shown or model.count_tokens(question.prompt((), 1)) <= model.context_tokens // 2:
            return question
    return _Question(title, model, language, ())


def _numbered(window: Sequence[_Part]) -> list[dict[str, object]]:
    """The blocks as a prompt shows them; those that a picture may follow have numbers from 1."""
    blocks: list[dict[str, object]] = []
    number = 0
    for part in window:
        number += part.illustratable
        blocks.append({"number": number if part.illustratable else None, "text": part.text})
    return blocks


def _ask_window(
    question: _Question, window: Sequence[_Part], images: int | None, seed: int
) -> tuple[list[Spot], list[str]]:
    """The spots of a window, and what is wrong with lines that were passed over."""
    places = [part.block for part in window if part.illustratable]
    model, language = question.model, question.language
    asked_for = language if "language" in read_by("spot", dialect=model.dialect, language=language) else None
    replies = 0

    def read(reply: str) -> SpotReply:
        nonlocal replies
        replies += 1
        said = _read(reply, len(places), model.dialect)
        if asked_for is None or replies > 1:
            return said
        foreign = other_language([caption for _, caption in said.found], asked_for)
        if foreign is not None:
            raise ReplyInvalid(f"the captions are in {foreign}, not in {language_name(asked_for)}")
        return said

    messages = question.prompt(window, images)
    said = ask(
        model,
        messages,
        Sampling(room_for_reply(model, messages, MAX_NEW_TOKENS), seed=seed),
        read,
        schema=reply_schema("spot", dialect=model.dialect, places=len(places), images=images),
        salvage=lambda reply: _salvaged(reply, len(places), model.dialect),
    )
    captions: dict[int, str | None] = {**dict.fromkeys(said.bare), **dict(said.found)}
    spots: list[Spot] = []
    faults = list(said.faults)
    for number in sorted(captions)[:images]:
        try:
            caption = captions[number] or _ask_caption(question, window, number, seed)
            spots.append(Spot(places[number - 1], caption))
        except ReplyInvalid as exc:
            faults.append(
                f"part {number} is named without a caption, and asked for one the model gave none: {exc.message}"
            )
    return spots, faults


def _ask_caption(question: _Question, window: Sequence[_Part], place: int, seed: int) -> str:
    """The caption of a place that was named without one.

    Raises:
        ReplyInvalid: there is none in two replies.
    """
    sampling = Sampling(CAPTION_TOKENS, seed=seed)
    return ask(question.model, question.caption_prompt(window, place), sampling, read_caption)


def _read(reply: str, count: int, dialect: str) -> SpotReply:
    """What a reply says that can be used whole.

    Raises:
        ReplyInvalid: it cannot.
    """
    if not in_paper_format(dialect):
        return SpotReply(read_spots(reply, count))
    said = read_paper_spots(reply, count)
    if said.faults:
        raise ReplyInvalid(said.faults[0])
    return said


def _salvaged(reply: str, count: int, dialect: str) -> SpotReply | None:
    """What can be used of a reply that was refused, if anything."""
    try:
        if in_paper_format(dialect):
            said = read_paper_spots(reply, count)
        else:
            found, faults = usable_spots(reply, count)
            said = SpotReply(found, faults=faults)
    except ReplyInvalid:
        return None
    return said if said.found or said.bare else None


def _windows(question: _Question, parts: Sequence[_Part]) -> list[list[_Part]]:
    """Consecutive runs of parts whose prompt and reply fit the model."""
    windows: list[list[_Part]] = []
    current: list[_Part] = []
    for part in parts:
        if current and not question.fits([*current, part]):
            windows.append(current)
            current = []
        current.append(part if current or question.fits([part]) else _shortened(question, part))
    if current:
        windows.append(current)
    return [window for window in windows if any(part.illustratable for part in window)]


def _shortened(question: _Question, part: _Part) -> _Part:
    """A part that alone is too long, without its middle."""
    keep = len(part.text)
    while keep > 80:
        keep = keep * 3 // 4
        shorter = _Part(part.block, f"{part.text[: keep // 2]} … {part.text[-keep // 2 :]}", part.illustratable)
        if question.fits([shorter]):
            return shorter
    return _Part(part.block, part.text[:80], part.illustratable)


def _shared_out(images: int | None, sizes: Sequence[int]) -> list[int | None]:
    """How many pictures each window may have: in proportion to its places, the largest remainders first."""
    if images is None:
        return [None] * len(sizes)
    exact = [images * size / sum(sizes) for size in sizes]
    shares = [int(value) for value in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda i: (shares[i] - exact[i], i))
    for i in by_remainder[: images - sum(shares)]:
        shares[i] += 1
    return list(shares)
