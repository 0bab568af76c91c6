"""What can be said of one scene in one sentence: captions, alt text, titles and keywords."""

from __future__ import annotations

import numpy as np

from .world import Scene, Thing

AT_PLACE = {
    "meadow": "in the meadow", "forest": "in the forest", "beach": "on the beach", "lake": "by the lake",
    "mountains": "in the mountains", "village": "in the village", "city": "in the city", "farm": "on the farm",
    "desert": "in the desert", "garden": "in the garden", "harbour": "in the harbour", "park": "in the park",
}  # fmt: skip
AT_TIME = {"morning": "in the morning", "noon": "at noon", "evening": "in the evening", "night": "at night"}
IN_WEATHER = {"clear": "under a clear sky", "cloudy": "under the clouds", "rain": "in the rain", "snow": "in the snow"}


def article_for(word: str) -> str:
    """The indefinite article that stands before a word."""
    return "an" if word[0] in "aeiou" else "a"


def a_thing(thing: Thing, *, colour: bool = True) -> str:
    """A thing with its indefinite article: an orange cat."""
    words = f"{thing.colour} {thing.subject}" if colour else thing.subject
    return f"{article_for(words)} {words}"


def join(parts: list[str]) -> str:
    """Words as a list in a sentence: a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[0].upper() + text[1:]


def describe(scene: Scene) -> str:
    """The whole scene in one sentence; this is the sample library's caption and what `describe` is trained on."""
    extras = [a_thing(thing) for thing in scene.things[1:]]
    with_extras = f" with {join(extras)}" if extras else ""
    where = f"{AT_PLACE[scene.place]} {AT_TIME[scene.time]}"
    return sentence(f"{a_thing(scene.main)}{with_extras} {where}, {IN_WEATHER[scene.weather]}.")


def title(scene: Scene) -> str:
    """A short title: Orange cat on the beach."""
    return sentence(f"{scene.main.colour} {scene.main.subject} {AT_PLACE[scene.place]}")


def keywords(scene: Scene) -> tuple[str, ...]:
    """Subjects, colours, place, time and weather as keywords, without repeats, in reading order."""
    words = [word for thing in scene.things for word in (thing.subject, thing.colour)]
    return tuple(dict.fromkeys([*words, scene.place, scene.time, scene.weather]))


def spot_caption(subject: str, place: str, time: str, weather: str) -> str:
    """The caption that an article asks for: it leaves the colour to the article, as a caption under a picture does."""
    tail = f", {IN_WEATHER[weather]}" if weather in ("rain", "snow") else ""
    return f"The {subject} {AT_PLACE[place]} {AT_TIME[time]}{tail}"


def query_caption(scene: Scene, rng: np.random.Generator) -> str:
    """One of many ways to ask for this scene, from a bare word to the whole sentence; for contrastive training.

    A third of them leave the colour out, as captions under a picture do, and a fifth say one or two things alone, as
    people do who search.
    """
    thing = scene.main
    coloured = bool(rng.random() < 0.65)
    bare = f"{thing.colour} {thing.subject}" if coloured else thing.subject
    subject = a_thing(thing, colour=coloured) if rng.random() < 0.8 else f"the {bare}"
    place, time, weather = AT_PLACE[scene.place], AT_TIME[scene.time], IN_WEATHER[scene.weather]
    extras = [a_thing(other) for other in scene.things[1:]]
    with_extras = f" with {join(extras)}" if extras and rng.random() < 0.7 else ""
    match int(rng.integers(10)):
        case 0:
            return describe(scene)
        case 1:
            return sentence(f"{subject} {place}")
        case 2:
            return sentence(f"{subject}{with_extras} {place} {time}")
        case 3:
            return sentence(f"{time} {place}: {subject}{with_extras}, {weather}.")
        case 4:
            return f"A picture of {subject}{with_extras} {place} {weather}"
        case 5:
            return sentence(f"{place}, {subject}{with_extras} {time}, {weather}")
        case 6:
            return title(scene) if coloured else spot_caption(thing.subject, scene.place, scene.time, scene.weather)
        case 7:
            return sentence(f"{subject}{with_extras} {weather} {place} {time}.")
        case 8:
            return (bare, subject, sentence(subject), f"{bare}, {scene.place}")[int(rng.integers(4))]
        case _:
            tail = (time, weather, f"{time}, {weather}")[int(rng.integers(3))]
            return sentence(f"{subject if rng.random() < 0.7 else f'the {scene.place}'} {tail}")
