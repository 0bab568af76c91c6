"""Draws the vehicles of the picture book: car, bus, bicycle, tractor and hot-air balloon.

They are seen from the side and face right; `variant` turns half of them round and changes a detail.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import skia

from .brush import RGB, DrawSubject, Shades, ellipse, fill, mix, shape, stroke

Point = tuple[float, float]

TYRE: Final[RGB] = (54, 51, 60)
TYRE_LIGHT: Final[RGB] = (88, 84, 94)
STEEL: Final[RGB] = (196, 200, 206)
STEEL_LINE: Final[RGB] = (112, 114, 124)
GLASS: Final[RGB] = (196, 226, 238)
GLASS_LINE: Final[RGB] = (84, 110, 132)
CREAM: Final[RGB] = (252, 243, 220)
LAMP: Final[RGB] = (255, 232, 140)
TAIL_LAMP: Final[RGB] = (226, 72, 58)
WICKER: Final[RGB] = (196, 146, 88)
WICKER_LINE: Final[RGB] = (122, 82, 48)
LEATHER: Final[RGB] = (126, 78, 50)
LEATHER_LINE: Final[RGB] = (78, 46, 32)
WHITE: Final[RGB] = (255, 255, 255)


def polygon(points: Sequence[Point], radius: float = 0.0) -> skia.Path:
    """A closed polygon with its corners rounded."""
    (x0, y0), (x1, y1) = points[-1], points[0]
    path = skia.Path().moveTo((x0 + x1) / 2, (y0 + y1) / 2)
    for corner, after in zip(points, [*points[1:], ((x0 + x1) / 2, (y0 + y1) / 2)], strict=True):
        path.arcTo(skia.Point(*corner), skia.Point(*after), radius)
    return path.close()


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.02) -> skia.Path:
    """A rectangle with rounded corners."""
    return skia.Path().addRoundRect(skia.Rect.MakeLTRB(left, top, right, bottom), radius, radius)


@contextmanager
def within(canvas: skia.Canvas, path: skia.Path) -> Iterator[None]:
    """Whatever is drawn inside the block shows only within the path."""
    canvas.save()
    canvas.clipPath(path, doAntiAlias=True)
    try:
        yield
    finally:
        canvas.restore()


def choose_look(canvas: skia.Canvas, variant: float) -> bool:
    """Mirror the canvas for every second quarter of the variants; answers whether to draw the second form."""
    quarter = int(variant * 4)
    if quarter % 2:
        canvas.scale(-1, 1)
    return quarter >= 2


def line_through(canvas: skia.Canvas, points: Sequence[Point], colour: RGB, width: float) -> None:
    """An open line with round ends."""
    canvas.drawPath(skia.Path.Polygon([skia.Point(*point) for point in points], False), stroke(colour, width))


def glass(canvas: skia.Canvas, pane: skia.Path, line: RGB = GLASS_LINE) -> None:
    """A window pane with a slanting reflection."""
    shape(canvas, pane, GLASS)
    bounds = pane.getBounds()
    across, high = bounds.width(), bounds.height()
    with within(canvas, pane):
        for start, wide in ((0.18, 0.2), (0.5, 0.08)):
            left = bounds.left() + across * start
            top, bottom, slant = bounds.top(), bounds.bottom(), high * 0.45
            right = left + across * wide
            gleam = polygon([(left + slant, top), (right + slant, top), (right, bottom), (left, bottom)])
            canvas.drawPath(gleam, fill(WHITE, 150))
    canvas.drawPath(pane, stroke(line, 0.014))


def wheel(canvas: skia.Canvas, cx: float, radius: float, hub: RGB, line: RGB) -> None:
    """A fat tyre standing on the ground, with a hub cap."""
    shape(canvas, ellipse(cx, -radius, radius, radius), TYRE)
    canvas.drawPath(ellipse(cx, -radius, radius * 0.82, radius * 0.82), stroke(TYRE_LIGHT, radius * 0.08))
    shape(canvas, ellipse(cx, -radius, radius * 0.56, radius * 0.56), hub, line)
    shape(canvas, ellipse(cx, -radius, radius * 0.2, radius * 0.2), CREAM, line, 0.008)


def wheel_arch(canvas: skia.Canvas, cx: float, radius: float, shades: Shades) -> None:
    """The dark cut-out of a body above a wheel."""
    with within(canvas, box(cx - radius, -1, cx + radius, -0.1, 0)):
        shape(canvas, ellipse(cx, -0.15, radius, radius), shades.line)


def lamp(canvas: skia.Canvas, cx: float, cy: float, radius: float, colour: RGB = LAMP) -> None:
    """A round lamp with a gleam."""
    shape(canvas, ellipse(cx, cy, radius, radius * 1.15), colour, mix(colour, LEATHER_LINE, 0.5), 0.011)
    shape(canvas, ellipse(cx - radius * 0.25, cy - radius * 0.35, radius * 0.3, radius * 0.3), WHITE)


def body(canvas: skia.Canvas, path: skia.Path, shades: Shades, shade_from: float, gleam: Sequence[Point]) -> None:
    """A painted body: shaded below `shade_from`, with a gleam along the given points and a contour."""
    shape(canvas, path, shades.base)
    with within(canvas, path):
        canvas.drawRect(skia.Rect.MakeLTRB(-1, shade_from, 1, 0.1), fill(shades.dark))
        line_through(canvas, gleam, shades.light, 0.035)
    canvas.drawPath(path, stroke(shades.line, 0.016))


def car(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A round little car; its second form carries suitcases on a roof rack."""
    if choose_look(canvas, variant):
        roof_rack(canvas)
    cabin = [(-0.62, -0.34), (-0.44, -0.78), (0.22, -0.78), (0.42, -0.34)]
    body(canvas, polygon(cabin, 0.15), shades, 0.0, [(-0.34, -0.745), (0.1, -0.745)])
    rear_pane = [(-0.48, -0.45), (-0.37, -0.69), (-0.12, -0.69), (-0.12, -0.45)]
    front_pane = [(-0.05, -0.45), (-0.05, -0.69), (0.16, -0.69), (0.29, -0.45)]
    for pane in (rear_pane, front_pane):
        glass(canvas, polygon(pane, 0.05), shades.line)
    hull = [(-0.74, -0.12), (-0.74, -0.42), (-0.5, -0.47), (0.4, -0.47), (0.74, -0.38), (0.74, -0.12)]
    body(canvas, polygon(hull, 0.11), shades, -0.19, [(-0.6, -0.41), (0.36, -0.425)])
    door = polygon([(-0.085, -0.45), (-0.085, -0.17), (0.22, -0.17), (0.29, -0.28), (0.29, -0.45)])
    canvas.drawPath(door, stroke(shades.line, 0.012))
    line_through(canvas, [(-0.03, -0.37), (0.05, -0.37)], CREAM, 0.028)
    lamp(canvas, 0.67, -0.32, 0.055)
    lamp(canvas, -0.7, -0.33, 0.034, TAIL_LAMP)
    for left, right in ((-0.76, -0.6), (0.6, 0.76)):
        shape(canvas, box(left, -0.17, right, -0.11, 0.03), STEEL, STEEL_LINE)
    for cx in (-0.42, 0.43):
        wheel_arch(canvas, cx, 0.205, shades)
        wheel(canvas, cx, 0.165, STEEL, STEEL_LINE)
    shape(canvas, ellipse(0.335, -0.485, 0.035, 0.045), shades.base, shades.line)


def roof_rack(canvas: skia.Canvas) -> None:
    """Two suitcases on a rack, behind the roof of the car."""
    shape(canvas, box(-0.36, -0.94, -0.06, -0.8), LEATHER, LEATHER_LINE)
    shape(canvas, box(-0.02, -0.9, 0.16, -0.8), WICKER, WICKER_LINE)
    for x in (-0.28, -0.14):
        line_through(canvas, [(x, -0.935), (x, -0.81)], WICKER, 0.022)
    line_through(canvas, [(-0.4, -0.8), (0.2, -0.8)], STEEL_LINE, 0.024)


def bus(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A town bus with a cream stripe; its second form is a double-decker."""
    double_decker = choose_look(canvas, variant)
    half, top = (0.64, -1.0) if double_decker else (0.75, -0.86)
    hull = box(-half, top, half, -0.1, 0.1)
    body(canvas, hull, shades, -0.16, [(-half + 0.12, top + 0.045), (half - 0.2, top + 0.045)])
    rows = ((top + 0.09, top + 0.3), (top + 0.45, top + 0.65)) if double_decker else ((top + 0.11, top + 0.37),)
    for row, (upper, lower) in enumerate(rows):
        bus_windows(canvas, half, upper, lower, with_windscreen=row == len(rows) - 1)
    stripe = top + 0.375 if double_decker else -0.4
    with within(canvas, hull):
        line_through(canvas, [(-1, stripe), (1 if double_decker else half - 0.36, stripe)], CREAM, 0.05)
    canvas.drawPath(hull, stroke(shades.line, 0.016))
    bus_door(canvas, half - 0.32, rows[-1][0], shades)
    lamp(canvas, half - 0.04, -0.24, 0.04)
    lamp(canvas, -half + 0.03, -0.24, 0.03, TAIL_LAMP)
    shape(canvas, box(half - 0.15, -0.13, half + 0.02, -0.08), STEEL, STEEL_LINE)
    for cx in (-half + 0.3, half - 0.46 if double_decker else half - 0.5):
        wheel_arch(canvas, cx, 0.17, shades)
        wheel(canvas, cx, 0.135, STEEL, STEEL_LINE)


def bus_windows(canvas: skia.Canvas, half: float, upper: float, lower: float, with_windscreen: bool) -> None:
    """One row of square windows, ending before the door where there is a windscreen."""
    count, left = (3, -half + 0.07) if with_windscreen else (4, -half + 0.07)
    right = half - 0.37 if with_windscreen else half - 0.05
    step = (right - left) / count
    for place in range(count):
        glass(canvas, box(left + place * step, upper, left + (place + 1) * step - 0.04, lower, 0.035))
    if with_windscreen:
        glass(canvas, box(half - 0.1, upper, half - 0.012, lower + 0.03, 0.03))


def bus_door(canvas: skia.Canvas, left: float, upper: float, shades: Shades) -> None:
    """A folding door of two glazed leaves."""
    shape(canvas, box(left, upper, left + 0.19, -0.12, 0.03), shades.dark, shades.line)
    for leaf in (left + 0.018, left + 0.103):
        glass(canvas, box(leaf, upper + 0.025, leaf + 0.068, -0.17, 0.02))


def bicycle(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A sturdy town bicycle; its second form has a wicker basket, the first a luggage rack and a bell."""
    with_basket = choose_look(canvas, variant)
    rear, front = (-0.44, -0.28), (0.44, -0.28)
    for cx, cy in (rear, front):
        spoked_wheel(canvas, cx, cy, 0.28, shades)
    crank, saddle, head = (-0.06, -0.27), (-0.2, -0.7), (0.29, -0.72)
    tubes = [
        [rear, crank, (-0.17, -0.6), rear],
        [crank, saddle],
        [crank, (0.31, -0.62)],
        [(-0.17, -0.6), (0.29, -0.7)],
        [head, front],
    ]
    for extra, colour in ((0.026, shades.line), (0.0, shades.base)):
        for tube in tubes:
            line_through(canvas, tube, colour, 0.07 + extra)
    gleam = mix(shades.light, WHITE, 0.25)
    line_through(canvas, [(-0.12, -0.62), (0.24, -0.7)], gleam, 0.024)
    line_through(canvas, [(-0.01, -0.35), (0.27, -0.6)], gleam, 0.024)
    shape(canvas, polygon([(-0.5, -0.33), (0.03, -0.37), (0.03, -0.18), (-0.5, -0.23)], 0.05), shades.base, shades.line)
    shape(canvas, ellipse(-0.06, -0.275, 0.055, 0.055), STEEL, STEEL_LINE)
    line_through(canvas, [(-0.06, -0.275), (0.0, -0.12)], STEEL_LINE, 0.026)
    line_through(canvas, [(-0.04, -0.11), (0.06, -0.11)], TYRE, 0.042)
    bicycle_seat_and_bars(canvas)
    if with_basket:
        basket(canvas, 0.34, -0.76, 0.72, -0.54)
    else:
        line_through(canvas, [(-0.68, -0.66), (-0.26, -0.66)], STEEL_LINE, 0.032)
        line_through(canvas, [(-0.6, -0.66), (-0.46, -0.3)], STEEL_LINE, 0.022)
        lamp(canvas, 0.4, -0.68, 0.045)


def spoked_wheel(canvas: skia.Canvas, cx: float, cy: float, radius: float, shades: Shades) -> None:
    """A tyre, a broad painted rim, spokes, and a mudguard over the upper half."""
    for spoke in range(6):
        dx, dy = radius * math.cos(spoke * math.pi / 6), radius * math.sin(spoke * math.pi / 6)
        line_through(canvas, [(cx - dx, cy - dy), (cx + dx, cy + dy)], STEEL, 0.01)
    ring = radius - 0.018
    canvas.drawPath(ellipse(cx, cy, ring, ring), stroke(TYRE, 0.036))
    rim = radius - 0.058
    canvas.drawPath(ellipse(cx, cy, rim, rim), stroke(shades.base, 0.05))
    canvas.drawPath(ellipse(cx, cy, rim, rim), stroke(shades.light, 0.012))
    guard = skia.Rect.MakeLTRB(cx - radius, cy - radius, cx + radius, cy + radius)
    for width, colour in ((0.076, shades.line), (0.052, shades.base)):
        canvas.drawArc(guard, 185, 150, False, stroke(colour, width))
    canvas.drawArc(guard, 215, 60, False, stroke(mix(shades.light, WHITE, 0.25), 0.02))


def bicycle_seat_and_bars(canvas: skia.Canvas) -> None:
    """The leather saddle and the curved handlebars."""
    line_through(canvas, [(-0.2, -0.7), (-0.22, -0.8)], STEEL_LINE, 0.034)
    saddle = polygon([(-0.38, -0.86), (-0.04, -0.84), (-0.06, -0.79), (-0.2, -0.77), (-0.36, -0.76)], 0.03)
    shape(canvas, saddle, LEATHER, LEATHER_LINE)
    line_through(canvas, [(0.29, -0.74), (0.26, -0.87)], STEEL_LINE, 0.034)
    bars = skia.Path().moveTo(0.34, -0.84).cubicTo(0.36, -0.94, 0.24, -0.95, 0.13, -0.89)
    canvas.drawPath(bars, stroke(STEEL_LINE, 0.034))
    line_through(canvas, [(0.19, -0.918), (0.11, -0.88)], LEATHER, 0.055)


def basket(canvas: skia.Canvas, left: float, top: float, right: float, bottom: float) -> None:
    """A woven basket, narrower at its foot."""
    inset = (right - left) * 0.12
    form = polygon([(left, top), (right, top), (right - inset, bottom), (left + inset, bottom)], 0.03)
    shape(canvas, form, WICKER)
    with within(canvas, form):
        for share in (0.33, 0.66):
            y = top + (bottom - top) * share
            line_through(canvas, [(left, y), (right, y)], WICKER_LINE, 0.008)
        for share in (0.2, 0.4, 0.6, 0.8):
            x = left + (right - left) * share
            line_through(canvas, [(x, top), (x, bottom)], WICKER_LINE, 0.008)
    canvas.drawPath(form, stroke(WICKER_LINE, 0.014))
    line_through(canvas, [(left, top), (right, top)], WICKER_LINE, 0.034)
    line_through(canvas, [(left, top), (right, top)], mix(WICKER, CREAM, 0.35), 0.016)


def tractor(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A farm tractor with a tall rear wheel; its second form has an open seat instead of a cab."""
    open_seat = choose_look(canvas, variant)
    exhaust(canvas)
    if open_seat:
        tractor_seat(canvas)
    else:
        tractor_cab(canvas, shades)
    hood = [(-0.3, -0.24), (-0.3, -0.6), (0.5, -0.6), (0.7, -0.52), (0.7, -0.24)]
    body(canvas, polygon(hood, 0.07), shades, -0.3, [(-0.1, -0.555), (0.46, -0.555)])
    for x in (0.26, 0.34, 0.42):
        line_through(canvas, [(x, -0.47), (x, -0.36)], shades.line, 0.022)
    shape(canvas, box(0.62, -0.43, 0.71, -0.27), STEEL, STEEL_LINE)
    lamp(canvas, 0.63, -0.49, 0.045)
    wheel(canvas, 0.47, 0.2, shades.base, shades.line)
    shape(
        canvas, polygon([(-0.76, -0.36), (-0.68, -0.72), (-0.06, -0.72), (0.06, -0.3)], 0.16), shades.base, shades.line
    )
    line_through(canvas, [(-0.5, -0.685), (-0.2, -0.685)], shades.light, 0.03)
    lugged_tyre(canvas, -0.36, 0.325)
    wheel(canvas, -0.36, 0.325, shades.base, shades.line)


def exhaust(canvas: skia.Canvas) -> None:
    """The upright exhaust pipe, with a puff of smoke."""
    line_through(canvas, [(0.32, -0.58), (0.32, -0.84)], STEEL_LINE, 0.055)
    line_through(canvas, [(0.32, -0.6), (0.32, -0.83)], TYRE_LIGHT, 0.032)
    for cx, cy, radius in ((0.33, -0.91, 0.04), (0.39, -0.95, 0.045)):
        canvas.drawPath(ellipse(cx, cy, radius, radius), fill((226, 226, 230), 210))


def tractor_cab(canvas: skia.Canvas, shades: Shades) -> None:
    """A glazed cab under a painted roof."""
    glass(canvas, polygon([(-0.56, -0.55), (-0.52, -0.95), (-0.1, -0.95), (-0.0, -0.55)], 0.03))
    for top, foot in (
        ((-0.52, -0.93), (-0.56, -0.56)),
        ((-0.1, -0.93), (0.0, -0.56)),
        ((-0.28, -0.93), (-0.28, -0.56)),
    ):
        line_through(canvas, [top, foot], shades.line, 0.046)
        line_through(canvas, [top, foot], shades.base, 0.026)
    shape(canvas, box(-0.64, -1.0, 0.0, -0.91, 0.045), shades.base, shades.line, 0.016)
    line_through(canvas, [(-0.56, -0.972), (-0.14, -0.972)], shades.light, 0.02)


def tractor_seat(canvas: skia.Canvas) -> None:
    """A sprung seat and a steering wheel in the open air."""
    line_through(canvas, [(-0.5, -0.9), (-0.46, -0.78), (-0.26, -0.78)], LEATHER_LINE, 0.085)
    line_through(canvas, [(-0.5, -0.9), (-0.46, -0.78), (-0.26, -0.78)], LEATHER, 0.06)
    line_through(canvas, [(0.02, -0.56), (-0.06, -0.82)], STEEL_LINE, 0.034)
    line_through(canvas, [(-0.15, -0.8), (0.03, -0.86)], TYRE, 0.045)


def lugged_tyre(canvas: skia.Canvas, cx: float, radius: float) -> None:
    """The lugs of the tall wheel's tread, standing out all round."""
    for lug in range(18):
        angle = lug * math.pi / 9
        x, y = cx + radius * 0.95 * math.cos(angle), -radius + radius * 0.95 * math.sin(angle)
        line_through(canvas, [(x, y), (x * 0.985 + cx * 0.015, y)], TYRE, 0.05)


def balloon(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A hot-air balloon in the air; its forms differ in the pattern of the envelope."""
    scalloped = choose_look(canvas, variant)
    for foot, mouth in ((-0.085, -0.1), (0.085, 0.1), (-0.03, -0.035), (0.03, 0.035)):
        line_through(canvas, [(foot, -0.24), (mouth, -0.4)], WICKER_LINE, 0.011)
    canvas.drawPath(ellipse(0, -0.345, 0.022, 0.036), fill(LAMP))
    envelope = balloon_envelope(0.43)
    shape(canvas, envelope, shades.base)
    with within(canvas, envelope):
        canvas.drawPath(balloon_envelope(0.26), fill(shades.light, 150))
        canvas.drawPath(balloon_envelope(0.1), fill(shades.base))
        balloon_shade(canvas, shades)
        if scalloped:
            scallops(canvas, -0.6)
        canvas.drawPath(ellipse(-0.25, -0.83, 0.035, 0.075), fill(WHITE, 170))
    for half in (0.43, 0.26, 0.1):
        canvas.drawPath(balloon_envelope(half), stroke(shades.line, 0.016 if half == 0.43 else 0.009))
    shape(canvas, box(-0.115, -0.42, 0.115, -0.375, 0.02), CREAM, shades.line)
    basket(canvas, -0.11, -0.255, 0.11, -0.12)
    for x in (-0.115, 0.115):
        shape(canvas, ellipse(x, -0.19, 0.025, 0.035), CREAM, WICKER_LINE, 0.009)


def balloon_envelope(half: float) -> skia.Path:
    """The envelope, or an inner gore of it, `half` wide to each side at its fullest."""
    mouth = half * 0.23
    path = skia.Path().moveTo(0, -0.99)
    path.cubicTo(half * 0.75, -0.99, half * 1.03, -0.85, half, -0.7)
    path.cubicTo(half * 0.98, -0.53, mouth * 2.0, -0.5, mouth, -0.39)
    path.lineTo(-mouth, -0.39)
    path.cubicTo(-mouth * 2.0, -0.5, -half * 0.98, -0.53, -half, -0.7)
    path.cubicTo(-half * 1.03, -0.85, -half * 0.75, -0.99, 0, -0.99)
    return path.close()


def balloon_shade(canvas: skia.Canvas, shades: Shades) -> None:
    """The soft shade along the right side of the envelope."""
    crescent = skia.Op(balloon_envelope(0.43), ellipse(-0.11, -0.74, 0.45, 0.46), skia.PathOp.kDifference_PathOp)
    canvas.drawPath(crescent, fill(shades.dark, 200))


def scallops(canvas: skia.Canvas, y: float) -> None:
    """A band of cream bunting round the envelope."""
    line_through(canvas, [(-0.5, y - 0.1), (0.5, y - 0.1)], CREAM, 0.05)
    for place in range(-3, 4):
        x = place * 0.12
        canvas.drawPath(polygon([(x - 0.055, y - 0.1), (x + 0.055, y - 0.1), (x, y + 0.01)], 0.01), fill(CREAM))


VEHICLES: Final[dict[str, DrawSubject]] = {
    "car": car,
    "bus": bus,
    "bicycle": bicycle,
    "tractor": tractor,
    "balloon": balloon,
}
