"""The vocabulary of the picture-book world and what is held out of training.

Knows nothing of drawing, sentences or models: every other file of this package takes its names from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PALETTE: Final[dict[str, tuple[int, int, int]]] = {
    "red": (214, 57, 54),
    "orange": (240, 138, 44),
    "yellow": (248, 205, 70),
    "green": (96, 163, 82),
    "blue": (66, 121, 199),
    "purple": (135, 91, 174),
    "pink": (240, 142, 170),
    "brown": (140, 92, 56),
    "grey": (142, 147, 155),
    "black": (52, 52, 60),
    "white": (246, 243, 236),
}

# Every subject comes in exactly four colours, so that four candidates can differ in nothing but colour.
SUBJECTS: Final[dict[str, tuple[str, str, str, str]]] = {
    "cat": ("orange", "grey", "black", "white"),
    "dog": ("brown", "black", "white", "grey"),
    "rabbit": ("white", "brown", "grey", "black"),
    "horse": ("brown", "black", "white", "grey"),
    "bird": ("red", "blue", "yellow", "green"),
    "duck": ("yellow", "white", "brown", "green"),
    "bear": ("brown", "black", "white", "grey"),
    "elephant": ("grey", "pink", "blue", "purple"),
    "car": ("red", "blue", "yellow", "green"),
    "bus": ("red", "blue", "yellow", "green"),
    "bicycle": ("red", "blue", "orange", "black"),
    "tractor": ("red", "green", "blue", "orange"),
    "balloon": ("red", "blue", "yellow", "purple"),
    "house": ("red", "white", "yellow", "blue"),
    "windmill": ("white", "red", "brown", "green"),
    "tent": ("orange", "green", "blue", "red"),
    "cake": ("pink", "white", "brown", "blue"),
    "apple": ("red", "green", "yellow", "pink"),
    "flower": ("red", "yellow", "pink", "purple"),
    "tree": ("green", "orange", "yellow", "pink"),
    "mushroom": ("red", "brown", "yellow", "purple"),
    "umbrella": ("red", "blue", "yellow", "green"),
    "kite": ("red", "purple", "yellow", "green"),
    "ball": ("red", "blue", "orange", "green"),
}

PLACES: Final[tuple[str, ...]] = (
    "meadow", "forest", "beach", "lake", "mountains", "village",
    "city", "farm", "desert", "garden", "harbour", "park",
)  # fmt: skip
TIMES: Final[tuple[str, ...]] = ("morning", "noon", "evening", "night")
WEATHERS: Final[tuple[str, ...]] = ("clear", "cloudy", "rain", "snow")


@dataclass(frozen=True, slots=True)
class Thing:
    """One subject in its colour, as the orange cat."""

    subject: str
    colour: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows; `seed` decides the composition and nothing else."""

    things: tuple[Thing, ...]  # the first is the main one; at most three
    place: str
    time: str
    weather: str
    seed: int

    @property
    def main(self) -> Thing:
        return self.things[0]


def held_out(subject: str, place: str) -> bool:
    """Whether this subject is kept away from this place, in all its colours, in everything a model is trained on.

    Three of the twelve places for each subject; each place is held out for six subjects.
    """
    subject_row = list(SUBJECTS).index(subject)
    return (PLACES.index(place) + subject_row) % 4 == 0
