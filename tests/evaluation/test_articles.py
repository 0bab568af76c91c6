"""A site taken apart and put together again."""

from __future__ import annotations

from pathlib import Path

import pytest
from limner.composer.article import Spot
from limner.evaluation.articles import asked_for, check_names, evaluate, survey
from limner.evaluation.document import put_together
from limner.evaluation.errors import EvaluationMismatch, SiteUnreadable
from limner.evaluation.pool import Pool, Words
from limner.evaluation.ranking import Rank
from limner.evaluation.records import Keeper
from limner.evaluation.site import Site, open_site
from limner.evaluation.systems import Settings

ANIMALS = ("fox", "owl", "hen", "cow", "pig", "bee")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Six documents of three paragraphs, a picture after the second of each; and a picture that nobody shows."""
    folder = tmp_path / "farm"
    folder.mkdir()
    for animal in ANIMALS:
        (folder / f"{animal}.jpg").touch()
        (folder / f"{animal}.md").write_text(
            f"# Chapter\n\nIt was a day like any other day, with nothing to be seen for miles around.\n\n"
            f"Then the {animal} came, and everybody looked at the {animal} and at nothing else.\n\n"
            f"![The {animal} in the yard]({animal}.jpg)\n\n*A {animal}, seen from the gate (credit: A. Author)*\n\n"
            "And that was all that there was to be told of a day like any other day.\n"
        )
    (folder / "unseen.png").touch()
    (folder / "plain.md").write_text("No picture here.\n")
    return open_site(folder)


def test_a_survey_knows_every_picture_and_what_is_said_of_it(site: Site) -> None:
    found = survey(site)

    assert found.documents == tuple(sorted(f"{animal}.md" for animal in ANIMALS))
    assert found.placed == 6
    assert found.said["fox.jpg"] == Words("The fox in the yard", "A fox, seen from the gate")
    assert found.said["unseen.png"] == Words()
    assert len(found.said) == 7


def test_a_survey_s_digest_changes_with_text_and_pictures_alone(site: Site, tmp_path: Path) -> None:
    before = survey(site).digest
    assert survey(open_site(site.root)).digest == before

    path = site.root / "fox.md"
    path.write_text(path.read_text().replace("came", "went"))
    changed = survey(open_site(site.root)).digest
    (site.root / "more.jpg").touch()

    assert len({before, changed, survey(open_site(site.root)).digest}) == 3


def test_a_site_whose_pictures_are_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("![A](https://example.org/a.jpg)\n")

    with pytest.raises(SiteUnreadable, match="shows a picture that lies in it"):
        survey(open_site(tmp_path))


def test_words_find_each_author_s_picture_and_place(site: Site) -> None:
    records = evaluate([survey(site)], Settings(), Keeper(None, []))

    assert [record.places for record in records] == [(2,)] * 6
    assert {record.retrieval["words"] for record in records} == {(Rank(0, 1),)}
    assert [record.placement["words"].places for record in records] == [(2,)] * 6
    assert [record.placement["words"].pictures for record in records] == [record.pictures for record in records]
    assert all(set(record.placement) == {"uniform", "longest-paragraph", "words"} for record in records)


def test_a_library_that_knows_nothing_finds_by_chance(site: Site) -> None:
    records = evaluate([survey(site)], Settings(knows="nothing"), Keeper(None, []))

    assert {record.retrieval["words"] for record in records} == {(Rank(0, 7),)}


def test_only_what_is_asked_for_is_done(site: Site) -> None:
    settings = Settings(tasks=("placement",), baselines=("uniform",))

    records = evaluate([survey(site)], settings, Keeper(None, []))

    assert {(tuple(record.placement), tuple(record.retrieval)) for record in records} == {(("uniform",), ())}


def test_a_limit_draws_documents_by_the_seed_and_searches_all_pictures(site: Site) -> None:
    def drawn(seed: int) -> list[str]:
        records = evaluate([survey(site)], Settings("nothing", limit=2, seed=seed), Keeper(None, []))
        assert {record.retrieval["words"] for record in records} == {(Rank(0, 7),)}
        return [record.document for record in records]

    assert drawn(1) == drawn(1)
    assert len(drawn(1)) == 2
    assert len({tuple(drawn(seed)) for seed in range(8)}) > 1


def test_what_is_kept_is_not_done_again(site: Site) -> None:
    surveyed = survey(site)
    keeper = Keeper(None, [])
    first = evaluate([surveyed], Settings(), keeper)
    for document in surveyed.documents:
        (site.root / document).unlink()

    assert evaluate([surveyed], Settings(), keeper) == first


def test_no_picture_is_used_twice_in_an_article(site: Site) -> None:
    page = site.page("fox.md")
    pool = Pool(site.root, survey(site).said, "alt")

    made = put_together(page, pool, lambda draft, library, count: [Spot(3, "the fox"), Spot(1, "the fox")])

    assert made.places == (1, 3)
    assert made.pictures[0] == "fox.jpg"
    assert made.pictures[1] not in ("fox.jpg", "")


def test_settings_that_change_nothing_are_no_others(site: Site) -> None:
    surveys = [survey(site)]
    retrieval = Settings(tasks=("retrieval",))

    assert asked_for(retrieval, surveys) == asked_for(Settings(tasks=("retrieval",), baselines=("uniform",)), surveys)
    assert asked_for(retrieval, surveys) != asked_for(Settings("alt", tasks=("retrieval",)), surveys)


def test_two_sites_of_one_name_are_refused(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other" / "farm"
    other.mkdir(parents=True)
    (other / "a.md").write_text("Text.\n")

    check_names([site])
    with pytest.raises(EvaluationMismatch, match="two sites are called farm"):
        check_names([site, open_site(other)])
