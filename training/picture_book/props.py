"""Small things that several places of the background share: hills, trees, cottages, reeds, fences.

All of them are hazier than a subject and have no contour, so that none is taken for the thing the picture is about.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import skia

from .brush import RGB, fill, mix, stroke
from .sky import HEIGHT, SNOW, WIDTH, Light, vertical


def polygon(*corners: tuple[float, float]) -> skia.Path:
    """A closed path through the corners."""
    path = skia.Path()
    path.addPoly([skia.Point(x, y) for x, y in corners], True)
    return path


def rect(canvas: skia.Canvas, box: tuple[float, float, float, float], colour: RGB) -> None:
    """A filled rectangle (left, top, right, bottom)."""
    canvas.drawRect(skia.Rect.MakeLTRB(*box), fill(colour))


def hill(heights: Sequence[float], bottom: float = HEIGHT) -> skia.Path:
    """The land below a smooth line through `heights`, evenly spaced over the whole width."""
    step = WIDTH / (len(heights) - 1)
    path = skia.Path()
    path.moveTo(0, bottom)
    path.lineTo(0, heights[0])
    for i in range(len(heights) - 1):
        x = i * step
        path.cubicTo(x + step / 2, heights[i], x + step / 2, heights[i + 1], x + step, heights[i + 1])
    path.lineTo(WIDTH, bottom)
    path.close()
    return path


def draw_hill(
    canvas: skia.Canvas, rng: np.random.Generator, top: float, swing: float, colour: RGB, bumps: int = 4
) -> None:
    """A smooth ridge whose line stays between `top` and `top + swing`."""
    canvas.drawPath(hill((top + swing * rng.random(bumps + 1)).tolist()), fill(colour))


def draw_ground(canvas: skia.Canvas, light: Light, top: float, colour: RGB, bend: float = 10) -> None:
    """The ground the subjects stand on, paler in the distance."""
    near, far = light.land(colour), light.land(mix(colour, (255, 246, 214), 0.22), 0.10)
    canvas.drawPath(hill((top + bend, top, top + bend * 0.7)), vertical(top, HEIGHT, (far, near)))


def fir_path(x: float, base: float, height: float) -> skia.Path:
    """A fir of three tiers; its base is the lower edge of the branches."""
    path = skia.Path()
    for low, tall, wide in ((0.0, 0.52, 0.27), (0.27, 0.48, 0.21), (0.54, 0.46, 0.15)):
        y = base - low * height
        path.addPoly(
            [
                skia.Point(x - wide * height, y),
                skia.Point(x, y - tall * height),
                skia.Point(x + wide * height, y),
            ],
            True,
        )
    return path


def draw_firs(
    canvas: skia.Canvas, light: Light, firs: Sequence[tuple[float, float, float]], colour: RGB, far: float
) -> None:
    """Firs given as (x, base, height), with snow on their tips in the snow."""
    trees, tips = skia.Path(), skia.Path()
    for x, base, height in firs:
        trees.addPath(fir_path(x, base, height))
        tips.addPath(
            polygon(
                (x - height * 0.13, base - height * 0.60), (x, base - height), (x + height * 0.13, base - height * 0.60)
            )
        )
    shown = light.of(colour, far)
    canvas.drawPath(trees, fill(shown))
    if light.snowy:
        canvas.drawPath(tips, fill(light.of(mix(colour, SNOW, 0.80), far)))


def draw_round_tree(canvas: skia.Canvas, light: Light, x: float, base: float, size: float, far: float) -> None:
    """A small park tree, its crown one soft ball."""
    rect(canvas, (x - size * 0.06, base - size * 0.5, x + size * 0.06, base), light.of((122, 94, 72), far))
    crown = light.of((112, 158, 104), far)
    canvas.drawCircle(x, base - size * 0.66, size * 0.36, fill(crown))
    if light.snowy:
        cap = skia.Rect.MakeLTRB(x - size * 0.36, base - size * 1.02, x + size * 0.36, base - size * 0.30)
        canvas.drawArc(cap, 190, 160, False, fill(light.of(SNOW, far)))


def draw_cottage(
    canvas: skia.Canvas, light: Light, x: float, base: float, size: float, colours: tuple[RGB, RGB], far: float = 0.20
) -> None:
    """A distant cottage of wall and roof colours."""
    wall, roof = colours
    half, eaves = size * 0.5, base - size * 0.52
    rect(canvas, (x - half, eaves, x + half, base), light.of(wall, far))
    chimney = (x + half * 0.42, eaves - size * 0.52, x + half * 0.68, eaves - size * 0.1)
    rect(canvas, chimney, light.of(mix(roof, (80, 60, 60), 0.4), far))
    slope = polygon(
        (x - half * 1.2, eaves), (x - half * 0.7, eaves - size * 0.44), (x + half * 0.7, eaves - size * 0.44),
        (x + half * 1.2, eaves),
    )  # fmt: skip
    canvas.drawPath(slope, fill(light.of(roof, far)))
    if light.snowy:
        rect(canvas, (x - half * 0.84, eaves - size * 0.46, x + half * 0.84, eaves - size * 0.20), light.of(SNOW, far))
    for side in (-0.62, 0.22):
        left = x + half * side
        rect(canvas, (left, base - size * 0.40, left + half * 0.40, base - size * 0.18), light.window)


def draw_picket_fence(canvas: skia.Canvas, light: Light, base: float, height: float, spacing: float) -> None:
    """A white garden fence over the whole width."""
    pale = light.of((238, 234, 224), 0.10)
    rails, pickets = skia.Path(), skia.Path()
    for share in (0.30, 0.68):
        rails.addRect(skia.Rect.MakeLTRB(0, base - height * share - 2, WIDTH, base - height * share + 3))
    for left in np.arange(-spacing / 2, WIDTH, spacing).tolist():
        right, top = left + spacing * 0.52, base - height
        tip = skia.Point((left + right) / 2, top - height * 0.16)
        pickets.addPoly(
            [skia.Point(left, base), skia.Point(left, top), tip, skia.Point(right, top), skia.Point(right, base)], True
        )
    canvas.drawPath(rails, fill(mix(pale, light.of((120, 120, 130)), 0.30)))
    canvas.drawPath(pickets, fill(pale))


def draw_rail_fence(canvas: skia.Canvas, light: Light, base: float, height: float) -> None:
    """A wooden field fence over the whole width."""
    wood = light.of((146, 112, 84), 0.08)
    path = skia.Path()
    for share in (0.40, 0.80):
        path.addRect(skia.Rect.MakeLTRB(0, base - height * share - 3, WIDTH, base - height * share + 3))
    for x in range(24, WIDTH, 74):
        path.addRect(skia.Rect.MakeLTRB(x, base - height, x + 10, base))
    canvas.drawPath(path, fill(wood))
    if light.snowy:
        canvas.drawLine(0, base - height * 0.80 - 3, WIDTH, base - height * 0.80 - 3, stroke(light.of(SNOW), 4))


def draw_tufts(
    canvas: skia.Canvas, light: Light, rng: np.random.Generator, colour: RGB, count: int = 16, top: int = 340
) -> None:
    """Tufts of grass on the near ground."""
    tufts = skia.Path()
    for x, y in rng.uniform((0, top), (WIDTH, HEIGHT), (count, 2)).tolist():
        size = 5 + (y - 340) * 0.05
        for lean in (-0.8, 0.0, 0.8):
            tufts.moveTo(x, y)
            tufts.lineTo(x + lean * size, y - size * (1.6 - abs(lean) * 0.5))
    canvas.drawPath(tufts, stroke(light.of(colour), 2.4))
