"""One document put together again by a model and an encoder, on a site of colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from limner.composer.protocols import Message, Picture
from limner.evaluation.articles import asked_for, evaluate, survey
from limner.evaluation.document import asked_again, placed_by, questions
from limner.evaluation.pool import Pool
from limner.evaluation.ranking import Rank
from limner.evaluation.records import Keeper, Record
from limner.evaluation.report import shares, summarise
from limner.evaluation.seen import see
from limner.evaluation.site import Site, open_site
from limner.evaluation.systems import Settings, Systems

from ..colours import COLOURS, ColourEncoder, Paint
from ..composer.models import ColourModel, ScriptedModel

STORY = (
    "# Colours\n\nIn the morning everything that anybody could see was red, and it stayed red for hours.\n\n"
    "![Something red](red.png)\n![Something white](white.png)\n\n"
    "At noon nobody knew what would come next, and then it came, and all of it was green.\n\n"
    "![Something green](green.png)\n\n*A green that nobody forgot (credit: A. Author)*\n\nAnd so the day ended.\n"
)


@pytest.fixture
def site(tmp_path: Path, paint: Paint) -> Site:
    """A document with three pictures, two of them at one place, and one with a picture before all text."""
    folder = tmp_path / "site"
    for name, colour in COLOURS.items():
        paint(folder / f"{name}.png", colour)
    (folder / "story.md").write_text(STORY)
    (folder / "blue.md").write_text("![Something blue](blue.png)\n\nThen blue.\n")
    return open_site(folder)


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


def pool(site: Site, knows: str = "alt") -> Pool:
    return Pool(site.root, survey(site).said, knows)  # pyright: ignore[reportArgumentType]


def systems(site: Site, tmp_path: Path, encoder: ColourEncoder, model: ScriptedModel | None = None) -> Systems:
    seen = see([site.root], encoder, tmp_path / "library")
    return Systems(model=model, encoder=encoder, seen={site.name: seen})


def by_document(records: Sequence[Record]) -> dict[str, Record]:
    return {record.document: record for record in records}


@pytest.mark.parametrize("knows", ["nothing", "alt"])
def test_the_author_s_picture_is_always_a_candidate_and_those_before_it_never(site: Site, knows: str) -> None:
    asked = questions(site.page("story.md"), pool(site, knows), m=3)

    assert [question.candidates[question.answer].stem for question in asked] == ["red", "white", "green"]
    assert {len(set(question.candidates)) for question in asked} == {3}
    every = questions(site.page("story.md"), pool(site, knows), m=8)
    assert [len(question.candidates) for question in every] == [8, 7, 6]
    assert not {"red", "white"} & {path.stem for path in every[2].candidates}
    assert [question.caption for question in asked][::2] == ["Something red", "A green that nobody forgot"]


def test_the_order_of_candidates_says_nothing_and_hangs_on_the_seed(site: Site) -> None:
    page, searched = site.page("story.md"), pool(site)
    answers = [[question.answer for question in questions(page, searched, m=4, seed=seed)] for seed in range(12)]

    assert {answer for row in answers for answer in row} == {0, 1, 2, 3}
    assert answers[3] == [question.answer for question in questions(page, searched, m=4, seed=3)]


def test_a_model_chooses_with_the_author_s_earlier_pictures_before_it(site: Site) -> None:
    model = ColourModel(*["1: Anything"] * 2)
    records = by_document(evaluate([survey(site)], Settings("alt"), Keeper(None, []), Systems(model=model)))

    assert [pick.outcome for pick in records["story.md"].selection["colour"]] == ["chosen"] * 3
    shown = [[part.path.stem for message in asked for part in message.parts if isinstance(part, Picture)]
             for asked in model.asked]  # fmt: skip
    third = next(names for names in shown if names[:2] == ["red", "white"])
    assert "green" in third[2:]
    assert all(len(names) in (0, 4, 5, 6) for names in shown)


def test_a_model_places_as_many_as_the_author(site: Site) -> None:
    model = ScriptedModel("1: Red\n2: Green\n")
    made = placed_by(model, site.page("story.md"), pool(site))

    assert made.places == (1, 2)
    assert made.pictures == ("red.png", "green.png")
    assert "3 pictures asked for, the model found places for 2" in made.notes[0]
    assert "Choose" in _text(model.asked[0])
    assert "3" in _text(model.asked[0])


def test_a_reply_that_is_no_use_places_nothing_and_is_noted(site: Site) -> None:
    made = placed_by(ScriptedModel("I cannot.", "I really cannot."), site.page("story.md"), pool(site))

    assert (made.places, made.pictures) == ((), ())
    assert "not usable" in made.notes[0]


def test_words_top_1_is_recall_at_1_where_nothing_stands_before(site: Site) -> None:
    record = by_document(evaluate([survey(site)], Settings("alt"), Keeper(None, [])))["blue.md"]

    assert record.retrieval["words"][0].recall(1) == record.selection["words top-1"][0].agrees


def test_who_knows_nothing_agrees_by_chance(site: Site) -> None:
    records = evaluate([survey(site)], Settings("nothing"), Keeper(None, []))
    measured = {(m.name.system, m.name.measure): m.estimate.value for m in summarise(records)}

    assert measured["words top-1", "agreement"] == measured["chance", "agreement"] == 0.25


def test_an_encoder_finds_what_the_words_do_not_know(site: Site, tmp_path: Path, encoder: ColourEncoder) -> None:
    settings = Settings("nothing", baselines=("uniform",))
    record = by_document(evaluate([survey(site)], settings, Keeper(None, []), systems(site, tmp_path, encoder)))[
        "blue.md"
    ]

    assert record.retrieval == {"words and pictures": (Rank(0, 1),)}
    assert record.selection["CLIP top-1"][0].agrees == 1.0
    assert set(record.clip) == {"uniform", "author"}


def test_the_clip_score_is_the_cosine_of_paragraph_and_picture(
    site: Site, tmp_path: Path, encoder: ColourEncoder
) -> None:
    settings = Settings("alt", tasks=("placement",), baselines=("words",))
    record = by_document(evaluate([survey(site)], settings, Keeper(None, []), systems(site, tmp_path, encoder)))[
        "story.md"
    ]

    red, white, green = record.clip["author"]
    assert (red, green) == (pytest.approx(1.0, abs=0.01), pytest.approx(1.0, abs=0.01))
    assert white < 0.5
    found = {(name.system, name.measure): share for name, share in shares(record).items()}
    assert found["author", "clip_score"].value == pytest.approx(red + white + green)
    assert found["author", "clip_score"].weight == 3


def test_a_record_s_questions_are_asked_again_as_they_were(site: Site) -> None:
    (record,) = [r for r in evaluate([survey(site)], Settings("alt"), Keeper(None, [])) if r.document == "story.md"]
    page = site.page("story.md")

    assert asked_again(record, page, site.root) == questions(page, pool(site), m=4)


def test_settings_name_the_model_and_the_encoder(site: Site, encoder: ColourEncoder) -> None:
    surveys, settings = [survey(site)], Settings("alt")
    plain = asked_for(settings, surveys)

    assert asked_for(settings, surveys, Systems(model=ScriptedModel())) == {**plain, "model": "scripted"}
    assert asked_for(settings, surveys, Systems(encoder=encoder)) == {**plain, "encoder": encoder.fingerprint}
    assert asked_for(Settings("alt", candidates=8), surveys) == {**plain, "candidates": 8}


def _text(messages: Sequence[Message]) -> str:
    return "".join(part for message in messages for part in message.parts if isinstance(part, str))
