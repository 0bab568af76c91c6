"""The Markdown is the draft and its figures; the HTML is one page in which every text is text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from limner.composer.article import Article, Block, Brief, Draft, Figure
from limner.composer.errors import ArticleInvalid
from limner.composer.markdown import escape_markdown, one_line, parse_draft, parse_reply_article, plain_text, read_draft
from limner.composer.render import render, to_html, to_markdown
from limner.index.errors import WriteFailed
from markdown_it import MarkdownIt

from .articles import DATA, HOSTILE, a_figure, an_empty_spot, draw_pictures, illustrated
from .test_markdown import NASTY, live_tokens, random_texts

GOLDEN = Path(__file__).parent / "golden" / "article.html"
FIGURE = re.compile(r"!\[A boat on calm water\]\(images/picture-\d+\.png\)  (?:\r\n|\r|\n)\*A boat at dawn\*")


def top_level(text: str) -> list[str]:
    """Each top-level block as the HTML that it renders to, the figures left out."""
    parser = MarkdownIt("commonmark").enable("table")
    env: dict[str, object] = {}
    tokens = parser.parse(text, env)
    parts: list[str] = []
    start = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            html = parser.renderer.render(tokens[start : index + 1], parser.options, env)
            parts.append(re.sub(r"\n+", "\n", html).strip())
            start = index + 1
    return [part for part in parts if "images/picture-" not in part]


def check_figures_only_added(draft: Draft, after: tuple[int, ...] | None = None) -> None:
    article = illustrated(draft, after=after)
    text = to_markdown(article)
    placed = [block for block in article.blocks if isinstance(block, Figure)]
    assert len(FIGURE.findall(text)) == len(placed)

    # every line of the source stands in the text, in order, with nothing between but the figures and blank lines
    kept = re.sub(r"\s", "", FIGURE.sub("", text))
    assert kept == re.sub(r"\s", "", draft.markdown)

    matter = draft.blocks[0].markdown if draft.blocks and draft.blocks[0].kind == "front_matter" else ""
    source = draft.markdown.lstrip("\ufeff")[len(matter) :]
    result = text.lstrip("\ufeff")[len(matter) :]
    assert top_level(result) == top_level(source)
    figures = [
        t for t in MarkdownIt("commonmark").parse(result) if t.type == "inline" and "images/picture-" in t.content
    ]
    assert all(token.level == 1 and FIGURE.fullmatch(token.content) for token in figures)
    assert len(figures) == len(placed)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_markdown_only_adds_figures_to_nasty_drafts(text: str) -> None:
    check_figures_only_added(parse_draft(text))


def test_markdown_only_adds_figures_to_any_draft() -> None:
    for text in random_texts(1500, seed=3):
        check_figures_only_added(parse_draft(text))


@pytest.mark.parametrize("site", ["anthropology-en", "howtocook-zh"])
def test_markdown_only_adds_figures_to_real_articles(site: str) -> None:
    paths = sorted((DATA / site).rglob("*.md"))
    if not paths:
        pytest.skip(f"the shared articles are not here: {DATA / site}")
    for path in paths[::8]:
        draft = read_draft(path)
        check_figures_only_added(draft, after=tuple(range(0, len(draft.blocks), 3)))


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_markdown_without_figures_is_the_draft(text: str) -> None:
    draft = parse_draft(text)
    assert to_markdown(illustrated(draft, after=())) == text
    spots = (an_empty_spot(), *draft.blocks, an_empty_spot())
    assert to_markdown(replace(illustrated(draft), blocks=spots)) == text


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_markdown_figure_is_a_paragraph_in_the_drafts_newlines(newline: str) -> None:
    draft = parse_draft(newline.join(["# T", "One.", "", "Two.", ""]))
    text = to_markdown(illustrated(draft, after=(0, 1, 2)))
    figure = "![A boat on calm water](images/picture-{}.png)  " + newline + "*A boat at dawn*"
    lines = ["# T", "", figure.format(0), "", "One.", "", figure.format(1), "", "Two.", "", figure.format(2), ""]
    assert text == newline.join(lines)


def test_markdown_taken_apart_is_the_draft_again() -> None:
    for text in ("# T\n\nOne.\n\nTwo.\n", "One.\n\n\n\nTwo.", "One.\n\n[a]: b\n\nTwo.\n", "One.\r\n\r\nTwo.\r\n"):
        added = re.compile(r"(?:\r\n|\r|\n){2}" + FIGURE.pattern)
        assert added.sub("", to_markdown(illustrated(parse_draft(text)))) == text


def test_markdown_parts_a_figure_from_a_definition() -> None:
    text = to_markdown(illustrated(parse_draft("See [a].\n\n[a]: x\n[b]: y\n"), after=(0,)))
    assert "*A boat at dawn*\n\n[a]: x\n[b]: y\n" in text


def test_markdown_puts_the_figure_before_a_fence_without_end() -> None:
    text = to_markdown(illustrated(parse_draft("One.\n\n```\ncode"), after=(1,)))
    assert text.startswith("One.\n\n![") and text.endswith("*\n\n```\ncode")


def test_markdown_of_a_written_article_begins_with_its_title() -> None:
    bare = parse_reply_article("Text.\n", title="Tom *&amp;* Jerry #")
    assert to_markdown(illustrated(bare, after=(), written=True)) == "# Tom \\*\\&amp;\\* Jerry \\#\n\nText.\n"
    titled = parse_reply_article("# Boats\n\nText.\n")
    assert to_markdown(illustrated(titled, after=(), written=True)) == "# Boats\n\nText.\n"


def test_markdown_shows_caption_and_credit() -> None:
    article = Article(
        "", Brief(""), {}, (Block("paragraph", "Text."), a_figure(3, caption="A *cat*", credit="J. Roe, CC0"))
    )
    assert to_markdown(article).endswith("(images/picture-3.png)  \n*A \\*cat\\* · J. Roe, CC0*\n\n")


LICENCE = "https://creativecommons.org/licenses/by/4.0/deed.en?a=1&b=(2)"


def test_credit_leads_to_the_licence() -> None:
    figure = replace(a_figure(3, caption="A cat", credit="J. *Roe*"), licence_url=LICENCE)
    article = Article("", Brief(""), {}, (Block("paragraph", "Text."), figure))
    assert to_markdown(article).endswith(f"\n*A cat · [J. \\*Roe\\*](<{LICENCE}>)*\n\n")
    link = f'<a rel="license" href="{LICENCE.replace("&", "&amp;")}">J. *Roe*</a>'
    assert link in to_html(article)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a.b/><script>", "https://a.b/>) [x](y", "//a.b", "x\ny"]
)
def test_credit_leads_nowhere_else(url: str) -> None:
    figure = replace(a_figure(3, credit="J. Roe"), licence_url=url)
    article = Article("", Brief(""), {}, (Block("paragraph", "Text."), figure))
    assert url not in to_markdown(article)
    assert "<a " not in to_html(article)


class Page(HTMLParser):
    """A page as its start tags and its texts; `unknown` holds what our templates never write."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip() and self.tags:
            self.texts.append((self.tags[-1][0], data))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, tag: str) -> list[str]:
        return [one_line(data) for name, data in self.texts if name == tag]


def hostile_article(text: str) -> Article:
    """One text in every place that a model, a picture's metadata or a user's draft may fill."""
    written = parse_reply_article(f"# {text}\n\n{text}\n\nA {text} b\n\n- {text}\n\n```\n{text}\n```\n")
    figure = replace(a_figure(0), caption=text, alt=text, credit=text, note=text, source=text)
    blocks = [item for block in written.blocks for item in (block, replace(figure, image="images/picture-0.png"))]
    return Article(written.title, Brief(text or "x", title=text), {text: text}, tuple(blocks), notices=(text,))


@pytest.mark.parametrize("text", HOSTILE)
def test_html_shows_hostile_text_as_text(text: str) -> None:
    page = Page(to_html(hostile_article(text)))
    assert not page.all("script")
    assert not page.comments
    assert not [
        name for tag, attributes in page.tags for name in attributes if name.startswith("on") or name == "srcdoc"
    ]
    assert {i["src"] for i in page.all("img")} == {"images/picture-0.png"}
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "article", "header", "h1", "p", "ul", "ol", "li"),
        *("figure", "img", "figcaption", "small", "footer", "pre", "code", "br", "blockquote", "em", "strong", "table"),
        *("div", "thead", "tbody", "tr", "th", "td", "h2", "hr"),
    }
    assert all(i["alt"] == one_line(text) for i in page.all("img"))
    if one_line(text):
        assert one_line(text) in page.text("figcaption")
        assert one_line(text) in page.text("small")


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text_as_text(text: str) -> None:
    article = hostile_article(text)
    source = to_markdown(article)
    assert set(live_tokens(source)) == {"image"}
    assert source.count("](images/picture-0.png)") == live_tokens(source).count("image")


def test_html_shows_a_drafts_own_html_as_text_and_drops_comments() -> None:
    draft = parse_draft("# T\n\n<!-- hidden -->\n\n<script>window.pwned = 1</script>\n\nIn <b onclick=x>line</b>.\n")
    page = Page(to_html(illustrated(draft, after=())))
    assert not page.all("script") and not page.all("b")
    assert "<script>window.pwned = 1</script>" in page.text("pre")
    assert "hidden" not in to_html(illustrated(draft, after=()))


def test_html_drops_dangerous_links_of_a_draft() -> None:
    html = to_html(
        illustrated(
            parse_draft("[a](javascript:x) [b](JaVaScRiPt:x) [c](data:text/html,x) [d](https://x.org)"), after=()
        )
    )
    assert [a["href"] for a in Page(html).all("a")] == ["https://x.org"]


def test_html_has_what_a_page_needs() -> None:
    draft = parse_draft(
        "---\nsecret: front matter\n---\n# On *Boats*\n\nThe boat is in the bay and the cat is on it.\n"
    )
    html = to_html(illustrated(draft, after=(2,)))
    page = Page(html)
    assert html.startswith("<!doctype html>\n")
    assert page.all("html") == [{"lang": "en"}]
    assert page.tags[2] == ("meta", {"charset": "utf-8"})
    named = {m["name"]: m["content"] for m in page.all("meta") if m.get("name")}
    assert named["viewport"] == "width=device-width, initial-scale=1"
    assert named["description"] == "The boat is in the bay and the cat is on it."
    assert named["generator"] == "Limner" and named["color-scheme"] == "light dark"
    assert page.text("title") == ["On Boats"]
    assert len(page.all("h1")) == 1 and "<h1>On <em>Boats</em></h1>" in html
    assert len(page.all("article")) == len(page.all("figure")) == len(page.all("figcaption")) == 1
    [image] = page.all("img")
    assert image == {
        "src": "images/picture-2.png",
        "alt": "A boat on calm water",
        "width": "640",
        "height": "480",
        "loading": "lazy",
        "decoding": "async",
    }
    assert "front matter" not in html


def test_html_title_stands_once() -> None:
    def headings(text: str, title: str | None = None) -> list[str]:
        return Page(to_html(illustrated(parse_draft(text, title=title), after=()))).text("h1")

    assert headings("# A\n\ntext") == ["A"]
    assert headings("text\n\n# A\n") == ["A"]
    assert headings("text", title="A") == ["A"]
    assert headings("# A\n\ntext", title="B") == ["B", "A"]
    assert headings("## A\n\ntext") == ["A"]
    assert headings("text") == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat sat on the mat and it was fat.", "en"),
        ("把鸡蛋打散，加入面粉搅拌。", "zh"),
        ("猫がマットの上に座った。", "ja"),
        ("고양이가 앉았다", "ko"),
        ("Kissa istui matolla ja oli lihava.", ""),
    ],
)
def test_html_declares_the_language(text: str, language: str) -> None:
    assert Page(to_html(illustrated(parse_draft(text), after=()))).all("html") == [{"lang": language}]


def test_html_resolves_definitions_of_other_blocks() -> None:
    html = to_html(
        illustrated(parse_draft("See [a].\n\n- [b]\n\n[a]: https://a.org\n\n> x\n>\n> [b]: https://b.org\n"))
    )
    assert [a["href"] for a in Page(html).all("a")] == ["https://a.org", "https://b.org"]


def test_html_has_no_inline_style_and_allows_only_its_own() -> None:
    html = to_html(illustrated(parse_draft("|a|b|\n|:-|-:|\n|1|2|\n"), after=()))
    page = Page(html)
    assert not [attributes for _, attributes in page.tags if "style" in attributes]
    assert page.all("td") == [{"class": "left"}, {"class": "right"}]
    policy = next(m["content"] or "" for m in page.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src 'self' data:; style-src 'sha256-")


def test_html_lets_only_a_users_draft_show_pictures_from_elsewhere() -> None:
    draft = parse_draft("![a](https://x.org/a.png)\n")
    assert "img-src 'self' data: https: http:" in to_html(illustrated(draft, after=())).replace("&#39;", "'")
    assert "https:" not in to_html(illustrated(draft, after=(), written=True)).split("<title>")[0]


def test_html_leaves_empty_spots_out() -> None:
    article = replace(illustrated(parse_draft("Text.")), blocks=(Block("paragraph", "Text."), an_empty_spot()))
    assert "lighthouse" not in to_html(article) + to_markdown(article)


def test_html_credits_each_source_once() -> None:
    figures = [a_figure(0, credit="Jane Roe, CC0"), a_figure(1, credit="Jane Roe, CC0"), a_figure(2, credit="R. Doe")]
    html = to_html(Article("T", Brief(""), {}, (Block("paragraph", "Text."), *figures)))
    assert "<p>Pictures: Jane Roe, CC0; R. Doe</p>" in html


def test_render_writes_the_files_asked_for(tmp_path: Path) -> None:
    article = illustrated(parse_draft("# T\n\nText.\n"), after=(1,))
    draw_pictures(tmp_path, ("picture-1.png",))
    assert render(article, tmp_path, formats=["markdown", "html"]) == [
        tmp_path / "article.html",
        tmp_path / "article.md",
    ]
    assert (tmp_path / "article.md").read_bytes() == to_markdown(article).encode()
    first = (tmp_path / "article.html").read_bytes()
    render(article, tmp_path, formats=["html"])
    assert (tmp_path / "article.html").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["article.html", "article.md", "images"]


def test_render_keeps_the_drafts_newlines_on_disk(tmp_path: Path) -> None:
    text = "\ufeff# T\r\n\r\nText.\r\n"
    render(illustrated(parse_draft(text), after=()), tmp_path, formats=["markdown"])
    assert (tmp_path / "article.md").read_bytes() == text.encode("utf-8")


def test_render_embeds_pictures(tmp_path: Path) -> None:
    draw_pictures(tmp_path, ("picture-0.png",))
    render(illustrated(parse_draft("Text.")), tmp_path, formats=["html"], embed=True)
    [image] = Page((tmp_path / "article.html").read_text("utf-8")).all("img")
    assert (image["src"] or "").startswith("data:image/png;base64,iVBORw0KGgo")


def test_render_refuses_missing_pictures_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ArticleInvalid, match=r"picture-0\.png"):
        render(illustrated(parse_draft("Text.")), tmp_path, formats=["html", "markdown"])
    assert not list(tmp_path.iterdir())


def test_render_refuses_addresses_outside_the_article(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    for image in ("../secret.png", "secret.png", "images/../secret.png", "javascript:x.png", "//host/x.png"):
        article = Article("T", Brief(""), {}, (replace(a_figure(), image=image),))
        with pytest.raises(ArticleInvalid, match="not the address"):
            render(article, tmp_path / "out", formats=["html"], embed=True)


def test_render_reports_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(WriteFailed):
        render(illustrated(parse_draft("Text."), after=()), tmp_path / "out", formats=["html"])


def golden_article() -> Article:
    draft = parse_draft(
        "# The Boat\n\nThe *boat* is in the bay, and the cat is on it.\n\n## Later\n\n- one\n- two `code`\n\n"
        "> It was late.\n\n|day|boats|\n|-|-:|\n|one|2|\n\n```python\nx < 1\n```\n\n***\n\nSee [the book](https://example.org/book).\n"
    )
    article = illustrated(draft, after=(1, 5))
    figures = {1: {"credit": "Jane Roe, CC BY 4.0"}, 5: {"alt": 'Tom & "Jerry" <3', "width": 480, "height": 640}}
    blocks = [
        replace(block, **figures[int(re.sub(r"\D", "", block.image or ""))]) if isinstance(block, Figure) else block
        for block in article.blocks
    ]
    return replace(article, blocks=tuple(blocks))


def test_html_is_as_it_was_when_somebody_looked(update_golden: bool) -> None:
    page = to_html(golden_article())
    if update_golden:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(page.encode("utf-8"))
    assert page.encode("utf-8") == GOLDEN.read_bytes(), "run pytest tests/composer --update-golden and look at the page"


def test_plain_text_and_escape_agree() -> None:
    for text in HOSTILE:
        assert plain_text(Block("paragraph", f"a {escape_markdown(text)}")) == one_line(f"a {text}")
