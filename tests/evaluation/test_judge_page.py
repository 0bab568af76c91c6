"""The page of the results in a real browser: its tables, its articles from best to worst, and nothing that runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from limner.evaluation.entries import open_entries
from limner.evaluation.judge_page import to_page, write_results
from limner.evaluation.records import JUDGE_PAGE
from limner.evaluation.scoring import bring_together, summary_of
from limner.evaluation.verdicts import Verdict
from playwright.sync_api import Browser

from ..composer.test_page import open_page
from .judged import grades, write_article

HOSTILE = '<script>window.pwned = 1</script><img src=x onerror="window.pwned = 1">'


@pytest.fixture
def summary(tmp_path: Path) -> dict[str, Any]:
    """Two systems on two tasks; one reading failed, and all that comes from outside is hostile."""
    tasks = {"tea": "Write about tea", "bus": "Write about a bus"}
    given: list[str] = []
    for system, made in {"plain": "", "<script>alert(1)</script>": HOSTILE}.items():
        for name, instruction in tasks.items():
            folder = tmp_path / f"{len(given)} of #1"
            path = write_article(folder, "red", title=f"{name} {made}", text=made or "x", models={})
            tree = json.loads(path.read_text())
            tree["brief"]["instruction"] = instruction
            path.write_text(json.dumps(tree))
            (folder / "article.html").write_text("here")
            given.append(f"{system}={folder}")
    entries = open_entries(given)
    levels = dict(zip((entry.id for entry in entries), (3, 5, 1, 1), strict=True))
    verdicts = [Verdict(id_, "reading 1", "graded", grades(level), {"logic": HOSTILE}, calls=1, prompt_tokens=2000,
                        reply_tokens=9, seconds=2) for id_, level in levels.items()]  # fmt: skip
    verdicts += [replace(verdict, rater="reading 2") for verdict in verdicts[1:]]
    verdicts += [Verdict(entries[0].id, "reading 2", "unparsed", note=f"it is {HOSTILE}", replies=("no", HOSTILE))]
    return summary_of(bring_together(entries, verdicts), seed=0, judge=HOSTILE, repeats=2)


@pytest.mark.parametrize("width", [320, 1280])
def test_a_page_runs_fetches_and_overflows_nothing(
    browser: Browser, summary: dict[str, Any], tmp_path: Path, width: int
) -> None:
    write_results(tmp_path, summary)
    opened = open_page(browser, width=width)
    opened.show(tmp_path / JUDGE_PAGE)

    assert opened.happened == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.page.evaluate("[window.pwned, document.scripts.length, document.images.length]") == [None, 0, 0]
    opened.page.close()


def test_a_page_has_scores_differences_and_articles_from_best_to_worst(
    browser: Browser, summary: dict[str, Any], tmp_path: Path
) -> None:
    write_results(tmp_path, summary)
    page = open_page(browser).page
    page.goto((tmp_path / JUDGE_PAGE).as_uri())

    tables = [table.inner_text().split("\n") for table in page.query_selector_all("table")]
    assert [page.inner_text(f"section:nth-of-type({n}) h2") for n in (1, 2, 3, 4)] == [
        "Scores", "Differences", "Grades", "Agreement between readings",
    ]  # fmt: skip
    scores = [cell.inner_text().split()[0] for cell in page.query_selector_all("section:first-of-type tbody td")]
    assert scores == [".800"] * 4 + [".200"] * 4
    assert tables[1][-1].strip() == "-.800 to -.400"
    assert [score.inner_text() for score in page.query_selector_all(".score")] == ["1.00", ".600", ".200", ".200"]
    plots = [plot.text_content() or "" for plot in page.query_selector_all(".plot svg")]
    assert len(plots) == 8
    assert all("plain" in plot and "4.00" in plot and "1.00" in plot for plot in plots)
    notice = page.inner_text(".notice")
    assert notice.startswith(f"reading 2: it is {HOSTILE}") and notice.count(HOSTILE) == 2
    assert "7 calls, about 14,000 prompt tokens and 63 reply tokens, 14 s" in page.inner_text("footer")
    page.click(".articles a")
    assert page.inner_text("body") == "here"
    page.close()


def test_the_summary_lies_beside_the_page(summary: dict[str, Any], tmp_path: Path) -> None:
    write_results(tmp_path, summary)

    assert json.loads((tmp_path / "summary.json").read_text()) == json.loads(json.dumps(summary))


def test_a_page_without_any_grade_says_what_happened(tmp_path: Path) -> None:
    entries = open_entries([str(write_article(tmp_path / "a", "red"))])
    graded = bring_together(entries, [Verdict(entries[0].id, "reading 1", "too_long", note="it is too long")])
    page = to_page(summary_of(graded, seed=0, judge="j", repeats=1), tmp_path)

    assert "it is too long" in page
    assert "<table" not in page
