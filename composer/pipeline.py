"""The main path: write, choose places, retrieve and select at each in reading order, publish and render."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ..index.atomic import write_whole
from ..index.records import Hit, ImageRecord
from .article import Article, Block, Brief, CandidateRecord, Choice, Draft, Figure
from .article_json import to_json
from .errors import BriefInvalid
from .markdown import is_web_address, one_line
from .protocols import ImageSearch, Model, Pinned, gives_probabilities, reads_pictures
from .publish import Published, publish_images
from .references import reference_hits, unused
from .render import render
from .retrieve import retrieve
from .run import Run, open_run
from .select import MAX_CANDIDATES, Selection, select
from .spot import Spots, caption_notices, find_spots
from .words import NAME, choose_first
from .words import find_spots as find_spots_by_words
from .write import draft_notices, prompt_notices, shown_references, subject, write

NO_PROBABILITIES = "the model named its answer; there are no probabilities"


class Progress(Protocol):
    """What a caller may show while an article is made."""

    def step(self, name: str, detail: str = "") -> None:
        """A step begins: "write", "spots", "select" or "render"."""
        ...

    def text(self, piece: str) -> None:
        """The article, as it is written."""
        ...

    def notice(self, message: str) -> None:
        """Something that the user should know."""
        ...


class Quiet:
    """Progress that nobody looks at."""

    def step(self, name: str, detail: str = "") -> None:
        pass

    def text(self, piece: str) -> None:
        pass

    def notice(self, message: str) -> None:
        pass


def compose(
    brief: Brief,
    *,
    writer: Model | None,
    selector: Model | None,
    library: ImageSearch,
    encoder: str,
    out: Path,
    draft: Draft | None = None,
    draft_path: Path | None = None,
    formats: Collection[str] = ("html", "markdown"),
    embed: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    notices: Sequence[str] = (),
) -> Article:
    """An article with pictures for a brief, or for a finished draft; written to `out` and returned.

    Args:
        brief: what the user asked for; its instruction is empty where a draft is given.
        writer: writes the text and chooses the places; without one, what is said of the pictures chooses them.
        selector: chooses among the candidates; without one it is the first.
        library: finds candidates.
        encoder: the name of the library's encoder, for the record.
        out: receives article.json, the formats, images/ and run/.
        draft: the user's own text, kept byte for byte.
        draft_path: where that text came from, for the record.
        formats: "html", "markdown".
        embed: put the pictures inside the HTML.
        resume: go on with the run in `out`; its finished steps are not done again.
        progress: is told what happens.
        notices: what the caller has told the user already, for the record.

    Raises:
        BriefInvalid: an empty instruction, one without a writer, or numbers that make no sense.
        RunMismatch: `out` holds another run.
        ReplyInvalid: the writer twice replied with no article.
        WriteFailed: the disk refused; finished steps are kept.
    """
    told = progress or Quiet()
    _check(brief, draft, writer, selector)
    models = {
        "writer": writer.name if writer else NAME,
        "selector": selector.name if selector else NAME,
        "encoder": encoder,
    }
    revisions = {
        role: model.revision
        for role, model in (("writer", writer), ("selector", selector))
        if isinstance(model, Pinned) and model.revision
    }
    # Before anything is written: what the brief asks for may not fit the model, or be gone.
    references = reference_hits(brief.reference)
    cuts = prompt_notices(brief, writer) if draft is None and writer else []
    kept = [*notices, *cuts]
    run = open_run(out, brief=brief, models=models, revisions=revisions, draft=draft, resume=resume)

    if draft is None:
        assert writer
        told.step("write")
        for message in cuts:
            told.notice(message)
        draft = run.step("draft", Draft, lambda: write(brief, run.recorded(writer, "write"), on_text=told.text))
        for message in draft_notices(brief, draft, writer):
            kept.append(message)
            told.notice(message)
    text = draft

    told.step("spots", text.title)

    def place() -> Spots:
        if writer is None:
            found = find_spots_by_words(text, library, images=brief.images)
            return replace(found, notices=(*found.notices, *caption_notices(found.spots, brief.language)))
        return find_spots(
            text,
            run.recorded(writer, "spots"),
            images=brief.images,
            seed=brief.seed,
            language=brief.language,
            references=shown_references(brief, pictures=reads_pictures(writer)),
        )

    spots = run.step("spots", Spots, place)
    for message in spots.notices:
        kept.append(message)
        told.notice(message)

    choices = _choose_all(brief, text, spots, references, selector, library, run, told, kept)

    told.step("render")
    published = publish_images(
        [(hit.image.path, choice.spot.caption) for choice in choices if (hit := choice.hit)], out
    )
    article = assemble(
        brief, text, choices, published, models, revisions=revisions, draft_path=draft_path, notices=kept
    )
    write_whole(out / "article.json", to_json(article).encode())
    render(article, out, formats=formats, embed=embed)
    return article


def _check(brief: Brief, draft: Draft | None, writer: Model | None, selector: Model | None) -> None:
    if draft is None and writer is None:
        raise BriefInvalid("an article needs a model that writes", "name one, or give a draft to illustrate")
    if draft is None and not (subject(brief).strip() or brief.material):
        raise BriefInvalid("the instruction is empty", "say in a few words what the article is about")
    if brief.images is not None and brief.images < 1:
        raise BriefInvalid(f"cannot place {brief.images} pictures", "ask for 1 or more, or leave it to the model")
    if brief.permutations < 1:
        raise BriefInvalid(f"cannot read the candidates {brief.permutations} times", "--permutations takes 1 or more")
    if brief.candidates < 1:
        raise BriefInvalid(f"cannot choose among {brief.candidates} candidates", "-m takes 1 or more")
    if brief.reference and selector is None:
        raise BriefInvalid("reference pictures need a model that looks at them", "name one, or leave them out")


def _choose_all(
    brief: Brief,
    draft: Draft,
    spots: Spots,
    references: Sequence[Hit],
    selector: Model | None,
    library: ImageSearch,
    run: Run,
    told: Progress,
    notices: list[str],
) -> list[Choice]:
    """A choice for every spot in reading order; each sees the pictures that were placed before it."""

    def note(message: str) -> None:
        if message not in notices:
            notices.append(message)
            told.notice(message)

    m = min(brief.candidates, MAX_CANDIDATES - len(references))
    if m < brief.candidates:
        note(f"{brief.candidates} candidates asked for, a model chooses among {MAX_CANDIDATES} at most")
    used: list[Hit] = []
    placed: dict[int, Path] = {}
    choices: list[Choice] = []
    for number, spot in enumerate(spots.spots, start=1):
        told.step("select", f"{number} of {len(spots.spots)}")

        def decide() -> Selection:
            first = unused(references, used)
            candidates = retrieve(spot, library, m, used=used, blocks=draft.blocks, first=first)  # noqa: B023
            if selector is None:
                return Selection(choose_first(candidates))
            recorded = run.recorded(selector, f"select {number}")  # noqa: B023
            made = select(
                draft,
                placed,
                candidates,
                recorded,
                permutations=brief.permutations,
                fallback=brief.fallback,
                language=brief.language,
            )
            if made.choice.probabilities and not gives_probabilities(selector):
                return replace(made, choice=replace(made.choice, note=NO_PROBABILITIES))
            return made

        selection = run.step(f"choice-{number:03d}", Selection, decide)
        choice = selection.choice
        found = sum(hit.image.id > 0 for hit in choice.candidates.hits)
        if found < m and not brief.references_only:
            note(f"{m} candidates asked for, the library had {found} left that are not in the article yet")
        if selection.cut_items:
            note(
                f"the text before picture {number} was too long for {selector.name if selector else NAME}: "
                f"{selection.cut_items} of its parts were cut from the middle"
            )
        if choice.outcome == "fallback":
            note(f"no picture fitted at spot {number}: the first one found stands there")
        if choice.outcome == "unparsed":
            note(f"no picture at spot {number}: the model's answer was not usable: {choice.note}")
        if choice.hit is not None:
            used.append(choice.hit)
            placed[spot.after_block] = choice.hit.image.path
        choices.append(choice)
    return choices


def assemble(
    brief: Brief,
    draft: Draft,
    choices: Collection[Choice],
    published: Collection[Published],
    models: dict[str, str],
    *,
    revisions: dict[str, str] | None = None,
    draft_path: Path | None = None,
    notices: Collection[str] = (),
) -> Article:
    """The text with a figure, or an empty spot, after each block that has one."""
    pictures = iter(published)
    figures = {
        choice.spot.after_block: _figure(choice, next(pictures) if choice.hit is not None else None)
        for choice in choices
    }
    blocks: list[Block | Figure] = []
    for index, block in enumerate(draft.blocks):
        blocks.append(block)
        if index in figures:
            blocks.append(figures[index])
    return Article(draft.title, brief, models, tuple(blocks), draft.lead, draft_path, tuple(notices), revisions or {})


def _figure(choice: Choice, published: Published | None) -> Figure:
    probabilities = choice.probabilities or (0.0,) * len(choice.candidates.hits)
    empty = Figure(
        caption=choice.spot.caption,
        outcome=choice.outcome,
        confidence=choice.confidence,
        candidates=tuple(
            CandidateRecord(str(hit.image.path), hit.score, probability)
            for hit, probability in zip(choice.candidates.hits, probabilities, strict=True)
        ),
        note=choice.note,
    )
    if choice.hit is None or published is None:
        return empty
    image = choice.hit.image
    return replace(
        empty,
        image=published.image,
        source=str(image.path),
        alt=one_line(image.alt or image.caption or choice.spot.caption),
        credit=credit_line(image),
        licence_url=image.licence_url if is_web_address(image.licence_url) else "",
        width=published.width,
        height=published.height,
    )


def credit_line(image: ImageRecord) -> str:
    """Who made a picture and under which licence, as far as the library knows."""
    return one_line(image.credit or ", ".join(part for part in (image.creator, image.licence) if part))
