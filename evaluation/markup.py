"""Pictures in Markdown: where each stands in a block's source, and what is said of it there.

CommonMark images and reference images, HTML `img` and `figure`, and Hugo's `figure` short codes. Built on the parser of
composer/markdown.py. Knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.image import image as image_rule
from markdown_it.token import Token

from ..composer.markdown import one_line

# An argument may hold > and }, so the end of a short code is sought outside of its quotes.
_VALUE = r'"(?:[^"\\]|\\.)*"|`[^`]*`'
_SHORT_CODE = re.compile(rf"\{{\{{[<%]\s*figure\s(?P<inside>(?:{_VALUE}|(?!\{{\{{)[^\"`])*?)/?[>%]\}}\}}", re.S)
_ARGUMENT = re.compile(rf"(?P<key>[\w-]+)\s*=\s*(?P<value>{_VALUE}|[^\s\"`]+)", re.S)
_ESCAPED = re.compile(r"\\(.)", re.S)
_FIGURE_ELEMENT = re.compile(r"<figure\b.*?</figure\s*>", re.S | re.I)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LINE_END = r"(?:\r\n|\r|\n)[ \t>]*"  # and what a list or a quote puts before the next line
# A picture that leads somewhere: [![alt](picture)](there), [![alt](picture)][there]
_LINK_END = re.compile(r"[ \t]*\](?:\((?:[^()\\]|\\.|\([^()]*\))*\)|\[[^\]]*\])")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a text shows it."""

    src: str
    alt: str = ""
    title: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A picture, and which characters [start, end) of its block's source are to go with it."""

    picture: Picture
    start: int
    end: int


def with_pictures(parser: MarkdownIt) -> None:
    """Have markdown-it read Hugo's figures, and keep the source of each image: a plugin."""
    parser.inline.ruler.at("image", _image)
    parser.inline.ruler.before("image", "hugo_figure", _short_code)
    # Before the quote, because `>}}` may stand at the beginning of a line.
    parser.block.ruler.before("blockquote", "hugo_figure", _short_code_block, {"alt": ["paragraph"]})


def find_pictures(source: str, tokens: Sequence[Token]) -> Iterator[Found]:
    """The pictures of a top-level block in the order of its source; tokens were read `with_pictures`."""
    first = tokens[0].map[0] if tokens and tokens[0].map else 0
    starts = [match.start() for match in _LINE.finditer(source)] + [len(source)]
    for token in tokens:
        if token.map is None:
            continue
        begin = starts[min(token.map[0] - first, len(starts) - 1)]
        end = starts[min(token.map[1] - first, len(starts) - 1)]
        for raw, picture in _in_token(token):
            place = _position(raw, source, begin, end)
            if place is None:
                continue
            begin = place[1]
            yield Found(picture, *_with_link(source, *place))


def caption_of(tokens: Sequence[Token]) -> str:
    """The words of a paragraph that is emphasised from end to end, as captions are written; else empty."""
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return ""
    depth, words = 0, []
    for child in tokens[1].children or ():
        depth += child.nesting if child.type in ("em_open", "em_close") else 0
        if child.type in ("softbreak", "hardbreak"):
            words.append(" ")
        elif child.type in ("image", "hugo_figure") or (child.content.strip() and not depth):
            return ""
        elif child.type != "html_inline":
            words.append(child.content)
    return one_line("".join(words))


def figure_caption(html: str) -> str:
    """The words of the `figcaption` in a piece of HTML."""
    return _Html(html).caption


def opens_figure(html: str) -> bool:
    """Whether a piece of HTML begins a `figure` that ends in a later block."""
    return bool(re.search(r"<figure\b", _FIGURE_ELEMENT.sub("", html), re.I))


def closes_figure(html: str) -> bool:
    """Whether a piece of HTML ends a `figure` that began before it."""
    return bool(re.search(r"</figure\s*>", _FIGURE_ELEMENT.sub("", html), re.I))


def _in_token(token: Token) -> Iterator[tuple[str, Picture]]:
    """The pictures of one token of a block, each with its source."""
    if token.type == "hugo_figure":
        yield token.content, token.meta["picture"]
    elif token.type == "html_block":
        yield from _in_html(token.content)
    for child in (token.children or ()) if token.type == "inline" else ():
        if child.type == "image":
            src, title = str(child.attrs.get("src", "")), str(child.attrs.get("title", ""))
            yield child.meta["source"], Picture(src, one_line(_text(child)), one_line(title))
        elif child.type == "hugo_figure":
            yield child.content, child.meta["picture"]
        elif child.type == "html_inline":
            yield from _in_html(child.content)


def _in_html(html: str) -> Iterator[tuple[str, Picture]]:
    """The pictures of HTML with their sources, and those of short codes among it, which Hugo replaces before."""
    last = 0
    for code in _SHORT_CODE.finditer(html):
        yield from _in_elements(html[last : code.start()])
        yield code[0], _of_short_code(code["inside"])
        last = code.end()
    yield from _in_elements(html[last:])


def _in_elements(html: str) -> Iterator[tuple[str, Picture]]:
    """The pictures of HTML; a whole `figure` is one source, for its first picture, and nothing is left for the rest."""
    last = 0
    for element in _FIGURE_ELEMENT.finditer(html):
        read = _Html(element[0])
        if not read.pictures:
            continue
        yield from _Html(html[last : element.start()]).pictures
        source = element[0]
        for _, picture in read.pictures:
            yield source, replace(picture, caption=read.caption)
            source = ""
        last = element.end()
    yield from _Html(html[last:]).pictures


class _Html(HTMLParser):
    """The `img` elements of HTML with their sources, and the words of the first `figcaption`."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.pictures: list[tuple[str, Picture]] = []
        self._words: list[str] = []
        self._depth = 0
        self.feed(html)
        self.close()

    @property
    def caption(self) -> str:
        return one_line("".join(self._words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "figcaption" and not self._words:
            self._depth += 1
        elif self._depth and tag in ("br", "p", "div"):
            self._words.append(" ")
        said = {key: value or "" for key, value in attrs}
        if tag == "img" and said.get("src"):
            picture = Picture(said["src"].strip(), one_line(said.get("alt", "")), one_line(said.get("title", "")))
            self.pictures.append((self.get_starttag_text() or "", picture))

    def handle_endtag(self, tag: str) -> None:
        if tag == "figcaption" and self._depth:
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth:
            self._words.append(data)


def _position(raw: str, source: str, begin: int, end: int) -> tuple[int, int] | None:
    """Where a token's source stands in lines of its block, whose beginnings the token does not have."""
    if not raw:
        return begin, begin
    for wanted in (raw, raw.replace("|", "\\|")):  # a table has its own escapes
        pattern = _LINE_END.join(re.escape(line.strip(" \t")) for line in wanted.rstrip("\n").split("\n"))
        if found := re.compile(pattern.replace(_LINE_END, rf"[ \t]*{_LINE_END}")).search(source, begin, end):
            return found.span()
    return None


def _with_link(source: str, start: int, end: int) -> tuple[int, int]:
    """The characters of a picture with the link around it that has nothing else in it."""
    before = source[:start].rstrip(" \t")
    if end > start and before.endswith("[") and (link := _LINK_END.match(source, end)):
        return len(before) - 1, link.end()
    return start, end


def _text(token: Token) -> str:
    """The words of an image's alternative text, without markup."""
    words = [
        _text(child) if child.type == "image" else " " if child.type == "softbreak" else child.content
        for child in token.children or ()
        if child.type != "html_inline"
    ]
    return "".join(words)


def _image(state: StateInline, silent: bool) -> bool:
    start = state.pos
    if not image_rule(state, silent):
        return False
    if not silent:
        state.tokens[-1].meta["source"] = state.src[start : state.pos]
    return True


def _short_code(state: StateInline, silent: bool) -> bool:
    match = _SHORT_CODE.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        token = state.push("hugo_figure", "", 0)
        token.content, token.meta["picture"] = match[0], _of_short_code(match["inside"])
    state.pos = match.end()
    return True


def _short_code_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    begin = state.bMarks[start] + state.tShift[start]
    match = None if state.is_code_block(start) else _SHORT_CODE.match(state.src, begin)
    if match is None:
        return False
    after = start + match[0].count("\n") + 1
    if after > end or state.src[match.end() : state.eMarks[after - 1]].strip():
        return False  # more stands in its line, or it ends outside of its list or quote
    if silent:
        return True
    token = state.push("hugo_figure", "", 0)
    token.map, token.content = [start, after], match[0]
    token.meta["picture"] = _of_short_code(match["inside"])
    state.line = after
    return True


def _of_short_code(inside: str) -> Picture:
    said: dict[str, Any] = {}
    for match in _ARGUMENT.finditer(inside):
        value = match["value"]
        if value[0] == '"':
            value = _ESCAPED.sub(r"\1", value[1:-1])
        said[match["key"].lower()] = value.strip("`")
    text = {key: one_line(said.get(key, "")) for key in ("alt", "title", "caption")}
    return Picture(said.get("src", "").strip(), **text)
