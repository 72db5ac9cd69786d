"""Line plots as small SVG files, whose colours suit light and dark pages and colour blindness.

Text and axes have the colour of the text around an inlined picture (``currentColor``). The colours
of lines have a contrast of at least 3 to white and to black, and differ in dashes too.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

#: Blue, orange, green and purple of Okabe and Ito, made equally dark; then grey.
COLOURS = ["#2f86c9", "#d2691e", "#1d9475", "#b0679a", "#85878a"]
WIDTH, HEIGHT, LEFT, TOP, GAP = 196, 170, 44, 44, 40
FONT = "font-family='system-ui, sans-serif' font-size='11'"


class Line(NamedTuple):
    """A line of a panel: values of None leave gaps, values below the axis lie on its floor."""

    label: str
    values: Sequence[float | None]
    colour: int = 0
    dash: str = ""
    width: float = 2.0


class Panel(NamedTuple):
    """A plot of several lines over shared `x`, with decades `low` to `high` on a log axis."""

    title: str
    subtitle: str
    x: Sequence[float]
    lines: Sequence[Line]
    low: int
    high: int
    note: str = ""


def text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    """A text element."""
    place = f"x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}'"
    return f"<text {place} {more}>{escape(words)}</text>"


def stroke(points: Sequence[tuple[float, float]], line: Line) -> str:
    """A polyline in the style of a line."""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = f" stroke-dasharray='{line.dash}'" if line.dash else ""
    colour = f"stroke='{COLOURS[line.colour]}' stroke-width='{line.width}'"
    return f"<polyline points='{joined}' fill='none' {colour}{dash}/>"


def drawn(panel: Panel, left: float) -> Iterator[str]:
    """Yield the elements of a panel."""
    bottom = TOP + HEIGHT
    yield text(left, 14, panel.title, more="font-weight='600'")
    yield text(left, 30, panel.subtitle, more="font-size='10' opacity='0.8'")
    yield (
        f"<path d='M{left} {TOP}V{bottom}H{left + WIDTH}' fill='none' stroke='currentColor' "
        "opacity='0.6'/>"
    )
    if panel.note:
        middle = left + WIDTH / 2
        for i, words in enumerate(panel.note.split("\n")):
            yield text(middle, TOP + HEIGHT / 2 + 14 * i, words, "middle", "opacity='0.8'")
        return
    first, last = panel.x[0], panel.x[-1]

    def across(x: float) -> float:
        return left + WIDTH * (x - first) / (last - first)

    def up(value: float) -> float:
        decades = math.log10(max(value, 10.0**panel.low)) - panel.low
        return bottom - HEIGHT * min(decades / (panel.high - panel.low), 1.0)

    for k in range(panel.low, panel.high + 1):
        y = up(10.0**k)
        label = "0" if k == panel.low else f"10{''.join('⁰¹²³⁴⁵⁶⁷⁸⁹'[int(d)] for d in str(abs(k)))}"
        label = label.replace("10", "10⁻", 1) if k < 0 and k > panel.low else label
        yield text(left - 5, y + 4, label, "end", "font-size='10'")
        yield f"<path d='M{left} {y:.1f}h{WIDTH}' stroke='currentColor' opacity='0.15'/>"
    for x in (first, (first + last) / 2, last):
        shown = f"{x:g}".replace("-", "−")
        yield text(across(x), bottom + 15, shown, "middle", "font-size='10'")
    yield text(left + WIDTH * 0.75, bottom + 15, "θ", "middle", "font-style='italic'")
    for line in panel.lines:
        pairs = zip(panel.x, line.values, strict=True)
        yield stroke([(across(x), up(v)) for x, v in pairs if v is not None], line)


def figure(panels: Sequence[Panel], below: str) -> str:
    """The SVG of panels side by side, one legend, and a line of text below."""
    known: dict[str, Line] = {}
    for panel in panels:
        known.update({line.label: line for line in panel.lines if line.label not in known})
    width = LEFT + len(panels) * (WIDTH + GAP)
    parts, x, y = [], float(LEFT), TOP + HEIGHT + 38.0
    for i, panel in enumerate(panels):
        parts += drawn(panel, LEFT + i * (WIDTH + GAP))
    for line in known.values():
        size = 46 + 6.1 * len(line.label)
        if x + size > width and x > LEFT:
            x, y = float(LEFT), y + 18
        parts.append(stroke([(x, y - 4), (x + 26, y - 4)], line))
        parts.append(text(x + 32, y, line.label))
        x += size
    parts.append(text(LEFT, y + 20, below, more="font-size='10' opacity='0.8'"))
    box = f"viewBox='0 0 {width} {y + 28:.0f}' width='{width}' height='{y + 28:.0f}'"
    body = "\n".join(parts)
    head = f"<svg xmlns='http://www.w3.org/2000/svg' {box} {FONT} fill='currentColor'>"
    return f"{head}\n{body}\n</svg>\n"
