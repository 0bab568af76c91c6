"""One page for people to grade articles in a browser, blind: nothing in it tells which system made which.

It needs no network and no other file: pictures are inside, small and without their metadata and names. Grades are kept
by the browser and saved as the JSON that `grades` reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from ..composer.render import shown
from ..composer.stylesheet import content_policy, stylesheet
from ..index.atomic import write_whole
from ..index.errors import PictureUnreadable
from ..index.thumbnail import thumbnail
from .entries import Entry, instruction_of
from .rubric import DIMENSIONS, LEVELS

PICTURE_SIDE_PX = 960  # of the longer side


def write_sheet(path: Path, entries: Sequence[Entry], *, seed: int) -> None:
    """Write the page of the entries, in their order.

    Raises:
        PictureUnreadable: a picture that is broken.
        WriteFailed: the disk refused.
    """
    write_whole(path, to_sheet(entries, seed=seed).encode("utf-8", "replace"))


def to_sheet(entries: Sequence[Entry], *, seed: int) -> str:
    """The page; every word in it from outside is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("limner.templates") / "sheet"
    style, script = stylesheet("sheet"), (folder / "sheet.js").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(
        (folder / "sheet.html.j2").read_text(encoding="utf-8")
    ).render(
        policy=content_policy(style, images="data:", script=script),
        style=Markup(style),  # ours, and they must be the bytes of the digests
        script=Markup(script),
        sheet=hashlib.sha256(" ".join(entry.id for entry in entries).encode()).hexdigest()[:12],
        seed=seed,
        entries=[_shown(entry) for entry in entries],
        dimensions=DIMENSIONS,
        levels=LEVELS,
    )


def _shown(entry: Entry) -> dict[str, Any]:
    title, blocks = shown(entry.article, lambda image: _picture(entry.folder / image))
    return {"id": entry.id, "instruction": instruction_of(entry.article), "title": title, "blocks": blocks}


def _picture(path: Path) -> str:
    address, *_ = thumbnail(path, PICTURE_SIDE_PX)
    if not address:
        raise PictureUnreadable(str(path), "compose the article again")
    return address
