"""Step 2: where pictures belong, and what each should show; one call a window of text that fits the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .article import ILLUSTRATABLE, Block, Draft, Spot
from .errors import ReplyInvalid
from .markdown import plain_text, repeats_title, swallows_what_follows
from .prompts import render_prompt, reply_schema
from .protocols import Message, Model, Sampling
from .replies import ask, read_spots, usable_spots

MAX_NEW_TOKENS = 1024
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


def find_spots(draft: Draft, model: Model, *, images: int | None, seed: int = 0) -> Spots:
    """The places for pictures, each after another block; with `images`, at most so many.

    A draft that does not fit the model's context is read in consecutive windows, and `images` is shared out among them.
    Of replies that twice name places that are not there, or one place twice, the other lines count; a window with no
    usable line stays without pictures. The notices say so.

    Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.1, image spotting and captioning.
    """
    parts = [
        _Part(index, block.markdown.strip(), can_stand_after(block))
        for index, block in enumerate(draft.blocks)
        if plain_text(block) and not repeats_title(block, draft.title)
    ]
    possible = sum(part.illustratable for part in parts)
    notices: list[str] = []
    if images is not None and images > possible:
        notices.append(f"{images} pictures asked for, the text has places for {possible}")
        images = possible
    if not possible:
        return Spots((), tuple(notices))
    windows = _windows(draft.title, parts, model)
    wanted = _shared_out(images, [sum(part.illustratable for part in window) for window in windows])
    spots: list[Spot] = []
    for number, (window, share) in enumerate(zip(windows, wanted, strict=True), start=1):
        if share == 0:
            continue
        where = f" for part {number} of {len(windows)} of the text" if len(windows) > 1 else ""
        try:
            found, faults = _ask_window(draft.title, window, model, share, seed)
            spots += found
            if faults:
                lines = f"{len(faults)} line{'' if len(faults) == 1 else 's'} of the model's reply about places"
                notices.append(f"{lines} could not be used{where}: {faults[0]}")
        except ReplyInvalid as exc:
            notices.append(f"the model's reply about places for pictures was not usable{where}: {exc.message}")
    if images is not None and len(spots) < images and not notices:
        notices.append(f"{images} pictures asked for, the model found places for {len(spots)}")
    return Spots(tuple(spots), tuple(notices))


def can_stand_after(block: Block) -> bool:
    """Whether a picture may follow this block."""
    return block.kind in ILLUSTRATABLE and not swallows_what_follows(block.markdown)


def _prompt(title: str, window: Sequence[_Part], images: int | None, dialect: str) -> list[Message]:
    blocks: list[dict[str, object]] = []
    number = 0
    for part in window:
        number += part.illustratable
        blocks.append({"number": number if part.illustratable else None, "text": part.text})
    return render_prompt("spot", dialect=dialect, title=title, blocks=blocks, images=images)


def _ask_window(
    title: str, window: Sequence[_Part], model: Model, images: int | None, seed: int
) -> tuple[list[Spot], list[str]]:
    """The spots of a window, and what is wrong with lines that were passed over."""
    places = [part.block for part in window if part.illustratable]
    messages = _prompt(title, window, images, model.dialect)
    schema = reply_schema("spot", dialect=model.dialect, places=len(places), images=images)
    found, faults = ask(
        model,
        messages,
        Sampling(MAX_NEW_TOKENS, seed=seed),
        lambda reply: (read_spots(reply, len(places)), []),
        schema=schema,
        salvage=lambda reply: _salvaged(reply, len(places)),
    )
    return [Spot(places[number - 1], caption) for number, caption in found[:images]], faults


def _salvaged(reply: str, count: int) -> tuple[list[tuple[int, str]], list[str]] | None:
    """What can be used of a reply that was refused, if anything."""
    try:
        found, faults = usable_spots(reply, count)
    except ReplyInvalid:
        return None
    return (found, faults) if found else None


def _windows(title: str, parts: Sequence[_Part], model: Model) -> list[list[_Part]]:
    """Consecutive runs of parts whose prompt and reply fit the model."""
    windows: list[list[_Part]] = []
    current: list[_Part] = []
    for part in parts:
        if current and not _fits(title, [*current, part], model):
            windows.append(current)
            current = []
        current.append(part if current or _fits(title, [part], model) else _shortened(title, part, model))
    if current:
        windows.append(current)
    return [window for window in windows if any(part.illustratable for part in window)]


def _fits(title: str, window: Sequence[_Part], model: Model) -> bool:
    reply = min(MAX_NEW_TOKENS, REPLY_TOKENS_PER_PART * (1 + sum(part.illustratable for part in window)))
    return model.count_tokens(_prompt(title, window, 1, model.dialect)) + reply <= model.context_tokens


def _shortened(title: str, part: _Part, model: Model) -> _Part:
    """A part that alone is too long, without its middle."""
    keep = len(part.text)
    while keep > 80:
        keep = keep * 3 // 4
        shorter = _Part(part.block, f"{part.text[: keep // 2]} … {part.text[-keep // 2 :]}", part.illustratable)
        if _fits(title, [shorter], model):
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
