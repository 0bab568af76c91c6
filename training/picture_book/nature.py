"""The places without people: meadow, forest, beach, lake, mountains, desert."""

from __future__ import annotations

import numpy as np
import skia

from .brush import RGB, ellipse, fill, mix, stroke
from .props import draw_firs, draw_ground, draw_hill, draw_tufts, hill, polygon, rect
from .sky import HEIGHT, HORIZON, SNOW, WIDTH, Light, dots, sky_colours, vertical

_GRASS: RGB = (142, 186, 98)


def draw_meadow(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """Rolling hills, full of small flowers."""
    draw_hill(canvas, rng, 196, 44, light.land((126, 172, 128), 0.48), 3)
    draw_hill(canvas, rng, 232, 42, light.land((140, 184, 108), 0.26), 4)
    draw_ground(canvas, light, 284, _GRASS, 22)
    draw_tufts(canvas, light, rng, (92, 146, 76), 22)
    bloom = ((250, 250, 244), (246, 212, 92), (226, 112, 130), (170, 130, 204))
    for colour in bloom:
        shown = light.vivid(colour, 0.04)
        dots(canvas, rng.uniform((0, 308), (WIDTH, 352), (24, 2)), shown, 7)
        near = rng.uniform((0, 350), (WIDTH, HEIGHT), (13, 2))
        dots(canvas, near, shown, 14)
        dots(canvas, near, light.of((250, 190, 60) if colour != bloom[1] else (206, 130, 50)), 5)


def draw_forest(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """Rows of firs and, on both sides, big dark trunks."""
    for row, (far, low, high) in enumerate(((0.40, 180, 220), (0.14, 150, 200))):
        xs = np.arange(-10, WIDTH + 40, 40 + 6 * row) + rng.uniform(-9, 9)
        firs = [
            (x, 312.0 + row * 14, rng.uniform(low, high) * (0.72 + 0.55 * abs(x / WIDTH - 0.5) * 2))
            for x in xs.tolist()
        ]
        colour = ((72, 118, 88), (46, 92, 66))[row]
        draw_firs(canvas, light, firs, colour, far)
        rect(canvas, (0, 240 + row * 22, WIDTH, 320), light.land(mix(colour, (30, 60, 56), 0.35 * row), far, 0.40))
    draw_ground(canvas, light, 306, (112, 128, 78), 8)
    draw_tufts(canvas, light, rng, (62, 104, 62), 26)
    for side in (0, 1):
        _draw_trunks(canvas, light, rng, mirrored=bool(side))


def _draw_trunks(canvas: skia.Canvas, light: Light, rng: np.random.Generator, mirrored: bool) -> None:
    for x, base, width in ((rng.uniform(66, 92), 352.0, 22.0), (rng.uniform(4, 26), 404.0, 38.0)):
        x = WIDTH - x if mirrored else x
        trunk = skia.Path()
        trunk.moveTo(x - width * 0.9, base)
        trunk.quadTo(x - width * 0.45, base - 40, x - width * 0.42, 0)
        trunk.lineTo(x + width * 0.42, 0)
        trunk.quadTo(x + width * 0.45, base - 40, x + width * 0.9, base)
        trunk.close()
        canvas.drawPath(trunk, fill(light.of((88, 66, 54), 0.06)))
        edge = x - width * 0.42
        if light.snowy:
            canvas.drawLine(edge, 0, edge, base - 60, stroke(light.of(SNOW), 4))
    crown = skia.Path()
    centre = WIDTH if mirrored else 0
    for dx, y, radius in ((10, 8, 74), (78, -6, 60), (132, -24, 52)):
        crown.addCircle(centre - dx if mirrored else centre + dx, y, radius)
    canvas.drawPath(crown, fill(light.land((46, 88, 62), 0.04, 0.34)))


def draw_sea(canvas: skia.Canvas, light: Light, rng: np.random.Generator, bottom: float, top: float = HORIZON) -> None:
    """Open water up to the horizon, with light crests."""
    far = mix(light.of((96, 172, 206)), sky_colours(light.time, light.weather)[2], 0.28)
    near = light.of((62, 142, 190))
    canvas.drawRect(skia.Rect.MakeLTRB(0, top, WIDTH, bottom), vertical(top, bottom, (far, near)))
    crests = skia.Path()
    for x, y in rng.uniform((0, top + 8), (WIDTH, bottom - 12), (18, 2)).tolist():
        half = 8 + (y - top) * 0.22
        crests.moveTo(x - half, y)
        crests.quadTo(x - half / 2, y - 5, x, y)
        crests.quadTo(x + half / 2, y - 5, x + half, y)
    canvas.drawPath(crests, stroke(light.of((232, 244, 250)), 2.2, 190))


def draw_beach(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """Sand, a sea with surf, a palm, shells."""
    draw_sea(canvas, light, rng, 372, 244)
    shore = [330 + 14 * v for v in rng.random(6).tolist()]
    canvas.drawPath(hill([y - 10 for y in shore]), fill(light.of((240, 248, 250))))
    canvas.drawPath(hill([y + 2 for y in shore]), fill(light.of((206, 180, 132))))
    sand = (light.land((242, 218, 164), 0.04, 0.55), light.land((232, 202, 142), 0.0, 0.55))
    canvas.drawPath(hill([y + 12 for y in shore]), vertical(330, HEIGHT, sand))
    dots(canvas, rng.uniform((0, 366), (WIDTH, HEIGHT), (40, 2)), light.of((204, 170, 112)), 3)
    dots(canvas, rng.uniform((0, 380), (WIDTH, HEIGHT), (6, 2)), light.of((250, 196, 180)), 10)
    dots(canvas, rng.uniform((0, 380), (WIDTH, HEIGHT), (6, 2)), light.of((252, 246, 236)), 8)
    _draw_palm(canvas, light, rng.uniform(34, 66), 372, rng.uniform(190, 230))


def _draw_palm(canvas: skia.Canvas, light: Light, x: float, base: float, height: float) -> None:
    top_x, top_y = x + height * 0.20, base - height
    trunk = skia.Path()
    trunk.moveTo(x, base)
    trunk.quadTo(x - 4, base - height * 0.5, top_x, top_y)
    canvas.drawPath(trunk, stroke(light.of((156, 124, 92), 0.12), 13))
    fronds = skia.Path()
    for dx, dy in ((-92, 34), (-84, -14), (-36, -44), (40, -44), (86, -12), (92, 36)):
        fronds.moveTo(top_x, top_y)
        fronds.quadTo(top_x + dx * 0.5, top_y + dy - 34, top_x + dx, top_y + dy)
        fronds.quadTo(top_x + dx * 0.5, top_y + dy - 8, top_x, top_y)
    canvas.drawPath(fronds, fill(light.land((94, 150, 96), 0.12, 0.5)))


def draw_lake(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """A wide oval of water between far hills and a shore with reeds."""
    draw_hill(canvas, rng, 176, 50, light.land((110, 152, 150), 0.50), 3)
    draw_hill(canvas, rng, 214, 30, light.land((112, 156, 118), 0.32), 5)
    firs = [(x + rng.uniform(-8, 8), 262.0, rng.uniform(26, 46)) for x in range(20, WIDTH, 42)]
    draw_firs(canvas, light, firs, (84, 128, 98), 0.30)
    draw_ground(canvas, light, 256, (136, 174, 98), 4)
    lake = ellipse(WIDTH / 2, 322, 302, 62)
    canvas.drawPath(ellipse(WIDTH / 2, 324, 312, 68), fill(light.land((190, 176, 132), 0.06)))
    sky = sky_colours(light.time, light.weather)
    far = mix(light.of((126, 190, 220)), sky[2], 0.35)
    canvas.drawPath(lake, vertical(260, 384, (far, light.of((66, 136, 190)))))
    ripples = skia.Path()
    for x, y in rng.uniform((110, 284), (530, 362), (14, 2)).tolist():
        ripples.moveTo(x - 22, y)
        ripples.lineTo(x + 22, y)
    canvas.drawPath(ripples, stroke(light.of((226, 240, 248)), 2.6, 170))
    draw_tufts(canvas, light, rng, (90, 138, 72), 12, 396)
    for left in (rng.uniform(8, 24), rng.uniform(520, 540)):
        _draw_reeds(canvas, light, rng, left)


def _draw_reeds(canvas: skia.Canvas, light: Light, rng: np.random.Generator, left: float) -> None:
    stems, heads = skia.Path(), skia.Path()
    for x in (left + np.arange(8) * 13 + rng.uniform(-4, 4, 8)).tolist():
        height, lean = rng.uniform(64, 120), rng.uniform(-10, 10)
        stems.moveTo(x, 390)
        stems.quadTo(x, 390 - height / 2, x + lean, 390 - height)
        heads.moveTo(x + lean, 390 - height)
        heads.lineTo(x + lean * 1.15, 390 - height - 20)
    canvas.drawPath(stems, stroke(light.of((96, 140, 78), 0.06), 4))
    canvas.drawPath(heads, stroke(light.of((122, 84, 58), 0.04), 8))


def draw_mountains(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """Peaks with snow caps that fill the back."""
    shift = rng.uniform(-30, 30)
    for x, top, half, far in ((70, 118, 190, 0.40), (575, 108, 200, 0.40), (215, 44, 220, 0.14), (445, 76, 210, 0.22)):
        _draw_peak(canvas, light, x + shift, top + rng.uniform(-10, 14), half, far)
    draw_hill(canvas, rng, 268, 26, light.land((112, 150, 112), 0.26), 5)
    firs = [(x + rng.uniform(-8, 8), 306.0, rng.uniform(28, 50)) for x in range(8, WIDTH, 38) if rng.random() < 0.7]
    draw_firs(canvas, light, firs, (74, 112, 92), 0.18)
    draw_ground(canvas, light, 300, (148, 174, 112), 16)
    for x, y in rng.uniform((0, 340), (WIDTH, 470), (9, 2)).tolist():
        size = 7 + (y - 330) * 0.10
        canvas.drawPath(ellipse(x, y, size * 1.5, size), fill(light.land((150, 150, 156), 0.05, 0.4)))
    draw_tufts(canvas, light, rng, (104, 144, 88), 12)


def _draw_peak(canvas: skia.Canvas, light: Light, x: float, top: float, half: float, far: float) -> None:
    base = 310.0
    slope = half / (base - top)

    def at(y: float, share: float) -> tuple[float, float]:
        return x + share * slope * (y - top), y

    canvas.drawPath(polygon(at(base, -1), (x, top), at(base, 1)), fill(light.of((132, 142, 168), far)))
    canvas.drawPath(polygon((x, top), at(base, 1), at(base, 0.15)), fill(light.of((104, 114, 146), far)))
    cap = base - (base - top) * (0.42 if light.snowy else 0.58)
    low = cap + 26
    snow = polygon(
        (x, top), at(cap, 1), at(low - 34, 0.55), at(low, 0.30), at(low - 38, -0.05), at(low - 4, -0.45),
        at(low - 30, -0.70), at(cap + 6, -1),
    )  # fmt: skip
    canvas.drawPath(snow, fill(light.of((250, 251, 255), far * 0.5)))


def draw_desert(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """Dunes, mesas and cactuses."""
    for x, top, half in ((rng.uniform(120, 190), 178, 84), (rng.uniform(400, 480), 196, 66), (610, 170, 70)):
        mesa = polygon((x - half * 1.25, 290), (x - half, top), (x + half, top), (x + half * 1.25, 290))
        canvas.drawPath(mesa, fill(light.of((206, 128, 96), 0.26)))
        rect(canvas, (x - half, top, x + half, top + 12), light.land((222, 154, 116), 0.26))
    for top, colour, far in ((246, (236, 190, 128), 0.20), (274, (226, 172, 106), 0.10)):
        heights = [top + v for v in rng.permutation([0, 12, 30, 44, 20]).tolist()]
        canvas.drawPath(hill(heights), fill(light.land(colour, far, 0.5)))
    sand = (light.land((240, 196, 126), 0.06, 0.5), light.land((230, 178, 104), 0.0, 0.5))
    canvas.drawPath(hill((330, 312, 340, 322)), vertical(312, HEIGHT, sand))
    ripples = skia.Path()
    for x, y in rng.uniform((0, 360), (WIDTH, HEIGHT), (12, 2)).tolist():
        ripples.moveTo(x - 34, y)
        ripples.quadTo(x, y - 10, x + 34, y)
    canvas.drawPath(ripples, stroke(light.of((204, 148, 86)), 2.6, 150))
    _draw_cactus(canvas, light, rng.uniform(48, 80), 376, rng.uniform(150, 180))
    _draw_cactus(canvas, light, rng.uniform(566, 596), 346, rng.uniform(96, 122))


def _draw_cactus(canvas: skia.Canvas, light: Light, x: float, base: float, height: float) -> None:
    limbs = skia.Path()
    limbs.moveTo(x, base)
    limbs.lineTo(x, base - height)
    for side, low, high in ((-1, 0.38, 0.74), (1, 0.50, 0.90)):
        reach = x + side * height * 0.25
        limbs.moveTo(x, base - height * low)
        limbs.quadTo(reach, base - height * low, reach, base - height * (low + 0.12))
        limbs.lineTo(reach, base - height * high)
    canvas.drawPath(limbs, stroke(light.of((92, 140, 96), 0.12), height * 0.14))
    canvas.drawPath(limbs, stroke(light.land((124, 168, 118), 0.12), height * 0.05))
