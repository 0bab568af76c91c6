"""article.json gives the article back exactly, and says where an edited one is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from limner.composer.article import Article, Block, Brief, Material, Reference, Section
from limner.composer.article_json import from_json, to_json
from limner.composer.errors import ArticleInvalid

from .articles import HOSTILE, a_figure, an_empty_spot


def an_article() -> Article:
    return Article(
        title="Boats",
        brief=Brief("Write about boats", title="Boats", images=2, seed=7),
        models={"writer": "nano", "encoder": "nano-clip"},
        blocks=(
            Block("heading", "# Boats"),
            Block("paragraph", "猫 " + "".join(HOSTILE), "\r\n\r\n[a]: b\r\n"),
            a_figure(0, credit="Jane Roe"),
            an_empty_spot("unparsed", note="the reply said nothing"),
            Block("code", "```\nx\n```", ""),
        ),
        lead="\ufeff",
        draft_path=Path("/texts/boats.md"),
        notices=("one picture fewer than asked for",),
    )


def test_json_gives_the_article_back() -> None:
    article = an_article()
    assert from_json(to_json(article)) == article
    assert to_json(from_json(to_json(article))) == to_json(article)


def test_to_json_is_the_same_for_the_same_article() -> None:
    article = an_article()
    turned = replace(article, models=dict(reversed(article.models.items())))
    assert to_json(turned) == to_json(article)
    assert to_json(article).endswith("}\n")
    assert "猫" in to_json(article)


def test_to_json_has_the_promised_shape() -> None:
    tree = json.loads(to_json(an_article()))
    assert {"version", "title", "brief", "models", "blocks"} <= tree.keys()
    assert tree["version"] == 1
    assert [block["kind"] for block in tree["blocks"]] == ["heading", "paragraph", "figure", "empty_spot", "code"]
    figure, empty = tree["blocks"][2], tree["blocks"][3]
    assert figure.keys() == {
        *("kind", "image", "source", "caption", "alt", "credit", "width", "height"),
        *("outcome", "confidence", "candidates", "note"),
    }
    assert figure["candidates"][0] == {"path": "/pictures/boat.jpg", "score": 0.3125, "probability": 0.75}
    assert empty.keys() == {"kind", "caption", "outcome", "confidence", "candidates", "note"}


def a_whole_brief() -> Brief:
    return Brief(
        "Boats",
        keywords=("sail",),
        outline=(Section("Harbour"), Section("Quay", 2, "at dawn")),
        material=(Material("notes.md", "Ignore </script>"),),
        reference=(Reference("/pictures/boat.jpg", "ab" * 32),),
        references_only=True,
        language="zh-CN",
        length=400,
        tone="warm",
        audience="sailors",
        system="You sail.",
        temperature=0.3,
        top_p=0.8,
        max_new_tokens=900,
        permutations=2,
        fallback="top1",
    )


def test_json_gives_a_whole_brief_back_under_the_next_version() -> None:
    article = replace(an_article(), brief=a_whole_brief())
    tree = json.loads(to_json(article))
    assert tree["version"] == 2
    assert from_json(to_json(article)) == article
    assert {field for field in a_whole_brief().__slots__ if field not in tree["brief"]} == {"where"}
    assert from_json(to_json(replace(article, brief=replace(article.brief, length="long")))).brief.length == "long"


def test_from_json_reads_version_1_without_the_keys_that_came_later() -> None:
    tree = json.loads(to_json(an_article()))
    assert tree["version"] == 1
    assert tree["brief"].keys() == {"instruction", "title", "images", "candidates", "seed"}
    assert from_json(json.dumps(tree)).brief == an_article().brief


def test_licence_url_stands_where_there_is_one_and_is_checked() -> None:
    url = "https://creativecommons.org/licenses/by/4.0/"
    with_url = replace(an_article(), blocks=(replace(a_figure(), licence_url=url),))
    assert from_json(to_json(with_url)) == with_url
    with pytest.raises(ArticleInvalid, match="licence_url"):
        from_json(to_json(with_url).replace(url, "javascript:alert(1)"))


def test_to_json_rounds_numbers() -> None:
    figure = replace(a_figure(), confidence=1 / 3)
    text = to_json(replace(an_article(), blocks=(figure, replace(figure, confidence=-0.0))))
    assert '"confidence": 0.333333,' in text
    assert '"confidence": 0.0,' in text


def test_to_json_refuses_what_is_not_a_number() -> None:
    with pytest.raises(ArticleInvalid, match="not finite"):
        to_json(replace(an_article(), blocks=(replace(a_figure(), confidence=float("nan")),)))


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("blocks", 0, "kind"), "poem", "blocks[0]"),
        (("blocks", 0, "colour"), "red", "blocks[0].colour"),
        (("blocks", 2, "confidence"), 1.5, "blocks[2].confidence"),
        (("blocks", 2, "candidates", 1, "score"), "high", "blocks[2].candidates[1].score"),
        (("blocks", 2, "image"), "../secret.png", "blocks[2].image"),
        (("blocks", 2, "image"), "images/../../secret.png", "blocks[2].image"),
        (("blocks", 2, "image"), "/etc/passwd", "blocks[2].image"),
        (("blocks", 2, "image"), "http://127.0.0.1/x.png", "blocks[2].image"),
        (("blocks", 2, "image"), "images/x.svg", "blocks[2].image"),
        (("blocks", 3, "image"), "images/x.png", "blocks[3].image"),
        (("brief", "candidates"), 0, "brief.candidates"),
        (("title",), None, "title"),
        (("extra",), 1, "extra"),
        (("version",), 3, "version 3"),
        (("version",), "1", "version"),
    ],
)
def test_from_json_names_the_place(place: tuple[str | int, ...], value: object, words: str) -> None:
    tree: Any = json.loads(to_json(an_article()))
    part = tree
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    with pytest.raises(ArticleInvalid) as caught:
        from_json(json.dumps(tree))
    assert words in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "not json", "[]", "null", '{"version": 1', '{"version": 1}', "[" * 5000])
def test_from_json_refuses_what_is_no_article(text: str) -> None:
    with pytest.raises(ArticleInvalid, match=r"article\.json"):
        from_json(text)
