"""Paints and small strokes that every drawing of the picture book shares, so that all of it looks drawn by one hand.

The house look: flat rounded shapes, one soft shade and one highlight, a thin darker line of the shape's own colour
around the main forms (never pure black), a few telling details.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import skia

from .world import PALETTE

RGB = tuple[int, int, int]


def mix(a: RGB, b: RGB, t: float) -> RGB:
    """The colour a share `t` of the way from `a` to `b`."""
    return (
        round(a[0] + (b[0] - a[0]) * t),
        round(a[1] + (b[1] - a[1]) * t),
        round(a[2] + (b[2] - a[2]) * t),
    )


@dataclass(frozen=True, slots=True)
class Shades:
    """One palette colour as a painter uses it."""

    base: RGB
    light: RGB  # highlights, bellies
    dark: RGB  # shaded side, far legs
    line: RGB  # contour

    @classmethod
    def of(cls, colour: str) -> Shades:
        """The shades of a colour of the palette; black keeps visible highlights and white a visible contour."""
        base = PALETTE[colour]
        if colour == "black":
            return cls(base, (92, 92, 104), (34, 34, 42), (20, 20, 28))
        if colour == "white":
            return cls(base, (255, 255, 255), (214, 212, 210), (150, 146, 148))
        return cls(base, mix(base, (255, 255, 255), 0.38), mix(base, (40, 24, 60), 0.24), mix(base, (40, 20, 50), 0.52))


def fill(colour: RGB, alpha: int = 255) -> skia.Paint:
    """An antialiased filling paint."""
    return skia.Paint(AntiAlias=True, Color=skia.Color(*colour, alpha))


def stroke(colour: RGB, width: float, alpha: int = 255) -> skia.Paint:
    """An antialiased line with round caps and joins; `width` in the units of the canvas."""
    return skia.Paint(
        AntiAlias=True,
        Color=skia.Color(*colour, alpha),
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )


def shape(canvas: skia.Canvas, path: skia.Path, inside: RGB, line: RGB | None = None, width: float = 0.012) -> None:
    """Fill a path and, where a line colour is given, draw its contour."""
    canvas.drawPath(path, fill(inside))
    if line is not None:
        canvas.drawPath(path, stroke(line, width))


def ellipse(cx: float, cy: float, rx: float, ry: float) -> skia.Path:
    """An axis-aligned ellipse around (cx, cy)."""
    return skia.Path().addOval(skia.Rect.MakeLTRB(cx - rx, cy - ry, cx + rx, cy + ry))


# Draws one subject in its own unit box: the ground contact is at (0, 0), y grows downwards, so the subject stands
# between y = -1 (its top) and y = 0 (the ground) and is centred on x = 0. `variant` in [0, 1) chooses a pose or detail.
DrawSubject = Callable[[skia.Canvas, Shades, float], None]
