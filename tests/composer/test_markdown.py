"""Drafts come back byte for byte; a model's text and a picture's words stay words."""

from __future__ import annotations

import html
import random
from pathlib import Path

import pytest
from limner.composer.article import ILLUSTRATABLE
from limner.composer.errors import DraftUnreadable
from limner.composer.markdown import (
    escape_markdown,
    one_line,
    parse_draft,
    parse_reply_article,
    plain_text,
    read_draft,
    swallows_what_follows,
)
from markdown_it import MarkdownIt
from markdown_it.token import Token

from .articles import DATA, HOSTILE

NASTY = (
    "",
    "\n",
    " \t\n\n",
    "\ufeff",
    "\ufeff# Title\r\n\r\nText\r\n",
    "no final newline",
    "# A\ntext\n- list\n\n\n\n* other\n```\ncode\n```\ntext",
    "Setext\n===\ntext\n---\n",
    "---\ntitle: X\n---\n\nText\n",
    "---\r\ntitle: 'It''s'\r\n...\r\nText",
    '+++\ntitle = "T"\n+++\ntext\n',
    "---\n\ntext\n\n---\n",
    "---\n---\n",
    "---\ntitle: never closed\n\ntext\n",
    "[a]: http://x 'T'\n\n[a]\n\n[b]: <y>\n[c]: z\n\ntext\n\n[d]: last",
    "<div>\n\n# in\n\n</div>\n<!-- a\n\nb -->\ntext\n<script>\n\nx\n",
    "```\nnever closed\n\n\n",
    "> quote\nlazy\n\n> other\n\n    code\n\n\ttab code\n",
    "1. a\n\n   b\n\n2. c\n   - d\n\n\ntext  \n  \n",
    "|a|b|\n|-|:-|\n|1|2|\ntext\n",
    "old\rmac\r\rlines\r",
    "mixed\r\nline\nends\r\r\n",
    "form\x0cfeed\x0b\u2028\u2029\x85 here\n\nmore\n",
    "nul\x00inside\n\n\ttab",
    "> > > > > > > > > > > > > > > > > > > > > > > > deep\n\n- - - - - - - - - - - - - - - - - - - - - - deep\n",
    "***\n___\n- - -\n",
    "# \n## \ntext\n",
    "\\\n\\# x\n&amp; ![a](b.png)\n",
)
FRAGMENTS = (
    *(
        "text",
        "# head",
        "    code",
        "\ttab",
        "- item",
        "  - sub",
        "1. one",
        "> quote",
        "```",
        "~~~",
        "| a | b |",
        "|--|--|",
    ),
    *(
        "---",
        "===",
        "<div>",
        "</div>",
        "<!--",
        "-->",
        "<script>",
        "[a]: b",
        "[a]",
        "![i](u)",
        "\\",
        "  ",
        "\t",
        "\x0c",
        "é猫",
    ),
    *("\u2028", "\x00", "+++", "title: x", "***", "&lt;", "`", "**b**", "]", "a  "),
)


def random_texts(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [
        "".join(
            draw.choice(FRAGMENTS) + draw.choice(("\n", "\n", "\n\n", "\r\n", "\r", ""))
            for _ in range(draw.randint(0, 12))
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_parse_draft_gives_the_text_back(text: str) -> None:
    draft = parse_draft(text)
    assert draft.markdown == text
    assert all(block.markdown for block in draft.blocks)
    assert not any(block.markdown.endswith(("\n", "\r")) for block in draft.blocks)


def test_parse_draft_gives_any_text_back() -> None:
    for text in random_texts(3000, seed=1):
        assert parse_draft(text).markdown == text


def shared_drafts(site: str) -> list[Path]:
    paths = sorted((DATA / site).rglob("*.md"))
    if not paths:
        pytest.skip(f"the shared articles are not here: {DATA / site}")
    return paths


@pytest.mark.parametrize("site", ["anthropology-en", "howtocook-zh"])
def test_read_draft_gives_real_articles_back(site: str) -> None:
    for path in shared_drafts(site):
        draft = read_draft(path)
        assert draft.markdown.encode("utf-8") == path.read_bytes(), path
        assert draft.title, path
        assert ILLUSTRATABLE & {block.kind for block in draft.blocks}, path


def test_parse_draft_names_the_kinds() -> None:
    text = "---\ntitle: t\n---\n# h\np\n- l\n\n> q\n\n```\nc\n```\n\n    c\n\n|a|\n|-|\n\n***\n\n<div>\n\n[a]: b\n\np\n"
    assert [block.kind for block in parse_draft(text).blocks] == [
        *(
            "front_matter",
            "heading",
            "paragraph",
            "list",
            "quote",
            "code",
            "code",
            "table",
            "rule",
            "html",
            "paragraph",
        ),
    ]


def test_parse_draft_keeps_definitions_in_the_gap() -> None:
    draft = parse_draft("One [a].\n\n[a]: x\n\nTwo.")
    assert [(block.markdown, block.gap) for block in draft.blocks] == [("One [a].", "\n\n[a]: x\n\n"), ("Two.", "")]


@pytest.mark.parametrize(
    ("text", "given", "title"),
    [
        ("## Two\n\n# *One* `x` [l](u)\n", None, "One x l"),
        ("# One\n", "Given\nhere", "Given here"),
        ('---\ntitle: "A \\"B\\""\n---\n## Two\n', None, 'A "B"'),
        ("---\ntitle: A # comment\n---\n", None, "A"),
        ("+++\ntitle = 'T'\n+++\n## Two\n", None, "T"),
        ("---\ntitle: Matter\n---\n# One\n", None, "One"),
        ("# \n\n### Three\n", None, "Three"),
        ("Setext *title*\n===\n", None, "Setext title"),
        ("text\n", None, ""),
    ],
)
def test_parse_draft_finds_the_title(text: str, given: str | None, title: str) -> None:
    assert parse_draft(text, title=given).title == title


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"PK\x03\x04\x00\x00", "not text"), (b"ok\n\xff\xfe", "line 2"), (b"", "empty"), (b"\xef\xbb\xbf \n", "empty")],
)
def test_read_draft_refuses_what_is_not_text(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "draft.md"
    path.write_bytes(data)
    with pytest.raises(DraftUnreadable, match=words) as caught:
        read_draft(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_read_draft_refuses_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DraftUnreadable, match="no draft"):
        read_draft(tmp_path / "nothing.md")
    with pytest.raises(DraftUnreadable, match="folder"):
        read_draft(tmp_path)


def live_tokens(markdown: str) -> list[str]:
    """What another reader of Markdown would make live, link schemes unchecked."""
    parser = MarkdownIt("commonmark", {"maxNesting": 60}).enable("table")
    parser.validateLink = lambda url: True

    def walk(tokens: list[Token]) -> list[str]:
        found = [t.type for t in tokens if t.type in ("html_block", "html_inline", "link_open", "image")]
        return found + [name for token in tokens for name in walk(token.children or [])]

    return walk(parser.parse(markdown))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "a {} b", "- {}", "> {}", "## {}", "*{}*", "x\n{}\ny\n"])
def test_parse_reply_article_holds_nothing_live(text: str, around: str) -> None:
    draft = parse_reply_article(
        "# Boats\n\n" + around.format(text) + "\n\n[evil]: javascript:window.pwned=1\n\nLast.\n"
    )
    assert live_tokens(draft.markdown) == []
    assert draft.title == "Boats"
    assert draft.blocks[-1].markdown == "Last."


def test_parse_reply_article_holds_nothing_live_in_any_text() -> None:
    for text in [*random_texts(2000, seed=2), *NASTY]:
        assert live_tokens(parse_reply_article(text).markdown) == [], text


def test_parse_reply_article_refuses_what_hides_in_depth() -> None:
    deep = "> " * 30 + "<img src=x onerror=alert(1)>"
    assert live_tokens(deep)
    assert live_tokens(parse_reply_article(deep).markdown) == []


def test_parse_reply_article_keeps_what_is_harmless() -> None:
    text = "# T\n\n*a* **b** `<i>`\n\n- l\n\n> q\n\n```html\n<b>\n```\n\n|a|\n|-|\n|1|\n"
    draft = parse_reply_article(text)
    assert draft.markdown == text
    assert [block.kind for block in draft.blocks] == ["heading", "paragraph", "list", "quote", "code", "table"]


def test_parse_reply_article_shows_live_text_as_text() -> None:
    draft = parse_reply_article("# A <b>bold</b> title\n\nSee [this](http://x).\n\n<div>\n  text\n</div>\n")
    assert draft.title == "A <b>bold</b> title"
    assert [plain_text(block) for block in draft.blocks] == [
        *("A <b>bold</b> title", "See [this](http://x).", "<div> text </div>"),
    ]


def test_parse_reply_article_puts_the_given_title_first() -> None:
    draft = parse_reply_article("# Model's title\n\nText.", title="Mine #1 *x*")
    assert draft.title == plain_text(draft.blocks[0]) == "Mine #1 *x*"
    assert parse_reply_article("Text.", title="Mine").blocks[0].markdown == "Text."


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "a {} b", "![{}](u)", "*{}*", "# {}"])
def test_escape_markdown_shows_text_as_text(text: str, around: str) -> None:
    source = around.format(escape_markdown(text))
    page = MarkdownIt("commonmark").enable("table").render(source)
    words = html.escape(one_line(text)).replace("&#x27;", "'")
    if around == "![{}](u)":
        assert page == f'<p><img src="u" alt="{words}" /></p>\n'
    elif words:
        inside = {"{}": words, "a {} b": f"a {words} b", "*{}*": f"<em>{words}</em>", "# {}": words}[around]
        tag = "h1" if around.startswith("#") else "p"
        assert page == f"<{tag}>{inside}</{tag}>\n"


def test_escape_markdown_leaves_ordinary_words_alone() -> None:
    assert (
        escape_markdown("Tom & Jerry, at 5 o'clock: 3 - 2 = 1 (yes!)") == "Tom & Jerry, at 5 o'clock: 3 - 2 = 1 (yes!)"
    )


@pytest.mark.parametrize(
    ("markdown", "swallows"),
    [
        ("```\ncode", True),
        ("```\ncode\n```", False),
        ("<!-- open", True),
        ("<script>", True),
        ("- a", False),
        ("p", False),
    ],
)
def test_swallows_what_follows(markdown: str, swallows: bool) -> None:
    assert swallows_what_follows(markdown) is swallows
