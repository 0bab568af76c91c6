"""Food, plants and objects of the picture book: cake, apple, flower, tree, mushroom, umbrella, kite and ball.

Each subject has three looks, chosen by `variant`; where it suits the subject, the rest of `variant` tilts it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import pairwise
from typing import Final

import skia

from .brush import RGB, DrawSubject, Shades, ellipse, fill, mix, shape, stroke

Point = tuple[float, float]

LOOKS: Final = 3
WHITE: Final[RGB] = (255, 253, 246)
CREAM: Final[RGB] = (250, 236, 206)
CREAM_DARK: Final[RGB] = (226, 203, 164)
CREAM_LINE: Final[RGB] = (150, 122, 92)
LEAF: Final = Shades((104, 170, 74), (160, 208, 120), (70, 132, 62), (42, 92, 50))
WOOD: Final = Shades((146, 98, 62), (188, 142, 98), (112, 72, 48), (78, 48, 38))
CHERRY: Final = Shades((206, 40, 56), (255, 190, 190), (150, 24, 48), (104, 18, 40))
GOLD: Final = Shades((250, 198, 62), (255, 232, 150), (222, 152, 40), (150, 92, 30))
STEEL: Final = Shades((160, 166, 178), (214, 218, 226), (118, 124, 138), (82, 86, 100))
CHINA: Final = Shades((236, 238, 246), (255, 255, 255), (196, 204, 222), (112, 122, 150))


# --- shared parts ---


def look_of(variant: float) -> tuple[int, float]:
    """The look that `variant` chooses and, from -1 to 1, how far it lies from the middle of that look's share."""
    scaled = min(max(variant, 0.0), 0.999999) * LOOKS
    look = int(scaled)
    return look, 2 * (scaled - look) - 1


@contextmanager
def placed(canvas: skia.Canvas, x: float, y: float, degrees: float = 0.0, scale: float = 1.0) -> Iterator[None]:
    """Draw around (x, y) as the origin, turned clockwise and scaled."""
    canvas.save()
    canvas.translate(x, y)
    canvas.rotate(degrees)
    canvas.scale(scale, scale)
    yield
    canvas.restore()


@contextmanager
def inside(canvas: skia.Canvas, path: skia.Path) -> Iterator[None]:
    """Draw only within a path."""
    canvas.save()
    canvas.clipPath(path, doAntiAlias=True)
    yield
    canvas.restore()


def smooth(points: Sequence[Point], closed: bool = True) -> skia.Path:
    """A soft curve through all the points."""
    count = len(points)

    def at(i: int) -> Point:
        return points[i % count] if closed else points[min(max(i, 0), count - 1)]

    path = skia.Path()
    path.moveTo(*points[0])
    for i in range(count if closed else count - 1):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = at(i - 1), at(i), at(i + 1), at(i + 2)
        path.cubicTo(x1 + (x2 - x0) / 6, y1 + (y2 - y0) / 6, x2 - (x3 - x1) / 6, y2 - (y3 - y1) / 6, x2, y2)
    if closed:
        path.close()
    return path


def mirrored(right: Sequence[Point]) -> list[Point]:
    """A symmetric outline from its right half, given from top to bottom; points on the axis stay single."""
    return [*right, *((-x, y) for x, y in reversed(right) if x != 0)]


def polygon(points: Iterable[Point]) -> skia.Path:
    """A closed path with straight sides."""
    return skia.Path().addPoly([skia.Point(x, y) for x, y in points], True)


def union(paths: Iterable[skia.Path]) -> skia.Path:
    """One outline around all the paths."""
    return reduce(lambda a, b: skia.Op(a, b, skia.PathOp.kUnion_PathOp), paths)


def minus(path: skia.Path, hole: skia.Path) -> skia.Path:
    """A path with another one cut out of it."""
    return skia.Op(path, hole, skia.PathOp.kDifference_PathOp)


def shade_edge(canvas: skia.Canvas, path: skia.Path, dark: RGB, depth: float, alpha: int = 255) -> None:
    """Darken the lower right rim of a path, as light from the upper left leaves it."""
    moved = skia.Path(path)
    moved.offset(-depth, -depth * 0.8)
    with inside(canvas, path):
        canvas.drawPath(minus(path, moved), fill(dark, alpha))


def solid(canvas: skia.Canvas, path: skia.Path, shades: Shades, depth: float = 0.05, width: float = 0.014) -> None:
    """A rounded form: its colour, a soft shade at the lower right and a contour."""
    canvas.drawPath(path, fill(shades.base))
    shade_edge(canvas, path, shades.dark, depth, 150)
    canvas.drawPath(path, stroke(shades.line, width))


def highlight(
    canvas: skia.Canvas, x: float, y: float, size: float, degrees: float = -35.0, colour: RGB = WHITE
) -> None:
    """A bean of light with a dot beside it."""
    with placed(canvas, x, y, degrees):
        canvas.drawPath(ellipse(0, 0, size, size * 0.45), fill(colour, 190))
        canvas.drawPath(ellipse(-size * 1.45, size * 0.12, size * 0.22, size * 0.22), fill(colour, 190))


def leaf(canvas: skia.Canvas, x: float, y: float, length: float, degrees: float, slim: float = 0.36) -> None:
    """A veined green leaf growing from (x, y), at 0 degrees to the right; a negative length turns it to the left."""
    path = skia.Path()
    path.moveTo(0, 0)
    path.quadTo(0.4, -slim * 2, 1, -0.08)
    path.quadTo(0.55, slim * 1.3, 0, 0)
    path.close()
    line = 0.013 / abs(length)
    with placed(canvas, x, y, degrees, length):
        solid(canvas, path, LEAF, 0.09, line)
        vein = stroke(LEAF.line, line * 0.7)
        canvas.drawPath(smooth([(0.05, -0.02), (0.45, -0.12), (0.85, -0.09)], closed=False), vein)
        for start in (0.3, 0.5, 0.68):
            canvas.drawLine(start, -0.1, start + 0.12, -0.1 - slim * 0.45, vein)
            canvas.drawLine(start, -0.1, start + 0.13, -0.1 + slim * 0.38, vein)


def star(cx: float, cy: float, radius: float, points: int = 5) -> skia.Path:
    """A star with one point up."""
    turns = [math.pi * i / points - math.pi / 2 for i in range(2 * points)]
    radii = [radius if i % 2 == 0 else radius * 0.48 for i in range(2 * points)]
    return polygon((cx + r * math.cos(a), cy + r * math.sin(a)) for a, r in zip(turns, radii, strict=True))


# --- cake ---

FLAT: Final = 0.2  # height of a cake's ellipses as a share of their width
STAND_Y: Final = -0.24


def _drum(half: float, top: float, bottom: float) -> skia.Path:
    """The outline of an upright cylinder seen slightly from above."""
    drop = half * FLAT
    path = skia.Path()
    path.moveTo(-half, top)
    path.arcTo(skia.Rect.MakeLTRB(-half, top - drop, half, top + drop), 180, 180, False)
    path.lineTo(half, bottom)
    path.arcTo(skia.Rect.MakeLTRB(-half, bottom - drop, half, bottom + drop), 0, 180, False)
    path.close()
    return path


def _cake_stand(canvas: skia.Canvas) -> None:
    foot = smooth(mirrored([(0.07, -0.2), (0.07, -0.1), (0.12, -0.05), (0.3, -0.012), (0, 0)]))
    solid(canvas, foot, CHINA, 0.03)
    solid(canvas, _drum(0.55, STAND_Y - 0.01, STAND_Y + 0.02), CHINA, 0.03)
    canvas.drawPath(ellipse(0, STAND_Y - 0.01, 0.5, 0.5 * FLAT), fill(CHINA.dark))


def _icing(half: float, top: float, drips: int, depth: float) -> skia.Path:
    """The top of a cake with icing that runs down its front in drops."""
    path = skia.Path()
    path.moveTo(half, top)
    path.arcTo(skia.Rect.MakeLTRB(-half, top - half * FLAT, half, top + half * FLAT), 0, -180, False)
    edges = [-half + 2 * half * i / drips for i in range(drips + 1)]

    def rim(x: float) -> float:
        return top + half * FLAT * math.sqrt(max(0.0, 1 - (x / half) ** 2))

    for i, (left, right) in enumerate(pairwise(edges)):
        low = rim((left + right) / 2) + depth * (1.25, 0.8)[i % 2]
        path.cubicTo(left, low, right, low, right, rim(right) + (depth * 0.25 if i < drips - 1 else 0))
    path.close()
    return path


def _tier(canvas: skia.Canvas, shades: Shades, half: float, top: float, bottom: float) -> None:
    solid(canvas, _drum(half, top, bottom), shades, 0.07)
    icing = _icing(half, top, 7, min(0.12, (bottom - top) * 0.45))
    shape(canvas, icing, mix(shades.base, shades.light, 0.5), shades.line, 0.012)
    canvas.drawPath(ellipse(-half * 0.35, top - half * 0.07, half * 0.4, half * 0.07), fill(WHITE, 110))
    _piping(canvas, shades, half, bottom)


def _piping(canvas: skia.Canvas, shades: Shades, half: float, y: float) -> None:
    """A row of cream puffs along the foot of a tier."""
    count = round(half * 18)
    for i in range(count + 1):
        x = -half + 2 * half * i / count
        puff = ellipse(x, y + half * FLAT * math.sqrt(max(0.0, 1 - (x / half) ** 2)), half * 0.085 + 0.01, 0.036)
        shape(canvas, puff, mix(shades.light, WHITE, 0.35), shades.line, 0.008)


def _cherry(canvas: skia.Canvas, x: float, y: float, size: float) -> None:
    canvas.drawPath(
        smooth([(x, y - size), (x + size * 0.3, y - size * 1.9), (x + size, y - size * 2.5)], closed=False),
        stroke(LEAF.line, 0.016),
    )
    solid(canvas, ellipse(x, y - size, size, size), CHERRY, size * 0.35, 0.011)
    highlight(canvas, x - size * 0.3, y - size * 1.4, size * 0.28)


def _candle(canvas: skia.Canvas, x: float, y: float, height: float) -> None:
    body = skia.Path().addRoundRect(skia.Rect.MakeLTRB(x - 0.024, y - height, x + 0.024, y), 0.012, 0.012)
    canvas.drawPath(body, fill(WHITE))
    with inside(canvas, body):
        for i in range(4):
            canvas.drawLine(x - 0.04, y - i * 0.06, x + 0.04, y - i * 0.06 - 0.04, stroke(CHERRY.base, 0.018))
    canvas.drawPath(body, stroke(CREAM_LINE, 0.009))
    tip = y - height
    flame = smooth([(x, tip - 0.11), (x + 0.032, tip - 0.04), (x, tip - 0.005), (x - 0.032, tip - 0.04)])
    shape(canvas, flame, GOLD.base, (226, 112, 36), 0.011)


def _cake_slice_gap(canvas: skia.Canvas, shades: Shades, half: float, top: float, bottom: float) -> None:
    """The wedge cut out at the front right, which shows the sponge and its cream."""
    drop = half * FLAT
    turns = (math.radians(34), math.radians(80))
    (xa, ya), (xb, yb) = ((half * math.cos(a) * 1.01, drop * math.sin(a)) for a in turns)
    rim = [(half * 1.02 * math.cos(a), drop * 1.3 * math.sin(a)) for a in (turns[0] + i * 0.1 for i in range(9))]
    front = [(x, bottom + y + 0.03) for x, y in rim]
    hole = polygon([(0, top), (xa, top + ya), *front, (xb, top + yb)])
    canvas.drawPath(hole, fill(CHINA.dark))
    centre_low = bottom - 0.02
    for (x, y), sponge in (((xa, ya), CREAM_DARK), ((xb, yb), CREAM)):
        wall = polygon([(0, top), (x, top + y), (x, bottom + y), (0, centre_low)])
        canvas.drawPath(wall, fill(sponge))
        with inside(canvas, wall):
            for share in (0.0, 0.52):
                level = (bottom - top) * share + (0.025 if share == 0 else 0)
                cream = stroke(shades.base if share == 0 else mix(CHERRY.base, WHITE, 0.15), 0.05)
                canvas.drawLine(0, top + level, x, top + y + level, cream)
        canvas.drawPath(wall, stroke(CREAM_LINE, 0.011))


def cake(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """An iced cake on a china stand: two tiers, one with a slice gone, or one with candles."""
    look, _ = look_of(variant)
    _cake_stand(canvas)
    if look == 0:
        _tier(canvas, shades, 0.45, -0.53, -0.28)
        _tier(canvas, shades, 0.28, -0.79, -0.6)
        _cherry(canvas, 0, -0.78, 0.078)
    elif look == 1:
        _tier(canvas, shades, 0.46, -0.7, -0.28)
        _cake_slice_gap(canvas, shades, 0.46, -0.7, -0.28)
        _cherry(canvas, -0.2, -0.68, 0.09)
    else:
        _tier(canvas, shades, 0.45, -0.62, -0.28)
        for x in (-0.22, 0.0, 0.22):
            _candle(canvas, x, -0.65, 0.2)
        for x in (-0.33, -0.11, 0.11, 0.33):
            _cherry(canvas, x, -0.575 - abs(x) * 0.08, 0.05)


# --- apple ---


def apple(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """One big apple with a stalk: with a leaf, with a bite taken out, or with two leaves."""
    look, turn = look_of(variant)
    with placed(canvas, 0, 0, turn * 3):
        body = smooth(
            mirrored(
                [
                    (0, -0.66),
                    (0.1, -0.735),
                    (0.27, -0.77),
                    (0.43, -0.66),
                    (0.47, -0.46),
                    (0.4, -0.22),
                    (0.26, -0.04),
                    (0.13, 0.0),
                    (0, -0.035),
                ]
            )
        )
        bite = union(ellipse(x, y, r, r) for x, y, r in ((0.47, -0.53, 0.11), (0.42, -0.39, 0.12), (0.49, -0.27, 0.1)))
        if look == 1:
            shape(canvas, body, CREAM, shades.line, 0.014)
            with inside(canvas, body):
                shape(canvas, bite, CREAM, shades.line, 0.012)
            body = minus(body, bite)
        solid(canvas, body, shades, 0.08, 0.016)
        _apple_top(canvas, shades)
        highlight(canvas, -0.27, -0.55, 0.11, -55)
        leaf(canvas, 0.02, -0.76, 0.36, -22)
        if look == 2:
            leaf(canvas, 0.02, -0.76, -0.3, 24)


def _apple_top(canvas: skia.Canvas, shades: Shades) -> None:
    """The hollow and the stalk."""
    hollow = smooth([(-0.15, -0.685), (-0.06, -0.63), (0.05, -0.625), (0.15, -0.685)], closed=False)
    canvas.drawPath(hollow, stroke(shades.line, 0.02))
    stalk = smooth([(0.0, -0.64), (0.005, -0.78), (-0.05, -0.95)], closed=False)
    canvas.drawPath(stalk, stroke(WOOD.line, 0.058))
    canvas.drawPath(stalk, stroke(WOOD.base, 0.034))


# --- flower ---


def _stem(canvas: skia.Canvas, top: float) -> None:
    path = smooth([(0, top), (0.025, top * 0.6), (-0.015, top * 0.3), (0, -0.03)], closed=False)
    canvas.drawPath(path, stroke(LEAF.line, 0.062))
    canvas.drawPath(path, stroke(LEAF.base, 0.038))
    leaf(canvas, 0.0, -0.06, 0.36, -34)
    leaf(canvas, 0.0, -0.04, -0.36, 32)


def _petal(canvas: skia.Canvas, shades: Shades, length: float, half: float) -> None:
    """A petal that grows upwards from the origin."""
    path = smooth(
        mirrored(
            [
                (0, -length),
                (half * 0.72, -length * 0.9),
                (half, -length * 0.66),
                (half * 0.55, -length * 0.3),
                (0.02, 0),
            ]
        )
    )
    solid(canvas, path, shades, half * 0.3, 0.012)
    canvas.drawPath(ellipse(-half * 0.25, -length * 0.78, half * 0.3, length * 0.09), fill(shades.light, 220))


def _disc(canvas: skia.Canvas, shades: Shades, radius: float) -> None:
    """The seedy heart of a flower; dark where the petals are yellow themselves."""
    red, green, blue = shades.base
    yellow = red > 220 and green > 180 and blue < 150
    heart = WOOD if yellow else GOLD
    solid(canvas, ellipse(0, 0, radius, radius), heart, radius * 0.3, 0.013)
    for i in range(7):
        r = 0.0 if i == 0 else radius * 0.55
        x, y = r * math.cos(i * math.pi / 3), r * math.sin(i * math.pi / 3)
        canvas.drawPath(ellipse(x, y, radius * 0.1, radius * 0.1), fill(heart.line, 170))


def _blossom(canvas: skia.Canvas, shades: Shades, petals: int, length: float, half: float, disc: float) -> None:
    for i in range(petals):
        with placed(canvas, 0, 0, 360 * i / petals):
            _petal(canvas, shades, length, half)
    _disc(canvas, shades, disc)


def _tulip(canvas: skia.Canvas, shades: Shades) -> None:
    """A cup of petals over the origin, its foot there."""
    for side in (-1, 1):
        back = smooth([(0, -0.02), (side * 0.16, -0.3), (side * 0.14, -0.56), (side * 0.02, -0.4)])
        shape(canvas, back, shades.dark, shades.line, 0.013)
    for side in (-1, 1):
        outer = skia.Path()
        outer.moveTo(0, 0)
        outer.cubicTo(side * 0.34, 0.02, side * 0.44, -0.3, side * 0.33, -0.56)
        outer.cubicTo(side * 0.2, -0.5, side * 0.04, -0.28, 0, 0)
        outer.close()
        solid(canvas, outer, shades, 0.045)
    middle = skia.Path()
    middle.moveTo(0, -0.55)
    middle.cubicTo(0.2, -0.42, 0.24, -0.1, 0, 0.01)
    middle.cubicTo(-0.24, -0.1, -0.2, -0.42, 0, -0.55)
    middle.close()
    solid(canvas, middle, shades, 0.05)
    canvas.drawPath(ellipse(-0.05, -0.32, 0.03, 0.1), fill(shades.light, 230))
    canvas.drawPath(ellipse(-0.26, -0.3, 0.028, 0.1), fill(shades.light, 230))


def flower(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """One big blossom on a leafy stem: a daisy, a tulip or a round five-petalled one."""
    look, turn = look_of(variant)
    with placed(canvas, 0, 0, turn * 4):
        _stem(canvas, -0.5)
        if look == 1:
            with placed(canvas, 0, -0.42):
                _tulip(canvas, shades)
        elif look == 0:
            with placed(canvas, 0, -0.6):
                _blossom(canvas, shades, 9, 0.395, 0.108, 0.13)
        else:
            with placed(canvas, 0, -0.59):
                _blossom(canvas, shades, 5, 0.4, 0.185, 0.115)


# --- tree ---

ROUND_CROWN: Final = (
    (0.0, -0.78, 0.21), (0.24, -0.7, 0.19), (0.36, -0.5, 0.18), (0.2, -0.38, 0.17),
    (-0.2, -0.38, 0.17), (-0.36, -0.5, 0.18), (-0.24, -0.7, 0.19), (0.0, -0.52, 0.3),
)  # fmt: skip
TALL_CROWN: Final = (
    (0.0, -0.86, 0.13), (0.1, -0.72, 0.16), (-0.1, -0.72, 0.16), (0.17, -0.55, 0.17),
    (-0.17, -0.55, 0.17), (0.13, -0.39, 0.15), (-0.13, -0.39, 0.15), (0.0, -0.5, 0.24),
)  # fmt: skip
TRIPLE_CROWN: Final = (
    (0.0, -0.76, 0.23), (-0.12, -0.72, 0.15), (0.14, -0.7, 0.14), (-0.36, -0.46, 0.17),
    (-0.22, -0.42, 0.18), (0.36, -0.44, 0.17), (0.22, -0.4, 0.17), (0.0, -0.5, 0.22),
)  # fmt: skip


def _trunk(canvas: skia.Canvas, half: float) -> None:
    right = [(half * 0.7, -0.5), (half * 0.8, -0.2), (half * 1.1, -0.06), (half * 2.1, 0.0), (0, -0.015)]
    path = smooth(mirrored(right))
    solid(canvas, path, WOOD, 0.04)
    canvas.drawLine(-half * 0.2, -0.16, -half * 0.3, -0.07, stroke(WOOD.line, 0.012))
    canvas.drawLine(half * 0.35, -0.2, half * 0.35, -0.12, stroke(WOOD.line, 0.012))


def _crown(canvas: skia.Canvas, shades: Shades, puffs: Sequence[tuple[float, float, float]]) -> None:
    outline = union(ellipse(x, y, r, r) for x, y, r in puffs)
    canvas.drawPath(outline, fill(shades.base))
    with inside(canvas, outline):
        for x, y, r in puffs:
            canvas.drawPath(ellipse(x - r * 0.22, y - r * 0.3, r * 0.62, r * 0.55), fill(shades.light, 95))
    shade_edge(canvas, outline, shades.dark, 0.075, 170)
    canvas.drawPath(outline, stroke(shades.line, 0.022))
    for x, y, r in puffs:
        tuft = skia.Path().addArc(skia.Rect.MakeLTRB(x - r * 0.5, y - r * 0.5, x + r * 0.5, y + r * 0.5), 190, 110)
        canvas.drawPath(tuft, stroke(shades.line, 0.011, 150))


def tree(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A leafy tree on a brown trunk: a round crown, a tall one or three clouds of leaves."""
    look, _ = look_of(variant)
    _trunk(canvas, (0.085, 0.06, 0.075)[look])
    if look == 2:
        for side in (-1, 1):
            canvas.drawLine(0, -0.2, side * 0.2, -0.34, stroke(WOOD.line, 0.06))
            canvas.drawLine(0, -0.2, side * 0.2, -0.34, stroke(WOOD.base, 0.034))
    _crown(canvas, shades, (ROUND_CROWN, TALL_CROWN, TRIPLE_CROWN)[look])


# --- mushroom ---

WIDE_CAP: Final = ((0, -0.98), (0.26, -0.92), (0.46, -0.72), (0.54, -0.5), (0.47, -0.41), (0.2, -0.385), (0, -0.38))
BELL_CAP: Final = ((0, -1.0), (0.17, -0.93), (0.29, -0.74), (0.4, -0.52), (0.45, -0.38), (0.36, -0.315), (0, -0.31))
WIDE_SPOTS: Final = (
    (-0.06, -0.8, 0.095), (0.22, -0.7, 0.075), (-0.3, -0.64, 0.08), (0.02, -0.54, 0.07),
    (0.38, -0.52, 0.055), (-0.2, -0.465, 0.045), (0.21, -0.475, 0.045), (-0.45, -0.5, 0.045),
)  # fmt: skip
BELL_SPOTS: Final = (
    (-0.03, -0.84, 0.065), (0.14, -0.7, 0.065), (-0.15, -0.62, 0.08), (0.08, -0.5, 0.075),
    (0.3, -0.46, 0.055), (-0.29, -0.42, 0.055), (-0.08, -0.39, 0.045),
)  # fmt: skip


def _mushroom(canvas: skia.Canvas, shades: Shades, bell: bool) -> None:
    """Stalk with its frill, then the spotted cap over it."""
    cap, spots, edge = (BELL_CAP, BELL_SPOTS, -0.34) if bell else (WIDE_CAP, WIDE_SPOTS, -0.41)
    stalk_shades = Shades(CREAM, WHITE, CREAM_DARK, CREAM_LINE)
    stalk = smooth(mirrored([(0.11, edge - 0.04), (0.12, -0.24), (0.18, -0.09), (0.14, 0.0), (0, 0.0)]))
    solid(canvas, stalk, stalk_shades, 0.05)
    frill = smooth(mirrored([(0.13, edge), (0.2, edge + 0.13), (0.1, edge + 0.11), (0, edge + 0.14)]))
    solid(canvas, frill, stalk_shades, 0.03, 0.011)
    path = smooth(mirrored(cap))
    canvas.drawPath(path, fill(shades.base))
    with inside(canvas, path):
        for x, y, r in spots:
            shape(canvas, ellipse(x, y, r, r * 0.88), WHITE, shades.line, 0.008)
    shade_edge(canvas, path, shades.dark, 0.075, 130)
    canvas.drawPath(path, stroke(shades.line, 0.016))
    if not bell:
        highlight(canvas, -0.26, -0.81, 0.07, -38, shades.light)


def mushroom(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A spotted mushroom: a wide cap, a bell, or a wide one with its child."""
    look, turn = look_of(variant)
    if look == 2:
        with placed(canvas, -0.1, 0, -3, 0.9):
            _mushroom(canvas, shades, bell=False)
        with placed(canvas, 0.38, 0, 6, 0.4):
            _mushroom(canvas, shades, bell=True)
    else:
        with placed(canvas, 0, 0, turn * 4):
            _mushroom(canvas, shades, bell=look == 1)


# --- umbrella ---

RIBS: Final = (-0.56, -0.35, -0.12, 0.12, 0.35, 0.56)
UMBRELLA_TOP: Final = -0.94
UMBRELLA_RIM: Final = -0.46


def _canopy_part(left: float, right: float) -> skia.Path:
    """One panel between two ribs, hollow at its lower edge."""
    path = skia.Path()
    path.moveTo(0, UMBRELLA_TOP)
    path.cubicTo(left * 0.75, UMBRELLA_TOP + 0.01, left, UMBRELLA_RIM - 0.22, left, UMBRELLA_RIM)
    path.quadTo((left + right) / 2, UMBRELLA_RIM - 0.1, right, UMBRELLA_RIM)
    path.cubicTo(right, UMBRELLA_RIM - 0.22, right * 0.75, UMBRELLA_TOP + 0.01, 0, UMBRELLA_TOP)
    path.close()
    return path


def _canopy(canvas: skia.Canvas, shades: Shades, look: int) -> None:
    panels = [_canopy_part(left, right) for left, right in pairwise(RIBS)]
    for i, panel in enumerate(panels):
        canvas.drawPath(panel, fill(shades.base if i % 2 == 0 else mix(shades.base, shades.light, 0.5)))
    shade_edge(canvas, union(panels), shades.dark, 0.06, 150)
    for panel, (left, right) in zip(panels, pairwise(RIBS), strict=True):
        with inside(canvas, panel):
            _canopy_print(canvas, look, left, right)
        canvas.drawPath(panel, stroke(shades.line, 0.014))


def _canopy_print(canvas: skia.Canvas, look: int, left: float, right: float) -> None:
    """What is printed on the panel between two ribs: nothing, dots, or a white hem."""
    middle = (left + right) / 2
    if look == 1:
        for share, y in ((0.72, -0.78), (1.0, -0.63)):
            canvas.drawPath(ellipse(middle * share, y, 0.042, 0.045), fill(WHITE))
    elif look == 2:
        hem = skia.Path()
        hem.moveTo(left, UMBRELLA_RIM)
        hem.quadTo(middle, UMBRELLA_RIM - 0.1, right, UMBRELLA_RIM)
        canvas.drawPath(hem, stroke(WHITE, 0.11))


def umbrella(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """An open umbrella standing on its hooked handle: plain, dotted or hemmed, leaning a little."""
    look, turn = look_of(variant)
    with placed(canvas, 0, 0, turn * 5):
        canvas.drawLine(0, -0.985, 0, UMBRELLA_TOP, stroke(STEEL.line, 0.032))
        canvas.drawLine(0, -0.75, 0, -0.2, stroke(STEEL.line, 0.04))
        canvas.drawLine(0, -0.75, 0, -0.2, stroke(STEEL.base, 0.02))
        hook = skia.Path()
        hook.moveTo(0, -0.24)
        hook.lineTo(0, -0.1)
        hook.arcTo(skia.Rect.MakeLTRB(-0.15, -0.18, 0, -0.03), 0, 180, False)
        canvas.drawPath(hook, stroke(WOOD.line, 0.064))
        canvas.drawPath(hook, stroke(WOOD.base, 0.038))
        _canopy(canvas, shades, look)
        highlight(canvas, -0.27, -0.79, 0.075, -36, shades.light)


# --- kite ---

KITE_TOP, KITE_RIGHT, KITE_FOOT, KITE_LEFT = (-0.1, -1.0), (0.28, -0.73), (-0.1, -0.27), (-0.48, -0.73)
KITE_TAIL: Final = ((-0.1, -0.27), (-0.01, -0.15), (0.14, -0.19), (0.27, -0.27), (0.39, -0.21), (0.47, -0.14))


def _kite_sail(canvas: skia.Canvas, shades: Shades, look: int) -> None:
    centre = (KITE_TOP[0], KITE_LEFT[1])
    pale = mix(shades.base, shades.light, 0.8)
    quarters = (
        (KITE_TOP, KITE_LEFT, pale), (KITE_TOP, KITE_RIGHT, shades.base),
        (KITE_FOOT, KITE_LEFT, shades.base), (KITE_FOOT, KITE_RIGHT, mix(shades.base, shades.dark, 0.6)),
    )  # fmt: skip
    sail = polygon([KITE_TOP, KITE_RIGHT, KITE_FOOT, KITE_LEFT])
    canvas.drawPath(sail, fill(shades.base))
    if look == 0:
        for end, side, colour in quarters:
            canvas.drawPath(polygon([centre, end, side]), fill(colour))
        canvas.drawLine(*KITE_TOP, *KITE_FOOT, stroke(shades.line, 0.014))
        canvas.drawLine(*KITE_LEFT, *KITE_RIGHT, stroke(shades.line, 0.014))
    else:
        shade_edge(canvas, sail, shades.dark, 0.05, 150)
        with placed(canvas, *centre):
            (_kite_face if look == 1 else _kite_star)(canvas, shades)
    canvas.drawPath(sail, stroke(shades.line, 0.02))


def _kite_face(canvas: skia.Canvas, shades: Shades) -> None:
    for x in (-0.1, 0.1):
        canvas.drawPath(ellipse(x, -0.02, 0.052, 0.06), fill(WHITE))
        canvas.drawPath(ellipse(x + 0.008, -0.015, 0.028, 0.034), fill((50, 44, 58)))
        canvas.drawPath(ellipse(x * 1.8, 0.075, 0.038, 0.024), fill(shades.light))
    smile = smooth([(-0.085, 0.1), (0, 0.15), (0.085, 0.1)], closed=False)
    canvas.drawPath(smile, stroke(shades.line, 0.024))


def _kite_star(canvas: skia.Canvas, shades: Shades) -> None:
    shape(canvas, star(0, 0.04, 0.16), WHITE, shades.line, 0.012)


def _bow(canvas: skia.Canvas, shades: Shades, x: float, y: float, degrees: float) -> None:
    with placed(canvas, x, y, degrees):
        for side in (-1, 1):
            wing = smooth([(0, 0), (side * 0.1, -0.06), (side * 0.112, 0.0), (side * 0.1, 0.06)])
            shape(canvas, wing, shades.base, shades.line, 0.012)
        shape(canvas, ellipse(0, 0, 0.02, 0.022), shades.light, shades.line, 0.01)


def kite(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A diamond kite with a tail of bows, in the air: quartered, with a smile or with a star."""
    look, turn = look_of(variant)
    canvas.drawPath(smooth(KITE_TAIL, closed=False), stroke(shades.line, 0.018))
    for (x, y), degrees in zip(KITE_TAIL[1::2], (28, 80, 24), strict=True):
        _bow(canvas, shades, x, y, degrees)
    with placed(canvas, *KITE_FOOT, (6, -3, 2)[look] + turn * 4):
        canvas.translate(-KITE_FOOT[0], -KITE_FOOT[1])
        _kite_sail(canvas, shades, look)


# --- ball ---

RADIUS: Final = 0.46
Turned = Callable[[float, float], Point]


def _globe(tilt: float, roll: float) -> Turned:
    """Where (longitude, latitude) lies on the drawn ball; what is on the far side is pushed out to the rim."""
    st, ct, sr, cr = math.sin(tilt), math.cos(tilt), math.sin(roll), math.cos(roll)

    def where(longitude: float, latitude: float) -> Point:
        x, y = math.cos(latitude) * math.sin(longitude), -math.sin(latitude)
        z = math.cos(latitude) * math.cos(longitude)
        y, z = y * ct + z * st, z * ct - y * st
        if z < 0:
            size = math.hypot(x, y) or 1.0
            x, y = x / size, y / size
        return RADIUS * (x * cr - y * sr), RADIUS * (x * sr + y * cr) - RADIUS

    return where


def _panel(where: Turned, west: float, east: float) -> skia.Path:
    """The part of the ball between two meridians."""
    steps = [-math.pi / 2 + math.pi * i / 24 for i in range(25)]
    return polygon([*(where(west, s) for s in steps), *(where(east, s) for s in reversed(steps))])


def _beach_ball(canvas: skia.Canvas, shades: Shades, turn: float) -> None:
    where = _globe(0.75, 0.5 + 0.2 * turn)
    for i in range(4):
        start = i * math.pi / 2 + 0.35
        panel = _panel(where, start, start + math.pi / 6)
        shape(canvas, panel, WHITE, shades.line, 0.011)
    button = skia.Path().addCircle(*where(0, math.pi / 2), 0.055)
    shape(canvas, button, WHITE, shades.line, 0.012)


def _banded_ball(canvas: skia.Canvas, shades: Shades, turn: float) -> None:
    with placed(canvas, 0, -RADIUS, -18 + 8 * turn):
        for y in (-0.19, 0.19):
            band = smooth([(-0.6, y * 0.85), (0, y * 1.15), (0.6, y * 0.85)], closed=False)
            canvas.drawPath(band, stroke(shades.line, 0.092))
            canvas.drawPath(band, stroke(WHITE, 0.07))
        shape(canvas, star(0, 0, 0.145), WHITE, shades.line, 0.012)


def _striped_ball(canvas: skia.Canvas, shades: Shades, turn: float) -> None:
    where = _globe(0.15, -0.35 + 0.15 * turn)
    for i in range(-1, 2):
        shape(canvas, _panel(where, i - 0.17, i + 0.17), WHITE, shades.line, 0.011)


def ball(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
    """A big play ball: with white beach-ball stripes, with white bands and a star, or with upright white stripes."""
    look, turn = look_of(variant)
    disc = ellipse(0, -RADIUS, RADIUS, RADIUS)
    canvas.drawPath(disc, fill(shades.base))
    with inside(canvas, disc):
        (_beach_ball, _banded_ball, _striped_ball)[look](canvas, shades, turn)
    shade_edge(canvas, disc, shades.dark, 0.08, 110)
    canvas.drawPath(disc, stroke(shades.line, 0.018))
    highlight(canvas, -0.2, -0.74, 0.09, -40)


THINGS: Final[dict[str, DrawSubject]] = {
    "cake": cake,
    "apple": apple,
    "flower": flower,
    "tree": tree,
    "mushroom": mushroom,
    "umbrella": umbrella,
    "kite": kite,
    "ball": ball,
}
