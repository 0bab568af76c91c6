"""The page for people in a real browser: graded, left, come back to, saved and read back; and it tells no system."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from limner.evaluation.entries import Entry, in_random_order, open_entries
from limner.evaluation.grades import read_rated
from limner.evaluation.rubric import DIMENSIONS, KEYS
from limner.evaluation.sheet import PICTURE_SIDE_PX, to_sheet, write_sheet
from limner.index.errors import PictureUnreadable
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from ..composer.articles import HOSTILE
from ..composer.test_page import open_page
from .judged import grades, write_article

COLOURS = ("red", "green", "blue")


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    """Three articles in the order of a sheet; the green one is by another system."""
    folder = tmp_path / "secret-folder"
    for colour in COLOURS:
        models = {"writer": f"secret-{colour}"}
        write_article(folder / colour, colour, text=f"The sea was {colour}.", title=f"In {colour}", models=models)
    return in_random_order(open_entries([str(folder)], seed=5), seed=5)


@pytest.fixture
def sheet(entries: list[Entry], tmp_path: Path) -> Path:
    path = tmp_path / "sheet" / "sheet.html"
    write_sheet(path, entries, seed=5)
    return path


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own, which keeps what pages store while it is open."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield context
    context.close()


def opened(context: BrowserContext, sheet: Path) -> Page:
    page = context.new_page()
    page.goto(sheet.as_uri())
    return page


def grade(page: Page, *levels: int) -> None:
    """Grade the article that is shown."""
    for key, level in zip(KEYS, levels, strict=False):
        page.locator(f"form:not([hidden]) input[name={key}][value='{level}']").check()


def saved(page: Page, path: Path) -> Path:
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(path)
    return path


def test_a_sheet_that_is_graded_left_and_come_back_to_is_read_back(
    context: BrowserContext, sheet: Path, entries: list[Entry], tmp_path: Path
) -> None:
    first, second = (5, 3, 1, 5, 3, 1, 5, 3), (1, 1, 3, 3, 5, 5, 1, 3)
    page = opened(context, sheet)
    assert page.inner_text("#count") == "0 of 3 graded"
    grade(page, *first)
    page.click("form:not([hidden]) .next")
    grade(page, *second[:4])
    page.fill("#rater", "Ada Lovelace")
    assert page.inner_text("#count") == "1 of 3 graded"

    page.reload()
    assert page.inner_text("#count") == "1 of 3 graded"
    assert page.input_value("#rater") == "Ada Lovelace"
    assert page.locator(f'[id="{entries[0].id}"] input:checked').count() == 8
    page.close()
    page = opened(context, sheet)
    page.click("nav a:nth-child(2)")
    grade(page, *second)
    rated = read_rated(saved(page, tmp_path / "ada.json"))

    assert page.inner_text("#said") == "Saved. 1 of 3 articles still lack grades."
    assert (rated.rater, rated.seed, rated.unfinished) == ("Ada Lovelace", 5, 0)
    assert {verdict.article: verdict.grades for verdict in rated.verdicts} == {
        entries[0].id: grades(*first), entries[1].id: grades(*second),
    }  # fmt: skip


def test_an_article_without_all_eight_grades_is_saved_as_unfinished(
    context: BrowserContext, sheet: Path, tmp_path: Path
) -> None:
    page = opened(context, sheet)
    grade(page, 5, 3)
    page.click("#save")
    assert page.inner_text("#said").startswith("Write your name first")
    assert page.evaluate("document.activeElement.id") == "rater"
    page.fill("#rater", "Bea")
    rated = read_rated(saved(page, tmp_path / "bea.json"))

    assert (rated.verdicts, rated.unfinished) == ((), 1)


def test_a_grade_can_be_changed_and_sheets_do_not_mix(
    context: BrowserContext, sheet: Path, entries: list[Entry], tmp_path: Path
) -> None:
    page = opened(context, sheet)
    grade(page, *[1] * 8)
    grade(page, *[5] * 8)
    page.fill("#rater", "C")
    assert read_rated(saved(page, tmp_path / "c.json")).verdicts[0].grades == grades(5)
    other = tmp_path / "other.html"
    write_sheet(other, entries[:2], seed=5)

    assert opened(context, other).inner_text("#count") == "0 of 2 graded"


def test_nothing_in_a_sheet_tells_a_system_or_a_file(entries: list[Entry]) -> None:
    page = to_sheet(entries, seed=5)

    assert "secret" not in page
    assert not any(str(entry.path.parent.name) + ".png" in page for entry in entries)
    for entry in entries:
        assert page.count(f'id="{entry.id}"') == 1
    titles = re.findall(r"<h1>In (\w+)</h1>", page)
    assert sorted(titles) == sorted(COLOURS) and titles == [entry.path.parent.name for entry in entries]


def test_the_same_seed_gives_the_same_page(entries: list[Entry], tmp_path: Path) -> None:
    again = in_random_order(open_entries([str(tmp_path / "secret-folder")], seed=5)[::-1], seed=5)

    assert to_sheet(again, seed=5) == to_sheet(entries, seed=5)


def test_pictures_are_inside_and_small(browser: Browser, tmp_path: Path) -> None:
    path = write_article(tmp_path / "a", "red", "blue")
    Image.new("RGB", (3000, 2000), (255, 0, 0)).save(path.parent / "images" / "red.png")
    write_sheet(tmp_path / "sheet.html", open_entries([str(path)]), seed=0)
    (tmp_path / "sheet.html").rename(tmp_path / "alone.html")
    page = open_page(browser)
    page.show(tmp_path / "alone.html")

    widths = page.page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert widths == [PICTURE_SIDE_PX, 60]
    assert page.happened == []
    page.page.close()


def test_a_picture_that_is_broken_is_named(tmp_path: Path) -> None:
    path = write_article(tmp_path / "a", "red")
    (path.parent / "images" / "red.png").write_bytes(b"no picture")

    with pytest.raises(PictureUnreadable, match=r"red\.png"):
        to_sheet(open_entries([str(path)]), seed=0)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_hostile_articles_neither_run_nor_fetch_nor_overflow(browser: Browser, tmp_path: Path, width: int) -> None:
    for number, text in enumerate(HOSTILE):
        write_article(tmp_path / f"{number}", "red", text=f"{text or 'x'} {'unbroken' * 40}", title=text)
    write_sheet(tmp_path / "sheet.html", open_entries([str(tmp_path)]), seed=0)
    page = open_page(browser, width=width)
    stopped: list[str] = []
    page.page.on("requestfailed", lambda request: stopped.append(request.url) if request.failure == "csp" else None)
    page.show(tmp_path / "sheet.html")

    for number in range(len(HOSTILE)):
        page.page.evaluate(f"location.hash = document.forms[{number}].id")
        assert page.page.evaluate("document.documentElement.scrollWidth") == width
    assert page.page.evaluate("window.pwned") is None
    # A picture elsewhere that an article's own text shows is not fetched: the page's policy stops it.
    assert set(stopped) == {"http://127.0.0.1:9/pixel.png"}
    assert {what for what in page.happened if "Content Security Policy" not in what} == {*stopped}
    page.page.close()


def test_a_sheet_is_dark_where_that_is_wanted_and_shows_every_level(browser: Browser, sheet: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page(browser, scheme=scheme).page
        page.goto(sheet.as_uri())
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        colours[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
        for dimension in DIMENSIONS:
            said = page.inner_text(f"form:not([hidden]) fieldset[data-key={dimension.key}]")
            assert all(words in said for words in (dimension.name, dimension.question, *dimension.levels))
        page.close()
    assert colours["dark"] < 100 < 700 < colours["light"]
