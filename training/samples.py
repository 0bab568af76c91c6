"""Training samples of nano-vlm: conversations in the pipeline's own prompt templates, with the pictures that they show.

A picture in a conversation is named by its row in a pool of rendered pictures. Selection comes in three lengths, from
one earlier picture to a whole article, and as a drill without pictures: the verdicts of a look alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from limner.composer.models.load import EMBEDDED_DIALECT
from limner.composer.prompts import render_prompt
from limner.composer.protocols import Message, Picture
from limner.composer.select import LETTERS, NONE

from .picture_book.captions import AT_PLACE, describe
from .picture_book.stories import Stop, Story, make_story, without_colour
from .picture_book.world import PLACES, SUBJECTS, Scene, Thing

YES, NO = "yes", "no"  # the verdicts of a look


@dataclass(frozen=True, slots=True)
class Sample:
    """A conversation: the user's message first, then replies and further questions in turn."""

    task: str
    turns: tuple[Message, ...]


class Gloss(str):
    """Words within a question that are learnt like a reply, in training alone: what the picture before them shows."""

    __slots__ = ()


class Pool:
    """The rendered pictures by what they show."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self.scenes = list(scenes)
        self._rows: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        self._rows_any_time: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        for row, scene in enumerate(self.scenes):
            key = (scene.main.subject, scene.main.colour, scene.place)
            self._rows[(*key, scene.time)].append(row)
            self._rows_any_time[key].append(row)
        self.places = sorted({scene.place for scene in self.scenes})

    def draw(self, thing: Thing, stop: Stop, rng: np.random.Generator) -> int:
        """A picture of this thing at this place and time; of the right weather where there is one."""
        rows = self._rows[(thing.subject, thing.colour, stop.place, stop.time)]
        fitting = [row for row in rows if self.scenes[row].weather == stop.weather]
        rows = fitting or rows
        return rows[int(rng.integers(len(rows)))]

    def draw_any_time(self, thing: Thing, place: str, rng: np.random.Generator) -> int | None:
        """A picture of this thing at this place at any time of day, or None where there is none."""
        rows = self._rows_any_time.get((thing.subject, thing.colour, place))
        return rows[int(rng.integers(len(rows)))] if rows else None


def assistant(text: str) -> Message:
    """A reply."""
    return Message("assistant", (text,))


def stand_in(row: int) -> Path:
    """The path that stands for a row of the pool in a prompt."""
    return Path(str(row))


def row_of(picture: Picture) -> int:
    """The row of the pool that a picture stands for."""
    return int(picture.path.name)


def write_sample(story: Story, rng: np.random.Generator) -> Sample:
    """Instruction to article."""
    title = story.title if rng.random() < 0.15 else None
    prompt = render_prompt("write", dialect=EMBEDDED_DIALECT, instruction=story.instruction, title=title)
    return Sample("write", (*prompt, assistant(story.markdown)))


def spot_prompt(story: Story, images: int | None) -> list[Message]:
    """The question for places and captions."""
    blocks = [{"number": i + 1, "text": paragraph.text} for i, paragraph in enumerate(story.paragraphs)]
    return render_prompt("spot", dialect=EMBEDDED_DIALECT, title=story.title, blocks=blocks, images=images)


def spot_sample(story: Story, rng: np.random.Generator) -> Sample:
    """Article to places and captions."""
    scenes = story.scenes
    images = int(rng.integers(1, len(scenes) + 1)) if rng.random() < 0.35 else None
    lines = [f"{i + 1}: {story.caption(i)}" for i in scenes[:images]]
    return Sample("spot", (*spot_prompt(story, images), assistant("\n".join(lines))))


def describe_sample(pool: Pool, rng: np.random.Generator) -> Sample:
    """Picture to sentence."""
    row = int(rng.integers(len(pool.scenes)))
    return Sample(
        "describe",
        (
            *render_prompt("describe", dialect=EMBEDDED_DIALECT, image=stand_in(row)),
            assistant(describe(pool.scenes[row])),
        ),
    )


@dataclass(frozen=True, slots=True)
class Item:
    """One question of selection with its answer."""

    story: Story
    spot: int  # index of the paragraph
    placed: dict[int, int]  # paragraph -> row of the picture after it
    candidates: tuple[int, ...]  # rows
    answer: int | None  # index into candidates, None: none fits
    first: int = 0  # the context begins at this paragraph

    def prompt(self, *, context: bool = True) -> list[Message]:
        """The pipeline's own question; without `context` the earlier text and pictures are taken out."""
        parts: list[dict[str, object]] = []
        for i in range(self.first, self.spot + 1) if context else ():
            parts.append({"text": self.story.paragraphs[i].text, "picture": None})
            if i in self.placed:
                parts.append({"text": "", "picture": stand_in(self.placed[i])})
        return render_prompt(
            "select",
            dialect=EMBEDDED_DIALECT,
            title=self.story.title if context and self.first == 0 else None,
            context=parts,
            caption=self.story.caption(self.spot),
            candidates=[
                {"letter": letter, "picture": stand_in(row)}
                for letter, row in zip(LETTERS, self.candidates, strict=False)
            ],
        )

    @property
    def knows_colour(self) -> bool:
        """Whether the text or an earlier picture shows which colour the article's subject has."""
        return self.story.names_colour or bool(self.placed)

    @property
    def reply(self) -> str:
        """The right answer as the model is to give it."""
        return NONE if self.answer is None else LETTERS[self.answer]


def _others(pool: Pool, hero: Thing, stop: Stop, count: int, rng: np.random.Generator, *, hard: bool) -> list[int]:
    """Pictures that do not fit: in the hard case, only the colour is wrong."""
    colours = [colour for colour in SUBJECTS[hero.subject] if colour != hero.colour]
    rows = [pool.draw(Thing(hero.subject, colours[int(i)]), stop, rng) for i in rng.permutation(3)]
    if hard:
        return rows[:count]
    picked: list[int] = []
    while len(picked) < count:
        kind = rng.random()
        if kind < 0.45 and rows:
            row: int | None = rows.pop()
        elif kind < 0.75:
            place = pool.places[int(rng.integers(len(pool.places)))]
            row = None if place == stop.place else pool.draw_any_time(hero, place, rng)
        else:
            subject = list(SUBJECTS)[int(rng.integers(len(SUBJECTS)))]
            colour = SUBJECTS[subject][int(rng.integers(4))]
            place = stop.place if rng.random() < 0.6 else PLACES[int(rng.integers(12))]
            row = None if subject == hero.subject else pool.draw_any_time(Thing(subject, colour), place, rng)
        if row is not None and row not in picked:
            picked.append(row)
    return picked


def make_item(
    story: Story,
    pool: Pool,
    rng: np.random.Generator,
    *,
    m: int = 4,
    hard: bool = True,
    none_share: float = 0.0,
    first_share: float = 0.0,
    short: bool = False,
) -> Item:
    """A question at one of the story's scenes.

    Where the text does not name the colour there is an earlier picture, but for a share of `first_share`: at the first
    picture of such an article every colour fits, and the first candidate, the library's best, is right.
    """
    scenes = story.scenes
    free = not story.names_colour and bool(rng.random() < first_share)
    earliest = 0 if story.names_colour else 1
    order = 0 if free else int(rng.integers(earliest, len(scenes)))
    spot = scenes[order]
    first = 0
    if short and order > 0 and not story.names_colour:
        first = scenes[order - 1]
    elif short and story.names_colour:
        order, spot = 0, scenes[0]
    hero = story.hero
    placed = {}
    for number in scenes[:order]:
        stop = story.paragraphs[number].stop
        assert stop is not None
        placed[number] = pool.draw(hero, stop, rng)
    if len(placed) > 1 and not short and rng.random() < 0.2:
        placed.pop(list(placed)[int(rng.integers(len(placed)))])
    placed = {number: row for number, row in placed.items() if number >= first}
    stop = story.paragraphs[spot].stop
    assert stop is not None
    none_fits = bool(rng.random() < none_share) and not free
    hard = hard or free
    # Four colours a subject: with none fitting, the hard case has only three others to offer.
    hard = hard and m - (0 if none_fits else 1) <= 3
    rows = _others(pool, hero, stop, m if none_fits else m - 1, rng, hard=hard)
    answer = None
    if not none_fits:
        answer = 0 if free else int(rng.integers(m))
        rows.insert(answer, pool.draw(hero, stop, rng))
    else:
        rows = [rows[int(i)] for i in rng.permutation(len(rows))]
    return Item(story, spot, placed, tuple(rows), answer, first)


def look_line(thing: Thing, place: str) -> str:
    """What a picture shows; its colour last, where the verdict follows."""
    return f"{thing.subject} {AT_PLACE[place]}, {thing.colour}"


def conversation(item: Item, pool: Pool) -> tuple[list[Message], list[Message]]:
    """The question, and what follows it: the look at the candidates, the question for a letter, the letter."""
    stop = item.story.paragraphs[item.spot].stop
    assert stop is not None
    hero = item.story.hero
    wanted = look_line(hero, stop.place) if item.knows_colour else f"{hero.subject} {AT_PLACE[stop.place]}"
    lines = [f"wanted: {wanted}"]
    for i, row in enumerate(item.candidates):
        scene = pool.scenes[row]
        verdict = YES if i == item.answer else NO
        lines.append(f"{LETTERS[i]}: {look_line(scene.main, scene.place)} {verdict}")
    return item.prompt(), [
        assistant("\n".join(lines)),
        *render_prompt("choose", dialect=EMBEDDED_DIALECT),
        assistant(item.reply),
    ]


def glossed(messages: Sequence[Message], pool: Pool, share: float, rng: np.random.Generator) -> tuple[Message, ...]:
    """The same messages with a gloss after this share of their pictures."""
    out = []
    for message in messages:
        parts: list[str | Picture] = []
        for part in message.parts:
            parts.append(part)
            if isinstance(part, Picture) and rng.random() < share:
                scene = pool.scenes[row_of(part)]
                parts.append(Gloss(" " + look_line(scene.main, scene.place)))
        out.append(Message(message.role, tuple(parts)))
    return tuple(out)


def drill_sample(rng: np.random.Generator) -> Sample:
    """A look alone, without a picture: several verdicts to learn from in few tokens."""
    subject = list(SUBJECTS)[int(rng.integers(len(SUBJECTS)))]
    place = PLACES[int(rng.integers(12))]
    colours = [SUBJECTS[subject][int(i)] for i in rng.permutation(4)]
    lines = [look_line(Thing(subject, colour), place) for colour in colours[: int(rng.integers(2, 5))]]
    wanted = (
        lines[int(rng.integers(len(lines)))] if rng.random() < 0.85 else look_line(Thing(subject, colours[3]), place)
    )
    if rng.random() < 0.3:  # one of the others has the right colour, elsewhere
        other = int(rng.integers(len(lines)))
        thing = Thing(subject, wanted.rpartition(" ")[2])
        line = look_line(thing, PLACES[int(rng.integers(12))])
        if lines[other] != wanted and line != wanted:
            lines[other] = line
    parts: list[str] = [f"wanted: {wanted}"]
    for letter, line in zip(LETTERS, lines, strict=False):
        parts += [f"\n{letter}: {line}", Gloss(f" {YES if line == wanted else NO}")]
    return Sample("drill", (Message("user", tuple(parts)),))


def select_sample(pool: Pool, seed: int, rng: np.random.Generator, *, level: int, gloss: float = 0.0) -> Sample:
    """A question of selection.

    Args:
        pool: the pictures.
        seed: of the story.
        rng: draws the rest.
        level: 0 is short, 1 a whole article, 2 the pipeline's own mixture of candidates.
        gloss: the share of pictures that are followed by what they show.
    """
    story = make_story(seed)
    if rng.random() < 0.6:
        story = without_colour(story)
    if level < 2:
        m = int(rng.integers(2, 5)) if level == 0 else 4
        item = make_item(
            story, pool, rng, m=m, hard=rng.random() < 0.8, short=level == 0, none_share=0.08, first_share=0.1
        )
    else:
        m = 4 if rng.random() < 0.75 else int(rng.integers(2, 7))
        item = make_item(story, pool, rng, m=m, hard=rng.random() < 0.6, none_share=0.12, first_share=0.12)
    prompt, rest = conversation(item, pool)
    return Sample(f"select{level}@{gloss}", (*glossed(prompt, pool, gloss, rng), *rest))
