"""The writer's text, and a second attempt where it says a sentence twice."""

from __future__ import annotations

from limner.composer.article import Brief
from limner.composer.markdown import parse_draft
from limner.composer.write import said_twice, write

from .models import ScriptedModel

GOOD = "# A Cat\n\nThe cat went to the lake.\n\nThen the cat went home."
LOOPS = "# A Cat\n\nThe cat went to the lake.\n\nThe cat went to the lake."


def test_write_takes_an_article_that_says_nothing_twice_at_once() -> None:
    model = ScriptedModel(GOOD)
    assert write(Brief("a cat"), model).markdown.strip() == GOOD
    assert len(model.asked) == 1


def test_write_asks_again_where_a_sentence_comes_twice() -> None:
    heard: list[str] = []
    model = ScriptedModel(LOOPS, GOOD)
    assert write(Brief("a cat"), model, on_text=heard.append).markdown.strip() == GOOD
    assert model.asked[0] == model.asked[1]
    assert "".join(heard) == LOOPS


def test_write_keeps_the_first_where_the_second_is_no_better() -> None:
    worse = LOOPS + "\n\nIt was a very long day.\n\nIt was a very long day."
    assert write(Brief("a cat"), ScriptedModel(LOOPS, worse)).markdown.strip() == LOOPS
    assert write(Brief("a cat"), ScriptedModel(worse, LOOPS)).markdown.strip() == LOOPS


def test_said_twice_reads_sentences_of_any_script_and_passes_over_exclamations() -> None:
    draft = parse_draft("Oh no! Oh no!\n\n猫坐在湖边看着远处的山和云。鸟飞了。猫坐在湖边看着远处的山和云。\n")
    assert said_twice(draft) == ["猫坐在湖边看着远处的山和云。"]
    assert said_twice(parse_draft("It rained all day. It rained\nall day.\n")) == ["it rained all day."]
