"""The page in a real browser: nothing runs, nothing is fetched, nothing overflows, every picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from limner.composer.article import Article, Block, Brief
from limner.composer.markdown import parse_draft
from limner.composer.render import render
from playwright.sync_api import Browser, Dialog, Page

from .articles import HOSTILE, a_figure, draw_pictures, illustrated
from .test_render import golden_article, hostile_article

LONG = parse_draft(
    "# An unreasonably long Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft\n\n"
    f"{'unbroken' * 60} and `{'code' * 60}` and <https://example.org/{'path' * 60}>\n\n"
    f"```\n{'a line of code that does not end ' * 20}\n```\n\n"
    f"|{'a long heading|' * 12}\n|{'-|' * 12}\n|{'cell|' * 12}\n\n"
    f"> {'quoted' * 60}\n\n- {'item' * 90}\n  1. {'nested' * 60}\n\n## {'heading' * 40}\n\n<div>{'raw' * 100}</div>\n"
)


@dataclass
class Opened:
    """A page and what happened on it."""

    page: Page
    happened: list[str] = field(default_factory=list)

    def show(self, path: Path) -> None:
        self.page.goto(path.as_uri())
        self.page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
        self.page.wait_for_function("[...document.images].every(image => image.complete)")


def open_page(browser: Browser, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened = Opened(page)

    def refuse(dialog: Dialog) -> None:
        opened.happened.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("dialog", refuse)
    page.on("pageerror", lambda error: opened.happened.append(f"error {error}"))
    page.on("console", lambda message: opened.happened.append(f"{message.type} {message.text}"))
    page.on("request", lambda request: opened.happened.append(request.url) if not_a_file(request.url) else None)
    return opened


def not_a_file(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    opened = open_page(browser)
    yield opened
    opened.page.close()


def write(article: Article, out_dir: Path, *, embed: bool = False) -> Path:
    draw_pictures(out_dir, tuple(f"picture-{number}.png" for number in range(12)))
    return render(article, out_dir, formats=["html"], embed=embed)[0]


def test_page_runs_and_fetches_nothing(opened: Opened, tmp_path: Path) -> None:
    for text in HOSTILE:
        opened.show(write(hostile_article(text), tmp_path))
        assert opened.page.evaluate("window.pwned") is None, text
        assert opened.page.evaluate("document.scripts.length") == 0, text
        assert opened.happened == [], text


def test_page_would_notice_a_script(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<script>window.pwned = 1; alert(1)</script><img src=http://127.0.0.1:9/x.png>")
    opened.page.goto((tmp_path / "bad.html").as_uri())
    assert opened.page.evaluate("window.pwned") == 1
    assert "dialog 1" in opened.happened and "http://127.0.0.1:9/x.png" in opened.happened


def test_page_policy_stops_what_templates_might_let_through(opened: Opened, tmp_path: Path) -> None:
    path = write(illustrated(parse_draft("# T\n\nText.\n"), after=()), tmp_path)
    injected = (
        "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'><p style='color: red'>x</p></article>"
    )
    path.write_text(path.read_text("utf-8").replace("</article>", injected), "utf-8")
    opened.show(path)
    assert opened.page.evaluate("window.pwned") is None
    assert opened.page.evaluate("getComputedStyle(document.querySelector('p[style]')).color") != "rgb(255, 0, 0)"


@pytest.mark.parametrize("embed", [False, True])
def test_page_shows_every_picture_from_a_folder(opened: Opened, tmp_path: Path, embed: bool) -> None:
    path = write(golden_article(), tmp_path, embed=embed)
    if embed:
        path = path.rename(tmp_path.parent / f"{tmp_path.name}-alone.html")
    opened.show(path)
    widths = opened.page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert widths == [640, 640]
    assert opened.happened == []
    assert opened.page.evaluate("getComputedStyle(document.querySelector('figcaption')).textAlign") == "center"


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_page_never_scrolls_sideways(browser: Browser, tmp_path: Path, width: int) -> None:
    opened = open_page(browser, width=width)
    long_words = a_figure(0, caption="caption" * 60, credit="https://example.org/" + "credit" * 60)
    article = illustrated(LONG)
    for number, one in enumerate((golden_article(), Article("T", Brief(""), {}, (*article.blocks, long_words)))):
        opened.show(write(one, tmp_path / str(number)))
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    opened.page.close()


@pytest.mark.parametrize(("scheme", "low", "high"), [("light", 230, 255), ("dark", 0, 60)])
def test_page_follows_the_readers_colours(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"], low: int, high: int
) -> None:
    opened = open_page(browser, scheme=scheme)
    opened.show(write(golden_article(), tmp_path))
    colour = opened.page.evaluate(
        "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert all(low <= channel <= high for channel in colour[:3]), colour
    opened.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_text_has_contrast(browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]) -> None:
    opened = open_page(browser, scheme=scheme)
    opened.show(write(golden_article(), tmp_path))
    for selector, least in (
        ("article p", 12.0),
        ("figcaption", 4.5),
        ("small", 4.5),
        ("footer p", 4.5),
        ("pre code", 10.0),
    ):
        assert opened.page.evaluate(CONTRAST, selector) >= least, selector
    opened.page.close()


CONTRAST = """selector => {
  const channels = css => css.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const style = getComputedStyle(document.querySelector(selector));
  const paper = channels(getComputedStyle(document.documentElement).backgroundColor);
  const opacity = Number(style.opacity);
  const ink = channels(style.color).slice(0, 3).map((c, i) => c * opacity + paper[i] * (1 - opacity));
  const [high, low] = [light(ink), light(paper)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}"""


def test_page_figures_are_wider_than_the_text_on_a_desktop_only(browser: Browser, tmp_path: Path) -> None:
    wide: dict[int, bool] = {}
    for width in (390, 1280):
        opened = open_page(browser, width=width)
        opened.show(write(illustrated(parse_draft("Text of the article. " * 30)), tmp_path))
        sizes = opened.page.evaluate(
            "['p', 'figure img'].map(s => document.querySelector(s).getBoundingClientRect().width)"
        )
        wide[width] = sizes[1] > sizes[0] + 40
        opened.page.close()
    assert wide == {390: False, 1280: True}


def test_page_prints_figures_whole_on_white(opened: Opened, tmp_path: Path) -> None:
    blocks = [item for number in range(8) for item in (Block("paragraph", "Words of a text. " * 40), a_figure(number))]
    opened.show(write(Article("T", Brief(""), {}, tuple(blocks)), tmp_path))
    opened.page.emulate_media(media="print", color_scheme="dark")
    style = opened.page.evaluate(
        "[getComputedStyle(document.documentElement).backgroundColor,"
        " ...[...document.querySelectorAll('figure')].map(f => getComputedStyle(f).breakInside)]"
    )
    assert style == ["rgb(255, 255, 255)"] + ["avoid"] * 8
    assert opened.page.pdf(format="A4").startswith(b"%PDF")
