"""Article to files: one HTML page and one Markdown file, from the Article alone and the pictures beside them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from .. import templates
from ..index.atomic import write_whole
from .article import Article, Block, Figure
from .errors import ArticleInvalid
from .markdown import escape_markdown, is_web_address, newline_of, one_line, plain_text, swallows_what_follows
from .publish import IMAGE_PATH
from .stylesheet import content_policy

FILE_NAMES = {"html": "article.html", "markdown": "article.md"}

# atomic, or one \r\n would pass for two line ends
_BLANK_LINE = re.compile(r"[ \t]*(?>\r\n|\r|\n)[ \t]*(?>\r\n|\r|\n)")
_COMMENTS = re.compile(r"(?:\s*<!--.*?-->)+\s*", re.S)
_DESCRIPTION_LENGTH = 200
_SMALL_PX = 480  # a narrower picture is shown at its own size: it would blur when stretched
_ENGLISH = frozenset(
    ["the", "and", "of", "to", "a", "in", "is", "that", "it", "was", "for", "on", "with", "as", "at", "by", "this"]
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One item of the page: a block's HTML, or a figure."""

    html: Markup | None
    figure: ShownFigure | None


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A figure as the page shows it; all of it is text."""

    address: str
    alt: str
    caption: str
    credit: str
    licence_url: str
    width: int
    height: int
    shape: str  # "wide", "tall" or "small"


def render(article: Article, out_dir: Path, *, formats: Collection[str], embed: bool = False) -> list[Path]:
    """Write the article in each of formats ("html", "markdown") into out_dir; return the files' paths.

    Every file is made before the first is written. With embed the page holds its pictures itself.

    Raises:
        ArticleInvalid: a figure whose picture is not in out_dir/images.
        WriteFailed: the disk refused; the old file stands.
    """
    if unknown := set(formats) - FILE_NAMES.keys():
        raise ValueError(f"no such format: {', '.join(sorted(unknown))}")
    _check_pictures(article, out_dir)
    texts: dict[str, str] = {}
    if "html" in formats:
        texts["html"] = to_html(article, embed_from=out_dir if embed else None)
    if "markdown" in formats:
        texts["markdown"] = to_markdown(article)
    paths: list[Path] = []
    for name, text in texts.items():
        paths.append(out_dir / FILE_NAMES[name])
        write_whole(paths[-1], text.encode("utf-8"))
    return paths


def to_markdown(article: Article) -> str:
    """The article as Markdown: its blocks exactly as they are, each figure a paragraph of its own."""
    newline = newline_of(_source(article))
    parts = [article.lead]
    if _is_written(article) and article.title and _title_place(article) is None:
        parts.append(f"# {escape_markdown(article.title)}{newline * 2}")
    rest = ""  # what stood after the last block, held back until its figures are written
    after_figure = False
    for item in _in_order(article.blocks):
        if isinstance(item, Figure):
            parts.append(newline * 2 if _has_text(parts) else "")
            parts.append(_figure_markdown(item, newline))
            after_figure = True
        else:
            parts.extend([_parted(rest, newline, more=True) if after_figure else rest, item.markdown])
            rest, after_figure = item.gap, False
    parts.append(_parted(rest, newline, more=False) if after_figure else rest)
    return "".join(parts)


def to_html(article: Article, *, embed_from: Path | None = None) -> str:
    """The article as one HTML page; with embed_from, the pictures of that folder are inside it."""
    environment = _environment()
    style = Markup(_template("style.css"))
    title, items = shown(article, _address if embed_from is None else partial(_data_url, embed_from))
    name = one_line(article.title) or (article.draft_path.stem if article.draft_path else "Article")
    page = environment.get_template("article.html.j2").render(
        name=name,
        title=title,
        language=_language(article),
        description=_description(article),
        policy=_policy(article, style, items),
        style=style,
        items=items,
        credits=list(dict.fromkeys(item.figure.credit for item in items if item.figure and item.figure.credit)),
    )
    return page if page.endswith("\n") else page + "\n"


def shown(article: Article, address: Callable[[str], str]) -> tuple[Markup | str, list[Shown]]:
    """The title and what stands below it; where the text has none, or another place for it, the title is empty.

    Args:
        article: what is shown.
        address: of a picture, images/NAME, for the page.
    """
    parser, references = _parser(), _references(article)
    lifted = _title_place(article)
    items: list[Shown] = []
    title = Markup("")
    for index, item in enumerate(article.blocks):
        if isinstance(item, Figure):
            if item.image is not None:
                items.append(Shown(None, _shown_figure(item, address(item.image))))
        elif index == lifted:
            title = _heading_inside(parser, item, references)
        elif html := _block_html(parser, item, references):
            items.append(Shown(html, None))
    # a title that stands further down stays where its author put it
    return title or ("" if _titled_inside(article, lifted) else one_line(article.title)), items


def _source(article: Article) -> str:
    return article.lead + "".join(b.markdown + b.gap for b in article.blocks if isinstance(b, Block))


def _is_written(article: Article) -> bool:
    """Whether a model wrote the text; a user's own draft gets nothing but figures."""
    return article.draft_path is None and bool(article.brief.instruction.strip())


def _title_place(article: Article) -> int | None:
    """Where the heading stands that is the title, if nothing that is shown stands before it."""
    for index, item in enumerate(article.blocks):
        if isinstance(item, Figure) or not _is_hidden(item):
            is_title = isinstance(item, Block) and item.kind == "heading" and _same(plain_text(item), article.title)
            return index if is_title else None
    return None


def _titled_inside(article: Article, lifted: int | None) -> bool:
    headings = (item for item in article.blocks if isinstance(item, Block) and item.kind == "heading")
    first = next(headings, None)
    return lifted is None and first is not None and _same(plain_text(first), article.title)


def _same(one: str, other: str) -> bool:
    return bool(one) and one == one_line(other)


def _is_hidden(block: Block) -> bool:
    return block.kind == "front_matter" or (block.kind == "html" and bool(_COMMENTS.fullmatch(block.markdown)))


# Markdown


def _in_order(blocks: Sequence[Block | Figure]) -> list[Block | Figure]:
    """The blocks with their placed figures; a figure goes before a block that would swallow it."""
    ordered: list[Block | Figure] = []
    place: int | None = None
    for item in blocks:
        if isinstance(item, Block):
            ordered.append(item)
            place = None
        elif item.image is not None:
            if place is None:
                last = ordered[-1] if ordered else None
                ends = (
                    not isinstance(last, Block)
                    or last.kind == "front_matter"
                    or not swallows_what_follows(last.markdown)
                )
                place = len(ordered) if ends else len(ordered) - 1
            ordered.insert(place, item)
            place += 1
    return ordered


def _figure_markdown(figure: Figure, newline: str) -> str:
    assert figure.image is not None
    picture = f"![{escape_markdown(figure.alt or figure.caption)}]({_address(figure.image)})"
    words = [words for words in (escape_markdown(figure.caption), _credit_markdown(figure)) if words]
    # two spaces, a hard break: the words stand below the picture, not beside it
    return f"{picture}  {newline}*{' · '.join(words)}*" if words else picture


def _credit_markdown(figure: Figure) -> str:
    credit = escape_markdown(figure.credit)
    # In angle brackets an address may hold what would end it or begin emphasis elsewhere.
    return f"[{credit}](<{figure.licence_url}>)" if credit and is_web_address(figure.licence_url) else credit


def _parted(rest: str, newline: str, *, more: bool) -> str:
    """What stands between a figure and the next text, with a blank line at its beginning."""
    if not (more or rest.strip()) or _BLANK_LINE.match(rest):
        return rest
    if rest.lstrip(" \t")[:1] in ("\r", "\n"):
        return newline_of(rest) + rest  # in a draft of mixed line ends, \r before \n would be one
    return newline * 2 + rest


def _has_text(parts: Iterable[str]) -> bool:
    return any(part.strip("\ufeff") for part in parts)


def _address(image: str) -> str:
    """The image's path as the address of a link, letters of all scripts as they are."""
    if not IMAGE_PATH.fullmatch(image):
        raise ArticleInvalid(f"not the address of a published picture: {image!r}", "figures show images/NAME only")
    return re.sub(r"[^\w/.~-]+", lambda found: quote(found.group(), safe=""), image)


# HTML


class _PageRenderer(RendererHTML):
    """CommonMark's HTML without inline styles, which the page's policy forbids, and with room to scroll sideways."""

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="scroll" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return self._cell(tokens[idx])

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return self._cell(tokens[idx])

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return super().fence(tokens, idx, options, env).replace("<pre>", '<pre tabindex="0">', 1)

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return super().code_block(tokens, idx, options, env).replace("<pre>", '<pre tabindex="0">', 1)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        tokens[idx].attrSet("loading", "lazy")
        tokens[idx].attrSet("decoding", "async")
        return super().image(tokens, idx, options, env)

    @staticmethod
    def _cell(token: Token) -> str:
        side = str(token.attrGet("style") or "").removeprefix("text-align:")
        return f'<{token.tag} class="{side}">' if side in ("left", "center", "right") else f"<{token.tag}>"


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}, renderer_cls=_PageRenderer).enable("table")


def _references(article: Article) -> dict[str, Any]:
    """The link definitions of the whole text, which a block alone does not hold."""
    env: dict[str, Any] = {}
    shown = [b for b in article.blocks if isinstance(b, Block) and b.kind != "front_matter"]
    _parser().parse(article.lead.lstrip("\ufeff") + "".join(b.markdown + b.gap for b in shown), env)
    return env.get("references", {})


def _block_html(parser: MarkdownIt, block: Block, references: dict[str, Any]) -> Markup:
    if _is_hidden(block):
        return Markup("")
    if block.kind == "html":
        return Markup('<pre class="raw" tabindex="0">{}</pre>').format(block.markdown)
    return Markup(parser.render(block.markdown, {"references": dict(references)}))


def _heading_inside(parser: MarkdownIt, heading: Block, references: dict[str, Any]) -> Markup:
    env = {"references": dict(references)}
    inline = next(token for token in parser.parse(heading.markdown, env) if token.type == "inline")
    return Markup(parser.renderer.render([inline], parser.options, env))


def _shown_figure(figure: Figure, address: str) -> ShownFigure:
    shape = "tall" if figure.height > figure.width else "small" if 0 < figure.width < _SMALL_PX else "wide"
    return ShownFigure(
        address=address,
        alt=one_line(figure.alt) or one_line(figure.caption),
        caption=one_line(figure.caption),
        credit=one_line(figure.credit),
        licence_url=figure.licence_url if is_web_address(figure.licence_url) else "",
        width=figure.width,
        height=figure.height,
        shape=shape,
    )


def _data_url(out_dir: Path, image: str) -> str:
    suffix = Path(image).suffix.lstrip(".")
    try:
        data = (out_dir / image).read_bytes()
    except OSError as exc:
        raise _picture_missing(out_dir, image) from exc
    kind = "jpeg" if suffix == "jpg" else suffix
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _check_pictures(article: Article, out_dir: Path) -> None:
    for item in article.blocks:
        if isinstance(item, Figure) and item.image is not None:
            _address(item.image)
            if not (out_dir / item.image).is_file():
                raise _picture_missing(out_dir, item.image)


def _picture_missing(out_dir: Path, image: str) -> ArticleInvalid:
    return ArticleInvalid(
        f"the picture {out_dir / image} is not there", "keep images/ beside the article, or compose it again"
    )


def _policy(article: Article, style: str, items: Sequence[Shown]) -> str:
    """The page's Content-Security-Policy: nothing runs, and nothing is fetched but the pictures beside the page.

    Only a user's own draft may show the pictures that it links to elsewhere.
    """
    remote = not _is_written(article) and any(re.search(r'<img src="https?:', i.html) for i in items if i.html)
    images = "'self' data: https: http:" if remote else "'self' data:"
    return content_policy(style, images=images)


def _description(article: Article) -> str:
    """The beginning of the first paragraph, cut at a word."""
    paragraphs = (b for b in article.blocks if isinstance(b, Block) and b.kind == "paragraph")
    text = next((words for words in map(plain_text, paragraphs) if words), "")
    if len(text) <= _DESCRIPTION_LENGTH:
        return text
    head, space, _ = text[:_DESCRIPTION_LENGTH].rpartition(" ")
    return f"{head if space else text[: _DESCRIPTION_LENGTH - 1]}…"


def _language(article: Article) -> str:
    """The language that the page declares; empty, which HTML reads as unknown, where the text does not show it."""
    text = " ".join([article.title, *(plain_text(b) for b in article.blocks if isinstance(b, Block))])
    letters = max(1, sum(character.isalpha() for character in text))
    for language, script, least in (
        ("ja", r"[\u3041-\u30ff]", 0.05),
        ("ko", r"[\uac00-\ud7a3]", 0.3),
        ("zh", r"[\u4e00-\u9fff]", 0.3),
    ):
        if len(re.findall(script, text)) / letters > least:
            return language
    words = re.findall(r"[a-z]+", text.lower())
    return "en" if words and sum(word in _ENGLISH for word in words) / len(words) > 0.08 else ""


@cache
def _template(name: str) -> str:
    return resources.files(templates).joinpath("article", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
