"""Renders a scene: its place, its subjects standing in it, and the weather in front of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
import skia

from .animals import ANIMALS
from .brush import RGB, DrawSubject, Shades, ellipse, fill
from .buildings import BUILDINGS
from .scenery import GROUND_FAR, GROUND_NEAR, HEIGHT, WIDTH, draw_place, draw_sky, draw_weather_front
from .sky import glow
from .things import THINGS
from .vehicles import VEHICLES
from .world import Scene, Thing

SUBJECT_DRAWERS: Final[dict[str, DrawSubject]] = {**ANIMALS, **VEHICLES, **BUILDINGS, **THINGS}

# Height of the main thing as a share of the picture; whatever is not named here takes _USUAL.
_USUAL: Final = (0.46, 0.56)
_SMALL: Final = (0.40, 0.46)
_TALL: Final = (0.54, 0.62)
_HEIGHTS: Final[dict[str, tuple[float, float]]] = {
    **dict.fromkeys(("ball", "apple", "mushroom", "cake", "duck", "bird", "rabbit"), _SMALL),
    **dict.fromkeys(("tree", "windmill", "house", "balloon"), _TALL),
}
_MINOR: Final = (0.26, 0.32)  # of a further thing
_FLYING: Final = frozenset({"balloon", "kite"})
# By the number of further things: the greatest width of the main one and where its middle may be, in picture widths.
_WIDEST: Final = (0.62, 0.52, 0.45)
_COLUMNS: Final = ((0.30, 0.50, 0.70), (0.28, 0.72), (0.25, 0.50, 0.75))
_MARGIN: Final = 10.0
_GAP: Final = 8.0

# The light that falls on a subject: a colour and its share.
_TINTS: Final[dict[str, tuple[RGB, float]]] = {
    "morning": ((255, 206, 160), 0.10),
    "noon": ((255, 255, 255), 0.0),
    "evening": ((226, 112, 80), 0.09),
    "night": ((24, 34, 84), 0.14),
}


@dataclass(frozen=True, slots=True)
class _Extent:
    """How far a subject reaches in its own unit box."""

    left: float
    right: float
    top: float

    @property
    def width(self) -> float:
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class _Placed:
    """A thing with its place in the picture."""

    thing: Thing
    x: float
    feet: float
    size: float  # of the unit box
    flip: bool
    variant: float

    @property
    def extent(self) -> _Extent:
        return _extent(self.thing.subject, self.variant, self.flip)

    @property
    def left(self) -> float:
        return self.x + self.extent.left * self.size

    @property
    def right(self) -> float:
        return self.x + self.extent.right * self.size

    @property
    def flying(self) -> bool:
        return self.thing.subject in _FLYING


@cache
def _measured(subject: str, variant: float) -> _Extent:
    """Finds the extent of a subject by drawing it once, small."""
    cells = 48
    surface = skia.Surface(cells * 3, cells * 2)
    canvas = surface.getCanvas()
    canvas.translate(cells * 1.5, cells * 1.5)
    canvas.scale(cells, cells)
    SUBJECT_DRAWERS[subject](canvas, Shades.of("red"), variant)
    covered = surface.toarray()[:, :, 3] > 60
    columns = np.flatnonzero(covered.any(axis=0))
    rows = np.flatnonzero(covered.any(axis=1))
    left, right = columns[0] / cells - 1.5, (columns[-1] + 1) / cells - 1.5
    return _Extent(float(left), float(right), float(rows[0] / cells - 1.5))


def _extent(subject: str, variant: float, flip: bool) -> _Extent:
    extent = _measured(subject, variant)
    return _Extent(-extent.right, -extent.left, extent.top) if flip else extent


# --- composition ---


def _variant(rng: np.random.Generator) -> float:
    """One of a few values, so that extents are measured once for each."""
    return (int(rng.integers(0, 24)) + 0.5) / 24


@dataclass(frozen=True, slots=True)
class _Pose:
    """A thing and how it is drawn, before it has a place."""

    thing: Thing
    flip: bool
    variant: float

    @classmethod
    def of(cls, thing: Thing, rng: np.random.Generator) -> _Pose:
        return cls(thing, rng.random() < 0.5, _variant(rng))

    @property
    def extent(self) -> _Extent:
        return _extent(self.thing.subject, self.variant, self.flip)

    @property
    def aspect(self) -> float:
        return self.extent.width / -self.extent.top

    def fitted(self, height: float, widest: float, feet: float) -> _Placed:
        """The thing at x = 0, as high as asked for unless it would get too wide."""
        size = min(height / -self.extent.top, widest / self.extent.width)
        return _Placed(self.thing, 0.0, feet, size, self.flip, self.variant)


def _place_main(thing: Thing, company: int, rng: np.random.Generator) -> _Placed:
    height = rng.uniform(*_HEIGHTS.get(thing.subject, _USUAL)) * HEIGHT
    flying = thing.subject in _FLYING
    feet = (rng.uniform(0.64, 0.76) if flying else rng.uniform(0.84, 0.92)) * HEIGHT
    placed = _Pose.of(thing, rng).fitted(height, _WIDEST[company] * WIDTH, feet)
    thirds = _COLUMNS[company]
    x = WIDTH * (thirds[int(rng.integers(len(thirds)))] + rng.uniform(-0.04, 0.04))
    return replace(placed, x=min(max(x, _MARGIN - placed.left), WIDTH - _MARGIN - placed.right))


def _stretches(main: _Placed, aspects: list[float]) -> list[tuple[float, float]]:
    """Free stretches of the picture beside the main thing, one for each further thing of these aspects."""
    sides = ((_MARGIN, main.left - _GAP), (main.right + _GAP, WIDTH - _MARGIN))
    wide, narrow = sorted(sides, key=lambda side: side[0] - side[1])
    if len(aspects) == 1:
        return [wide]
    total, room = sum(aspects), wide[1] - wide[0] - _GAP
    apart = [wide, narrow] if aspects[0] >= aspects[1] else [narrow, wide]
    if min((high - low) / aspect for (low, high), aspect in zip(apart, aspects, strict=True)) > room / total:
        return apart
    middle = wide[0] + room * aspects[0] / total
    return [(wide[0], middle), (middle + _GAP, wide[1])]


def _place_minor(pose: _Pose, stretch: tuple[float, float], rng: np.random.Generator) -> _Placed:
    low, high = stretch
    feet = rng.uniform(0.46, 0.62) * HEIGHT if pose.thing.subject in _FLYING else rng.uniform(GROUND_FAR, GROUND_NEAR)
    placed = pose.fitted(rng.uniform(*_MINOR) * HEIGHT, high - low, feet)
    slack = high - low - (placed.right - placed.left)
    return replace(placed, x=low - placed.left + slack * rng.uniform(0.2, 0.8))


def compose(scene: Scene, rng: np.random.Generator) -> list[_Placed]:
    """Places every thing of the scene; the main one comes first."""
    main = _place_main(scene.main, len(scene.things) - 1, rng)
    poses = [_Pose.of(thing, rng) for thing in scene.things[1:]]
    if not poses:
        return [main]
    stretches = _stretches(main, [pose.aspect for pose in poses])
    return [main, *(_place_minor(p, s, rng) for p, s in zip(poses, stretches, strict=True))]


# --- drawing ---


@cache
def _tint(time: str) -> skia.ColorFilter | None:
    colour, share = _TINTS[time]
    if not share:
        return None
    rows: list[float] = []
    for channel in range(3):
        row = [0.0] * 5
        row[channel] = 1 - share
        row[4] = colour[channel] / 255 * share
        rows += row
    return skia.ColorFilters.Matrix([*rows, 0, 0, 0, 1, 0])


def _draw_backlight(canvas: skia.Canvas, placed: _Placed, time: str, main: bool) -> None:
    """A pool of light behind a subject, so that its colour stays readable in the dark."""
    if time != "night":
        return
    middle = placed.feet + placed.extent.top * placed.size * 0.45
    reach = max(-placed.extent.top, placed.extent.width) * placed.size
    glow(canvas, ((placed.left + placed.right) / 2, middle), reach * 0.86, (208, 206, 230), 130 if main else 110)


def _draw_shadow(canvas: skia.Canvas, placed: _Placed) -> None:
    """The soft shadow where a thing touches the ground, or the faint one under a flying thing."""
    middle, half = (placed.left + placed.right) / 2, (placed.right - placed.left) / 2
    feet = max(placed.feet, GROUND_NEAR - 20) if placed.flying else placed.feet
    strength = 20 if placed.flying else 34
    for share in (1.06, 0.84):
        shadow = ellipse(middle, feet + 1, half * share, 5 + half * share * 0.10)
        canvas.drawPath(shadow, fill((24, 22, 48), strength))


def _draw_thing(canvas: skia.Canvas, placed: _Placed, time: str) -> None:
    tint = _tint(time)
    bounds = skia.Rect.MakeLTRB(
        placed.left - 12, placed.feet + placed.extent.top * placed.size - 12, placed.right + 12, placed.feet + 14
    )
    if tint is None:
        canvas.save()
    else:
        canvas.saveLayer(bounds, skia.Paint(ColorFilter=tint))
    canvas.translate(placed.x, placed.feet)
    canvas.scale(-placed.size if placed.flip else placed.size, placed.size)
    SUBJECT_DRAWERS[placed.thing.subject](canvas, Shades.of(placed.thing.colour), placed.variant)
    canvas.restore()


def render(scene: Scene, width_px: int = 640) -> np.ndarray:
    """The picture of a scene as (height, width, 3) RGB of uint8, where height is three quarters of the width."""
    pixels = np.empty((width_px * 3 // 4, width_px, 4), np.uint8)
    canvas = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType).getCanvas()
    canvas.scale(width_px / WIDTH, width_px / WIDTH)
    composition, scenery = np.random.default_rng(scene.seed).spawn(2)
    draw_sky(canvas, scene.time, scene.weather, scenery)
    draw_place(canvas, scene.place, scene.time, scene.weather, scenery)
    main, *others = compose(scene, composition)
    for placed in (main, *others):
        _draw_backlight(canvas, placed, scene.time, placed is main)
    for placed in sorted((main, *others), key=lambda p: (p is main, p.feet)):
        _draw_shadow(canvas, placed)
        _draw_thing(canvas, placed, scene.time)
    draw_weather_front(canvas, scene.weather, scenery)
    return np.ascontiguousarray(pixels[:, :, :3])
