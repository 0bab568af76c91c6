"""The page of a batch: its articles as cards with a picture each, then the rows that have none and why."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...index.atomic import write_whole
from ..render import FILE_NAMES
from ..stylesheet import content_policy, stylesheet
from .work import CARD, Outcome

PAGE = "index.html"


def write_page(rows: Sequence[Outcome], out: Path) -> None:
    """Write index.html beside the rows' folders; it needs no script and no network.

    Raises:
        WriteFailed: the disk refused.
    """
    write_whole(out / PAGE, to_page(rows).encode("utf-8", "replace"))


def to_page(rows: Sequence[Outcome]) -> str:
    """The page; every word in it from outside is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("limner.templates") / "batch"
    style = stylesheet("batch")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    done = [row for row in rows if row.status == "done"]
    return environment.from_string((folder / "index.html.j2").read_text(encoding="utf-8")).render(
        policy=content_policy(style, images="'self'"),
        style=Markup(style),  # ours, and it must be the bytes of the digest
        done=[_card(row) for row in done],
        pictures=sum(row.pictures for row in done),
        missing=[
            {"name": row.id or row.where, "status": row.status, "reason": row.reason}
            for row in rows
            if row.status != "done"
        ],
    )


def _card(row: Outcome) -> dict[str, Any]:
    assert row.folder is not None
    address = quote(row.folder)
    # The page if there is one; Markdown, which not every browser shows, if not.
    form = next((form for form in FILE_NAMES if form in row.formats), None)
    return {
        "address": f"{address}/{FILE_NAMES[form] if form else 'article.json'}",
        "picture": row.card,
        "picture_address": f"{address}/{CARD}",
        "title": row.title or row.id,
        "id": row.id,
        "pictures": row.pictures,
        "empty": row.empty,
        "notices": row.notices,
    }
