"""Dimitriev and Zhou (2021a): the toy of ARMS, with exact variances."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import TYPE_CHECKING

import numpy as np

import scg
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.page import framed, labelled, table
from scg.reproduce.paper import Conditions, Finding, Paper, Piece
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGET = 0.49
PROBS = tuple(round(0.1 + 0.05 * i, 2) for i in range(17))
SAMPLES = (2, 4, 6, 8, 10)
NAMES = ("ARMS", "leave-one-out", "DisARM", "ARM")
_TINY = 1e-12
RUNS = 10_000  # in a call whose time is measured


def estimator(name: str, samples: int) -> tuple[scg.Estimator, int]:
    """An estimator, and how many independent copies of it make so many evaluations."""
    if name in ("ARM", "DisARM"):
        return (scg.ARM() if name == "ARM" else scg.DisARM()), samples // 2
    return (scg.ARMS(samples) if name == "ARMS" else scg.LeaveOneOut(samples)), 1


def toy(p: float) -> scg.Graph:
    """A coin z with probability p, and the cost (z − 0.49)²."""
    g = scg.Graph("toy")
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("theta", float(np.log(p / (1 - p))))))
    g.cost("loss", (z - TARGET) ** 2)
    return g


def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """One piece for each number of evaluations and estimator: the variances over p."""
    for samples in SAMPLES:
        for name in NAMES:

            def work(name: str = name, samples: int = samples) -> Record:
                chosen, copies = estimator(name, samples)
                found = []
                for p in PROBS:
                    g = toy(p)
                    m = scg.moments(scg.compile(g, chosen, backend="numpy"), g.init(0))
                    bias = float(m.mean["theta"] - scg.exact(g, g.init(0)).grads["theta"])
                    found.append((float(m.variance["theta"]) / copies, bias))
                variance, bias = np.transpose(found)
                return {"variance": variance.tolist(), "bias": float(np.abs(bias).max())}

            yield Piece(dict(kind="toy", estimator=name, evaluations=samples), work)

    def times() -> Record:
        chosen = {f"{name}, {n}": estimator(name, n)[0] for n in SAMPLES for name in NAMES}
        return training.times(toy(PROBS[0]), chosen, {}, under, RUNS)

    yield Piece({"kind": "time"}, times)


def _curves(records: list[Record]) -> dict[tuple[str, int], np.ndarray]:
    return {
        (r["estimator"], r["evaluations"]): np.array(r["variance"])
        for r in records
        if r["kind"] == "toy"
    }


def findings(records: list[Record]) -> list[Finding]:
    """The claims of the abstract, and what the protocol's authors plot."""
    curves = _curves(records)
    found = [_below(curves, ("ARMS", n), ("leave-one-out", n), "nowhere above") for n in SAMPLES]
    if {("ARMS", 2), ("DisARM", 2)} <= curves.keys():
        gap = np.abs(curves["ARMS", 2] - curves["DisARM", 2]).max()
        found.append(Finding("ARMS with two samples is DisARM", bool(gap < _TINY), f"{gap:.1g}."))
    found += [_below(curves, ("ARMS", n), ("DisARM", n), "nowhere above") for n in SAMPLES[1:]]
    found += [
        _below(curves, ("DisARM", 2), ("ARM", 2), "nowhere above"),
        _below(curves, ("leave-one-out", 2), ("ARM", 2), "nowhere above"),
    ]
    return found


def _below(
    curves: dict[tuple[str, int], np.ndarray], low: tuple[str, int], high: tuple[str, int], how: str
) -> Finding:
    text = f"{low[1]} evaluations: {low[0]} is {how} {high[0]}"
    if not {low, high} <= curves.keys():
        return Finding(text, None)
    gap = curves[low] - curves[high]
    above = [p for p, d in zip(PROBS, gap, strict=True) if d > _TINY]
    where = f"It is above at p = {', '.join(map(str, above))}." if above else ""
    return Finding(text, not above, where)


def tables(records: list[Record]) -> str:
    """Variances at some p, in units of 1e-6."""
    curves, shown = _curves(records), (0.1, 0.25, 0.5, 0.75, 0.9)
    clock = training.clock(records)
    rows = []
    for (name, n), values in sorted(curves.items(), key=lambda item: item[0][1]):
        ns = 1e6 * clock.get(f"{name}, {n}", nan) * estimator(name, n)[1]
        row = [name, n, *(f"{1e6 * values[PROBS.index(p)]:.3g}" for p in shown)]
        rows.append([*row, f"{ns:.0f}"])
    head = ["estimator", "evaluations", *(f"p = {p}" for p in shown), "CPU ns"]
    bias = max((r["bias"] for r in records if r["kind"] == "toy"), default=0.0)
    return (
        "Exact variance of the gradient in the logit of p, times 10⁶. The largest distance of a "
        f"mean from the exact gradient is {bias:.1g}. Times are of a gradient in calls of {RUNS} "
        f"runs.\n\n{table(head, rows)}"
    )


def draw(records: list[Record]) -> Figure:
    """Variance against p for two, four and eight evaluations."""
    figure = canvas(8.5, 3)
    for axes, n in zip(figure.subplots(1, 3, sharey=True), (2, 4, 8), strict=True):
        for color, name in zip(COLOURS, NAMES, strict=False):
            values = _curves(records).get((name, n))
            if values is not None:
                # At p = 1/2 the variance of a coupled pair is exactly 0.
                shown = np.where(values > _TINY, values, np.nan)
                style = "--" if name == "DisARM" else "-"
                axes.plot(PROBS, shown, style, color=color, label=name)
        axes.set(yscale="log", xlabel="p", title=f"{n} evaluations")
        framed(axes)
    figure.axes[0].set_ylabel("variance of the gradient")
    labelled(figure.axes[0], loc="lower left")
    return figure


ARMS = Paper(
    name="arms",
    title="ARMS (Dimitriev and Zhou 2021): variances on the toy",
    short="ARMS, toy",
    verdict="ARMS has less variance than independent samples; at p = 1/2 pairs (DisARM) have none.",
    about="""
A coin z with probability p, and the cost (z − 0.49)². The authors' code estimates variances from
1000 samples at the probabilities that gradient ascent from 0.1 to 0.9 passes; here they are exact,
on a grid of p. With n evaluations ARM and DisARM average n/2 pairs, as there. The authors' Gaussian
copula is left out. The published figure is drawn, not printed.
""",
    why="""
ARMS has at most the variance of independent samples (leave-one-out) at each p and number of
evaluations, and with two evaluations it is DisARM, as published. With four and more it has less
than DisARM except at p = 1/2, where a pair of DisARM has no variance at all; a logarithmic axis
does not show that. ARM has less than two independent samples, but pairs of ARM have more than four
or more of them, except at p = 1/2.
""",
    pieces=pieces,
    findings=findings,
    tables=tables,
    draw=draw,
)
