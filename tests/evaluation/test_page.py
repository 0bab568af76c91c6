"""The page of an evaluation: its figures are those of the records, and in a browser nothing runs or overflows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from limner.evaluation.articles import Survey, evaluate, survey
from limner.evaluation.cases import best_and_worst, right_and_wrong, shown_system
from limner.evaluation.document import asked_again
from limner.evaluation.figures import figure
from limner.evaluation.intervals import Estimate
from limner.evaluation.page import Part, Report, write_page
from limner.evaluation.plots import interval_plot
from limner.evaluation.records import Keeper, Pick, Placement, Question, Record
from limner.evaluation.report import summarise
from limner.evaluation.site import open_site
from limner.evaluation.systems import Settings
from playwright.sync_api import Browser

from ..colours import Paint
from ..composer.test_page import open_page

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LONG = "wordwithoutanyspace" * 12
COLOURS = ("red", "green", "blue", "white")


@pytest.fixture
def surveyed(tmp_path: Path, paint: Paint) -> Survey:
    """Four documents, of which words place one wrongly; their text and file names would like to run."""
    folder = tmp_path / "site"
    for colour in COLOURS:
        paint(folder / f"{colour}.png", colour, size=(64, 40))
        told = f"Then all at once everything that anybody could see was {colour}, and it stayed {colour}."
        first, second = (told, "It was a morning like all others, and nobody was awake yet, not even the birds.")
        text = f"{second}\n\n{first}" if colour != "white" else f"{first}\n\n{second}\n\nNothing more.\n\nNothing."
        (folder / f"{colour}.md").write_text(
            f"# {HOSTILE} {LONG}\n\n{text}\n\n![Something {colour} {HOSTILE}]({colour}.png)\n\nAnd so it ended.\n"
        )
    (folder / "white.png").write_bytes(b"no picture")
    (folder / "odd.md").write_text("![A](<gone onerror=alert(3).png>)\n")
    return survey(open_site(folder))


@pytest.fixture
def records(surveyed: Survey) -> list[Record]:
    return evaluate([surveyed], Settings("alt"), Keeper(None, []))


@pytest.fixture
def page(surveyed: Survey, records: list[Record], tmp_path: Path) -> Path:
    site = surveyed.site
    best, worst = best_and_worst(records, site, surveyed.said, lambda record: 7)
    chooser, choices = right_and_wrong(records, lambda r: asked_again(r, site.page(r.document), site.root))
    notices = [(notice.document, notice.reason) for notice in surveyed.notices]
    part = Part("site", "four", "words", best, worst, chooser, choices, notices)
    out = tmp_path / "runs" / "a b"
    path = tmp_path / "pages" / "report.html"
    write_page(path, Report(f"How {HOSTILE}", [LONG], summarise(records), [part], out, [HOSTILE]))
    return path


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "dark"), (1280, "light")])
def test_nothing_runs_is_fetched_or_overflows(
    browser: Browser, page: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    opened = open_page(browser, width=width, scheme=scheme)
    opened.show(page)
    opened.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")

    assert opened.happened == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert opened.page.inner_text("h1") == f"How {HOSTILE}"
    assert opened.page.locator(".gone").count() > 0
    opened.page.close()


def test_plots_have_the_page_s_colours_in_light_and_in_dark(browser: Browser, page: Path) -> None:
    found: list[tuple[str, str]] = []
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        opened = open_page(browser, scheme=scheme)
        opened.show(page)
        found.append(
            opened.page.evaluate(
                "['svg .fill-ink', 'body'].map(name => getComputedStyle(document.querySelector(name)))"
                ".map((style, i) => i ? style.color : style.fill)"
            )
        )
        opened.page.close()

    assert [fill for fill, _ in found] == [ink for _, ink in found]
    assert found[0] != found[1]


def test_tables_have_the_figures_of_the_records(browser: Browser, page: Path, records: list[Record]) -> None:
    opened = open_page(browser)
    opened.show(page)
    opened.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    row = opened.page.locator("tbody tr", has=opened.page.locator("th", has_text=re.compile("^words$"))).first
    said = row.locator("td").first.inner_text()
    value = next(m.estimate for m in summarise(records) if (m.name.system, m.name.measure) == ("words", "f1"))
    opened.page.close()

    assert said.split()[0] == figure(value.value)


def test_links_lead_to_the_records_from_where_the_page_stands(page: Path) -> None:
    addresses = re.findall(r'<a href="([^"]*)"', page.read_text())

    assert set(addresses) == {f"../runs/a%20b/{name}" for name in ("summary.json", "records.jsonl", "evaluation.json")}


def test_the_best_and_the_worst_documents_stand_there_once(surveyed: Survey, records: list[Record]) -> None:
    best, worst = best_and_worst(records, surveyed.site, surveyed.said, lambda record: 1)

    assert worst[0].document == "white.md"
    assert {case.document for case in best} | {case.document for case in worst} == {f"{name}.md" for name in COLOURS}
    (stop,) = best[0].stops
    assert (stop.authors[0].file, stop.ours[0].where, stop.ours[0].is_authors) == (stop.ours[0].file, "same", True)
    assert best[0].said == "1 of 1 places are the author's, 1 within one block; of the author's 1 pictures 1 came back"
    ours = next(stop.ours[0] for stop in worst[0].stops if stop.ours)
    assert ours.where == "elsewhere"


def test_what_places_nothing_has_no_best_documents(
    browser: Browser, surveyed: Survey, records: list[Record], tmp_path: Path
) -> None:
    records = [replace(record, placement={"words": Placement((), ())}) for record in records]
    best, worst = best_and_worst(records, surveyed.site, surveyed.said, lambda record: 1)
    write_page(
        tmp_path / "report.html",
        Report("t", [], summarise(records), [Part("site", "", "words", best, worst)]),
    )
    opened = open_page(browser)
    opened.show(tmp_path / "report.html")
    headings = opened.page.locator("h3").all_inner_texts()
    said = opened.page.locator("section.site").inner_text()
    opened.page.close()

    assert (best, len(worst)) == ([], 2)
    assert "Worst documents" in headings and "Best documents" not in headings
    assert "There are no best documents: in none does a picture of words stand within one block" in said


def test_a_model_s_places_are_shown_before_those_by_words() -> None:
    def system(*names: str) -> str | None:
        return shown_system(Record("s", "d", (), (), {name: Placement((), ()) for name in names}))

    assert system("uniform", "words", "longest-paragraph", "some-model") == "some-model"
    assert system("words", "uniform") == "words"
    assert system("uniform") == "uniform"
    assert system() is None


def test_choices_are_shown_right_and_wrong() -> None:
    question = Question(("a", "b"), 0)
    picks = (Pick(0, 1.0), Pick(1, 0.0), Pick(None, 0.0, "none_fit"))
    record = Record("s", "d", (), (), questions=(question,) * 3, selection={"chance": picks, "m": picks})
    from limner.evaluation.selection import Asked

    asked = Asked("", (), "", (Path("a"), Path("b")), 0)
    chooser, choices = right_and_wrong([record], lambda record: [asked] * 3)

    assert chooser == "m"
    assert [(choice.agrees, choice.said) for choice in choices] == [
        (False, ""),
        (False, "found that none fits"),
        (True, ""),
    ]
    assert choices[0].candidates == ((Path("a"), True, False), (Path("b"), False, True))
    assert right_and_wrong([Record("s", "d", (), ())], lambda record: []) == ("", [])


def test_a_plot_is_text_without_styles_and_the_same_each_time() -> None:
    rows = [("one $x$ <b> 模型", Estimate(0.25, 0.1, 0.5, 3)), ("two", Estimate(-0.5, None, None, 1))]
    plot = interval_plot(rows)

    assert plot == interval_plot(rows)
    assert "one $x$ &lt;b&gt; 模型</text>" in plot
    assert ">.250</text>" in plot
    assert ">-.500</text>" in plot
    assert "style" not in plot
    assert "#0" not in re.sub(r'href="#\w+"', "", plot)
