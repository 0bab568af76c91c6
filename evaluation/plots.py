"""Figures with intervals as SVG that stands in a page: its text is text, and its colours are the page's."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from .figures import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .intervals import Estimate

_WIDTH_IN, _ROW_IN, _AXIS_IN = 3.3, 0.42, 0.3
_FONT_PX = 9
# Stand for what the page's style gives to the classes: a colour of ours says nothing in the dark.
_CLASSES = {"#010101": "ink", "#020202": "soft", "#030303": "mark", "#040404": "rule"}
_INK, _SOFT, _MARK, _RULE = _CLASSES
_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"


def interval_plot(rows: Sequence[tuple[str, Estimate]], *, low: float = 0.0, high: float = 1.0) -> str:
    """A row a system: name, value as a dot and in figures, interval as a line; SVG without a style of its own."""
    import matplotlib
    from matplotlib.figure import Figure

    said = "; ".join(f"{name} {figure(found.value)}" for name, found in rows)
    # The salt makes the names of what is drawn several times differ from those of the page's other drawings.
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": said, "font.size": _FONT_PX}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's fonts draw the text, not matplotlib's
        height = _ROW_IN * len(rows) + _AXIS_IN
        drawing = Figure(figsize=(_WIDTH_IN, height))
        axes = drawing.add_axes((0.02, _AXIS_IN / height, 0.96, 1 - _AXIS_IN / height))
        _frame(axes, len(rows), low, high)
        for number, (name, found) in enumerate(rows):
            _row(axes, len(rows) - 1 - number, name, found, low, high)
        data = BytesIO()
        drawing.savefig(data, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(data.getvalue(), said)


def _frame(axes: Axes, count: int, low: float, high: float) -> None:
    ticks = [low + (high - low) * share for share in (0, 0.25, 0.5, 0.75, 1)]
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    axes.set_ylim(-0.45, count - 0.35)
    axes.set_yticks([])
    axes.set_xticks(ticks, [_tick(value) for value in ticks])
    axes.tick_params(length=0, labelcolor=_SOFT)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.hlines(range(count), low, high, colors=_RULE, linewidth=1, zorder=0)


def _row(axes: Axes, y: int, name: str, found: Estimate, low: float, high: float) -> None:
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [y, y], color=_MARK, linewidth=2.2, solid_capstyle="round", clip_on=False)
    axes.plot([found.value], [y], marker="o", markersize=5.5, color=_MARK, clip_on=False)
    # A name may hold what matplotlib takes for mathematics.
    axes.text(low, y + 0.27, _shortened(name), color=_INK, va="center", parse_math=False)
    axes.text(high, y + 0.27, figure(found.value), color=_INK, va="center", ha="right")


def _shortened(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:19]}…{name[-20:]}"


def _tick(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("0.", ".", 1)


def _for_page(svg: bytes, said: str) -> str:
    """The drawing without prologue, size and styles: a page's policy forbids styles that it did not name."""
    from defusedxml.ElementTree import fromstring

    root: Element = fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in root.iter():
        _as_attributes(element)
        if element.tag == f"{_SVG}g":
            element.attrib.pop("id", None)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", said)
    return _written(root)


def _as_attributes(element: Element) -> None:
    """A style attribute as attributes of its own, and our colours as classes."""
    classes: list[str] = []
    given = dict(part.split(":", 1) for part in element.attrib.pop("style", "").split(";") if ":" in part)
    given = {name.strip(): value.strip() for name, value in given.items()}
    for name in ("fill", "stroke"):
        value = given.get(name) or element.attrib.get(name)
        if value in _CLASSES:
            classes.append(f"{name}-{_CLASSES[value]}")
            given.pop(name, None)
            element.attrib.pop(name, None)
    for name, value in given.items():
        if name == "font":  # size and family: the family is the page's
            element.set("font-size", value.split()[0])
        elif name != "font-family":
            element.set(name, value)
    if classes:
        element.set("class", " ".join(classes))


def _written(root: Element) -> str:
    from xml.etree.ElementTree import tostring

    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if link := element.attrib.pop(f"{_XLINK}href", None):
            element.set("href", link)
    return tostring(root, encoding="unicode")
