"""Markdown to a Draft and text to inert Markdown: the user's own text byte for byte, a model's text made harmless."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from .article import Block, BlockKind, Draft
from .errors import DraftUnreadable

_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "blockquote_open": "quote",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
    "hr": "rule",
    "html_block": "html",
}

# markdown-it's own idea of a line: str.splitlines() also splits at form feeds and U+2028
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NEWLINE = re.compile(r"\r\n|\r|\n")

_YAML = re.compile(r"---[ \t]*(?:\r\n|\r|\n)(?P<inside>.*?)^(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n|\Z)", re.M | re.S)
_TOML = re.compile(r"\+\+\+[ \t]*(?:\r\n|\r|\n)(?P<inside>.*?)^\+\+\+[ \t]*(?:\r\n|\r|\n|\Z)", re.M | re.S)
_YAML_KEY = re.compile(r"^[\w\"'][^:\r\n]*:(?=\s|\Z)", re.M)
_YAML_TITLE = re.compile(r"^title[ \t]*:[ \t]*(?P<value>[^\r\n]*)", re.M)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")
_SPACES = re.compile(r"[ \t\r\n\x85\u2028\u2029]+")

# Beyond CommonMark: | ~ $ { and bare addresses are active in the dialects of GitHub, Pandoc and kramdown.
_ACTIVE = re.compile(r"[\\`*_\[\]<>{}~|$]|&(?=[#A-Za-z])|(?<=[A-Za-z]):(?=//)|(?<=\b[wW]{3})\.|(?<!\S)#")
_LINE_START = re.compile(r"^(?P<number>\d{0,9})(?P<mark>[-+=:]|(?<=\d)[.)])")
_ADDRESS = re.compile(r"https?://[\w.~:/?#@!$&()*+,;=%-]+", re.I)
_ACTIVE_TOKENS = frozenset({"html_block", "html_inline", "link_open", "image"})
_ATTRIBUTES = re.compile(r"\{[:=]")  # Pandoc's raw HTML and kramdown's attributes
_DEEPEST = 16  # markdown-it reads no further than 20 levels, so what stands deeper is unknown to us


@dataclass(frozen=True, slots=True)
class _Piece:
    """A top-level block: lines [start, end) of the parsed text, and its tokens."""

    kind: BlockKind
    start: int
    end: int
    tokens: tuple[Token, ...]


def read_draft(path: Path, *, title: str | None = None) -> Draft:
    """Return the user's draft; its bytes come back by `draft.markdown.encode("utf-8")`.

    Raises:
        DraftUnreadable: as `read_markdown`.
    """
    return parse_draft(read_markdown(path), title=title)


def read_markdown(path: Path) -> str:
    """The text of a Markdown file.

    Raises:
        DraftUnreadable: missing, a folder, empty, or not UTF-8 text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise DraftUnreadable(f"no draft at {path}", "give the path of a Markdown file") from exc
    except IsADirectoryError as exc:
        raise DraftUnreadable(f"{path} is a folder", "give the path of one Markdown file") from exc
    except OSError as exc:
        raise DraftUnreadable(f"cannot read {path}", exc.strerror or str(exc)) from exc
    if b"\0" in data:
        raise DraftUnreadable(f"{path} is not text", "give a Markdown file in UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise DraftUnreadable(f"{path} is not UTF-8 text (line {line})", "save it as UTF-8 and try again") from exc
    if not text.lstrip("\ufeff").strip():
        raise DraftUnreadable(f"{path} is empty", "write the text first; `limner compose` writes one for you")
    return text


def parse_draft(text: str, *, title: str | None = None) -> Draft:
    """Cut Markdown (CommonMark and tables) into its top-level blocks; the result's `markdown` is text, exactly.

    The title is the one given, else the first level-1 heading, else the front matter's, else the first heading.
    """
    return parse_tokens(text, title=title)[0]


def parse_tokens(
    text: str, *, title: str | None = None, plugin: Callable[[MarkdownIt], None] | None = None
) -> tuple[Draft, tuple[tuple[Token, ...], ...]]:
    """As `parse_draft`, with the tokens of each block; front matter has none.

    A plugin of markdown-it adds to what is read. Lines count from the first one after the front matter.
    """
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    matter, matter_title = _front_matter(text[len(bom) :])
    lines = _LINES.findall(text[len(bom) + len(matter) :])
    parser = _parser()
    if plugin is not None:
        plugin(parser)
    pieces = _pieces(parser, lines)
    before, blocks = _cut(lines, pieces)
    tokens = tuple(piece.tokens for piece in pieces)
    lead = bom + before
    if matter:
        inside = matter.rstrip("\r\n")
        blocks = (Block("front_matter", inside, matter[len(inside) :] + before), *blocks)
        tokens = ((), *tokens)
        lead = bom
    return Draft(one_line(title or "") or _title(pieces, matter_title), blocks, lead), tokens


def parse_reply_article(text: str, *, title: str | None = None) -> Draft:
    """Cut a model's article into blocks that hold no live HTML, image or link, here or in other Markdown readers.

    What would be live is kept as escaped text: a heading stays a heading, any other block becomes a paragraph. The
    title is found as in `parse_draft`; where it is given, it also takes the place of a leading level-1 heading.
    """
    clean = _CONTROL.sub("", _NEWLINE.sub("\n", text)).strip("\n")
    lines = _LINES.findall(clean)
    pieces = _pieces(_parser(any_link=True), lines)
    before, cut = _cut(lines, pieces)
    blocks: list[Block] = []
    loose = [before, *(block.gap for block in cut)]  # link definitions stand between the blocks
    for index, text_between in enumerate(loose):
        if index:
            blocks.append(_inert(cut[index - 1], pieces[index - 1]))
        if text_between.strip():
            blocks.append(Block("paragraph", _inert_lines(text_between)))
    blocks = [Block(b.kind, b.markdown, "\n" if b is blocks[-1] else "\n\n") for b in blocks]

    wanted = one_line(title or "")
    if (
        wanted
        and blocks
        and _title(_pieces(_parser(), _LINES.findall(blocks[0].markdown)), level=1) not in ("", wanted)
    ):
        blocks[0] = Block("heading", f"# {escape_markdown(wanted)}", blocks[0].gap)
    return _draft_of(blocks, title=wanted)


def plain_text(block: Block) -> str:
    """The words of a block in one line, without its markup; empty for HTML, rules and front matter."""
    if block.kind == "front_matter":
        return ""
    tokens = _parser().parse(block.markdown)
    return one_line(" ".join(_words(token) if token.type == "inline" else token.content for token in _shown(tokens)))


def heading_level(block: Block) -> int:
    """The level of a heading, from 1 to 6."""
    return int(_parser().parse(block.markdown)[0].tag[1:])


def repeats_title(block: Block, title: str) -> bool:
    """Whether a block is a heading that says the title once more; a prompt that shows the title leaves it out."""
    return block.kind == "heading" and plain_text(block) == title


def escape_markdown(text: str) -> str:
    """One line of Markdown that every reader shows as text, at the beginning of a line or inside one."""
    escaped = _ACTIVE.sub(r"\\\g<0>", one_line(text))
    return _LINE_START.sub(r"\g<number>\\\g<mark>", escaped)


def one_line(text: str) -> str:
    """The text without control characters, each run of spaces and line ends as one space."""
    return _CONTROL.sub("", _SPACES.sub(" ", text)).strip()


def is_web_address(text: str) -> bool:
    """Whether a text is one http or https address, with no character that could end it in HTML or Markdown."""
    return bool(_ADDRESS.fullmatch(text))


def newline_of(text: str) -> str:
    """The line ending that a text uses: its first one, a line feed where it has none."""
    found = _NEWLINE.search(text)
    return found.group() if found else "\n"


def swallows_what_follows(markdown: str) -> bool:
    """Whether a block never ends (a fence that nobody closed), so that no figure can stand after it."""
    last = _parser().parse(markdown + "\n\nx")[-3:]
    return [token.type for token in last] != ["paragraph_open", "inline", "paragraph_close"] or last[1].content != "x"


def _draft_of(blocks: Sequence[Block], *, title: str = "") -> Draft:
    """A Draft of blocks that are already apart; its title is the one given or found in their headings."""
    draft = Draft(title, tuple(blocks))
    return draft if title else Draft(_title(_pieces(_parser(), _LINES.findall(draft.markdown))), draft.blocks)


def _parser(*, any_link: bool = False) -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    if any_link:
        # markdown-it leaves `[x](javascript:...)` as text, and other readers would make a link of it
        parser.validateLink = lambda url: True
    return parser


def _pieces(parser: MarkdownIt, lines: Sequence[str]) -> list[_Piece]:
    tokens = parser.parse("".join(lines))
    pieces: list[_Piece] = []
    first = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            span = tokens[first].map
            assert span is not None, f"{tokens[first].type} has no place in the source"
            start, end = span
            while end > start + 1 and not lines[end - 1].strip(" \t\r\n"):
                end -= 1
            pieces.append(_Piece(_KINDS.get(tokens[first].type, "other"), start, end, tuple(tokens[first : index + 1])))
            first = index + 1
    return pieces


def _cut(lines: Sequence[str], pieces: Sequence[_Piece]) -> tuple[str, tuple[Block, ...]]:
    """The text before the first piece, and the pieces as blocks that share out all that follows."""
    if not pieces:
        return "".join(lines), ()
    ends = [piece.start for piece in pieces[1:]] + [len(lines)]
    blocks: list[Block] = []
    for piece, next_start in zip(pieces, ends, strict=True):
        source = "".join(lines[piece.start : piece.end])
        markdown = source.rstrip("\r\n") if lines[piece.end - 1].strip("\r\n") else source
        blocks.append(Block(piece.kind, markdown, source[len(markdown) :] + "".join(lines[piece.end : next_start])))
    return "".join(lines[: pieces[0].start]), tuple(blocks)


def _front_matter(text: str) -> tuple[str, str]:
    """The front matter with its fences and final line end, and its title; empty where there is none."""
    if (toml := _TOML.match(text)) is not None:
        try:
            title = tomllib.loads(_NEWLINE.sub("\n", toml["inside"])).get("title", "")
        except tomllib.TOMLDecodeError:
            title = ""
        return toml.group(), one_line(title) if isinstance(title, str) else ""
    yaml = _YAML.match(text)
    if yaml is None or (yaml["inside"].strip() and not _YAML_KEY.search(yaml["inside"].lstrip(" \t"))):
        return "", ""
    if _NEWLINE.match(yaml["inside"].lstrip(" \t")):  # a rule, some text, another rule
        return "", ""
    found = _YAML_TITLE.search(yaml["inside"])
    return yaml.group(), _yaml_scalar(found["value"]) if found else ""


def _yaml_scalar(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        return one_line(value[1:-1].replace('\\"', '"').replace("\\\\", "\\"))
    if len(value) > 1 and value[0] == value[-1] == "'":
        return one_line(value[1:-1].replace("''", "'"))
    return "" if value[:1] in ("|", ">", "&", "*", "[", "{") else one_line(re.sub(r"\s#.*$", "", value))


def _title(pieces: Sequence[_Piece], front_matter: str = "", *, level: int | None = None) -> str:
    headings = [(p.tokens[0].tag, one_line(_words(p.tokens[1]))) for p in pieces if p.kind == "heading"]
    first = next((words for tag, words in headings if tag == "h1" and words), "")
    if first or level == 1:
        return first
    return front_matter or next((words for _, words in headings if words), "")


def _words(inline: Token) -> str:
    """The text of an inline token, without markup and tags."""
    words: list[str] = []
    for child in inline.children or ():
        if child.type in ("softbreak", "hardbreak"):
            words.append(" ")
        elif child.type == "image":
            words.append(_words(child))
        elif child.type != "html_inline":
            words.append(child.content)
    return "".join(words)


def _shown(tokens: Sequence[Token]) -> Iterator[Token]:
    return (token for token in tokens if token.type in ("inline", "fence", "code_block"))


def _inert(block: Block, piece: _Piece) -> Block:
    if not any(_is_active(token) for token in piece.tokens):
        return block
    if block.kind == "heading":
        level = int(piece.tokens[0].tag[1:])
        return Block("heading", f"{'#' * level} {escape_markdown(piece.tokens[1].content)}")
    return Block("paragraph", _inert_lines(block.markdown))


def _inert_lines(text: str) -> str:
    """The lines of a text, escaped, each on a line of its own by a hard break."""
    escaped = [escape_markdown(line) for line in text.split("\n")]
    return "\\\n".join(line for line in escaped if line)


def _is_active(token: Token) -> bool:
    if token.type in _ACTIVE_TOKENS or token.level >= _DEEPEST:
        return True
    if token.type == "fence":
        return "{" in token.info
    if token.type == "inline":
        return bool(_ATTRIBUTES.search(token.content)) or any(_is_active(child) for child in token.children or ())
    return False
