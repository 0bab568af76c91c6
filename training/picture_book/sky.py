"""The light of a time of day and a weather, the sky it makes, and what falls from it.

Everything is drawn on a logical canvas of WIDTH x HEIGHT; `Light` turns the daylight colours that the places are
written in into the colours of this hour, so no place knows about times and weathers beyond snow and lit windows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import skia

from .brush import RGB, ellipse, fill, mix, stroke

WIDTH: Final = 640
HEIGHT: Final = 480
HORIZON: Final = 0.55 * HEIGHT

SNOW: Final[RGB] = (238, 244, 255)
# Top, middle and bottom of a clear sky.
_SKIES: Final[dict[str, tuple[RGB, RGB, RGB]]] = {
    "morning": ((158, 196, 232), (250, 206, 208), (255, 222, 168)),
    "noon": ((72, 156, 232), (134, 196, 244), (208, 234, 248)),
    "evening": ((92, 66, 142), (226, 104, 104), (255, 176, 84)),
    "night": ((12, 18, 56), (24, 36, 88), (50, 68, 128)),
}
# The colour a weather pulls the sky to by day, and how strongly at its top and at its bottom.
_VEILS: Final[dict[str, tuple[RGB, float, float]]] = {
    "clear": ((255, 255, 255), 0.0, 0.0),
    "cloudy": ((200, 205, 213), 0.72, 0.56),
    "rain": ((98, 108, 126), 0.74, 0.50),
    "snow": ((184, 194, 210), 0.78, 0.66),
}
# What an hour does to a daylight colour: factors, then an added colour.
_AMBIENT: Final[dict[str, tuple[tuple[float, float, float], RGB]]] = {
    "morning": ((0.90, 0.84, 0.80), (30, 24, 20)),
    "noon": ((0.92, 0.92, 0.92), (22, 22, 22)),
    "evening": ((0.80, 0.70, 0.62), (20, 10, 26)),
    "night": ((0.40, 0.43, 0.52), (8, 14, 36)),
}
_GREYING: Final[dict[str, tuple[float, float]]] = {  # loss of saturation, factor of brightness
    "clear": (0.10, 1.0),
    "cloudy": (0.26, 0.94),
    "rain": (0.34, 0.80),
    "snow": (0.20, 1.0),
}


def clamp(value: float) -> int:
    """A colour channel."""
    return max(0, min(255, round(value)))


@dataclass(frozen=True, slots=True)
class Light:
    """One time of day in one weather."""

    time: str
    weather: str

    @property
    def snowy(self) -> bool:
        return self.weather == "snow"

    @property
    def night(self) -> bool:
        return self.time == "night"

    @property
    def window(self) -> RGB:
        """The colour of a window pane: lit in the dark."""
        if self.night:
            return (255, 216, 118)
        return (255, 214, 140) if self.time == "evening" else self.of((150, 184, 210))

    def of(self, colour: RGB, far: float = 0.0) -> RGB:
        """A daylight colour as it looks now, `far` being the share of haze in front of it."""
        return _graded(self.time, self.weather, colour, far)

    def vivid(self, colour: RGB, far: float = 0.0) -> RGB:
        """As `of`, for small flowers and the like, which keep more of their colour in the dark."""
        return mix(self.of(colour, far), colour, 0.34 if self.night else 0.12)

    def land(self, colour: RGB, far: float = 0.0, cover: float = 0.88) -> RGB:
        """As `of`, for what snow settles on."""
        if not self.snowy:
            return self.of(colour, far)
        white = mix(colour, SNOW, cover)
        if self.night:
            return self.of(white, far)
        return mix(self.of(white, far), _graded("noon", self.weather, white, far), 0.45)


@cache
def _graded(time: str, weather: str, colour: RGB, far: float) -> RGB:
    loss, bright = _GREYING[weather]
    grey = sum(colour) / 3
    factors, added = _AMBIENT[time]
    red, green, blue = (
        clamp((c + (grey - c) * loss) * bright * factor + plus)
        for c, factor, plus in zip(colour, factors, added, strict=True)
    )
    veil = far * 0.6 if weather == "snow" else far
    return mix((red, green, blue), sky_colours(time, weather)[2], veil)


@cache
def sky_colours(time: str, weather: str) -> tuple[RGB, RGB, RGB]:
    """Top, middle and bottom of the sky."""
    veil, top_share, bottom_share = _VEILS[weather]
    if time == "night":
        veil = mix(veil, (30, 36, 62), 0.80)
    elif time == "evening":
        veil = mix(veil, (122, 74, 104), 0.42)
    elif time == "morning":
        veil = mix(veil, (250, 208, 196), 0.26)
    if time in ("morning", "evening"):  # the low sun still colours the foot of a covered sky
        bottom_share *= 0.62
    top, middle, bottom = _SKIES[time]
    between = (top_share + bottom_share) / 2
    return mix(top, veil, top_share), mix(middle, veil, between), mix(bottom, veil, bottom_share)


def vertical(top: float, bottom: float, colours: Iterable[RGB]) -> skia.Paint:
    """A paint running from the first colour at `top` to the last at `bottom`."""
    shader = skia.GradientShader.MakeLinear(
        points=[skia.Point(0, top), skia.Point(0, bottom)], colors=[skia.Color(*c) for c in colours]
    )
    return skia.Paint(AntiAlias=True, Shader=shader)


def glow(canvas: skia.Canvas, centre: tuple[float, float], radius: float, colour: RGB, alpha: int) -> None:
    """A disc of light that fades to nothing at its edge."""
    shader = skia.GradientShader.MakeRadial(
        center=skia.Point(*centre), radius=radius, colors=[skia.Color(*colour, alpha), skia.Color(*colour, 0)]
    )
    canvas.drawCircle(*centre, radius, skia.Paint(Shader=shader))


def dots(canvas: skia.Canvas, places: np.ndarray, colour: RGB, width: float, alpha: int = 255) -> None:
    """Many round dots at the rows (x, y) of `places`."""
    points = [skia.Point(x, y) for x, y in places.tolist()]
    canvas.drawPoints(skia.Canvas.kPoints_PointMode, points, stroke(colour, width, alpha))


def draw_sky(canvas: skia.Canvas, time: str, weather: str, rng: np.random.Generator) -> None:
    """The sky over the whole canvas: colours, sun or moon, stars, clouds."""
    canvas.drawRect(skia.Rect.MakeWH(WIDTH, HORIZON + 60), vertical(0, HORIZON + 30, sky_colours(time, weather)))
    if weather == "clear":
        _draw_light_source(canvas, time, rng)
    _draw_clouds(canvas, time, weather, rng)
    if weather == "snow":
        _draw_flakes(canvas, rng, 70, 5.0, 220)


def _draw_light_source(canvas: skia.Canvas, time: str, rng: np.random.Generator) -> None:
    x = WIDTH * (rng.uniform(0.10, 0.26) if rng.random() < 0.5 else rng.uniform(0.74, 0.90))
    if time == "noon":
        y = rng.uniform(52, 78)
        glow(canvas, (x, y), 110, (255, 246, 190), 170)
        canvas.drawCircle(x, y, 34, fill((255, 232, 112)))
    elif time == "morning":
        y = rng.uniform(150, 178)
        glow(canvas, (x, y), 170, (255, 240, 190), 220)
        canvas.drawCircle(x, y, 40, fill((255, 244, 196)))
    elif time == "evening":
        y = rng.uniform(176, 204)
        glow(canvas, (x, y), 190, (255, 180, 80), 210)
        canvas.drawCircle(x, y, 52, fill((255, 122, 62)))
    else:
        _draw_night_lights(canvas, x, rng)


def _draw_night_lights(canvas: skia.Canvas, x: float, rng: np.random.Generator) -> None:
    dots(canvas, rng.uniform((0, 0), (WIDTH, HORIZON - 20), (46, 2)), (236, 240, 255), 2.6, 220)
    dots(canvas, rng.uniform((0, 0), (WIDTH, HORIZON - 60), (14, 2)), (255, 250, 226), 5.0)
    y = rng.uniform(56, 84)
    glow(canvas, (x, y), 96, (210, 222, 255), 110)
    moon = skia.Path().addCircle(x, y, 34)
    if rng.random() < 0.6:
        moon = skia.Op(moon, skia.Path().addCircle(x + 17, y - 8, 29), skia.kDifference_PathOp)
    canvas.drawPath(moon, fill((252, 246, 216)))


# How many clouds, their size, how low they hang, their colours (lit, shaded) by day.
_CLOUDS: Final[dict[str, tuple[int, float, float, RGB, RGB]]] = {
    "clear": (2, 0.62, 120, (255, 255, 255), (232, 240, 250)),
    "cloudy": (7, 1.30, 140, (244, 245, 248), (190, 196, 206)),
    "rain": (8, 1.45, 80, (122, 130, 146), (92, 100, 116)),
    "snow": (6, 1.25, 80, (236, 240, 246), (206, 214, 226)),
}


def _cloud_colours(time: str, weather: str) -> tuple[RGB, RGB]:
    lit, shaded = _CLOUDS[weather][3:]
    if time == "night":
        return mix(lit, (34, 42, 76), 0.74), mix(shaded, (24, 30, 60), 0.78)
    if time == "evening":
        return mix(lit, (244, 142, 120), 0.42), mix(shaded, (120, 70, 120), 0.48)
    if time == "morning":
        return mix(lit, (255, 226, 206), 0.40), mix(shaded, (236, 178, 184), 0.42)
    return lit, shaded


def _draw_clouds(canvas: skia.Canvas, time: str, weather: str, rng: np.random.Generator) -> None:
    count, size, lowest = _CLOUDS[weather][:3]
    lit, shaded = _cloud_colours(time, weather)
    if weather == "clear":
        count = 0 if time == "night" else int(rng.integers(1, count + 2))
    columns = rng.permutation(count)
    for column in columns.tolist():
        x = (column + rng.uniform(0.1, 0.9)) * WIDTH / count
        _draw_cloud(canvas, (x, rng.uniform(14, lowest)), size * rng.uniform(0.8, 1.15), (lit, shaded))


def _draw_cloud(canvas: skia.Canvas, at: tuple[float, float], size: float, colours: tuple[RGB, RGB]) -> None:
    cloud = skia.Path()
    for dx, dy, radius in ((-52, 8, 22), (-24, -8, 32), (14, -14, 38), (48, 4, 26)):
        cloud.addCircle(at[0] + dx * size, at[1] + dy * size, radius * size)
    cloud.addRoundRect(
        skia.Rect.MakeLTRB(at[0] - 74 * size, at[1] + 2 * size, at[0] + 74 * size, at[1] + 30 * size),
        14 * size,
        14 * size,
    )
    canvas.drawPath(cloud, vertical(at[1] - 30 * size, at[1] + 30 * size, colours))


def draw_puddles(canvas: skia.Canvas, time: str, rng: np.random.Generator) -> None:
    """Pools of rain on the ground, which mirror the sky."""
    _, middle, bottom = sky_colours(time, "rain")
    mirrored = mix(mix(middle, bottom, 0.5), (206, 222, 250), 0.42)
    for column in range(4):
        x = (column + rng.uniform(0.2, 0.8)) * WIDTH / 4
        y = rng.uniform(392, 468)
        width = rng.uniform(38, 66) * (y / 430)
        canvas.drawPath(ellipse(x, y, width, width * 0.20), fill(mirrored, 215))
        ring = ellipse(x + width * 0.2, y, width * 0.36, width * 0.07)
        canvas.drawPath(ring, stroke(mix(mirrored, (255, 255, 255), 0.6), 2))


def draw_weather_front(canvas: skia.Canvas, weather: str, rng: np.random.Generator) -> None:
    """What falls between the picture and its viewer."""
    if weather == "rain":
        _draw_streaks(canvas, rng)
    elif weather == "snow":
        _draw_flakes(canvas, rng, 46, 7.0, 240)
        _draw_flakes(canvas, rng, 22, 12.0, 240)


def _draw_streaks(canvas: skia.Canvas, rng: np.random.Generator) -> None:
    slant = -0.30
    for count, length, width, alpha in ((60, 30, 2.0, 120), (34, 48, 3.0, 140)):
        streaks = skia.Path()
        for x, y in rng.uniform((0, -20), (WIDTH + 40, HEIGHT), (count, 2)).tolist():
            streaks.moveTo(x, y)
            streaks.lineTo(x + slant * length, y + length)
        canvas.drawPath(streaks, stroke((214, 228, 246), width, alpha))


def _draw_flakes(canvas: skia.Canvas, rng: np.random.Generator, count: int, width: float, alpha: int) -> None:
    dots(canvas, rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2)), (255, 255, 255), width, alpha)
