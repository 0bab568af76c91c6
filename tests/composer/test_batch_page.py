"""The page of a batch in a real browser: cards that lead to their articles, nothing that runs or overflows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from limner.composer.batch.page import to_page, write_page
from limner.composer.batch.work import Outcome, Picture
from playwright.sync_api import Browser

from ..conftest import Paint
from .test_page import open_page

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'
LONG = "wordwithoutanyspace" * 20


@pytest.fixture
def rows(tmp_path: Path, paint: Paint) -> list[Outcome]:
    done = Outcome("line 1", "one", "one", "done", title="The red fox", pictures=2, formats=("html", "markdown"))
    made = [
        replace(done, card=Picture("a red fox", "Ada, CC0", 64, 40)),
        replace(
            done, id=HOSTILE, folder="猫", title=HOSTILE, notices=(HOSTILE,), card=Picture(HOSTILE, HOSTILE, 40, 64)
        ),
        replace(done, id="bare", folder="bare", title=LONG, pictures=0, empty=1, formats=("markdown",)),
        Outcome("line 9", "", None, "failed", f"line 9 is not JSON {LONG}"),
        Outcome("line 10", "late", "late", "unfinished", HOSTILE),
    ]
    for row in made[:3]:
        assert row.folder
        paint(tmp_path / row.folder / "card.webp", "red", size=(64, 40))
        for name in ("article.html", "article.md"):
            (tmp_path / row.folder / name).write_text("here")
    write_page(made, tmp_path)
    return made


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_runs_is_fetched_or_overflows(
    browser: Browser, rows: list[Outcome], tmp_path: Path, width: int
) -> None:
    opened = open_page(browser, width=width)
    opened.show(tmp_path / "index.html")

    assert opened.happened == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert opened.page.evaluate("document.images.length") == 2
    assert opened.page.inner_text("h1") == "3 articles"
    opened.page.close()


def test_cards_lead_to_their_articles_and_failures_are_named(
    browser: Browser, rows: list[Outcome], tmp_path: Path
) -> None:
    page = open_page(browser).page
    page.goto((tmp_path / "index.html").as_uri())

    assert [link.inner_text() for link in page.query_selector_all(".card h2")] == ["The red fox", HOSTILE, LONG]
    addresses = page.evaluate("[...document.querySelectorAll('.card')].map(card => decodeURI(card.href))")
    assert [Path(address).parent.name + "/" + Path(address).name for address in addresses] == [
        "one/article.html", "猫/article.html", "bare/article.md",
    ]  # fmt: skip
    assert page.get_attribute(".card img", "alt") == "a red fox"
    assert "Ada, CC0" in page.inner_text(".card")
    missing = [item.inner_text() for item in page.query_selector_all("#missing li")]
    assert [text.split()[:2] for text in missing] == [["line", "9"], ["late", "unfinished"]]
    page.click(".card")
    assert page.inner_text("body") == "here"
    page.close()


def test_the_page_is_dark_where_that_is_wanted(browser: Browser, rows: list[Outcome], tmp_path: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page(browser, scheme=scheme).page
        page.goto((tmp_path / "index.html").as_uri())
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        colours[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
        page.close()
    assert colours["dark"] < 100 < 700 < colours["light"]


def test_a_page_of_nothing_says_so() -> None:
    assert "0 articles" in to_page([Outcome("line 1", "", None, "failed", "no")])
