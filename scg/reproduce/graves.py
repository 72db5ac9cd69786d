"""Graves (2016): pathwise gradients through mixtures, with a closed form."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

import scg
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.page import framed, interval, labelled, table
from scg.reproduce.paper import SEEDS, Conditions, Finding, Paper, Piece, by_ratio
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPONENTS, DIMENSIONS, RUNS = 3, (1, 2, 4), 5000
PARAMETERS = {"logits": "weights", "loc": "means", "log_scale": "scales"}
ESTIMATORS: dict[str, scg.Estimator] = {
    "pathwise": scg.Reparameterization(),
    "score function": scg.ScoreFunction(),
    "leave-one-out, K = 2": scg.LeaveOneOut(2),
}
#: The cause suspected where the score function has less variance in weights: a gap between the
#: components, which pathwise gradients cross fast. All means are multiplied by these.
SPREADS = (0.5, 1.0, 1.5, 2.0)


def _declared(g: scg.Graph, dimensions: int, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng([seed, 2016, dimensions])
    shape = (COMPONENTS, dimensions)
    logits = g.parameter("logits", rng.normal(size=COMPONENTS))
    loc = g.parameter("loc", 1.5 * rng.normal(size=shape))
    scale = np.exp(g.parameter("log_scale", 0.3 * rng.normal(size=shape)))
    return logits, loc, scale


def sampled(dimensions: int, seed: int) -> scg.Graph:
    """The mean of Σ (x_d − 1)² + (Σ x_d)² over a mixture of normals with diagonal covariances."""
    g = scg.Graph("mixture of normals")
    logits, loc, scale = _declared(g, dimensions, seed)
    parts = [scg.Normal(loc[k], scale[k]) for k in range(COMPONENTS)]
    x = g.sample("x", scg.Mixture(parts, logits=logits))
    g.cost("loss", np.sum((x - 1.0) ** 2) + np.sum(x) ** 2)
    return g


def closed(dimensions: int, seed: int) -> scg.Graph:
    """The same mean in closed form."""
    g = scg.Graph("closed form")
    logits, loc, scale = _declared(g, dimensions, seed)
    moments = np.sum((loc - 1.0) ** 2 + 2.0 * scale**2, axis=-1) + np.sum(loc, axis=-1) ** 2
    g.cost("loss", np.sum(scg.softmax(logits) * moments))
    return g


def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """Variance and bias of each estimator."""
    for dimensions in DIMENSIONS:
        for seed in SEEDS:
            for name in ESTIMATORS:
                key = dict(dimensions=dimensions, seed=seed, estimator=name)
                work = functools.partial(_measure, dimensions, seed, name)
                yield Piece({"kind": "variance", **key}, work)
    for spread in SPREADS:
        for seed in SEEDS:
            key = {"kind": "apart", "spread": spread, "seed": seed}
            yield Piece(key, functools.partial(_apart, seed, spread))
    for dimensions in DIMENSIONS:
        key = {"kind": "time", "dimensions": dimensions}
        graph = sampled(dimensions, SEEDS[0])
        yield Piece(key, functools.partial(training.times, graph, ESTIMATORS, {}, under, RUNS))


def _apart(seed: int, spread: float) -> Record:
    """Variances in the weights, with means that are drawn together or pulled apart."""
    graph, found = sampled(DIMENSIONS[-1], seed), {}
    params = graph.init(0)
    params["loc"] = spread * params["loc"]
    for name in ("pathwise", "score function"):
        step = scg.compile(graph, ESTIMATORS[name], backend="numpy")
        out = step(params, seed=seed, runs=RUNS)
        found[name] = float(RUNS * np.sum(out.stderr["logits"] ** 2))
    return found


def _measure(dimensions: int, seed: int, name: str) -> Record:
    truth = closed(dimensions, seed)
    params = truth.init(0)
    exact = scg.compile(truth, backend="numpy")(params, seed=0).grads
    step = scg.compile(sampled(dimensions, seed), ESTIMATORS[name], backend="numpy")
    out = step(params, seed=seed, runs=RUNS)
    z = max(float(np.abs((out.grads[p] - exact[p]) / out.stderr[p]).max()) for p in PARAMETERS)
    return {p: float(RUNS * np.sum(out.stderr[p] ** 2)) for p in PARAMETERS} | {"z": z}


def _found(records: list[Record]) -> dict[tuple[int, str], list[Record]]:
    found: dict[tuple[int, str], list[Record]] = {}
    for r in records:
        if r["kind"] == "variance":
            found.setdefault((r["dimensions"], r["estimator"]), []).append(r)
    return found


def findings(records: list[Record]) -> list[Finding]:
    """The pathwise gradient is unbiased, and has less variance than the score function."""
    found = _found(records)
    worst = [r["z"] for runs in found.values() for r in runs]
    text = "no mean is more than five standard errors from the closed form"
    about = f"The largest deviation is {max(worst):.2f} standard errors." if worst else ""
    results = [Finding(text, max(worst) < 5 if worst else None, about)]
    for dimensions in DIMENSIONS:
        for parameter, word in PARAMETERS.items():
            text = f"{word} in {dimensions}D: pathwise has less variance than the score function"
            above, below = (
                [r[parameter] for r in found.get((dimensions, n), [])]
                for n in ("score function", "pathwise")
            )
            results.append(by_ratio(text, above, below))
    near, far = (_gains(records).get(spread) for spread in (SPREADS[0], SPREADS[-1]))
    text = f"weights in {DIMENSIONS[-1]}D: pathwise gains less with means farther from 0, all seeds"
    return [*results, by_ratio(text, near, far)]


def _gains(records: list[Record]) -> dict[float, list[float]]:
    """By distance of the means: variance of the score function over that of pathwise, by seed."""
    found: dict[float, list[float]] = {}
    for r in records:
        if r["kind"] == "apart":
            found.setdefault(r["spread"], []).append(r["score function"] / r["pathwise"])
    return found


def tables(records: list[Record]) -> str:
    """Variances by dimension, estimator and parameter."""
    found, rows = _found(records), []
    for (dimensions, name), runs in found.items():
        by_seed = {r["seed"]: r for r in found.get((dimensions, "pathwise"), [])}
        pairs = [(r, by_seed[r["seed"]]) for r in runs if r["seed"] in by_seed]
        ratios = (interval([a[p] / b[p] for a, b in pairs], 1) for p in PARAMETERS)
        cells = (f"{mean(r[p] for r in runs):.3g} ({next(ratios)})" for p in PARAMETERS)
        effort = training.effort(sampled(dimensions, SEEDS[0]), ESTIMATORS[name])
        ms = training.clock(records, dimensions=dimensions).get(name)
        us = f"{1000 * ms:.2f}" if ms else "–"
        rows.append([dimensions, name, *cells, effort[0], f"{effort[1]:.0f}", us, len(runs)])
    about = (
        f"Variance of one run ({RUNS} runs for each seed), summed over components: mean over the "
        "seeds, which draw the mixture. In brackets stands the ratio to pathwise, seed by seed, "
        "with 95 % intervals. The last columns count the evaluations of the cost in a gradient, "
        "its operations relative to the model's, and CPU microseconds; products compare at equal "
        "budgets."
    )
    head = ["dimensions", "estimator", *PARAMETERS.values(), "evaluations", "operations", "µs",
            "seeds"]  # fmt: skip
    parts = [about, table(head, rows)]
    if gains := _gains(records):
        parts += [
            "## Why pathwise is high in weights",
            f"Variance of the score function over that of pathwise, in the weights in "
            f"{DIMENSIONS[-1]} dimensions, with all means multiplied by a factor, seed by seed.",
            table(["factor", *(f"seed {seed}" for seed in SEEDS)],
                  [[f"{spread:g}", *(f"{g:.2g}" for g in values)]
                   for spread, values in gains.items()]),
        ]  # fmt: skip
    return "\n\n".join(parts)


def draw(records: list[Record]) -> Figure:
    """Variances by dimension, a panel for each kind of parameter."""
    figure, found = canvas(8.5, 2.9), _found(records)
    for axes, (parameter, word) in zip(
        figure.subplots(1, 3, sharey=True), PARAMETERS.items(), strict=True
    ):
        for color, name in zip(COLOURS, ESTIMATORS, strict=False):
            shown = [d for d in DIMENSIONS if (d, name) in found]
            values = [mean(r[parameter] for r in found[d, name]) for d in shown]
            axes.plot(shown, values, "o-", color=color, label=name)
        axes.set(yscale="log", xlabel="dimensions", title=word, xticks=DIMENSIONS)
        framed(axes)
    figure.axes[0].set_ylabel("variance of the gradient")
    labelled(figure.axes[0], fontsize="x-small")
    return figure


GRAVES = Paper(
    name="graves",
    title="Graves (2016): gradients through mixtures of normals",
    short="Graves, mixtures",
    verdict="Unbiased. Less variance than the score function, but for weights of distant parts.",
    about="""
The report derives pathwise gradients through mixtures from conditional distribution functions, one
coordinate after the other; as far as we remember it has no experiment. Here three normals with
diagonal covariances are mixed, the cost is quadratic, and its mean has a closed form in weights,
means and scales.
""",
    why="""
Pathwise and score-function gradients are unbiased. Pathwise has less variance than the score
function in means and scales, by factors of 4 to 32, and in weights in one and two dimensions, by
factors of 2.5 to 8. In the weights of four-dimensional mixtures it has less for two of three seeds,
and 1.75 times as much for the third. The cause is the gap between components: a sample moves with
the flow of probability over the density, which is low there, so that it moves fast. With means half
as far from 0 pathwise has less variance for all seeds, by factors of 4 to 23, and with means twice
as far more for two of three, by factors of 20 and more. A pathwise gradient takes 1.3
to 2.2 times the operations of a score function and 1.5 to 2.7 times the time, leave-one-out with
two samples 1.7 to 1.8 times the operations and 1.3 to 3.8 times the time.
""",
    pieces=pieces,
    findings=findings,
    tables=tables,
    draw=draw,
)
