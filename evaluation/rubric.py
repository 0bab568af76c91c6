"""What an illustrated article is graded by: eight dimensions of three levels, and the score that is made of them.

Source: Zhang et al. 2023, arXiv:2309.15112, appendix C.2, in words of our own. What it leaves open is said here: the
grades of an article with one picture, or none. Its table 9 keeps to the formula for people; two of its five averages by
GPT-4V do not, which are within rounding of the mean of all eight grades. The formula as it is written is what we take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Strict

LEVELS = (1, 3, 5)


def _a_level(value: int) -> int:
    if value not in LEVELS:
        raise ValueError(f"must be 1, 3 or 5, not {value}")
    return value


Level = Annotated[int, Strict(), AfterValidator(_a_level)]  # a Literal would take true for 1
Grades = Mapping[str, int]  # a dimension's key to its level; all eight of them


@dataclass(frozen=True, slots=True)
class Dimension:
    """One question of the eight, and what earns each level."""

    key: str
    name: str
    question: str
    levels: tuple[str, str, str]  # of 1, 3 and 5


DIMENSIONS = (
    Dimension(
        "instruction_following",
        "Instruction",
        "Does the article do what was asked: the subject, and where they are named the title, keywords, outline, form "
        "and manner?",
        ("it misses most of what was asked", "it does what was asked, by and large", "it does all that was asked"),
    ),
    Dimension(
        "writing_quality",
        "Writing",
        "How good is the language: exact words, correct grammar, sentences that are rich and varied?",
        ("poor", "fair", "excellent"),
    ),
    Dimension(
        "logic",
        "Logic",
        "Does one thing follow from another, as it does in everyday life, without contradictions?",
        ("serious faults, three or more", "slight faults, up to three", "sound, with clear causes and effects"),
    ),
    Dimension(
        "factualness",
        "Facts",
        "Is what it says true, by common sense and by science, with nothing made up and with sources used properly?",
        (
            "serious errors or inventions, three or more",
            "slight errors or inventions, up to three",
            "correct, with nothing in sight that is made up",
        ),
    ),
    Dimension(
        "image_text_consistency",
        "Pictures and text",
        "Do the pictures belong to the subject of the article? Without pictures: 1.",
        ("they have nothing to do with it", "they belong to it, loosely", "they belong to it closely"),
    ),
    Dimension(
        "image_informativeness",
        "Pictures that inform",
        "Do the pictures show what the text beside them is about, and tell more than it? Without pictures: 1.",
        (
            "they tell the reader nothing",
            "they show what the text beside them is about",
            "that, and something besides that the article does not say",
        ),
    ),
    Dimension(
        "image_consistency",
        "Pictures among each other",
        "Is the subject the same in all pictures, so that one cat in the text is one cat in the pictures? "
        "With one picture: 5. Without pictures: 1.",
        (
            "in some it is clearly another",
            "it looks the same at first, and not at a closer look",
            "it is the same throughout",
        ),
    ),
    Dimension(
        "preference",
        "Preference",
        "How good is the article as a whole, to your own liking?",
        ("poor", "fair", "excellent"),
    ),
)
KEYS = tuple(dimension.key for dimension in DIMENSIONS)
TEXT, IMAGE, PREFERENCE = KEYS[:4], KEYS[4:7], KEYS[7]


@dataclass(frozen=True, slots=True)
class Scores:
    """The grades of one article by one rater as shares of what can be had, from .2 to 1."""

    text: float
    image: float
    preference: float

    @property
    def overall(self) -> float:
        """The mean of the three."""
        return (self.text + self.image + self.preference) / 3


def scores_of(grades: Grades) -> Scores:
    """Four grades of the text of 20, three of the pictures of 15, the preference of 5."""
    highest = LEVELS[-1]
    text, image = (sum(grades[key] for key in keys) / (highest * len(keys)) for keys in (TEXT, IMAGE))
    return Scores(text, image, grades[PREFERENCE] / highest)


def is_complete(grades: Grades) -> bool:
    """Whether all eight dimensions have a level, and nothing else has."""
    return grades.keys() == {*KEYS} and all(level in LEVELS for level in grades.values())
