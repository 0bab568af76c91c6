"""Outlines in every form that a user drafts them in, and what of them an article lacks."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from limner.composer.article import Section
from limner.composer.errors import BriefInvalid
from limner.composer.markdown import parse_draft
from limner.composer.outline import is_list, missing_sections, outline_of, read_outline, to_markdown

HARBOUR = (Section("Harbour"), Section("Quay", 2), Section("Boats", 3), Section("Town"))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("- Harbour\n  - **Quay**\n    - Boats\n- Town", ""),
        ("1. Harbour\n   - Quay\n     * Boats\n2. Town\n", ""),
        ("# A Port\n\n- Harbour\n  - Quay\n    - Boats\n- Town", "A Port"),
        ("A port:\n- Harbour\n  - Quay\n    - Boats\n- Town", "A port"),
        ("# A Port\n## Harbour\n### Quay\n#### Boats\n## Town", "A Port"),
        ("## Harbour\n### Quay\n#### Boats\n## Town", ""),
        ("# Harbour\n## Quay\n### Boats\n# Town", ""),
        ("# Harbour\n- Quay\n  - Boats\n# Town\n", ""),
    ],
)
def test_read_outline_of_lists_and_headings(text: str, title: str) -> None:
    assert read_outline(text) == (title, HARBOUR)


def test_read_outline_takes_what_stands_below_an_item_as_its_note() -> None:
    _, sections = read_outline("- Harbour\n  in the *morning*\n\n  and at noon\n- Town\n")
    assert sections == (Section("Harbour", 1, "in the morning and at noon"), Section("Town"))


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("- Harbour\n- [Quay, [Boats]]\n- Town", HARBOUR),
        ("- Harbour:\n  - Quay:\n    - Boats\n- Town", HARBOUR),
        ("Harbour:\n  Quay: [Boats]\nTown:\n", HARBOUR),
        ("title: Port\nsections: [Harbour, {Town: by day}]", (Section("Harbour"), Section("Town", 1, "by day"))),
        ("- 1984\n- 2026-11-25", (Section("1984"), Section("2026-11-25"))),
    ],
)
def test_outline_of_yaml(text: str, sections: tuple[Section, ...]) -> None:
    title, found = outline_of(yaml.safe_load(text))
    assert found == sections
    assert title == ("Port" if text.startswith("title") else "")


def bomb(leaf: Any) -> Any:
    level: Any = [leaf] * 1000
    for _ in range(3):
        level = [level] * 1000
    return level


@pytest.mark.parametrize(
    "tree", [None, 5, "text", [], {}, [True], [[]], bomb("x"), bomb([]), [[[[[["x"]]]]]], ["x"] * 201, [None]]
)
def test_outline_of_what_is_none_is_refused(tree: Any) -> None:
    with pytest.raises(BriefInvalid, match="outline"):
        outline_of(tree)


@pytest.mark.parametrize(
    ("text", "line"),
    [("Only prose.\nMore of it.", 1), ("- one\n- two\n\nProse.", 4), ("```\n- x\n```", 1), ("", None), ("# T", None)],
)
def test_read_outline_names_the_line_that_is_no_item(text: str, line: int | None) -> None:
    with pytest.raises(BriefInvalid, match=f"line {line} of" if line else "no section"):
        read_outline(text)


def test_is_list_wants_items_alone() -> None:
    assert is_list("- a\n- b\n  - c\n")
    assert is_list("1. a\n2) b")
    assert not any(map(is_list, ("- a", "A balloon:\n- a\n- b", "a - b\nc - d", "", "-a\n-b", "  - a\n- b")))


def test_missing_sections_keeps_to_the_order_and_passes_over_case_numbers_and_other_headings() -> None:
    article = parse_draft("# Town\n\n## 1. The HARBOUR!\n\nx\n\n## More\n\nx\n\n### Quay\n\nx\n\n## Town\n\nx\n")
    wanted = (Section("The harbour"), Section("Quay", 2), Section("Town"))
    assert missing_sections(article, wanted) == []
    assert missing_sections(article, (*wanted, Section("Farewell"))) == ["Farewell"]
    assert missing_sections(article, wanted[::-1]) == ["Quay", "The harbour"]
    chinese = parse_draft("# 港\n\n## 一、港口\n\nx\n\n## 2、小镇\n")
    assert missing_sections(chinese, (Section("港口"), Section("小镇"))) == []
    assert missing_sections(chinese, (Section("小镇"), Section("港口"))) == ["港口"]


def test_to_markdown_is_read_again() -> None:
    assert read_outline(to_markdown(HARBOUR)) == ("", HARBOUR)
