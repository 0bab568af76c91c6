"""The empty scene: sky, place and weather on a logical canvas of 640 x 480, and where its ground is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import skia

from .nature import draw_beach, draw_desert, draw_forest, draw_lake, draw_meadow, draw_mountains
from .sky import HEIGHT, HORIZON, WIDTH, Light, draw_puddles, draw_sky, draw_weather_front
from .town import draw_city, draw_farm, draw_garden, draw_harbour, draw_park, draw_village

__all__ = [
    "GROUND_FAR",
    "GROUND_NEAR",
    "HEIGHT",
    "HORIZON",
    "WIDTH",
    "draw_place",
    "draw_sky",
    "draw_weather_front",
]

# Feet of subjects stand between these heights: every place has firm ground there over its whole width.
GROUND_FAR: Final = 0.80 * HEIGHT
GROUND_NEAR: Final = 0.92 * HEIGHT

_DRAW_PLACE: Final[dict[str, Callable[[skia.Canvas, Light, np.random.Generator], None]]] = {
    "meadow": draw_meadow,
    "forest": draw_forest,
    "beach": draw_beach,
    "lake": draw_lake,
    "mountains": draw_mountains,
    "village": draw_village,
    "city": draw_city,
    "farm": draw_farm,
    "desert": draw_desert,
    "garden": draw_garden,
    "harbour": draw_harbour,
    "park": draw_park,
}


def draw_place(canvas: skia.Canvas, place: str, time: str, weather: str, rng: np.random.Generator) -> None:
    """The land of a place under its sky; half of the pictures show it mirrored."""
    canvas.save()
    if rng.random() < 0.5:
        canvas.translate(WIDTH, 0)
        canvas.scale(-1, 1)
    _DRAW_PLACE[place](canvas, Light(time, weather), rng)
    canvas.restore()
    if weather == "rain":
        draw_puddles(canvas, time, rng)
