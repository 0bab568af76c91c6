"""`limner index search --html`: what was found as one page to look at, with small pictures inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ..composer.stylesheet import content_policy, stylesheet
from . import terminal

if TYPE_CHECKING:
    from ..index.records import Hit

THUMBNAIL_SIDE_PX = 480  # of the longer side; twice what is shown, for dense screens
_LABELS = {"picture": "picture", "words": "words", "sentences": "meaning"}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A hit as the page shows it."""

    name: str
    caption: str
    alt: str
    path: str
    credit: str
    score: str
    shares: tuple[tuple[str, str, int], ...]  # channel, share, per cent of the widest bar
    thumbnail: str  # a data: address, empty where the file cannot be read
    width: int
    height: int


def write_contact_sheet(path: Path, text: str, hits: Sequence[Hit], *, where: str | None) -> None:
    """Write the page; it needs no other file, no script and no network.

    Raises:
        WriteFailed: the disk refused.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from ..index.atomic import write_whole

    folder = resources.files("limner.templates") / "search"
    style = stylesheet("search")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string((folder / "contact_sheet.html.j2").read_text(encoding="utf-8"))
    html = page.render(
        policy=content_policy(style, images="data:"),
        style=Markup(style),  # ours, and it must be the bytes of the digest
        query=terminal.clean(text),
        where=None if where is None else terminal.clean(where),
        hits=[_shown(hit) for hit in hits],
    )
    write_whole(path, html.encode("utf-8", "replace"))


def _shown(hit: Hit) -> _Shown:
    from ..composer.pipeline import credit_line
    from ..index.thumbnail import thumbnail

    image = hit.image
    shown, width, height = thumbnail(image.path, THUMBNAIL_SIDE_PX)
    widest = max((abs(share) for _, share in hit.shares), default=0) or 1
    words = image.title or image.path.stem
    return _Shown(
        name=terminal.clean(words),
        caption=terminal.clean(image.caption),
        alt=terminal.clean(image.alt or image.caption or words),
        path=terminal.clean(image.path),
        credit=terminal.clean(credit_line(image)),
        score=f"{hit.score:.3f}",
        shares=tuple(
            (_LABELS.get(name, name), f"{share:+.3f}", max(0, round(100 * share / widest)))
            for name, share in hit.shares
        ),
        thumbnail=shown,
        width=width,
        height=height,
    )
