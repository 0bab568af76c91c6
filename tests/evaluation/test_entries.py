"""Articles that take part: found, told apart by system, named so that nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from limner.composer.article import Brief, Material, Section
from limner.composer.article_json import read_article
from limner.composer.errors import ArticleInvalid
from limner.evaluation.entries import in_random_order, instruction_of, open_entries, system_of
from limner.evaluation.errors import EvaluationMismatch

from .judged import BRIEF, MODELS, write_article


def test_a_file_its_folder_and_a_folder_of_folders_are_the_same(tmp_path: Path) -> None:
    write_article(tmp_path / "b" / "one", "red")
    write_article(tmp_path / "b" / "two", "blue")

    paths = [entry.path for entry in open_entries([f"{tmp_path}/b"])]
    assert paths == [tmp_path / "b" / name / "article.json" for name in ("one", "two")]
    again = open_entries([f"{tmp_path}/b/two", f"{tmp_path}/b/two/article.json", f"{tmp_path}/b"])
    assert [entry.path.parent.name for entry in again] == ["two", "one"]


def test_a_system_is_the_models_or_the_name_that_is_given(tmp_path: Path) -> None:
    write_article(tmp_path / "a", "red")
    write_article(
        tmp_path / "b", "blue", models={**MODELS, "selector": "other"}, revisions={"writer": "0123456789abcdef"}
    )
    write_article(tmp_path / "c=d", "green")

    systems = [entry.system for entry in open_entries([f"{tmp_path}/a", f"{tmp_path}/b", f"mine={tmp_path}/a/../c=d"])]
    assert systems == [
        "secret-writer with secret-encoder",
        "secret-writer@0123456789ab and other with secret-encoder",
        "mine",
    ]
    assert open_entries([f"{tmp_path}/c=d"])[0].system == systems[0]
    assert system_of(replace(read_article(tmp_path / "a" / "article.json"), models={})) == "unknown"


def test_a_file_for_two_systems_is_refused(tmp_path: Path) -> None:
    write_article(tmp_path / "a", "red")

    with pytest.raises(EvaluationMismatch, match="two systems, one and two"):
        open_entries([f"one={tmp_path}/a", f"two={tmp_path}/a/article.json"])


def test_what_is_no_article_is_refused(tmp_path: Path) -> None:
    path = write_article(tmp_path / "a", "red")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{")

    for given, says in (("empty", "holds no article.json"), ("broken.json", "not valid"), ("nowhere", "cannot read")):
        with pytest.raises(ArticleInvalid, match=says):
            open_entries([str(tmp_path / given)])
    (path.parent / "images" / "red.png").unlink()
    with pytest.raises(ArticleInvalid, match=r"cannot read the picture .*red\.png"):
        open_entries([str(path)])


def test_an_id_is_of_the_content_and_the_seed_and_not_of_system_or_place(tmp_path: Path) -> None:
    write_article(tmp_path / "a", "red")
    write_article(tmp_path / "b", "red", models={"writer": "x"}, notices=("a note",))
    write_article(tmp_path / "c", "red", text="Another text.")
    write_article(tmp_path / "d", "blue")
    (tmp_path / "e" / "images").mkdir(parents=True)
    (tmp_path / "e" / "article.json").write_text((tmp_path / "a" / "article.json").read_text())
    (tmp_path / "e" / "images" / "red.png").write_bytes((tmp_path / "d" / "images" / "blue.png").read_bytes())

    a, b, c, d, e = (entry.id for entry in open_entries([str(tmp_path)]))
    assert a == b
    assert len({a, c, d, e}) == 4
    assert open_entries([str(tmp_path / "a")], seed=1)[0].id != a


def test_the_order_is_of_the_seed_and_not_of_how_articles_were_named(tmp_path: Path) -> None:
    colours = ("red", "green", "blue", "white", "black", "yellow")
    for colour in colours:
        write_article(tmp_path / colour, colour)
    entries = open_entries([str(tmp_path)])

    order = [entry.id for entry in in_random_order(entries, seed=3)]
    assert order == [entry.id for entry in in_random_order(entries[::-1], seed=3)]
    assert sorted(order) == sorted(entry.id for entry in entries)
    assert order not in (sorted(order), [entry.id for entry in entries])
    assert order != [entry.id for entry in in_random_order(entries, seed=4)]


def test_articles_of_one_content_are_graded_once(tmp_path: Path) -> None:
    write_article(tmp_path / "a", "red")
    write_article(tmp_path / "b", "red", models={"writer": "x"})

    assert len(in_random_order(open_entries([str(tmp_path)]))) == 1


def test_a_task_is_what_was_asked_for_and_not_how_it_was_done(tmp_path: Path) -> None:
    briefs = [
        BRIEF,
        replace(BRIEF, seed=7, candidates=8, permutations=4, fallback="top1", temperature=0.1, system="Be brief."),
        replace(BRIEF, instruction="Write about ships"),
        replace(BRIEF, language="de"),
        Brief(""),
    ]
    for number, brief in enumerate(briefs):
        write_article(
            tmp_path / f"{number}", "red", brief=brief, draft_path=None if brief.instruction else Path("d.md")
        )
    write_article(tmp_path / "5", "red", brief=Brief(""), draft_path=Path("d.md"), text="Another draft.")

    tasks = [entry.task for entry in open_entries([str(tmp_path)])]
    assert tasks[0] == tasks[1]
    assert len(set(tasks)) == 5


def test_an_instruction_says_all_that_was_asked(tmp_path: Path) -> None:
    brief = Brief(
        "About the sea", "Tides", 3, keywords=("nets", "salt"), outline=(Section("Dawn"), Section("Noon", 2, "heat")),
        material=(Material("notes.md", "The harbour is old."),), language="de", length=300, tone="warm", audience="all",
    )  # fmt: skip
    said = instruction_of(read_article(write_article(tmp_path, "red", brief=brief)))

    assert said == (
        "About the sea\nTitle: Tides\nKeywords: nets, salt\nOutline:\n- Dawn\n  - Noon: heat\nLanguage: de\n"
        "Length: about 300 words\nTone: warm\nReaders: all\nPictures: 3\nMaterial, notes.md:\nThe harbour is old."
    )
