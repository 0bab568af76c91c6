"""Draws the buildings of the picture book: house, windmill and tent.

Walls, tower and canvas wear the palette's colour; `variant` chooses the side, the form or the angle of the sails.
"""

from __future__ import annotations

from typing import Final

import skia

from .brush import RGB, DrawSubject, Shades, ellipse, fill, mix, shape, stroke
from .vehicles import Point, box, choose_look, line_through, polygon, within

SLATE: Final[RGB] = (122, 98, 102)
SLATE_DARK: Final[RGB] = (96, 76, 84)
SLATE_LINE: Final[RGB] = (70, 54, 64)
FRAME: Final[RGB] = (252, 246, 232)
FRAME_LINE: Final[RGB] = (140, 120, 112)
WARM_LIGHT: Final[RGB] = (255, 222, 130)
WOOD: Final[RGB] = (150, 100, 62)
WOOD_LINE: Final[RGB] = (92, 58, 40)
BRICK: Final[RGB] = (178, 108, 88)
STONE: Final[RGB] = (190, 182, 174)
SAIL: Final[RGB] = (250, 238, 208)
INSIDE: Final[RGB] = (66, 54, 72)
BLANKET: Final[RGB] = (240, 214, 160)
LEAF: Final[RGB] = (104, 158, 84)
BLOSSOM: Final[RGB] = (250, 220, 226)
ROPE: Final[RGB] = (236, 226, 200)
WHITE: Final[RGB] = (255, 255, 255)


def window(canvas: skia.Canvas, cx: float, top: float, width: float, height: float) -> None:
    """A framed window with warm light behind its cross and a gleam on the glass."""
    left, right, bottom = cx - width / 2, cx + width / 2, top + height
    shape(canvas, box(left, top, right, bottom, 0.025), FRAME, FRAME_LINE)
    pane = box(left + 0.02, top + 0.02, right - 0.02, bottom - 0.02, 0.012)
    shape(canvas, pane, WARM_LIGHT)
    with within(canvas, pane):
        gleam = polygon([(left, top), (left + width * 0.55, top), (left, top + height * 0.6)])
        canvas.drawPath(gleam, fill(WHITE, 130))
    line_through(canvas, [(cx, top + 0.02), (cx, bottom - 0.02)], FRAME, 0.016)
    line_through(canvas, [(left + 0.02, top + height * 0.45), (right - 0.02, top + height * 0.45)], FRAME, 0.016)


def flower_box(canvas: skia.Canvas, cx: float, top: float, width: float) -> None:
    """A planted box under a window."""
    for place in range(4):
        x = cx - width / 2 + width * (place + 0.5) / 4
        canvas.drawPath(ellipse(x, top, 0.032, 0.028), fill(LEAF))
        canvas.drawPath(ellipse(x, top - 0.012, 0.014, 0.014), fill(BLOSSOM))
    shape(canvas, box(cx - width / 2, top + 0.005, cx + width / 2, top + 0.045, 0.012), WOOD, WOOD_LINE, 0.009)


def door(canvas: skia.Canvas, cx: float, width: float, height: float) -> None:
    """A wooden door with a rounded head, a little light and a knob."""
    half, round_head = width / 2, width * 0.45
    for grow, inside, line in ((0.022, FRAME, FRAME_LINE), (0.0, WOOD, WOOD_LINE)):
        leaf = box(cx - half - grow, -height - grow, cx + half + grow, 0.2, round_head)
        with within(canvas, skia.Path().addRect(skia.Rect.MakeLTRB(-1, -1, 1, 0))):
            shape(canvas, leaf, inside, line)
    for x in (cx - width * 0.17, cx + width * 0.17):
        line_through(canvas, [(x, -height * 0.5), (x, -0.03)], WOOD_LINE, 0.008)
    canvas.drawPath(ellipse(cx, -height * 0.74, width * 0.2, width * 0.2), fill(WARM_LIGHT))
    canvas.drawPath(ellipse(cx + width * 0.32, -height * 0.42, 0.017, 0.017), fill(WARM_LIGHT))
    shape(canvas, box(cx - half - 0.05, -0.025, cx + half + 0.05, 0.0, 0.01), STONE, FRAME_LINE, 0.008)


def wall(canvas: skia.Canvas, path: skia.Path, shades: Shades, shade_left: float) -> None:
    """A painted wall, shaded right of `shade_left`, with a contour."""
    shape(canvas, path, shades.base)
    with within(canvas, path):
        canvas.drawRect(skia.Rect.MakeLTRB(shade_left, -1, 1, 0), fill(shades.dark, 150))
    canvas.drawPath(path, stroke(shades.line, 0.016))


def chimney(canvas: skia.Canvas, cx: float, top: float, foot: float) -> None:
    """A brick chimney with its cap."""
    shape(canvas, box(cx - 0.06, top, cx + 0.06, foot, 0.01), BRICK, SLATE_LINE)
    for share in (0.4, 0.7):
        y = top + (foot - top) * share
        line_through(canvas, [(cx - 0.05, y), (cx + 0.05, y)], mix(BRICK, SLATE_LINE, 0.5), 0.008)
    shape(canvas, box(cx - 0.08, top - 0.015, cx + 0.08, top + 0.035, 0.012), STONE, SLATE_LINE)


def house(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A cottage showing its gable; its second form shows the long side under a hipped roof."""
    if choose_look(canvas, variant):
        long_house(canvas, shades)
    else:
        gabled_house(canvas, shades)


def gabled_house(canvas: skia.Canvas, shades: Shades) -> None:
    """The gable end, with a round attic window and the roof as a broad edge."""
    chimney(canvas, 0.31, -0.95, -0.6)
    wall(canvas, polygon([(-0.5, 0), (-0.5, -0.5), (0, -0.93), (0.5, -0.5), (0.5, 0)], 0.01), shades, 0.37)
    siding(canvas, shades, -0.47, 0.47, -0.5)
    roof = [(-0.6, -0.46), (0, -0.95), (0.6, -0.46)]
    for colour, width in ((SLATE_LINE, 0.115), (SLATE, 0.088)):
        line_through(canvas, roof, colour, width)
    line_through(canvas, [(-0.57, -0.505), (-0.04, -0.94)], mix(SLATE, WHITE, 0.3), 0.016)
    shape(canvas, ellipse(0, -0.65, 0.09, 0.09), FRAME, FRAME_LINE)
    shape(canvas, ellipse(0, -0.65, 0.066, 0.066), WARM_LIGHT)
    line_through(canvas, [(0, -0.71), (0, -0.59)], FRAME, 0.014)
    line_through(canvas, [(-0.06, -0.65), (0.06, -0.65)], FRAME, 0.014)
    window(canvas, 0.23, -0.42, 0.25, 0.22)
    flower_box(canvas, 0.23, -0.19, 0.27)
    door(canvas, -0.21, 0.2, 0.38)


def long_house(canvas: skia.Canvas, shades: Shades) -> None:
    """The long side, with two windows beside the door and rows of slates."""
    chimney(canvas, 0.34, -0.95, -0.7)
    wall(canvas, box(-0.62, -0.58, 0.62, 0, 0.01), shades, 0.5)
    siding(canvas, shades, -0.59, 0.59, -0.5)
    roof = polygon([(-0.74, -0.52), (-0.5, -0.86), (0.5, -0.86), (0.74, -0.52)], 0.04)
    shape(canvas, roof, SLATE)
    with within(canvas, roof):
        for row, y in enumerate((-0.77, -0.68, -0.59)):
            slates(canvas, y, row % 2 * 0.06)
        line_through(canvas, [(-0.45, -0.835), (0.45, -0.835)], mix(SLATE, WHITE, 0.3), 0.02)
    canvas.drawPath(roof, stroke(SLATE_LINE, 0.016))
    door(canvas, 0, 0.2, 0.37)
    for cx in (-0.37, 0.37):
        window(canvas, cx, -0.42, 0.25, 0.22)
        flower_box(canvas, cx, -0.19, 0.27)


def siding(canvas: skia.Canvas, shades: Shades, left: float, right: float, top: float) -> None:
    """Faint boards across a wall, lighter near the eaves."""
    for board in range(1, 5):
        y = top * board / 5
        line_through(canvas, [(left, y), (right, y)], mix(shades.base, shades.dark, 0.6), 0.009)


def slates(canvas: skia.Canvas, y: float, shift: float) -> None:
    """One row of rounded slates."""
    for place in range(-7, 8):
        x = place * 0.12 + shift
        canvas.drawArc(
            skia.Rect.MakeLTRB(x - 0.06, y - 0.05, x + 0.06, y + 0.03), 0, 180, False, stroke(SLATE_DARK, 0.011)
        )


def windmill(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A tower mill; the variant turns its sails, and its second form has a gallery round the tower."""
    canvas.save()
    with_gallery = choose_look(canvas, variant)
    tower = polygon([(-0.37, 0), (-0.24, -0.59), (0.24, -0.59), (0.37, 0)], 0.02)
    shape(canvas, tower, shades.base)
    with within(canvas, tower):
        canvas.drawPath(polygon([(0.23, 0), (0.13, -0.7), (0.4, -0.7), (0.4, 0)]), fill(shades.dark, 170))
        canvas.drawPath(polygon([(-0.32, 0), (-0.19, -0.7), (-0.14, -0.7), (-0.25, 0)]), fill(shades.light, 140))
    canvas.drawPath(tower, stroke(shades.line, 0.016))
    cap = skia.Path().moveTo(-0.28, -0.58).cubicTo(-0.25, -0.84, 0.25, -0.84, 0.28, -0.58).close()
    shape(canvas, cap, SLATE, SLATE_LINE, 0.016)
    door(canvas, 0, 0.17, 0.21)
    if with_gallery:
        gallery(canvas)
    else:
        window(canvas, 0, -0.45, 0.14, 0.13)
    canvas.restore()
    sails(canvas, -0.55, 18 + 54 * (variant * 4 % 1))


def gallery(canvas: skia.Canvas) -> None:
    """The wooden balcony round the tower."""
    for x in (-0.35, -0.175, 0.0, 0.175, 0.35):
        line_through(canvas, [(x, -0.25), (x, -0.33)], WOOD_LINE, 0.014)
    line_through(canvas, [(-0.38, -0.33), (0.38, -0.33)], WOOD_LINE, 0.018)
    shape(canvas, box(-0.42, -0.265, 0.42, -0.225, 0.015), WOOD, WOOD_LINE)


def sails(canvas: skia.Canvas, hub_y: float, angle: float) -> None:
    """Four latticed sails on their hub, turned by `angle` degrees."""
    canvas.save()
    canvas.translate(0, hub_y)
    canvas.rotate(angle)
    for _ in range(4):
        canvas.rotate(90)
        sail = box(0.0, -0.42, 0.13, -0.12, 0.015)
        shape(canvas, sail, SAIL, WOOD_LINE)
        for y in (-0.345, -0.27, -0.195):
            line_through(canvas, [(0.0, y), (0.13, y)], WOOD, 0.009)
        line_through(canvas, [(0.065, -0.42), (0.065, -0.12)], WOOD, 0.009)
        line_through(canvas, [(0, 0), (0, -0.43)], WOOD_LINE, 0.034)
        line_through(canvas, [(0, 0), (0, -0.43)], WOOD, 0.018)
    canvas.restore()
    shape(canvas, ellipse(0, hub_y, 0.05, 0.05), WOOD, WOOD_LINE)
    canvas.drawPath(ellipse(-0.012, hub_y - 0.012, 0.016, 0.016), fill(WARM_LIGHT))


def tent(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A ridge tent with guy lines; its first form is open, its second laced shut."""
    closed = choose_look(canvas, variant)
    guy_line(canvas, (-0.2, -0.84), (-0.74, -0.01))
    guy_line(canvas, (0.4, -0.74), (0.74, -0.01))
    side = polygon([(0.22, 0), (-0.2, -0.86), (0.4, -0.76), (0.64, -0.03)], 0.02)
    shape(canvas, side, mix(shades.base, shades.dark, 0.3))
    with within(canvas, side):
        canvas.drawPath(polygon([(0.14, -0.16), (0.6, -0.18), (0.66, 0), (0.2, 0.02)]), fill(shades.dark))
    canvas.drawPath(side, stroke(shades.line, 0.016))
    line_through(canvas, [(0.1, -0.79), (0.45, -0.02)], shades.line, 0.009)
    front = polygon([(-0.62, 0), (-0.2, -0.86), (0.22, 0)], 0.02)
    shape(canvas, front, shades.base)
    if closed:
        laced_entrance(canvas, shades)
    else:
        open_entrance(canvas, shades)
    line_through(canvas, [(-0.5, -0.18), (-0.24, -0.71)], shades.light, 0.03)
    canvas.drawPath(front, stroke(shades.line, 0.018))
    pennant(canvas)


def open_entrance(canvas: skia.Canvas, shades: Shades) -> None:
    """The dark inside with a blanket, and the two flaps drawn aside."""
    mouth = polygon([(-0.42, 0), (-0.2, -0.62), (0.02, 0)], 0.01)
    shape(canvas, mouth, INSIDE)
    with within(canvas, mouth):
        canvas.drawPath(ellipse(-0.2, 0.02, 0.2, 0.09), fill(BLANKET))
    for foot, tied in ((-0.42, -0.36), (0.02, -0.04)):
        flap = skia.Path().moveTo(-0.2, -0.64).quadTo(tied + (tied + 0.2) * 0.1, -0.4, tied, -0.27)
        flap.quadTo(tied, -0.12, foot + (tied - foot) * 0.8, 0).lineTo(foot - (tied - foot), 0).close()
        shape(canvas, flap, shades.light, shades.line)
        line_through(canvas, [(tied - 0.02, -0.27), (tied + 0.02, -0.27)], ROPE, 0.026)


def laced_entrance(canvas: skia.Canvas, shades: Shades) -> None:
    """A seam down the front with crossed laces."""
    line_through(canvas, [(-0.2, -0.74), (-0.2, -0.01)], shades.line, 0.02)
    for y in (-0.56, -0.42, -0.28, -0.14):
        line_through(canvas, [(-0.25, y), (-0.15, y + 0.05)], ROPE, 0.02)
        line_through(canvas, [(-0.15, y), (-0.25, y + 0.05)], ROPE, 0.02)


def guy_line(canvas: skia.Canvas, top: Point, peg: Point) -> None:
    """A rope from the tent down to its peg."""
    line_through(canvas, [top, peg], WOOD, 0.02)
    line_through(canvas, [top, peg], ROPE, 0.012)
    line_through(canvas, [(peg[0] - 0.01, peg[1] - 0.05), peg], WOOD_LINE, 0.026)


def pennant(canvas: skia.Canvas) -> None:
    """The pole's end above the ridge, with a little flag."""
    line_through(canvas, [(-0.2, -0.84), (-0.2, -0.99)], WOOD_LINE, 0.024)
    shape(canvas, polygon([(-0.19, -0.99), (-0.02, -0.95), (-0.19, -0.91)], 0.008), FRAME, FRAME_LINE)


BUILDINGS: Final[dict[str, DrawSubject]] = {"house": house, "windmill": windmill, "tent": tent}
