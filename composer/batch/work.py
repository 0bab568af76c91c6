"""One row to one folder: composed by the pipeline, its outcome kept in row.json when all else is whole.

A row's folder holds what `limner compose` writes, a small picture for the page of the batch, and

    row.json    the digest of its brief and draft, whether it stands, and why not
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ...index.atomic import write_failed, write_whole
from ...index.decode import ANY_SIZE, decode
from ...index.errors import LimnerError
from ..article import Article, Brief, Draft, Figure
from ..errors import RunMismatch
from ..markdown import one_line, read_draft
from ..pipeline import Progress, compose
from ..protocols import ImageSearch, Model
from ..render import FILE_NAMES
from .lockstep import Share
from .rows import BadRow, Row

RECORD = "row.json"
CARD = "card.webp"
CARD_SIDE_PX = 640  # of the longer side; twice what is shown, for dense screens
_CARD_QUALITY = 80

NO_ENCODER = "none"  # as article.json names it where no library was searched

Status = Literal["done", "failed", "unfinished"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the rows of a batch have in common."""

    writer: Model | None
    selector: Model | None
    library: Callable[[Brief], ImageSearch]  # the pictures that a brief may have
    encoder: str
    formats: tuple[str, ...] = ("html", "markdown")
    embed: bool = False
    # Whether a brief is for these models and this library: raises LimnerError, or gives what the user should know.
    check: Callable[[Brief, Draft | None], Sequence[str]] = lambda brief, draft: ()


@dataclass(frozen=True, slots=True)
class Picture:
    """The first picture of an article, for the page of the batch."""

    alt: str
    credit: str
    width: int  # pixels of card.webp
    height: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row; also the content of row.json."""

    where: str
    id: str
    folder: str | None  # None for a row that cannot be one
    status: Status
    reason: str = ""
    title: str = ""
    pictures: int = 0
    empty: int = 0  # places that stayed without
    notices: tuple[str, ...] = ()
    card: Picture | None = None
    digest: str = ""
    formats: tuple[str, ...] = ()
    embed: bool = False
    done_before: bool = field(default=False, compare=False)


_KEPT = TypeAdapter(Outcome)


def bad_outcome(row: BadRow) -> Outcome:
    """The outcome of a row that cannot be one."""
    return Outcome(row.where, row.id, None, "failed", row.reason)


def unfinished(row: Row) -> Outcome:
    """The outcome of a row that was not begun, or not ended."""
    return Outcome(row.where, row.id, row.folder, "unfinished", "not finished yet")


def kept(out: Path, folder: str) -> Outcome | None:
    """What row.json says, if the row ended at all."""
    try:
        return _KEPT.validate_json((out / folder / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def stands(out: Path, row: Row, formats: Collection[str], *, embed: bool) -> Outcome | None:
    """The outcome of an earlier batch, where it is what this one would give: the row, all its files, and well done."""
    before = kept(out, row.folder)
    if before is None or before.status != "done" or before.digest != row.digest:
        return None
    if (set(before.formats), before.embed) != (set(formats), embed):
        return None
    files = ["article.json", *(FILE_NAMES[form] for form in formats)]
    if not all((out / row.folder / name).is_file() for name in files):
        return None
    return replace(before, where=row.where, id=row.id, done_before=True)


def compose_row(row: Row, parts: Parts, out: Path, share: Share, progress: Progress | None = None) -> Outcome:
    """Make a row's article, going on with what an earlier batch began; what is kept of it ends in row.json.

    Raises:
        LimnerError: the article cannot be made; the reason is kept by `failed`.
    """
    folder = out / row.folder
    before = kept(out, row.folder)
    if before is not None:
        _unlink(folder / RECORD)  # from here on the row is unfinished
        if before.digest != row.digest:
            _clear(folder)  # the row was edited: nothing of the old one may stay
    brief, draft_path = row.brief(), row.fields.draft
    draft = None if draft_path is None else read_draft(draft_path, title=brief.title)
    cautions = parts.check(brief, draft)

    def make(*, resume: bool) -> Article:
        return compose(
            brief,
            writer=parts.writer and share(parts.writer),
            selector=parts.selector and share(parts.selector),
            library=parts.library(brief),
            encoder=NO_ENCODER if brief.references_only else parts.encoder,
            out=folder,
            draft=draft,
            draft_path=draft_path,
            formats=parts.formats,
            embed=parts.embed,
            resume=resume,
            progress=progress,
            notices=cautions,
        )

    try:
        article = make(resume=(folder / "run" / "run.json").is_file())
    except RunMismatch:
        _clear(folder)  # a row that was edited before it ended, or another model's
        article = make(resume=False)
    figures = [block for block in article.blocks if isinstance(block, Figure)]
    outcome = Outcome(
        row.where,
        row.id,
        row.folder,
        "done",
        title=one_line(article.title),
        pictures=sum(figure.image is not None for figure in figures),
        empty=sum(figure.image is None for figure in figures),
        notices=article.notices,
        card=_write_card(folder, figures),
        digest=row.digest,
        formats=parts.formats,
        embed=parts.embed,
    )
    _keep(folder, outcome)
    return outcome


def failed(row: Row, out: Path, exc: Exception) -> Outcome:
    """The outcome of a row whose article could not be made, kept if the disk allows."""
    reason = str(exc) if isinstance(exc, LimnerError) else f"unexpected {type(exc).__name__}: {exc}"
    outcome = Outcome(row.where, row.id, row.folder, "failed", one_line(reason), digest=row.digest)
    with suppress(LimnerError):  # it is in batch.json, and without a row.json it counts as unfinished
        _keep(out / row.folder, outcome)
    return outcome


def _keep(folder: Path, outcome: Outcome) -> None:
    write_whole(folder / RECORD, _KEPT.dump_json(outcome, indent=1, exclude={"done_before"}) + b"\n")


def _write_card(folder: Path, figures: Collection[Figure]) -> Picture | None:
    """A small copy of the first picture: a page of a thousand rows could not show the pictures themselves."""
    for figure in figures:
        if figure.image is not None:
            image = decode(folder / figure.image, target_px=CARD_SIDE_PX, max_pixels=ANY_SIZE, max_bytes=ANY_SIZE)
            image.thumbnail((CARD_SIDE_PX, CARD_SIDE_PX))
            data = BytesIO()
            image.save(data, "WEBP", quality=_CARD_QUALITY)
            write_whole(folder / CARD, data.getvalue())
            return Picture(one_line(figure.alt or figure.caption), figure.credit, image.width, image.height)
    _unlink(folder / CARD)
    return None


def _clear(folder: Path) -> None:
    """Take out all that a row writes, and nothing else."""
    try:
        for name in ("run", "images"):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as exc:
        raise write_failed(folder, exc) from exc
    for name in ("article.json", *FILE_NAMES.values(), CARD, RECORD):
        _unlink(folder / name)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise write_failed(path, exc) from exc


def to_json(outcome: Outcome) -> str:
    """An outcome for another process."""
    return _KEPT.dump_json(outcome).decode()


def from_json(text: str) -> Outcome:
    """The inverse of `to_json`."""
    return _KEPT.validate_json(text)


def as_tree(outcome: Outcome) -> dict[str, object]:
    """A row as batch.json has it."""
    keys = ("id", "where", "folder", "status", "reason", "title", "pictures", "empty", "notices", "digest")
    tree = asdict(outcome)
    return {key: tree[key] for key in keys}
