"""Themes: the colours of pictures, for screens (light and dark) and for paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Way(NamedTuple):
    """A way in which credit flows back along an edge."""

    light: str
    dark: str
    text: str


#: The ways by kind, in the order of the legend.
WAYS: Mapping[str, Way] = {
    "derivative": Way("#1766a8", "#6fb7f2", "derivative"),
    "score": Way("#b84a00", "#ff9d5c", "credit by the score"),
    "field": Way("#00707a", "#4fd0d8", "derivative of the mean-field pass"),
    "relaxed": Way("#a3247a", "#ff8fd0", "derivative of a relaxed replay"),
    "weight": Way("#6b3fb0", "#c3a6ff", "credit by weights"),
    "along": Way("#1b7a3d", "#6fd08c", "credit by an injected estimate"),
    "open": Way("#333333", "#d0d0d0", ""),
}

#: Other colours by use: on a light and on a dark background.
USES: Mapping[str, tuple[str, str]] = {
    "background": ("#ffffff", "#16181d"),
    "ink": ("#1a1a1a", "#ececec"),
    "muted": ("#545454", "#b8b8b8"),
    "neutral": ("#737373", "#909090"),
    "plate": ("#6a6a6a", "#9a9a9a"),
    "blocked": ("#b00021", "#ff8b95"),
    "observed": ("#d6d6d6", "#3a3e46"),
    "data": ("#e4e4e4", "#30343b"),
    "guide": ("#e2f1e4", "#1f3a2a"),
    "loop": ("#e3eefa", "#1d3148"),
    "product": ("#fbe8d3", "#47301a"),
    "python": ("#f6d5d5", "#4d2426"),
    "heat0": ("#fff4e6", "#2a211a"),
    "heat1": ("#ffe2bd", "#3d2c1a"),
    "heat2": ("#ffd2a0", "#4a311a"),
    "heat3": ("#ffbf80", "#563713"),
}
HEATS = ("heat0", "heat1", "heat2", "heat3")
FONTS = {"screen": "DejaVu Sans,Verdana,sans-serif", "paper": "DejaVu Serif,Times New Roman,serif"}


def color(use: str) -> str:
    """The colour of a use, or of a kind of credit, on a light background."""
    return WAYS[use].light if use in WAYS else USES[use][0]


def darkened() -> dict[str, str]:
    """The colour on a dark background of each one on a light background."""
    return dict(USES.values()) | {way.light: way.dark for way in WAYS.values()}


def heat(share: float) -> str:
    """The use of a share of the largest value."""
    return HEATS[min(int(share * len(HEATS)), len(HEATS) - 1)]
