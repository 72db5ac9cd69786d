r"""TikZ: Graphviz' layout as LaTeX, in which users' names are nothing but text.

The picture needs ``\usepackage{tikz}`` alone. Names in other scripts than Latin and Greek need
LuaLaTeX or XeLaTeX and a font that has them.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

_BOXED = r"{\setlength{\fboxsep}{.6pt}\fbox{%s}}"
_MATH = {
    **{"−": "-", "·": r"\cdot", "×": r"\times", "∂": r"\partial", "∇": r"\nabla", "ℓ": r"\ell"},
    **{"→": r"\to", "≠": r"\neq", "≺": r"\prec", "′": "'", "µ": r"\mu", "∞": r"\infty"},
    **{"○": r"\circ", "●": r"\bullet", "◇": r"\diamond", "∈": r"\in", "≤": r"\leq", "≥": r"\geq"},
    **{"ς": r"\varsigma", "λ": r"\lambda", "Λ": r"\Lambda", "ο": "o", "√": r"\surd"},
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True)),
}
_TEXT = {
    **{"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}"},
    **{"^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}"},
    **{"|": r"\textbar{}", '"': r"\char34{}", "-": "{-}", "`": r"\char96{}", "'": r"\char39{}"},
    **{c: f"\\{c}" for c in "%#&_$"},
    **{"…": r"\ldots{}", "━": "---", "┅": "- -", "\u00a0": "~", "“": "``", "”": "''"},
    "⊠": _BOXED % r"\ensuremath{\times}",
    "□": _BOXED % r"\phantom{x}",
}
_GREEK = re.compile("GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)$")
_SCRIPTS = {"<sub>": "_", "<super>": "^"}
_ACCENTS = {"\u0304": r"\bar", "\u0303": r"\tilde"}
_OVER = re.compile(f"(.)([{''.join(_ACCENTS)}])", re.S)


def tikz(layout: bytes) -> str:
    """The TikZ picture of a layout, which is Graphviz' output in the format json."""
    drawn = json.loads(layout)
    pen = _Pen()
    lines = list(pen.draw(drawn, left=True))
    for part in (*drawn.get("objects", ()), *drawn.get("edges", ())):
        lines += pen.draw(part)
    colors = [f"\\definecolor{{{name}}}{{HTML}}{{{code}}}" for code, name in pen.colors.items()]
    first = r"\begin{tikzpicture}[x=1bp,y=1bp,line width=0.6pt,inner sep=0pt]"
    return "\n".join([first, *colors, *lines, r"\end{tikzpicture}", ""])


def escaped(text: str) -> str:
    """A text as LaTeX that prints it."""
    parts, last = [], 0
    for found in _OVER.finditer(text):
        parts += map(_letter, text[last : found.start()])
        parts.append(f"\\ensuremath{{{_ACCENTS[found[2]]}{{{_letter(found[1])}}}}}")
        last = found.end()
    return "".join([*parts, *map(_letter, text[last:])])


@functools.cache
def _letter(letter: str) -> str:
    """A letter: Greek ones and those above or below the line are mathematics."""
    if letter in _TEXT or letter.isascii():
        return _TEXT.get(letter, letter)
    math, greek = _MATH.get(letter), _GREEK.match(unicodedata.name(letter, ""))
    if math is None and greek is not None:
        size, name = greek.groups()
        math = "\\" + (name.lower() if size == "SMALL" else name.capitalize())
    script, _, code = unicodedata.decomposition(letter).partition(" ")
    if math is None and script in _SCRIPTS:
        math = f"{_SCRIPTS[script]}{{{_letter(chr(int(code, 16)))}}}"
    return letter if math is None else f"\\ensuremath{{{math}}}"


class _Pen:
    """Writes Graphviz' drawing operations as TikZ paths."""

    def __init__(self) -> None:
        self.colors: dict[str, str] = {}

    def draw(self, part: dict[str, Any], left: bool = False) -> Iterator[str]:
        """The paths and texts of one node, arrow or box, or those on the left of the picture."""
        stroke = fill = self.color("#000000")
        size, bold, style = 10.0, False, ""
        for key in ("_draw_", "_ldraw_", "_hdraw_", "_tdraw_"):
            for item in part.get(key, ()):
                op = item["op"]
                look = f"draw={stroke}{style}" + (f",fill={fill}" if op in "EP" else "")
                points = [f"({x},{y})" for x, y in item.get("points", ())]
                if op == "c":
                    stroke = self.color(item["color"])
                elif op == "C":
                    fill = self.color(item["color"])
                elif op == "S":
                    style = f",{item['style']}" if item["style"] in ("dashed", "dotted") else ""
                elif op == "F":
                    size = item["size"]
                elif op == "t":
                    bold = item["fontchar"] % 2 == 1
                elif op == "T":
                    yield self.text(item, stroke, size, bold, left)
                elif left:
                    continue  # the background
                elif op in "Ee":
                    x, y, width, height = item["rect"]
                    yield f"\\path[{look}] ({x},{y}) ellipse ({width} and {height});"
                elif op in "PpL":
                    close = "" if op == "L" else " -- cycle"
                    yield f"\\path[{look}] {' -- '.join(points)}{close};"
                elif op in "Bb":
                    first, *rest = points
                    curves = "".join(
                        f" .. controls {rest[i]} and {rest[i + 1]} .. {rest[i + 2]}"
                        for i in range(0, len(rest) - 2, 3)
                    )
                    yield f"\\path[{look}] {first}{curves};"

    def text(self, item: dict[str, Any], color: str, size: float, bold: bool, left: bool) -> str:
        """A line of text: on the left, or around the middle of the place that Graphviz gave it."""
        x, y = item["pt"]
        middle = {"l": 0.5, "c": 0.0, "r": -0.5}[item["align"]]
        x, anchor = (x, "base west") if left else (x + middle * item["width"], "base")
        font = f"\\fontsize{{{size}}}{{{size * 1.2:.1f}}}\\selectfont"
        font += "\\bfseries" if bold else ""
        shown = escaped(item["text"])
        return f"\\node[anchor={anchor},text={color}] at ({x:.2f},{y}) {{{font} {shown}}};"

    def color(self, code: str) -> str:
        """The name of a colour."""
        return self.colors.setdefault(code[1:7].upper(), f"scg{len(self.colors)}")
