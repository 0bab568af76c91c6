"""The places that people made: village, city, farm, garden, harbour, park."""

from __future__ import annotations

import numpy as np
import skia

from .brush import RGB, ellipse, fill, mix, stroke
from .nature import draw_sea
from .props import (
    draw_cottage,
    draw_ground,
    draw_hill,
    draw_picket_fence,
    draw_rail_fence,
    draw_round_tree,
    draw_tufts,
    polygon,
    rect,
)
from .sky import HEIGHT, SNOW, WIDTH, Light, dots, glow, vertical

_WALLS: tuple[RGB, ...] = ((238, 224, 200), (226, 208, 196), (216, 222, 214), (240, 228, 184))
_ROOFS: tuple[RGB, ...] = ((190, 106, 84), (172, 112, 96), (150, 110, 104), (200, 128, 90))


def draw_village(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """A row of little cottages with a church."""
    draw_hill(canvas, rng, 200, 40, light.land((134, 172, 130), 0.48), 3)
    draw_ground(canvas, light, 286, (156, 180, 112), 6)
    church = int(rng.integers(0, 2)) * 4 + 1
    for slot in range(7):
        x = 46 + slot * 91 + rng.uniform(-6, 6)
        if slot == church:
            _draw_church(canvas, light, x, 306)
            continue
        wall, roof = _WALLS[int(rng.integers(4))], _ROOFS[int(rng.integers(4))]
        draw_cottage(canvas, light, x, 306 + rng.uniform(-4, 6), rng.uniform(70, 84), (wall, roof))
    lane = skia.Path()
    lane.moveTo(0, 316)
    lane.quadTo(320, 306, 640, 318)
    lane.lineTo(640, 350)
    lane.quadTo(320, 332, 0, 346)
    lane.close()
    canvas.drawPath(lane, fill(light.land((208, 190, 158), 0.08)))
    draw_tufts(canvas, light, rng, (110, 148, 82), 16)


def _draw_church(canvas: skia.Canvas, light: Light, x: float, base: float) -> None:
    far = 0.18
    wall, roof = light.of((236, 230, 220), far), light.land((122, 128, 150), far, 0.45)
    rect(canvas, (x - 8, base - 62, x + 56, base), wall)
    canvas.drawPath(
        polygon((x - 12, base - 60), (x + 2, base - 92), (x + 50, base - 92), (x + 62, base - 60)), fill(roof)
    )
    rect(canvas, (x - 34, base - 118, x + 2, base), mix(wall, light.of((150, 140, 140)), 0.16))
    canvas.drawPath(polygon((x - 40, base - 116), (x - 16, base - 200), (x + 8, base - 116)), fill(roof))
    cross = skia.Path().addRect(skia.Rect.MakeLTRB(x - 18, base - 222, x - 14, base - 196))
    cross.addRect(skia.Rect.MakeLTRB(x - 24, base - 216, x - 8, base - 212))
    canvas.drawPath(cross, fill(light.of((96, 90, 96))))
    canvas.drawCircle(x - 16, base - 96, 9, fill(light.window))
    for left in (12, 32):
        rect(canvas, (x + left, base - 46, x + left + 9, base - 18), light.window)


def draw_city(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """A tall skyline with rows of windows behind a street."""
    tones: tuple[RGB, ...] = ((150, 160, 184), (166, 158, 172), (140, 156, 170), (178, 168, 166))
    for row, (low, high, far) in enumerate(((60, 130, 0.50), (96, 210, 0.20))):
        left = -20.0 - rng.uniform(0, 30)
        while left < WIDTH:
            width = rng.uniform(54, 84)
            top = rng.uniform(low, high)
            _draw_block(canvas, light, rng, (left, top, left + width, 320), tones[int(rng.integers(4))], far)
            left += width + (6 if row else 16)
    rect(canvas, (0, 310, WIDTH, 346), light.land((190, 186, 182), 0.10, 0.6))
    road = (light.land((128, 130, 140), 0.06, 0.45), light.land((112, 114, 124), 0.0, 0.45))
    canvas.drawRect(skia.Rect.MakeLTRB(0, 346, WIDTH, HEIGHT), vertical(346, HEIGHT, road))
    rect(canvas, (0, 344, WIDTH, 351), light.of((214, 210, 204)))
    marks = skia.Path()
    for x in range(-40 + int(rng.integers(0, 40)), WIDTH, 120):
        marks.addPath(polygon((x, 452), (x + 8, 442), (x + 70, 442), (x + 64, 452)))
    canvas.drawPath(marks, fill(light.of((236, 232, 214))))


def _draw_block(
    canvas: skia.Canvas,
    light: Light,
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
    colour: RGB,
    far: float,
) -> None:
    left, top, right, bottom = box
    rect(canvas, box, light.of(colour, far))
    if light.snowy:
        rect(canvas, (left, top, right, top + 7), light.of(SNOW, far))
    if rng.random() < 0.3:
        rect(canvas, ((left + right) / 2 - 2, top - 26, (left + right) / 2 + 2, top), light.of(colour, far))
    if far > 0.4 and not light.night:
        return
    windows = skia.Path()
    dark = light.night or light.time == "evening"
    columns = np.arange(left + 8, right - 12, 15).tolist()
    for y in np.arange(top + 16, bottom - 24, 22).tolist():
        for x, chance in zip(columns, rng.random(len(columns)).tolist(), strict=True):
            if not dark or chance < 0.62:
                windows.addRect(skia.Rect.MakeLTRB(x, y, x + 8, y + 11))
    pane = light.window if dark else mix(light.of((214, 228, 240)), light.of(colour, far), 0.25)
    canvas.drawPath(windows, fill(mix(pane, light.of(colour, far), far * 0.7)))


def draw_farm(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """A red-brown barn with a silo, field rows and a fence."""
    draw_hill(canvas, rng, 222, 36, light.land((150, 180, 118), 0.42), 3)
    draw_ground(canvas, light, 276, (186, 178, 104), 4)
    rows = skia.Path()
    for i in range(-9, 10):
        rows.addPath(polygon((320 + i * 26, 280), (320 + i * 120 - 26, HEIGHT), (320 + i * 120 + 26, HEIGHT)))
    canvas.drawPath(rows, fill(light.land((146, 118, 76), 0.12, 0.62)))
    _draw_barn(canvas, light, rng.uniform(84, 128), 314)
    draw_rail_fence(canvas, light, 350, 44)
    canvas.drawRect(skia.Rect.MakeLTRB(0, 352, WIDTH, HEIGHT), vertical(340, HEIGHT, _verge(light)))
    draw_tufts(canvas, light, rng, (126, 140, 70), 22)


def _verge(light: Light) -> tuple[RGB, RGB]:
    return light.land((178, 186, 108), 0.06), light.land((160, 166, 88))


def _draw_barn(canvas: skia.Canvas, light: Light, x: float, base: float) -> None:
    far = 0.14
    wall, trim, roof = (
        light.of((164, 84, 70), far),
        light.of((236, 226, 214), far),
        light.land((120, 96, 92), far, 0.88),
    )
    rect(canvas, (x + 86, base - 150, x + 130, base), light.of((176, 176, 182), far))
    canvas.drawPath(ellipse(x + 108, base - 150, 22, 20), fill(light.land((150, 150, 160), far, 0.88)))
    front = polygon(
        (x - 78, base), (x - 78, base - 82), (x - 52, base - 122), (x, base - 146), (x + 52, base - 122),
        (x + 78, base - 82), (x + 78, base),
    )  # fmt: skip
    canvas.drawPath(front, fill(wall))
    gable = skia.Path()
    gable.addPoly(
        [skia.Point(x + dx, base - dy) for dx, dy in ((-84, 78), (-54, 124), (0, 149), (54, 124), (84, 78))], False
    )
    canvas.drawPath(gable, stroke(roof, 11))
    doors = skia.Path().addRect(skia.Rect.MakeLTRB(x - 34, base - 66, x + 34, base))
    for start, end in (((-34, 66), (34, 0)), ((34, 66), (-34, 0))):
        doors.moveTo(x + start[0], base - start[1])
        doors.lineTo(x + end[0], base - end[1])
    canvas.drawPath(doors, stroke(trim, 5))
    rect(canvas, (x - 15, base - 112, x + 15, base - 84), light.window if light.night else trim)


def draw_garden(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """A clipped hedge, a picket fence, beds of flowers and a mown lawn."""
    hedge = skia.Path().addRect(skia.Rect.MakeLTRB(0, 196, WIDTH, 320))
    for x in range(20, WIDTH + 40, 60):
        hedge.addCircle(x, 196, 32)
    caps = skia.Path(hedge)
    caps.offset(0, 16)
    leaf = (92, 142, 92)
    canvas.drawPath(hedge, fill(light.land(leaf, 0.20, 0.85)))
    canvas.drawPath(caps, fill(light.of((80, 130, 84), 0.16)))
    draw_picket_fence(canvas, light, 322, 66, 26)
    draw_ground(canvas, light, 318, (146, 192, 104), 0)
    stripes = skia.Path()
    for i in range(-5, 6, 2):
        stripes.addPath(
            polygon(
                (320 + i * 44, 350), (320 + i * 44 + 44, 350), (320 + i * 100 + 100, HEIGHT), (320 + i * 100, HEIGHT)
            )
        )
    canvas.drawPath(stripes, fill(light.land((132, 180, 92), 0.02)))
    canvas.drawPath(ellipse(WIDTH / 2, 334, 360, 22), fill(light.land((134, 100, 78), 0.06, 0.35)))
    _draw_bed(canvas, light, rng)


def _draw_bed(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    leaves = np.stack([np.arange(0, WIDTH + 10, 22.0), 336 + rng.uniform(-6, 6, 30)], axis=1)
    dots(canvas, leaves, light.land((88, 148, 84), 0.05, 0.4), 26)
    colours: tuple[RGB, ...] = ((232, 110, 122), (246, 214, 98), (240, 160, 186), (172, 128, 200), (248, 244, 236))
    for i, colour in enumerate(colours):
        xs = np.arange(10.0 + i * 24, WIDTH, 24 * len(colours)) + rng.uniform(-5, 5)
        blooms = np.stack([xs, 326 + rng.uniform(-9, 14, len(xs))], axis=1)
        dots(canvas, blooms, light.vivid(colour, 0.04), 23)
        dots(canvas, blooms, light.of((236, 176, 72) if i != 1 else (196, 128, 60)), 8)


def draw_harbour(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """A stone quay, boats with masts, a small lighthouse on its pier."""
    draw_sea(canvas, light, rng, 372, 246)
    pier = light.land((150, 146, 148), 0.14)
    x = rng.uniform(560, 592)
    canvas.drawPath(polygon((x - 66, 276), (x - 52, 250), (WIDTH, 250), (WIDTH, 276)), fill(pier))
    _draw_lighthouse(canvas, light, x, 252)
    hulls: tuple[RGB, ...] = ((112, 136, 168), (176, 106, 92), (222, 214, 200), (108, 148, 136))
    for slot, hull in enumerate(rng.permutation(4).tolist()):
        _draw_boat(canvas, light, 64 + slot * 128 + rng.uniform(-14, 14), 344, rng.uniform(150, 206), hulls[hull])
    stone = (light.land((186, 178, 168), 0.06, 0.7), light.land((166, 158, 150), 0.0, 0.7))
    canvas.drawRect(skia.Rect.MakeLTRB(0, 362, WIDTH, HEIGHT), vertical(362, HEIGHT, stone))
    rect(canvas, (0, 356, WIDTH, 368), light.land((204, 198, 188), 0.0, 0.9))
    joints = skia.Path()
    for row, y in enumerate((398, 434)):
        joints.moveTo(0, y)
        joints.lineTo(WIDTH, y)
        for left in range(20 + row * 44, WIDTH, 96):
            joints.moveTo(left, y)
            joints.lineTo(left - 10, y + 36)
    canvas.drawPath(joints, stroke(light.of((134, 128, 124)), 2.4, 130))
    for left in (30, 590):
        canvas.drawRoundRect(skia.Rect.MakeXYWH(left, 346, 22, 32), 7, 7, fill(light.of((86, 88, 98))))


def _draw_boat(canvas: skia.Canvas, light: Light, x: float, water: float, height: float, hull: RGB) -> None:
    spars = skia.Path()
    spars.moveTo(x, water - 10)
    spars.lineTo(x, water - height)
    spars.moveTo(x, water - 34)
    spars.lineTo(x + 40, water - 40)
    canvas.drawPath(spars, stroke(light.of((118, 96, 82), 0.10), 5))
    rig = skia.Path()
    rig.addPoly([skia.Point(x - 46, water - 16), skia.Point(x, water - height), skia.Point(x + 44, water - 16)], False)
    canvas.drawPath(rig, stroke(light.of((120, 116, 124), 0.20), 1.6))
    body = skia.Path()
    body.moveTo(x - 54, water - 20)
    body.lineTo(x + 54, water - 20)
    body.quadTo(x + 46, water + 10, x + 26, water + 12)
    body.lineTo(x - 30, water + 12)
    body.quadTo(x - 46, water + 8, x - 54, water - 20)
    canvas.drawPath(body, fill(light.of(hull, 0.14)))
    rect(canvas, (x - 52, water - 22, x + 52, water - 16), light.land((238, 232, 222), 0.08))


def _draw_lighthouse(canvas: skia.Canvas, light: Light, x: float, base: float) -> None:
    far = 0.14
    tower = polygon((x - 24, base), (x - 14, base - 126), (x + 14, base - 126), (x + 24, base))
    canvas.drawPath(tower, fill(light.of((242, 238, 232), far)))
    for low, high in ((0.18, 0.40), (0.64, 0.86)):
        wide, narrow = 24 - 10 * low, 24 - 10 * high
        stripe = polygon(
            (x - wide, base - 126 * low), (x - narrow, base - 126 * high), (x + narrow, base - 126 * high),
            (x + wide, base - 126 * low),
        )  # fmt: skip
        canvas.drawPath(stripe, fill(light.of((206, 92, 84), far)))
    lamp = (x, base - 138)
    if light.night or light.time == "evening":
        glow(canvas, lamp, 60, (255, 236, 160), 190)
    rect(canvas, (x - 11, base - 150, x + 11, base - 126), light.window)
    roof = polygon((x - 17, base - 148), (x, base - 172), (x + 17, base - 148))
    canvas.drawPath(roof, fill(light.land((176, 84, 80), far)))


def draw_park(canvas: skia.Canvas, light: Light, rng: np.random.Generator) -> None:
    """A winding path, a bench, a lamp post, round trees."""
    draw_hill(canvas, rng, 238, 20, light.land((136, 176, 124), 0.46), 3)
    draw_ground(canvas, light, 284, (148, 190, 112), 6)
    for slot in range(7):
        draw_round_tree(canvas, light, 30 + slot * 98 + rng.uniform(-14, 14), 304, rng.uniform(112, 142), 0.32)
    path = skia.Path()
    path.moveTo(322, 290)
    path.cubicTo(470, 312, 60, 352, 150, HEIGHT)
    path.lineTo(430, HEIGHT)
    path.cubicTo(260, 362, 590, 318, 344, 290)
    path.close()
    canvas.drawPath(path, fill(light.land((224, 206, 168), 0.06, 0.6)))
    _draw_bench(canvas, light, rng.uniform(500, 540), 372)
    _draw_lamp(canvas, light, rng.uniform(50, 84), 380)
    draw_tufts(canvas, light, rng, (104, 152, 82), 14)


def _draw_bench(canvas: skia.Canvas, light: Light, x: float, base: float) -> None:
    legs = skia.Path()
    for dx in (-46, 46):
        legs.addRect(skia.Rect.MakeLTRB(x + dx - 4, base - 62, x + dx + 4, base))
    canvas.drawPath(legs, fill(light.of((84, 86, 94), 0.08)))
    for y, thick in ((62, 9), (48, 9), (26, 11)):
        rect(canvas, (x - 60, base - y, x + 60, base - y + thick), light.of((168, 122, 84), 0.08))
    if light.snowy:
        rect(canvas, (x - 60, base - 31, x + 60, base - 24), light.of(SNOW))


def _draw_lamp(canvas: skia.Canvas, light: Light, x: float, base: float) -> None:
    iron = light.of((74, 80, 88), 0.08)
    rect(canvas, (x - 4, base - 190, x + 4, base), iron)
    rect(canvas, (x - 11, base - 10, x + 11, base), iron)
    if light.night or light.time == "evening":
        glow(canvas, (x, base - 208), 84, (255, 226, 140), 190)
    canvas.drawPath(
        polygon((x - 10, base - 190), (x - 17, base - 222), (x + 17, base - 222), (x + 10, base - 190)),
        fill(light.window if light.night else light.of((250, 240, 206))),
    )
    canvas.drawPath(polygon((x - 21, base - 222), (x, base - 240), (x + 21, base - 222)), fill(iron))
