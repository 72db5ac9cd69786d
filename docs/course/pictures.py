"""Draw the pictures of the lessons from curves.json.

    PYTHONPATH=docs python -m course.pictures [PICTURE ...]     all, or some

Lines differ in colour and in dashes, in the palette of the site's other plots.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from course import curves, toys
from panels import COLOURS

import scg

mpl.use("Agg")
mpl.rcParams |= {
    "svg.hashsalt": "scg", "svg.fonttype": "none", "font.size": 10, "font.family": "sans-serif",
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "legend.fontsize": 9,
}  # fmt: skip
import matplotlib.pyplot as plt  # noqa: E402 - after the choice of its backend

FOLDER = Path(__file__).parent / "pictures"
INK = "#222222"  # in the file the colour of the text around the picture
STYLES = list(zip(COLOURS, ("-", "--", "-.", ":"), strict=False))
for name in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
    mpl.rcParams[name] = INK
LOG = {"score", "grid", "target", "credit", "tau"}
#: Values of x that a line marks, with a label.
P = 1 / (1 + np.exp(-toys.THETA))
MARKS = {
    "parabola": [
        ((1 - P) * (1 - toys.TARGET) ** 2 + P * toys.TARGET**2, "best"),
        (P * (1 - toys.TARGET) ** 2 + (1 - P) * toys.TARGET**2, "E[f]"),
    ]
}


def draw(name: str, panels: list[dict[str, Any]]) -> Any:
    """Figure with the panels of a picture, in one or two columns from top to bottom."""
    columns = min(len(panels), 2)
    rows = len(panels) // columns
    size = (5.4 if columns == 1 else 3.7 * columns, 3.1 * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for i, (axes, panel) in enumerate(zip(grid.T.flat, panels, strict=True)):
        for (color, dashes), (label, values) in zip(STYLES, panel["curves"].items(), strict=False):
            axes.plot(panel["x"], values, dashes, color=color, lw=1.8, label=label)
        if name in LOG:
            axes.set_yscale("log")
        if (min(panel["x"]) > 0 and max(panel["x"]) / min(panel["x"]) > 50) or name == "tau":
            axes.set_xscale("log")
        for x, label in MARKS.get(name, []) if i == 0 else []:
            axes.axvline(x, color=INK, lw=0.8)
            right = label != "best"
            axes.annotate(label, (x, 0.97), xycoords=("data", "axes fraction"), va="top",
                          ha="left" if right else "right", xytext=(3 if right else -3, 0),
                          textcoords="offset points")  # fmt: skip
        axes.set_xlabel(panel["label"])
        axes.set_ylabel(panel.get("ylabel", "variance"))
        if all(isinstance(x, int) for x in panel["x"]) and len(panel["x"]) < 10:
            axes.set_xticks(panel["x"])
        top = max(max(values) for values in panel["curves"].values())
        if name in LOG:
            axes.set_ylim(bottom=max(axes.get_ylim()[0], 1e-6 * top))
        if len(panel["curves"]) > 1 and rows == 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=-(-2 // columns))
    if rows > 1:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=columns)
    return figure


def tangent() -> Any:
    """The cost of the coin as a function of a real x, its tangent at the mean, its residuals."""
    figure, axes = plt.subplots(figsize=(5.4, 3.1), layout="constrained")
    x = np.linspace(-0.1, 1.1, 61)
    cost = lambda x: (x - toys.TARGET) ** 2  # noqa: E731
    line = lambda x: cost(P) + 2 * (P - toys.TARGET) * (x - P)  # noqa: E731
    axes.plot(x, cost(x), STYLES[0][1], color=STYLES[0][0], lw=1.8, label="cost f(x)")
    axes.plot(x, line(x), STYLES[1][1], color=STYLES[1][0], lw=1.8, label="tangent at p")
    for b in (0, 1):
        axes.plot([b, b], [line(b), cost(b)], STYLES[2][1], color=STYLES[2][0], lw=2.4,
                  label=None if b else "residual f(b) − tangent")  # fmt: skip
        axes.plot([b], [cost(b)], "o", color=INK, ms=5)
    axes.plot([P], [cost(P)], "s", color=INK, ms=5)
    axes.set_xlabel("x; the coin takes 0 and 1, the square marks its mean p = 0.599")
    axes.set_ylabel("cost")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


def simplex() -> Any:
    """Relaxed samples of three classes at three temperatures, on the same noise."""
    figure, grid = plt.subplots(1, 3, figsize=(7.4, 2.6), layout="constrained")
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    noise = -np.log(-np.log(np.random.default_rng(0).random((250, 3))))
    logits = np.log([0.5, 0.3, 0.2])
    for axes, tau in zip(grid, (2.0, 0.5, 0.1), strict=True):
        z = (logits + noise) / tau
        weights = np.exp(z - z.max(axis=1, keepdims=True))
        points = weights / weights.sum(axis=1, keepdims=True) @ corners
        axes.plot(*corners[[0, 1, 2, 0]].T, color=INK, lw=1)
        axes.plot(*points.T, "o", color=STYLES[0][0], ms=2.5)
        for corner, label, down in zip(corners, "123", (True, True, False), strict=True):
            axes.annotate(label, corner, ha="center", va="top" if down else "bottom",
                          xytext=(0, -5 if down else 5), textcoords="offset points")  # fmt: skip
        axes.set_title(f"τ = {tau:g}", fontsize=10, pad=14)
        axes.set_aspect("equal")
        axes.axis("off")
    return figure


def surrogate(graph: scg.Graph, path: Path) -> None:
    """Draw the surrogate of the score function."""
    scg.compile(graph, scg.ScoreFunction()).draw(path, level="surrogate")


def across(graph: scg.Graph, path: Path) -> None:
    """Draw a graph from left to right, for a table."""
    graph.draw(path, direction="right", notes=False)


def balancing() -> Any:
    """Costs of a step during gradient descent on influence balancing, as they were measured."""
    text = FOLDER.parents[1].joinpath("results", "influence_balancing.json").read_text("utf-8")
    found = json.loads(text)
    ways = {"RTRL, exact": "RTRL", "UORO": "UORO", "ARTBP(16)": "ARTBP(16)"}
    ways |= {"truncated at 10": "Truncated(10)", "at 1": "Truncated(1)"}
    styles = [*STYLES, (INK, (0, (1, 1)))]
    figure, grid = plt.subplots(1, 2, figsize=(7.4, 3.1), layout="constrained", sharey=True)
    for axes, size in zip(grid, ("13", "23"), strict=True):
        for (color, dashes), (label, way) in zip(styles, ways.items(), strict=True):
            values = found[size]["descent"][way]["curve"]
            axes.plot(25 * np.arange(len(values)), values, linestyle=dashes, color=color, lw=1.8,
                      label=label)  # fmt: skip
        axes.set_yscale("log")
        axes.set_ylim(0.02, 100)
        axes.set_xlabel(f"updates, {size} units")
    grid[0].set_ylabel("cost of a step")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=5)
    return figure


OWN: dict[str, Callable[[], Any]] = {
    "tangent": tangent, "simplex": simplex, "balancing": balancing,
}  # fmt: skip
#: Drawings by scg of its products.
DRAWN: dict[str, Callable[[Path], Any]] = {
    "chain": toys.chain(3, "each").draw,
    "surrogate": lambda path: surrogate(toys.schulman(5), path),
    **{f"graph{n}": lambda path, n=n: across(toys.schulman(n), path) for n in range(1, 6)},
}


def screen(svg: str) -> str:
    """Take the colours of the page; a picture that stands alone takes those of the screen."""
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg).replace(INK, "currentColor")
    root = 'fill="currentColor" stroke-linejoin="round" stroke-linecap="butt"'
    alone = (
        "<style>svg:root{color:#222;background:#fff}@media(prefers-color-scheme:dark)"
        "{svg:root{color:#e4e4e4;background:#131416}}</style>"
    )
    return re.sub(r"(<svg [^>]*)>", rf"\1 {root}>\n{alone}", svg, count=1)


def main() -> None:
    """Draw to svg files."""
    FOLDER.mkdir(exist_ok=True)
    known = json.loads(curves.FILE.read_text(encoding="utf-8"))
    for name in sys.argv[1:] or [*known, *OWN, *DRAWN]:
        path = FOLDER / f"{name}.svg"
        if name in DRAWN:
            DRAWN[name](path)
            continue
        figure = OWN[name]() if name in OWN else draw(name, known[name])
        figure.savefig(path, metadata={"Date": None}, transparent=True)
        plt.close(figure)
        path.write_text(screen(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
