"""Eight picture-book animals, each drawn looking to the right in two or three poses and mirrored by half the variants.

An animal is built of overlapping forms (`blob`, `tube`, `ellipse`) that `figure` melts into one coat with one contour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import skia

from .brush import RGB, DrawSubject, Shades, ellipse, fill, mix, shape, stroke

Point = tuple[float, float]
Knot = tuple[float, float, float]  # x, y and half width of a tube there
Pose = Callable[[skia.Canvas, Shades], None]

LINE: Final = 0.015
FIT: Final = 0.95  # keeps ear tips, tails and contours within the unit box
WHITE: Final[RGB] = (255, 255, 255)
PUPIL: Final[RGB] = (38, 30, 40)
ROSE: Final[RGB] = (236, 138, 148)
ORANGE: Final[RGB] = (244, 142, 38)
RUST: Final[RGB] = (190, 92, 24)
IVORY: Final[RGB] = (255, 248, 226)


# --- colours -----------------------------------------------------------------------------------------------------


def _is_dark(shades: Shades) -> bool:
    return sum(shades.base) < 240


def _ink(shades: Shades) -> RGB:
    """A line that shows on the coat itself: dark on a light coat, pale on a black one."""
    return mix(shades.light, WHITE, 0.3) if _is_dark(shades) else shades.line


def _accent(shades: Shades) -> RGB:
    """Manes, stripes and hanging ears: the coat's own colour, clearly set off from it."""
    if _is_dark(shades):
        return mix(shades.light, WHITE, 0.08)
    if sum(shades.base) > 700:
        return mix(shades.dark, shades.line, 0.1)
    return mix(shades.dark, shades.line, 0.4)


def _tuned(shades: Shades) -> Shades:
    """Shades of a coat: a grey one stays free of violet, a yellow one turns golden in the shade and not muddy."""
    red, green, blue = shades.base
    if max(shades.base) - min(shades.base) < 20 and 240 < sum(shades.base) < 700:
        grey = mix(shades.base, (146, 146, 148), 0.6)
        tones = ((grey, WHITE, 0.36), (grey, (36, 36, 40), 0.26), (grey, (30, 30, 34), 0.56))
        return Shades(grey, *(mix(*tone) for tone in tones))
    if red > 230 and green > 180 and blue < 150:
        return Shades(
            shades.base, shades.light, mix(shades.base, (214, 120, 20), 0.5), mix(shades.base, (110, 50, 20), 0.62)
        )
    return shades


def _far(shades: Shades) -> Shades:
    """The coat of the limbs on the far side, in the shade."""
    return Shades(shades.dark, shades.dark, mix(shades.dark, shades.line, 0.25), shades.line)


def _pale(shades: Shades) -> RGB:
    """Muzzles and bellies, never so light that the coat's colour is in doubt."""
    return mix(shades.base, shades.light, 0.85)


# --- forms -------------------------------------------------------------------------------------------------------


@contextmanager
def _at(canvas: skia.Canvas, x: float, y: float, size: float = 1.0, turn: float = 0.0) -> Iterator[None]:
    """Draw around (x, y), scaled by `size` and turned by `turn` degrees clockwise."""
    canvas.save()
    canvas.translate(x, y)
    canvas.rotate(turn)
    canvas.scale(size, size)
    try:
        yield
    finally:
        canvas.restore()


def blob(*points: Point) -> skia.Path:
    """A smooth closed curve through the points."""
    path = skia.Path()
    path.moveTo(*points[0])
    count = len(points)
    for i in range(count):
        p0, p1, p2, p3 = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        path.cubicTo(
            p1[0] + (p2[0] - p0[0]) / 6,
            p1[1] + (p2[1] - p0[1]) / 6,
            p2[0] - (p3[0] - p1[0]) / 6,
            p2[1] - (p3[1] - p1[1]) / 6,
            p2[0],
            p2[1],
        )
    path.close()
    return path


def curve(*points: Point) -> skia.Path:
    """An open line: a quadratic for three points, a cubic for four."""
    path = skia.Path()
    path.moveTo(*points[0])
    if len(points) == 3:
        path.quadTo(*points[1], *points[2])
    elif len(points) == 4:
        path.cubicTo(*points[1], *points[2], *points[3])
    else:
        path.lineTo(*points[-1])
    return path


def _spline(knots: Sequence[Knot], steps: int = 10) -> list[Knot]:
    """Points along the Catmull-Rom curve through the knots, widths included."""
    padded = [knots[0], *knots, knots[-1]]
    out: list[Knot] = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(steps):
            t = step / steps
            x, y, r = (
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
            )
            out.append((x, y, r))
    return [*out, knots[-1]]


def _rim(centre: Knot, along: Point, start: float, end: float, steps: int = 8) -> list[skia.Point]:
    """The half circle that rounds the end of a tube, its angles counted from the left of its direction."""
    x, y, r = centre
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [
        skia.Point(
            x + r * (math.sin(a) * along[0] - math.cos(a) * along[1]),
            y + r * (math.sin(a) * along[1] + math.cos(a) * along[0]),
        )
        for a in angles
    ]


def tube(*knots: Knot) -> skia.Path:
    """A round-ended limb of changing width along a smooth line: legs, tails, necks, trunks."""
    line = _spline(knots)
    ways: list[Point] = []
    for i in range(len(line)):
        before, after = line[max(i - 1, 0)], line[min(i + 1, len(line) - 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        ways.append((dx / length, dy / length))
    left = [skia.Point(x - dy * r, y + dx * r) for (x, y, r), (dx, dy) in zip(line, ways, strict=True)]
    right = [skia.Point(x + dy * r, y - dx * r) for (x, y, r), (dx, dy) in zip(line, ways, strict=True)]
    path = skia.Path()
    path.addPoly([*left, *_rim(line[-1], ways[-1], 0, 180), *reversed(right), *_rim(line[0], ways[0], 180, 360)], True)
    return path


def _coat(shades: Shades, bounds: skia.Rect) -> skia.Paint:
    """The filling of a form: lit from the upper left, in soft shade at the lower right."""
    paint = fill(shades.base)
    lit, dim = mix(shades.base, shades.light, 0.85 if _is_dark(shades) else 0.55), mix(shades.base, shades.dark, 0.75)
    paint.setShader(
        skia.GradientShader.MakeLinear(
            [
                skia.Point(bounds.left() + bounds.width() * 0.3, bounds.top()),
                skia.Point(bounds.left() + bounds.width() * 0.7, bounds.bottom()),
            ],
            [skia.Color(*lit), skia.Color(*shades.base), skia.Color(*shades.base), skia.Color(*dim)],
            [0.0, 0.38, 0.62, 1.0],
        )
    )
    return paint


def figure(canvas: skia.Canvas, shades: Shades, *parts: skia.Path, width: float = LINE) -> None:
    """Overlapping forms as one: a common coat, and the contour around all of them only."""
    bounds = skia.Rect.MakeEmpty()
    for part in parts:
        bounds.join(part.getBounds())
        canvas.drawPath(part, stroke(shades.line, width * 2))
    paint = _coat(shades, bounds)
    for part in parts:
        canvas.drawPath(part, paint)


def _patch(canvas: skia.Canvas, inside: skia.Path, patch: skia.Path, colour: RGB, alpha: int = 255) -> None:
    """A patch of colour kept within a form."""
    canvas.save()
    canvas.clipPath(inside, skia.ClipOp.kIntersect, True)
    canvas.drawPath(patch, fill(colour, alpha))
    canvas.restore()


def _line(canvas: skia.Canvas, colour: RGB, *points: Point, width: float = LINE) -> None:
    canvas.drawPath(curve(*points), stroke(colour, width))


def _mirrored(path: skia.Path) -> skia.Path:
    out = skia.Path(path)
    out.transform(skia.Matrix.Scale(-1, 1))
    return out


# --- shared parts ------------------------------------------------------------------------------------------------


def _eye(canvas: skia.Canvas, x: float, y: float, size: float, iris: RGB = (96, 60, 40)) -> None:
    """A big friendly eye, glancing a little to the front."""
    with _at(canvas, x, y, size):
        shape(canvas, ellipse(0, 0, 0.86, 1.0), WHITE, (60, 50, 60), 0.16)
        canvas.drawPath(ellipse(0.12, 0.06, 0.66, 0.8), fill(iris))
        canvas.drawPath(ellipse(0.16, 0.08, 0.5, 0.62), fill(PUPIL))
        canvas.drawPath(ellipse(-0.06, -0.28, 0.24, 0.26), fill(WHITE))
        canvas.drawPath(ellipse(0.36, 0.36, 0.12, 0.12), fill(WHITE))


def _blush(canvas: skia.Canvas, x: float, y: float, size: float) -> None:
    canvas.drawPath(ellipse(x, y, size * 1.25, size), fill(ROSE, 110))


def _nose(canvas: skia.Canvas, x: float, y: float, size: float, colour: RGB) -> None:
    shape(canvas, blob((x - size, y - size * 0.6), (x + size, y - size * 0.6), (x, y + size * 0.75)), colour)
    canvas.drawPath(ellipse(x - size * 0.35, y - size * 0.4, size * 0.3, size * 0.2), fill(WHITE, 170))


def _smile(canvas: skia.Canvas, x: float, y: float, size: float, colour: RGB, width: float = LINE) -> None:
    """The two bows of an animal's mouth under its nose."""
    for side in (-1, 1):
        _line(
            canvas, colour, (x, y), (x + side * size * 0.15, y + size), (x + side * size, y + size * 0.5), width=width
        )


def _leg(x: float, top: float, foot: float, wide: float, narrow: float, paw: float = 0.03) -> skia.Path:
    """A straight standing leg from `top` to the ground at `foot`, its paw pointing to the right."""
    shank = tube((x, top, wide), ((x + foot) / 2, top * 0.45, (wide + narrow) / 2), (foot, -narrow, narrow))
    sole = ellipse(foot + paw * 0.6, -narrow * 0.62, narrow + paw, narrow * 0.62)
    return skia.Op(shank, sole, skia.PathOp.kUnion_PathOp)


def _toes(canvas: skia.Canvas, shades: Shades, x: float, y: float, size: float) -> None:
    for side in (-0.5, 0.5):
        _line(canvas, _ink(shades), (x + side * size, y - size * 0.6), (x + side * size, y), width=0.011)


def _posed(*poses: Pose, shift: float = 0.0) -> DrawSubject:
    """One drawing out of several poses: the variant chooses the pose and whether it looks right or left.

    `shift` centres an animal that reaches further to one side.
    """

    def draw(canvas: skia.Canvas, shades: Shades, variant: float) -> None:
        choice = min(int(variant * 2 * len(poses)), 2 * len(poses) - 1)
        canvas.save()
        if choice >= len(poses):
            canvas.scale(-1, 1)
        canvas.scale(FIT, FIT)
        canvas.translate(shift, -LINE)
        poses[choice % len(poses)](canvas, _tuned(shades))
        canvas.restore()

    return draw


# --- cat ---------------------------------------------------------------------------------------------------------


def _stripes(canvas: skia.Canvas, shades: Shades, *lines: Sequence[Point], width: float = 0.028) -> None:
    for points in lines:
        canvas.drawPath(curve(*points), stroke(_accent(shades), width, 200))


def _cat_head(canvas: skia.Canvas, shades: Shades) -> None:
    """Seen from the front, around (0, 0), about 0.6 wide and 0.56 high."""
    ear = blob((0.07, -0.17), (0.15, -0.27), (0.25, -0.345), (0.275, -0.33), (0.29, -0.2), (0.27, -0.04), (0.14, -0.08))
    lining = blob((0.14, -0.2), (0.235, -0.285), (0.25, -0.12))
    skull = blob((0, -0.21), (0.19, -0.17), (0.29, -0.02), (0.31, 0.07), (0.2, 0.17), (0, 0.21),
                 (-0.2, 0.17), (-0.31, 0.07), (-0.29, -0.02), (-0.19, -0.17))  # fmt: skip
    figure(canvas, shades, ear, _mirrored(ear), skull)
    for inner in (lining, _mirrored(lining)):
        canvas.drawPath(inner, fill(ROSE))
    _stripes(canvas, shades, ((0, -0.19), (0, -0.11)), ((-0.08, -0.18), (-0.07, -0.12)), ((0.08, -0.18), (0.07, -0.12)))
    for side in (-1, 1):
        canvas.drawPath(ellipse(side * 0.055, 0.1, 0.075, 0.06), fill(_pale(shades)))
        _eye(canvas, side * 0.13, -0.01, 0.075, (120, 190, 80))
        _blush(canvas, side * 0.22, 0.09, 0.03)
        for k in (-1, 0, 1):
            _line(canvas, _ink(shades), (side * 0.19, 0.1 + k * 0.02), (side * 0.37, 0.09 + k * 0.05), width=0.009)
    _smile(canvas, 0, 0.09, 0.07, PUPIL if not _is_dark(shades) else WHITE, 0.013)
    _nose(canvas, 0, 0.075, 0.03, ROSE)


def _cat_sitting(canvas: skia.Canvas, shades: Shades) -> None:
    tail = tube(
        (-0.15, -0.06, 0.06), (-0.4, -0.07, 0.06), (-0.5, -0.24, 0.055), (-0.42, -0.42, 0.05), (-0.5, -0.56, 0.045)
    )
    figure(canvas, shades, tail)
    _stripes(
        canvas,
        shades,
        ((-0.53, -0.3), (-0.44, -0.27)),
        ((-0.49, -0.41), (-0.39, -0.37)),
        ((-0.43, -0.13), (-0.38, -0.03)),
    )
    body = blob((0, -0.62), (0.15, -0.54), (0.2, -0.36), (0.25, -0.18), (0.23, -0.03), (0.1, 0), (-0.12, 0),
                (-0.27, -0.03), (-0.3, -0.17), (-0.24, -0.36), (-0.16, -0.54))  # fmt: skip
    figure(canvas, shades, body)
    _patch(canvas, body, ellipse(0.01, -0.36, 0.1, 0.16), _pale(shades))
    _stripes(
        canvas, shades, ((-0.26, -0.3), (-0.16, -0.29)), ((-0.28, -0.2), (-0.17, -0.2)), ((0.2, -0.3), (0.13, -0.29))
    )
    for side in (-1, 1):
        figure(canvas, shades, ellipse(side * 0.19, -0.04, 0.1, 0.045))
    figure(canvas, shades, *(_leg(side * 0.075, -0.3, side * 0.075, 0.065, 0.055, 0.015) for side in (-1, 1)))
    _line(canvas, _ink(shades), (0, -0.28), (0, -0.03))
    for side in (-1, 1):
        _toes(canvas, shades, side * 0.08, -0.01, 0.04)
    with _at(canvas, 0.01, -0.66, turn=-3):
        _cat_head(canvas, shades)


def _cat_walking(canvas: skia.Canvas, shades: Shades) -> None:
    figure(canvas, _far(shades), _leg(-0.26, -0.3, -0.18, 0.08, 0.048), _leg(0.26, -0.3, 0.36, 0.07, 0.046))
    tail = tube(
        (-0.36, -0.42, 0.055), (-0.5, -0.55, 0.05), (-0.5, -0.74, 0.047), (-0.4, -0.88, 0.045), (-0.46, -0.96, 0.036)
    )
    body = blob((-0.42, -0.5), (-0.24, -0.58), (0.05, -0.54), (0.28, -0.6), (0.4, -0.5), (0.38, -0.32), (0.22, -0.21),
                (0, -0.21), (-0.22, -0.19), (-0.42, -0.26))  # fmt: skip
    legs = _leg(-0.34, -0.32, -0.4, 0.11, 0.048), _leg(0.24, -0.3, 0.16, 0.085, 0.048)
    figure(canvas, shades, tail, body, *legs)
    flank = ((-0.26, -0.57), (-0.22, -0.44)), ((-0.12, -0.55), (-0.09, -0.42)), ((0.01, -0.54), (0.03, -0.42))
    _stripes(canvas, shades, *flank, ((-0.54, -0.64), (-0.46, -0.64)), ((-0.51, -0.79), (-0.43, -0.75)))
    with _at(canvas, 0.34, -0.66, 0.88):
        _cat_head(canvas, shades)


def _cat_lying(canvas: skia.Canvas, shades: Shades) -> None:
    body = blob((-0.5, -0.2), (-0.42, -0.42), (-0.2, -0.52), (0.1, -0.48), (0.36, -0.42), (0.48, -0.2),
                (0.46, -0.02), (0.2, 0), (-0.3, 0), (-0.48, -0.04))  # fmt: skip
    figure(canvas, shades, body)
    _stripes(
        canvas,
        shades,
        ((-0.3, -0.49), (-0.26, -0.34)),
        ((-0.17, -0.51), (-0.14, -0.36)),
        ((-0.04, -0.5), (-0.02, -0.36)),
    )
    _line(canvas, _ink(shades), (-0.2, -0.26), (-0.02, -0.28), (0.0, -0.06))
    figure(canvas, shades, tube((-0.5, -0.16, 0.04), (-0.4, -0.065, 0.05), (-0.15, -0.05, 0.05), (0.08, -0.06, 0.045)))
    _stripes(canvas, shades, ((-0.25, -0.1), (-0.23, -0.02)), ((-0.12, -0.09), (-0.1, -0.02)))
    for x in (0.24, 0.46):
        figure(canvas, shades, ellipse(x, -0.05, 0.11, 0.05))
        _toes(canvas, shades, x + 0.05, -0.02, 0.045)
    with _at(canvas, 0.3, -0.4, 1.02, 4):
        _cat_head(canvas, shades)


# --- dog ---------------------------------------------------------------------------------------------------------


def _dog_head(canvas: skia.Canvas, shades: Shades) -> None:
    """Seen from the side, around (0, 0), muzzle to the right up to x = 0.36."""
    far_ear = tube((0.06, -0.15, 0.05), (0.11, -0.05, 0.06), (0.1, 0.06, 0.05))
    shape(canvas, far_ear, _accent(shades), shades.line)
    skull = blob((-0.2, 0.02), (-0.16, -0.16), (0, -0.22), (0.14, -0.15), (0.22, -0.05), (0.35, -0.02), (0.385, 0.06),
                 (0.33, 0.14), (0.18, 0.16), (0.06, 0.2), (-0.12, 0.18))  # fmt: skip
    tongue = tube((0.22, 0.13, 0.035), (0.25, 0.22, 0.042))
    shape(canvas, tongue, (238, 110, 124), (180, 62, 84))
    figure(canvas, shades, skull)
    _patch(canvas, skull, ellipse(0.31, 0.08, 0.15, 0.12), _pale(shades))
    _line(canvas, _ink(shades), (0.36, 0.1), (0.24, 0.18), (0.12, 0.08))
    nose = ellipse(0.355, -0.015, 0.055, 0.044)
    shape(canvas, nose, PUPIL, (110, 104, 116) if _is_dark(shades) else None, 0.01)
    canvas.drawPath(ellipse(0.345, -0.032, 0.018, 0.01), fill(WHITE, 190))
    _eye(canvas, 0.1, -0.06, 0.068)
    _line(canvas, _ink(shades), (0.06, -0.155), (0.11, -0.18), (0.15, -0.14))
    _blush(canvas, 0.13, 0.065, 0.03)
    ear = blob(
        (-0.1, -0.2), (0, -0.16), (0.01, -0.04), (-0.02, 0.14), (-0.1, 0.24), (-0.2, 0.2), (-0.24, 0.06), (-0.19, -0.12)
    )
    shape(canvas, ear, _accent(shades), shades.line, LINE)
    _line(canvas, mix(_accent(shades), shades.light, 0.5), (-0.17, -0.02), (-0.19, 0.08), (-0.15, 0.14), width=0.02)


def _dog_sitting(canvas: skia.Canvas, shades: Shades) -> None:
    tail = tube((-0.24, -0.07, 0.06), (-0.42, -0.12, 0.05), (-0.5, -0.28, 0.042), (-0.47, -0.4, 0.03))
    figure(canvas, _far(shades), _leg(0.16, -0.4, 0.24, 0.08, 0.055))
    body = blob((-0.02, -0.7), (0.18, -0.62), (0.24, -0.45), (0.16, -0.2), (0.05, -0.04), (-0.2, -0.01), (-0.33, -0.06),
                (-0.35, -0.22), (-0.24, -0.44), (-0.14, -0.62))  # fmt: skip
    figure(canvas, shades, tail, body, _leg(0.1, -0.42, 0.11, 0.1, 0.06, 0.035))
    _patch(canvas, body, blob((0.1, -0.6), (0.24, -0.6), (0.24, -0.4), (0.16, -0.28), (0.11, -0.42)), _pale(shades))
    haunch = blob(
        (-0.34, -0.14), (-0.24, -0.3), (-0.08, -0.3), (0.02, -0.16), (-0.02, -0.03), (-0.2, 0), (-0.32, -0.03)
    )
    figure(canvas, shades, haunch, ellipse(0.0, -0.045, 0.13, 0.045))
    _toes(canvas, shades, 0.09, -0.015, 0.04)
    _toes(canvas, shades, 0.15, -0.01, 0.04)
    with _at(canvas, 0.06, -0.74, 1.08, -4):
        _dog_head(canvas, shades)


def _dog_standing(canvas: skia.Canvas, shades: Shades) -> None:
    tail = tube((-0.4, -0.5, 0.055), (-0.54, -0.62, 0.045), (-0.58, -0.78, 0.04), (-0.52, -0.88, 0.025))
    figure(canvas, _far(shades), _leg(-0.24, -0.36, -0.2, 0.08, 0.052), _leg(0.2, -0.36, 0.28, 0.07, 0.05))
    body = blob((-0.45, -0.5), (-0.3, -0.59), (-0.05, -0.57), (0.12, -0.66), (0.28, -0.72), (0.36, -0.6), (0.32, -0.4),
                (0.18, -0.25), (-0.06, -0.27), (-0.26, -0.26), (-0.44, -0.34))  # fmt: skip
    legs = _leg(-0.35, -0.4, -0.4, 0.11, 0.052), _leg(0.17, -0.4, 0.14, 0.1, 0.054)
    figure(canvas, shades, tail, body, *legs)
    _patch(canvas, body, ellipse(0.32, -0.46, 0.09, 0.14), _pale(shades))
    shape(canvas, _within(body, ellipse(-0.2, -0.56, 0.16, 0.13)), _accent(shades))
    for x in (-0.36, 0.18):
        _toes(canvas, shades, x, -0.01, 0.04)
    with _at(canvas, 0.28, -0.74, 0.98):
        _dog_head(canvas, shades)


def _within(outer: skia.Path, inner: skia.Path) -> skia.Path:
    return skia.Op(outer, inner, skia.PathOp.kIntersect_PathOp)


# --- rabbit ------------------------------------------------------------------------------------------------------


def _long_ear(canvas: skia.Canvas, shades: Shades, x: float, y: float, turn: float) -> None:
    with _at(canvas, x, y, turn=turn):
        figure(
            canvas,
            shades,
            blob((-0.045, 0.03), (-0.085, -0.2), (-0.03, -0.4), (0.03, -0.4), (0.085, -0.2), (0.045, 0.03)),
        )
        canvas.drawPath(blob((-0.02, 0), (-0.045, -0.2), (0, -0.35), (0.045, -0.2), (0.02, 0)), fill(ROSE, 225))


def _rabbit_face(canvas: skia.Canvas, shades: Shades, turn: float) -> None:
    """Eyes, nose, teeth and whiskers around (0, 0); `turn` moves them to the side the head looks to."""
    for side in (-1, 1):
        _eye(canvas, turn + side * 0.105, -0.02, 0.062)
        canvas.drawPath(ellipse(turn + side * 0.045, 0.085, 0.06, 0.048), fill(_pale(shades)))
        _blush(canvas, turn + side * 0.165, 0.085, 0.03)
        for k in (-1, 1):
            _line(canvas, _ink(shades), (turn + side * 0.12, 0.09), (turn + side * 0.26, 0.09 + k * 0.03), width=0.008)
    shape(canvas, skia.Path().addRect(skia.Rect(turn - 0.022, 0.1, turn + 0.022, 0.14)), WHITE, (150, 140, 145), 0.008)
    _smile(canvas, turn, 0.07, 0.06, PUPIL if not _is_dark(shades) else _ink(shades), 0.012)
    _nose(canvas, turn, 0.05, 0.028, ROSE)


def _tuft(canvas: skia.Canvas, shades: Shades, x: float, y: float) -> None:
    """The cotton tail."""
    fluff = WHITE if sum(shades.base) < 700 else shades.base
    puffs = [ellipse(x + math.cos(a) * 0.045, y + math.sin(a) * 0.045, 0.055, 0.055) for a in (0, 1.26, 2.5, 3.8, 5.0)]
    for puff in puffs:
        canvas.drawPath(puff, stroke(shades.line, LINE * 2))
    for puff in puffs:
        canvas.drawPath(puff, fill(mix(shades.light, fluff, 0.75)))


def _rabbit_crouching(canvas: skia.Canvas, shades: Shades) -> None:
    _tuft(canvas, shades, -0.42, -0.2)
    figure(canvas, _far(shades), _leg(0.2, -0.2, 0.27, 0.06, 0.04))
    body = blob((-0.4, -0.16), (-0.36, -0.36), (-0.2, -0.49), (0.04, -0.46), (0.22, -0.42), (0.3, -0.28),
                (0.24, -0.1), (0.05, -0.03), (-0.28, -0.01))  # fmt: skip
    figure(canvas, shades, body, _leg(0.15, -0.22, 0.17, 0.08, 0.045))
    haunch = blob(
        (-0.38, -0.14), (-0.3, -0.3), (-0.12, -0.33), (0.0, -0.2), (-0.03, -0.06), (-0.2, -0.01), (-0.34, -0.03)
    )
    figure(canvas, shades, haunch, ellipse(-0.06, -0.045, 0.17, 0.045))
    with _at(canvas, 0.22, -0.44):
        _long_ear(canvas, _far(shades), 0.03, -0.14, 8)
        _long_ear(canvas, shades, -0.1, -0.13, -16)
        figure(
            canvas,
            shades,
            blob(
                (0, -0.2),
                (0.16, -0.14),
                (0.22, 0.03),
                (0.17, 0.14),
                (0.02, 0.18),
                (-0.14, 0.14),
                (-0.21, 0.02),
                (-0.16, -0.14),
            ),
        )
        _rabbit_face(canvas, shades, 0.03)


def _rabbit_upright(canvas: skia.Canvas, shades: Shades, bent: bool = False) -> None:
    _tuft(canvas, shades, -0.24, -0.1)
    body = blob(
        (0, -0.48), (0.15, -0.4), (0.23, -0.22), (0.21, -0.05), (0, 0), (-0.21, -0.05), (-0.23, -0.22), (-0.15, -0.4)
    )
    figure(canvas, shades, body)
    _patch(canvas, body, ellipse(0, -0.2, 0.13, 0.17), _pale(shades))
    for side in (-1, 1):
        figure(
            canvas, shades, tube((side * 0.17, -0.34, 0.05), (side * 0.16, -0.24, 0.05), (side * 0.07, -0.21, 0.045))
        )
        figure(canvas, shades, ellipse(side * 0.15, -0.05, 0.12, 0.05))
        _toes(canvas, shades, side * 0.18, -0.02, 0.05)
    with _at(canvas, 0, -0.5):
        _long_ear(canvas, shades, -0.09, -0.12, -12)
        if bent:
            figure(
                canvas,
                shades,
                tube(
                    (0.08, -0.14, 0.05),
                    (0.13, -0.29, 0.075),
                    (0.22, -0.33, 0.065),
                    (0.29, -0.24, 0.08),
                    (0.31, -0.12, 0.04),
                ),
            )
        else:
            _long_ear(canvas, shades, 0.09, -0.12, 12)
        figure(
            canvas,
            shades,
            blob(
                (0, -0.19),
                (0.17, -0.14),
                (0.24, 0.03),
                (0.18, 0.14),
                (0, 0.18),
                (-0.18, 0.14),
                (-0.24, 0.03),
                (-0.17, -0.14),
            ),
        )
        _rabbit_face(canvas, shades, 0)


def _rabbit_listening(canvas: skia.Canvas, shades: Shades) -> None:
    _rabbit_upright(canvas, shades, bent=True)


# --- horse -------------------------------------------------------------------------------------------------------


def _hoofed(canvas: skia.Canvas, shades: Shades, *legs: Sequence[Knot]) -> None:
    """Thin legs, their last stretch a dark hoof."""
    hoof = (84, 68, 62) if not _is_dark(shades) else (150, 140, 134)
    for knots in legs:
        x, y, r = knots[-1]
        path = blob((x - r, y - r), (x + r, y - r), (x + r * 1.5, y + r), (x - r * 1.2, y + r))
        shape(canvas, path, hoof, shades.line, LINE)


def _horse_head(canvas: skia.Canvas, shades: Shades) -> None:
    """Seen from the side, around the poll at (0, 0), the nose to the lower right."""
    for x, coat in ((0.035, _far(shades)), (-0.02, shades)):
        figure(canvas, coat, blob((x - 0.04, 0), (x - 0.01, -0.13), (x + 0.02, -0.13), (x + 0.045, -0.02)))
    head = blob(
        (-0.08, 0),
        (0.02, -0.06),
        (0.12, 0.01),
        (0.24, 0.14),
        (0.31, 0.24),
        (0.28, 0.33),
        (0.18, 0.33),
        (0.06, 0.24),
        (-0.06, 0.16),
    )
    figure(canvas, shades, head)
    _patch(canvas, head, ellipse(0.27, 0.3, 0.11, 0.1), _pale(shades))
    _eye(canvas, 0.1, 0.095, 0.064)
    canvas.drawPath(ellipse(0.275, 0.24, 0.014, 0.02), fill(PUPIL))
    _line(canvas, _ink(shades), (0.27, 0.305), (0.22, 0.31), (0.17, 0.26))
    _blush(canvas, 0.1, 0.205, 0.03)


def _flow(canvas: skia.Canvas, shades: Shades, *locks: skia.Path) -> None:
    """A mane or tail of several locks of hair."""
    colour = _accent(shades)
    for lock in locks:
        canvas.drawPath(lock, stroke(shades.line, LINE * 1.6))
    for lock in locks:
        canvas.drawPath(lock, fill(colour))


def _horse(canvas: skia.Canvas, shades: Shades, front: Sequence[Knot], far_front: Sequence[Knot]) -> None:
    _flow(canvas, shades, tube((-0.4, -0.58, 0.04), (-0.52, -0.56, 0.06), (-0.56, -0.36, 0.075), (-0.6, -0.18, 0.03)),
          tube((-0.42, -0.57, 0.04), (-0.5, -0.48, 0.05), (-0.5, -0.3, 0.05), (-0.53, -0.14, 0.02)))  # fmt: skip
    hind = ((-0.31, -0.5, 0.12), (-0.34, -0.36, 0.075), (-0.39, -0.2, 0.043), (-0.36, -0.035, 0.036))
    far_hind = ((-0.24, -0.46, 0.1), (-0.22, -0.34, 0.06), (-0.24, -0.2, 0.04), (-0.21, -0.035, 0.034))
    figure(canvas, _far(shades), tube(*far_hind), tube(*far_front))
    _hoofed(canvas, shades, far_hind, far_front)
    body = blob((-0.43, -0.56), (-0.3, -0.67), (-0.08, -0.62), (0.1, -0.65), (0.27, -0.62), (0.33, -0.5),
                (0.24, -0.38), (0.04, -0.36), (-0.2, -0.39), (-0.42, -0.44))  # fmt: skip
    neck = blob(
        (0.04, -0.62),
        (0.14, -0.76),
        (0.24, -0.94),
        (0.38, -0.88),
        (0.4, -0.76),
        (0.34, -0.6),
        (0.3, -0.4),
        (0.1, -0.45),
    )
    figure(canvas, shades, body, neck, tube(*hind), tube(*front))
    _hoofed(canvas, shades, hind, front)
    _patch(canvas, body, ellipse(-0.06, -0.35, 0.2, 0.05), shades.dark, 90)
    _flow(
        canvas,
        shades,
        *(ellipse(x, y, 0.065, 0.075) for x, y in ((0.23, -0.88), (0.17, -0.79), (0.11, -0.71), (0.06, -0.63))),
    )
    with _at(canvas, 0.3, -0.88):
        _horse_head(canvas, shades)
    _flow(canvas, shades, tube((0.27, -0.94, 0.035), (0.32, -0.93, 0.035), (0.37, -0.885, 0.016)))


def _horse_standing(canvas: skia.Canvas, shades: Shades) -> None:
    _horse(canvas, shades, ((0.2, -0.46, 0.09), (0.19, -0.22, 0.044), (0.18, -0.035, 0.036)),
           ((0.26, -0.46, 0.07), (0.3, -0.22, 0.042), (0.31, -0.035, 0.034)))  # fmt: skip


def _horse_trotting(canvas: skia.Canvas, shades: Shades) -> None:
    _horse(canvas, shades, ((0.22, -0.48, 0.09), (0.42, -0.38, 0.05), (0.4, -0.2, 0.036)),
           ((0.2, -0.44, 0.075), (0.17, -0.2, 0.042), (0.14, -0.035, 0.034)))  # fmt: skip


# --- bird --------------------------------------------------------------------------------------------------------


def _beak_colour(shades: Shades) -> RGB:
    """Golden, but orange where the bird itself is yellow or red enough to hide it."""
    return ORANGE if shades.base[1] > 180 else (252, 190, 50)


def _twig_legs(canvas: skia.Canvas, *feet: Point) -> None:
    """Thin bird legs from (x, y) down to three toes on the ground."""
    for x, top in feet:
        for tip in ((x + 0.07, -0.015), (x + 0.0, -0.012), (x - 0.06, -0.015)):
            canvas.drawPath(curve((x, -0.05), tip), stroke(RUST, 0.028))
        canvas.drawPath(curve((x, top), (x, -0.05)), stroke(RUST, 0.03))


def _feathers(canvas: skia.Canvas, shades: Shades, *feathers: skia.Path) -> None:
    for feather in feathers:
        shape(canvas, feather, mix(shades.base, shades.dark, 0.55), shades.line, LINE)


def _bird(
    canvas: skia.Canvas, shades: Shades, open_beak: bool, wing: skia.Path, lines: Sequence[Sequence[Point]]
) -> None:
    _twig_legs(canvas, (-0.04, -0.2), (0.1, -0.2))
    _feathers(
        canvas, shades, tube((-0.3, -0.36, 0.06), (-0.58, -0.5, 0.07)), tube((-0.3, -0.32, 0.06), (-0.6, -0.38, 0.06))
    )
    beak = _beak_colour(shades)
    upper = blob((0.34, -0.78), (0.45, -0.74), (0.55, -0.67), (0.42, -0.65), (0.34, -0.65))
    lower = blob((0.33, -0.66), (0.42, -0.65), (0.5, -0.58 if open_beak else -0.65), (0.4, -0.59), (0.33, -0.6))
    for part in (lower, upper):
        shape(canvas, part, beak, RUST, LINE)
    body = blob((0.14, -0.97), (0.32, -0.9), (0.39, -0.72), (0.37, -0.48), (0.27, -0.26), (0.06, -0.14),
                (-0.18, -0.18), (-0.36, -0.34), (-0.28, -0.5), (-0.1, -0.62), (-0.06, -0.82))  # fmt: skip
    figure(
        canvas,
        shades,
        body,
        tube((0.1, -0.93, 0.03), (0.07, -0.99, 0.014)),
        tube((0.16, -0.94, 0.03), (0.17, -1.0, 0.014)),
    )
    _patch(canvas, body, ellipse(0.27, -0.38, 0.2, 0.25), mix(shades.base, shades.light, 0.8))
    _feathers(canvas, shades, wing)
    for line in lines:
        _line(canvas, shades.line, *line)
    _eye(canvas, 0.2, -0.76, 0.08)
    _blush(canvas, 0.24, -0.6, 0.04)


def _bird_perched(canvas: skia.Canvas, shades: Shades) -> None:
    wing = blob(
        (0.12, -0.56), (0.16, -0.4), (0.06, -0.27), (-0.14, -0.24), (-0.42, -0.28), (-0.24, -0.42), (-0.08, -0.55)
    )
    _bird(
        canvas,
        shades,
        False,
        wing,
        (((0.06, -0.42), (-0.04, -0.34), (-0.18, -0.36)), ((0.02, -0.33), (-0.1, -0.28), (-0.26, -0.31))),
    )


def _bird_fluttering(canvas: skia.Canvas, shades: Shades) -> None:
    wing = blob(
        (0.14, -0.48),
        (0.04, -0.36),
        (-0.16, -0.42),
        (-0.34, -0.56),
        (-0.44, -0.7),
        (-0.46, -0.88),
        (-0.3, -0.82),
        (-0.12, -0.7),
        (0.08, -0.6),
    )
    _bird(
        canvas,
        shades,
        True,
        wing,
        (((-0.06, -0.5), (-0.2, -0.56), (-0.34, -0.74)), ((0, -0.44), (-0.14, -0.48), (-0.26, -0.56))),
    )


# --- duck --------------------------------------------------------------------------------------------------------


def _webbed(canvas: skia.Canvas, *feet: Point) -> None:
    for x, top in feet:
        canvas.drawPath(curve((x, top), (x, -0.04)), stroke(RUST, 0.06))
        canvas.drawPath(curve((x, top), (x, -0.04)), stroke(ORANGE, 0.04))
        shape(
            canvas,
            blob((x - 0.05, -0.03), (x, -0.08), (x + 0.14, -0.04), (x + 0.15, -0.005), (x, 0)),
            ORANGE,
            RUST,
            LINE,
        )


def _bill(canvas: skia.Canvas, is_open: bool) -> None:
    """A flat, broad bill turned up at the tip, to the right of (0, 0)."""
    lower = blob(
        (-0.04, 0.03),
        (0.14, 0.06 if not is_open else 0.09),
        (0.2, 0.07 if not is_open else 0.13),
        (0.12, 0.12 if is_open else 0.1),
        (-0.02, 0.09),
    )
    upper = blob((-0.04, -0.06), (0.06, -0.03), (0.18, 0.0), (0.27, -0.01), (0.27, 0.045), (0.14, 0.07), (-0.04, 0.05))
    shape(canvas, lower, (214, 112, 28), RUST, LINE)
    shape(canvas, upper, ORANGE, RUST, LINE)
    canvas.drawPath(ellipse(0.07, 0.0, 0.014, 0.01), fill(RUST))


def _duck(canvas: skia.Canvas, shades: Shades, wing: skia.Path, is_open: bool) -> None:
    """The floating part: its lowest line is at y = -0.14."""
    with _at(canvas, 0.4, -0.79):
        canvas.scale(0.82, 1.3)
        _bill(canvas, is_open)
    body = blob((-0.6, -0.58), (-0.42, -0.5), (-0.2, -0.54), (0.04, -0.52), (0.26, -0.52), (0.37, -0.38),
                (0.28, -0.2), (0.02, -0.14), (-0.28, -0.17), (-0.48, -0.32))  # fmt: skip
    neck = tube((0.16, -0.4, 0.17), (0.17, -0.56, 0.12), (0.22, -0.72, 0.13))
    head = blob(
        (0.24, -1.0),
        (0.38, -0.94),
        (0.43, -0.8),
        (0.36, -0.67),
        (0.22, -0.63),
        (0.09, -0.7),
        (0.06, -0.84),
        (0.12, -0.95),
    )
    figure(canvas, shades, tube((0.16, -0.95, 0.02), (0.1, -1.0, 0.014)), body, neck, head)
    _patch(canvas, body, ellipse(0.26, -0.28, 0.14, 0.16), mix(shades.base, shades.light, 0.6))
    _feathers(canvas, shades, wing)
    _eye(canvas, 0.27, -0.83, 0.068)
    _blush(canvas, 0.26, -0.71, 0.035)


_FOLDED_WING: Final = (
    (0.1, -0.44), (0.14, -0.34), (0.02, -0.24), (-0.2, -0.24), (-0.36, -0.33), (-0.46, -0.42), (-0.24, -0.44),
    (-0.08, -0.48),
)  # fmt: skip
_LIFTED_WING: Final = (
    (0.12, -0.38), (-0.02, -0.29), (-0.2, -0.36), (-0.34, -0.5), (-0.46, -0.68), (-0.44, -0.82), (-0.3, -0.78),
    (-0.12, -0.66), (0.06, -0.5),
)  # fmt: skip


def _duck_standing(canvas: skia.Canvas, shades: Shades) -> None:
    _webbed(canvas, (-0.08, -0.2), (0.1, -0.2))
    _duck(canvas, shades, blob(*_FOLDED_WING), False)
    for y in (-0.36, -0.3):
        _line(canvas, shades.line, (0.02, y), (-0.1, y + 0.06), (-0.24, y - 0.01))


def _duck_flapping(canvas: skia.Canvas, shades: Shades) -> None:
    _webbed(canvas, (-0.12, -0.2), (0.14, -0.2))
    _duck(canvas, shades, blob(*_LIFTED_WING), True)
    _line(canvas, shades.line, (-0.04, -0.4), (-0.22, -0.48), (-0.34, -0.68))


def _duck_resting(canvas: skia.Canvas, shades: Shades) -> None:
    with _at(canvas, 0, 0):
        canvas.scale(1.08, 1.08)
        canvas.translate(0, 0.14)
        _duck(canvas, shades, blob(*_FOLDED_WING), False)
        _line(canvas, shades.line, (0.02, -0.36), (-0.1, -0.3), (-0.24, -0.37))


# --- bear --------------------------------------------------------------------------------------------------------


def _round_ear(canvas: skia.Canvas, shades: Shades, x: float, y: float, size: float) -> None:
    figure(canvas, shades, ellipse(x, y, size, size))
    canvas.drawPath(ellipse(x, y + size * 0.15, size * 0.58, size * 0.58), fill(mix(_accent(shades), ROSE, 0.35)))


def _bear_head(canvas: skia.Canvas, shades: Shades, turn: float = 0.0) -> None:
    """Seen from the front, around (0, 0), about 0.56 wide; `turn` moves the face to the side it looks to."""
    for side in (-1, 1):
        _round_ear(canvas, shades, side * 0.2, -0.17, 0.085)
    skull = blob(
        (0, -0.23), (0.2, -0.16), (0.28, 0.04), (0.2, 0.18), (0, 0.23), (-0.2, 0.18), (-0.28, 0.04), (-0.2, -0.16)
    )
    figure(canvas, shades, skull)
    shape(canvas, ellipse(turn, 0.1, 0.13, 0.1), _pale(shades))
    for side in (-1, 1):
        _eye(canvas, turn + side * 0.115, -0.04, 0.05)
        _blush(canvas, turn + side * 0.19, 0.07, 0.035)
    _smile(canvas, turn, 0.1, 0.06, PUPIL if not _is_dark(shades) else WHITE, 0.014)
    _nose(canvas, turn, 0.06, 0.05, PUPIL)


def _pad(canvas: skia.Canvas, shades: Shades, x: float, y: float) -> None:
    """The sole of a foot turned to the viewer."""
    figure(canvas, shades, ellipse(x, y, 0.1, 0.11))
    pad = mix(_accent(shades), ROSE, 0.3)
    canvas.drawPath(ellipse(x, y + 0.025, 0.05, 0.04), fill(pad))
    for k in (-1, 0, 1):
        canvas.drawPath(ellipse(x + k * 0.042, y - 0.045 - (k == 0) * 0.012, 0.018, 0.02), fill(pad))


def _bear_sitting(canvas: skia.Canvas, shades: Shades) -> None:
    body = blob(
        (0, -0.62),
        (0.2, -0.54),
        (0.31, -0.3),
        (0.27, -0.07),
        (0.1, 0),
        (-0.1, 0),
        (-0.27, -0.07),
        (-0.31, -0.3),
        (-0.2, -0.54),
    )
    figure(canvas, shades, body, *(tube((s * 0.18, -0.14, 0.12), (s * 0.33, -0.1, 0.1)) for s in (-1, 1)))
    _patch(canvas, body, ellipse(0, -0.26, 0.17, 0.19), _pale(shades))
    for side in (-1, 1):
        figure(canvas, shades, tube((side * 0.2, -0.46, 0.07), (side * 0.27, -0.36, 0.08), (side * 0.245, -0.24, 0.08)))
        _pad(canvas, shades, side * 0.33, -0.11)
    with _at(canvas, 0, -0.72):
        _bear_head(canvas, shades)


def _bear_walking(canvas: skia.Canvas, shades: Shades) -> None:
    figure(canvas, _far(shades), _leg(-0.22, -0.3, -0.16, 0.1, 0.08), _leg(0.26, -0.3, 0.36, 0.1, 0.078))
    body = blob((-0.54, -0.4), (-0.46, -0.62), (-0.22, -0.74), (0.04, -0.76), (0.26, -0.82), (0.42, -0.68),
                (0.44, -0.44), (0.3, -0.25), (0.0, -0.2), (-0.3, -0.2), (-0.5, -0.24))  # fmt: skip
    legs = _leg(-0.38, -0.34, -0.42, 0.15, 0.085), _leg(0.2, -0.36, 0.14, 0.13, 0.085)
    figure(canvas, shades, ellipse(-0.53, -0.5, 0.05, 0.05), body, *legs)
    for x in (-0.36, 0.2):
        _toes(canvas, shades, x, -0.015, 0.06)
    with _at(canvas, 0.36, -0.66, 0.98):
        _bear_head(canvas, shades, 0.05)


def _bear_waving(canvas: skia.Canvas, shades: Shades) -> None:
    figure(canvas, shades, *(_leg(s * 0.13, -0.2, s * 0.15, 0.12, 0.1, 0.02) for s in (-1, 1)))
    figure(canvas, shades, tube((0.18, -0.46, 0.08), (0.33, -0.5, 0.08), (0.4, -0.68, 0.08)))
    canvas.drawPath(ellipse(0.4, -0.69, 0.04, 0.045), fill(mix(_accent(shades), ROSE, 0.3)))
    body = blob(
        (0, -0.62),
        (0.18, -0.55),
        (0.27, -0.34),
        (0.24, -0.14),
        (0, -0.08),
        (-0.24, -0.14),
        (-0.27, -0.34),
        (-0.18, -0.55),
    )
    figure(canvas, shades, body)
    _patch(canvas, body, ellipse(0, -0.31, 0.16, 0.18), _pale(shades))
    figure(canvas, shades, tube((-0.2, -0.47, 0.07), (-0.28, -0.36, 0.078), (-0.285, -0.23, 0.08)))
    for side in (-1, 1):
        _toes(canvas, shades, side * 0.17, -0.015, 0.06)
    with _at(canvas, 0, -0.73, 0.95, 4):
        _bear_head(canvas, shades)


# --- elephant ----------------------------------------------------------------------------------------------------


def _nails(canvas: skia.Canvas, shades: Shades, *feet: float) -> None:
    for foot in feet:
        for k in (-1, 0, 1):
            shape(
                canvas,
                ellipse(foot + 0.02 + k * 0.055, -0.02, 0.024, 0.024),
                mix(shades.light, IVORY, 0.6),
                shades.line,
                0.007,
            )


def _pillar(x: float, top: float) -> skia.Path:
    """An elephant's leg, as wide at the sole as above."""
    shank = tube((x, top, 0.13), (x, top * 0.5, 0.105), (x, -0.1, 0.1))
    sole = blob((x - 0.1, -0.12), (x + 0.1, -0.12), (x + 0.12, -0.015), (x, 0), (x - 0.11, -0.015))
    return skia.Op(shank, sole, skia.PathOp.kUnion_PathOp)


def _elephant(canvas: skia.Canvas, shades: Shades, trunk: Sequence[Knot]) -> None:
    _line(canvas, shades.line, (-0.46, -0.56), (-0.58, -0.5), (-0.57, -0.32), width=0.05)
    _line(canvas, shades.base, (-0.46, -0.56), (-0.58, -0.5), (-0.57, -0.32), width=0.028)
    canvas.drawPath(ellipse(-0.57, -0.3, 0.028, 0.045), fill(shades.line))
    figure(canvas, _far(shades), _pillar(-0.2, -0.3), _pillar(0.22, -0.3))
    body = blob((-0.5, -0.46), (-0.44, -0.66), (-0.24, -0.79), (0.02, -0.8), (0.22, -0.76), (0.34, -0.56),
                (0.28, -0.34), (0.06, -0.24), (-0.24, -0.23), (-0.46, -0.28))  # fmt: skip
    figure(canvas, shades, body, _pillar(-0.36, -0.34), _pillar(0.07, -0.34))
    _nails(canvas, shades, -0.36, 0.07)
    head = blob(
        (0.1, -0.7), (0.16, -0.9), (0.32, -0.98), (0.48, -0.9), (0.54, -0.72), (0.46, -0.55), (0.3, -0.5), (0.16, -0.54)
    )
    figure(canvas, shades, tube(*trunk), head)
    _wrinkles(canvas, shades, trunk)
    shape(canvas, tube((0.42, -0.53, 0.035), (0.5, -0.46, 0.03), (0.57, -0.48, 0.012)), IVORY, (170, 150, 130), 0.01)
    _eye(canvas, 0.4, -0.76, 0.062)
    _line(canvas, shades.line, (0.36, -0.86), (0.41, -0.89), (0.45, -0.85))
    _blush(canvas, 0.4, -0.64, 0.04)
    ear = blob(
        (0.22, -0.88),
        (0.29, -0.76),
        (0.27, -0.6),
        (0.18, -0.44),
        (0.06, -0.36),
        (-0.06, -0.42),
        (-0.13, -0.6),
        (-0.1, -0.8),
        (0.04, -0.92),
    )
    figure(canvas, shades, ear)
    inner = blob((0.16, -0.8), (0.2, -0.7), (0.16, -0.56), (0.06, -0.45), (-0.03, -0.52), (-0.06, -0.68), (0.03, -0.82))
    shape(canvas, inner, mix(shades.light, ROSE, 0.4))


def _wrinkles(canvas: skia.Canvas, shades: Shades, trunk: Sequence[Knot]) -> None:
    line = _spline(trunk)
    for at in range(15, min(len(line) - 4, 31), 5):
        (x, y, r), after = line[at], line[at + 1]
        length = math.hypot(after[0] - x, after[1] - y) or 1.0
        nx, ny = -(after[1] - y) / length, (after[0] - x) / length
        _line(canvas, shades.line, (x - nx * r * 0.3, y - ny * r * 0.3), (x - nx * r, y - ny * r), width=0.011)


def _elephant_trunk_down(canvas: skia.Canvas, shades: Shades) -> None:
    _elephant(
        canvas,
        shades,
        ((0.42, -0.66, 0.13), (0.52, -0.46, 0.09), (0.52, -0.22, 0.065), (0.6, -0.1, 0.055), (0.68, -0.16, 0.045)),
    )


def _elephant_trunk_up(canvas: skia.Canvas, shades: Shades) -> None:
    _elephant(
        canvas,
        shades,
        ((0.42, -0.66, 0.13), (0.57, -0.56, 0.09), (0.66, -0.68, 0.065), (0.62, -0.86, 0.055), (0.68, -0.96, 0.045)),
    )


ANIMALS: Final[dict[str, DrawSubject]] = {
    "cat": _posed(_cat_sitting, _cat_walking, _cat_lying),
    "dog": _posed(_dog_sitting, _dog_standing, shift=-0.02),
    "rabbit": _posed(_rabbit_crouching, _rabbit_upright, _rabbit_listening),
    "horse": _posed(_horse_standing, _horse_trotting),
    "bird": _posed(_bird_perched, _bird_fluttering, shift=0.05),
    "duck": _posed(_duck_standing, _duck_flapping, _duck_resting, shift=-0.02),
    "bear": _posed(_bear_sitting, _bear_walking, _bear_waving),
    "elephant": _posed(_elephant_trunk_down, _elephant_trunk_up, shift=-0.06),
}
