"""Small articles to render, and the texts that try to be more than text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from limner.composer.article import Article, Block, Brief, CandidateRecord, Draft, Figure
from PIL import Image

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

HOSTILE = (
    "<script>window.pwned = 1</script>",
    "</title></figcaption><script>window.pwned = 1</script>",
    '" onerror="window.pwned = 1',
    "' onload='window.pwned = 1' x='",
    "](javascript:window.pwned=1)",
    "[x](javascript:window.pwned=1)",
    "![x](http://127.0.0.1:9/pixel.png)",
    "![x][evil] [evil] [evil][]",
    "<http://127.0.0.1:9/auto> <img src=x onerror=window.pwned=1>",
    "`code` ``` ~~~ *strong* **bold** _under_ __init__ ~~gone~~",
    "| a | b |",
    "<!-- hidden --> <![CDATA[ x ]]> <?php ?>",
    "two\nlines\r\nand\u2028more\x00\x1b[31m",
    "&lt;script&gt; &amp; &#60;b&#62; Tom & Jerry",
    "# heading",
    "- item",
    "+ item",
    "= under",
    "1. item",
    "1) item",
    "> quote",
    "    indented code",
    "trailing backslash \\",
    "closing # # ##",
    "{: onclick=x} `x`{=html} $x$",
    "\\*escaped already\\*",
    "https://example.org and www.example.org",
    "*",
    "**",
    "_",
    "",
)


def draw_pictures(out_dir: Path, names: tuple[str, ...], size: tuple[int, int] = (640, 480)) -> None:
    """Put plain pictures where the article looks for its own."""
    folder = out_dir / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", size, (60 + 40 * number % 180, 120, 160)).save(folder / name)


def a_figure(number: int = 0, *, caption: str = "A boat at dawn", alt: str = "", credit: str = "") -> Figure:
    candidates = (
        CandidateRecord("/pictures/boat.jpg", 0.3125, 0.75),
        CandidateRecord("/pictures/cat.jpg", 0.25, 0.125),
    )
    return Figure(
        caption=caption,
        outcome="chosen",
        confidence=0.75,
        candidates=candidates,
        image=f"images/picture-{number}.png",
        source="/pictures/boat.jpg",
        alt=alt or "A boat on calm water",
        credit=credit,
        width=640,
        height=480,
    )


def an_empty_spot(outcome: Literal["none_fit", "unparsed"] = "none_fit", note: str = "") -> Figure:
    return Figure("A lighthouse by night", outcome, 0.5, (CandidateRecord("/pictures/cat.jpg", 0.1, 0.25),), note=note)


def illustrated(draft: Draft, *, after: tuple[int, ...] | None = None, written: bool = False) -> Article:
    """The draft with a figure after each block, or after those named; the draft is the user's own unless written."""
    blocks: list[Block | Figure] = []
    for index, block in enumerate(draft.blocks):
        blocks.append(block)
        if after is None or index in after:
            blocks.append(a_figure(index))
    brief = Brief("Write about boats" if written else "")
    path = None if written else Path("draft.md")
    return Article(draft.title, brief, {"selector": "fake"}, tuple(blocks), draft.lead, path)
