"""The stories that nano-vlm learns from are true to themselves, and what is held out is held out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from limner.composer.models.load import EMBEDDED_DIALECT
from limner.composer.prompts import render_prompt
from limner.composer.replies import read_spots
from limner.composer.select import LETTERS

from training.picture_book.captions import AT_PLACE, describe, query_caption
from training.picture_book.stories import make_story, without_colour
from training.picture_book.world import PLACES, SUBJECTS, held_out
from training.pictures import from_json, scenes_for, to_json
from training.samples import Gloss, Pool, drill_sample, make_item, select_sample, spot_sample, write_sample


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool(scenes_for(held=False, each=1, seed=5))


def test_held_out_takes_three_places_of_every_subject() -> None:
    assert all(sum(held_out(subject, place) for place in PLACES) == 3 for subject in SUBJECTS)
    assert all(sum(held_out(subject, place) for subject in SUBJECTS) == 6 for place in PLACES)


@pytest.mark.parametrize("held", [False, True])
def test_make_story_keeps_training_and_test_apart(held: bool) -> None:
    for seed in range(200):
        story = make_story(seed, held=held)
        stops = [paragraph.stop for paragraph in story.paragraphs if paragraph.stop]
        assert all(held_out(story.hero.subject, stop.place) == held for stop in stops)


def test_make_story_is_what_articles_are_measured_by() -> None:
    for seed in range(300):
        story = make_story(seed)
        assert 5 <= len(story.paragraphs) <= 9
        sentences = re.split(r"(?<=[.?!])\s+", " ".join(paragraph.text for paragraph in story.paragraphs))
        assert len(set(sentences)) == len(sentences)
        text = story.markdown.lower()
        assert all(name in text for name in (story.hero.subject, *story.asked_places))


def test_without_colour_never_names_the_colour() -> None:
    for seed in range(300):
        story = without_colour(make_story(seed))
        name = f"{story.hero.colour} {story.hero.subject}"
        assert name not in f"{story.instruction} {story.markdown}".lower()


def test_scenes_of_training_show_nothing_held_out(pool: Pool) -> None:
    for scene in pool.scenes:
        assert not any(held_out(thing.subject, scene.place) for thing in scene.things)


def test_scene_survives_json(pool: Pool) -> None:
    assert all(from_json(to_json(scene)) == scene for scene in pool.scenes[::50])


def test_query_captions_say_what_is_there_in_few_words_or_many(pool: Pool) -> None:
    rng = np.random.default_rng(0)
    named = {"subject": 0, "colour": 0, "place": 0}
    scenes = [scene for scene in pool.scenes for _ in range(3)]
    for scene in scenes:
        caption = query_caption(scene, rng).lower()
        there = {thing.subject for thing in scene.things} | {scene.place}
        assert any(word in caption for word in there)
        assert not any(place in caption for place in AT_PLACE if place != scene.place)
        named["subject"] += scene.main.subject in caption
        named["colour"] += scene.main.colour in caption
        named["place"] += scene.place in caption
        assert scene.main.colour in describe(scene).lower()
    shares = {name: times / len(scenes) for name, times in named.items()}
    assert 0.93 < shares["subject"] < 1
    assert 0.55 < shares["colour"] < 0.8
    assert 0.75 < shares["place"] < 0.95


def test_make_item_hard_candidates_differ_in_colour_alone(pool: Pool) -> None:
    rng = np.random.default_rng(0)
    for seed in range(60):
        story = without_colour(make_story(seed))
        item = make_item(story, pool, rng, hard=True)
        stop = story.paragraphs[item.spot].stop
        scenes = [pool.scenes[row] for row in item.candidates]
        assert stop is not None
        assert {(s.main.subject, s.place, s.time) for s in scenes} == {(story.hero.subject, stop.place, stop.time)}
        assert len({s.main.colour for s in scenes}) == 4
        assert item.answer is not None
        assert scenes[item.answer].main == story.hero
        assert item.placed
        assert all(pool.scenes[row].main == story.hero for row in item.placed.values())


def test_make_item_has_one_answer_or_none(pool: Pool) -> None:
    rng = np.random.default_rng(1)
    outcomes = set()
    for seed in range(120):
        story = make_story(seed)
        item = make_item(story, pool, rng, m=5, hard=False, none_share=0.5)
        stop = story.paragraphs[item.spot].stop
        assert stop is not None
        fitting = [
            i
            for i, row in enumerate(item.candidates)
            if pool.scenes[row].main == story.hero and pool.scenes[row].place == stop.place
        ]
        assert fitting == ([] if item.answer is None else [item.answer])
        assert len(set(item.candidates)) == 5
        outcomes.add(item.reply)
    assert {"none", *LETTERS[:5]} == outcomes


def test_samples_use_the_pipelines_own_replies(pool: Pool) -> None:
    rng = np.random.default_rng(2)
    story = make_story(3)
    assert "\n\n".join(paragraph.text for paragraph in story.paragraphs) in write_sample(story, rng).turns[-1].parts[0]  # type: ignore[operator]
    reply = str(spot_sample(story, rng).turns[-1].parts[0])
    assert {number - 1 for number, _ in read_spots(reply, len(story.paragraphs))} <= set(story.scenes)
    turns = select_sample(pool, 4, rng, level=2).turns
    assert [turn.role for turn in turns] == ["user", "assistant", "user", "assistant"]
    assert turns[2:3] == tuple(render_prompt("choose", dialect=EMBEDDED_DIALECT))
    fits = [line for line in str(turns[1].parts[0]).splitlines() if line.endswith(" yes")]
    assert [line[0] for line in fits] == [letter for letter in turns[3].parts if letter != "none"]


def test_make_item_at_the_first_picture_takes_the_librarys_best(pool: Pool) -> None:
    rng = np.random.default_rng(4)
    for seed in range(40):
        item = make_item(without_colour(make_story(seed)), pool, rng, first_share=1.0)
        assert (item.answer, item.placed, item.knows_colour) == (0, {}, False)


def test_drill_sample_says_yes_to_what_is_wanted_and_to_nothing_else() -> None:
    rng = np.random.default_rng(5)
    said = []
    for _ in range(200):
        (message,) = drill_sample(rng).turns
        wanted = str(message.parts[0]).removeprefix("wanted: ")
        for line, verdict in zip(message.parts[1::2], message.parts[2::2], strict=True):
            assert isinstance(verdict, Gloss)
            assert (verdict == " yes") == (str(line).partition(": ")[2] == wanted)
            said.append(str(verdict))
    assert 0.2 < said.count(" yes") / len(said) < 0.5
