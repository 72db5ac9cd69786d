"""Bengio (2013), 1305.2982: unbiased gradients of binary units without back-propagation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

import scg
from scg.estimators.baselines import Constant, OptimalConstant, PerUnit
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.page import framed, interval, labelled, table
from scg.reproduce.paper import SEEDS, Conditions, Finding, Paper, Piece, by_ratio
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS, RATE, UPDATES, BATCH = 8, 0.3, 400, 20
#: Offsets of the cost: the estimator without a baseline pays for them.
OFFSETS = (0.0, 3.0)
BEST = "optimal per unit"
SLOW = "learned per unit, decay 0.99"
NAMES = ("no baseline", "mean cost", BEST, "learned per unit", SLOW)
#: Mean inputs of the rectified units: the lower, the more of them are shut.
INPUTS, RUNS = (0.0, -1.0, -2.0), 20_000


def estimator(name: str, mean_cost: float = 0.0) -> scg.ScoreFunction:
    """(h − σ(a)) (L − b) with one of the baselines b."""
    baselines = {
        "no baseline": None,
        "mean cost": Constant(mean_cost),
        BEST: OptimalConstant(),
        "learned per unit": PerUnit(),
        SLOW: PerUnit(0.99),
    }
    return scg.ScoreFunction(baselines[name])


def network(seed: int, offset: float, copies: int = 1) -> scg.Graph:
    """Binary units with their own logits, and a cost that is a table of all their patterns.

    The table is a Python function: nothing can be propagated back through it.
    """
    rng = np.random.default_rng([seed, 2013])
    costs = rng.standard_normal(2**UNITS) + offset
    powers = 2 ** np.arange(UNITS)
    look = scg.op(lambda h: costs[(h @ powers).astype(int)], name="cost", vectorized=True)
    g = scg.Graph("units")
    plate = scg.Plate("copies", length=copies)
    a = g.parameter("a", rng.standard_normal(UNITS))
    h = g.sample("h", scg.Bernoulli(logits=a), plates=plate)
    g.cost("loss", look(h))
    return g


def rectified(seed: int, mean_input: float) -> tuple[scg.Graph, np.ndarray, np.ndarray]:
    """Units max(0, a + ε), and the cost (w·h − 1)²; its exact gradient, and P(h = 0)."""
    rng = np.random.default_rng([seed, 1305])
    w, a = rng.standard_normal(UNITS), mean_input + 0.5 * rng.standard_normal(UNITS)
    g = scg.Graph("rectified units")
    x = g.sample("x", scg.Normal(g.parameter("a", a), 1.0))
    g.cost("loss", (np.maximum(x, 0.0) @ w - 1.0) ** 2)
    first = a * ndtr(a) + np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi)  # E h, whose slope is P(h > 0)
    slope = 2 * w**2 * first * (1 - ndtr(a)) + 2 * (w @ first - 1) * w * ndtr(a)
    return g, slope, ndtr(-a)


def _sparse(seed: int, mean_input: float) -> Record:
    """Bias, variance and zeros of the gradient through rectified units, and of the score's."""
    g, slope, shut = rectified(seed, mean_input)
    found = {"shut": float(shut.mean())}
    for name, chosen in (("path", scg.Reparameterization()), ("score", scg.ScoreFunction())):
        step = scg.compile(g, chosen, backend="numpy")
        out = step(g.init(0), seed=seed, runs=RUNS)
        error = out.stderr["a"]
        found[f"{name}_variance"] = float(RUNS * np.sum(error**2))
        found[f"{name}_z"] = float(np.abs((out.grads["a"] - slope) / error).max())
        singles = [step(g.init(0), seed=(seed, i)).grads["a"] for i in range(1000)]
        found[f"{name}_zeros"] = float(np.mean(np.array(singles) == 0.0))
    return found


def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """Exact variances, then training; then rectified units."""
    for offset in OFFSETS:
        for seed in SEEDS:
            for name in NAMES:
                key = dict(offset=offset, seed=seed, estimator=name)

                def variance(offset: float = offset, seed: int = seed, name: str = name) -> Record:
                    return _variance(seed, offset, name)

                def train(offset: float = offset, seed: int = seed, name: str = name) -> Record:
                    return _train(seed, offset, name)

                yield Piece({"kind": "variance", **key}, variance)
                yield Piece({"kind": "train", **key}, train)

    def times() -> Record:
        chosen = {name: estimator(name) for name in NAMES}
        return training.times(network(SEEDS[0], 0.0), chosen, {}, under, RUNS)

    yield Piece({"kind": "time"}, times)
    for mean_input in INPUTS:
        for seed in SEEDS:

            def sparse(seed: int = seed, mean_input: float = mean_input) -> Record:
                return _sparse(seed, mean_input)

            yield Piece({"kind": "sparse", "input": mean_input, "seed": seed}, sparse)


def _variance(seed: int, offset: float, name: str) -> Record:
    """Exact variance at the start; a learned baseline is first learned in 2000 calls."""
    g = network(seed, offset)
    params = g.init(0)
    truth = scg.exact(g, params)
    step = scg.compile(g, estimator(name, truth.cost), backend="numpy")
    state = step.init(0)
    for count in range(2000 if state else 0):
        state = step(params, seed=(seed, count), state=state).state
    m = scg.moments(step, params, state=state)
    bias = float(np.abs(m.mean["a"] - truth.grads["a"]).max())
    return {"variance": float(np.sum(m.variance["a"])), "bias": bias}


def _train(seed: int, offset: float, name: str) -> Record:
    """Stochastic gradient descent on the table; the exact mean cost on the way."""
    g = network(seed, offset, BATCH)
    params, alone = g.init(0), network(seed, offset)
    step = scg.compile(g, estimator(name, scg.exact(alone, params).cost), backend="numpy")
    state, curve = step.init(0), []
    for count in range(UPDATES + 1):
        if count % 20 == 0:
            curve.append(scg.exact(alone, params).cost - offset)
        out = step(params, seed=(seed, count), state=state)
        state, params = out.state, {"a": params["a"] - RATE * out.grads["a"]}
    return {"curve": curve}


# --- results --------------------------------------------------------------------------------------
def _found(records: list[Record], kind: str) -> dict[tuple[float, str], list[Record]]:
    found: dict[tuple[float, str], list[Record]] = {}
    for r in records:
        if r["kind"] == kind:
            found.setdefault((r["offset"], r["estimator"]), []).append(r)
    return found


def _near(ratios: Sequence[float]) -> bool:
    return max(ratios) < 1.1


def _not_below(ratios: Sequence[float]) -> bool:
    return min(ratios) >= 1


def findings(records: list[Record]) -> list[Finding]:
    """What the report derives."""
    found = _found(records, "variance")
    bias = [r["bias"] for runs in found.values() for r in runs]
    text = "all five estimators are unbiased (to 1e-10)"
    about = f"The largest bias is {max(bias):.1g}." if bias else ""
    results = [Finding(text, max(bias) < 1e-10 if bias else None, about)]
    for offset in OFFSETS:
        for name in ("no baseline", "mean cost", "learned per unit", SLOW):
            text = f"offset {offset:g}: the optimal baseline has at most the variance of {name}"
            learned = name.startswith("learned")
            if learned:
                text = f"offset {offset:g}: {name}, is within 10 % of the optimal baseline"
            above, below = (
                [r["variance"] for r in found.get((offset, n), [])] for n in (name, BEST)
            )
            results.append(by_ratio(text, above, below, _near if learned else _not_below))
    sparse = [r for r in records if r["kind"] == "sparse"]
    worst = max((r["path_z"] for r in sparse), default=0.0)
    text = "rectified units: no mean is more than five standard errors from the closed form"
    about = f"The largest deviation is {worst:.2f} standard errors." if sparse else ""
    results.append(Finding(text, worst < 5 if sparse else None, about))
    gap = max((abs(r["path_zeros"] - r["shut"]) for r in sparse), default=0.0)
    text = "rectified units: gradients have as many zeros as units are shut (to 0.02)"
    results.append(Finding(text, gap < 0.02 if sparse else None))
    for mean_input in INPUTS:
        text = f"rectified units, mean input {mean_input:g}: less variance than the score function"
        mine = [r for r in sparse if r["input"] == mean_input]
        above, below = ([r[f"{name}_variance"] for r in mine] for name in ("score", "path"))
        results.append(by_ratio(text, above, below))
    return results


def _rectified(records: list[Record]) -> str:
    """Sparsity and variances of rectified units, if they were measured."""
    columns = ("shut", "path_zeros", "score_zeros"), ("path_variance", "score_variance")
    rows = []
    for mean_input in INPUTS:
        mine = [r for r in records if r["kind"] == "sparse" and r["input"] == mean_input]
        percents = (interval([100 * r[name] for r in mine]) for name in columns[0])
        if mine:
            rest = (interval([r[name] for r in mine], 2) for name in columns[1])
            rows.append([f"{mean_input:g}", *percents, *rest])
    if not rows:
        return ""
    head = ["mean input", "shut, %", "zeros of a gradient, %", "of the score function, %",
            "variance", "of the score function"]  # fmt: skip
    return (
        "\n## Smooth units with sparse gradients\n\nRectified units max(0, a + ε), ε standard "
        f"normal: how many are shut, and zeros and variance ({RUNS} runs) of the pathwise "
        f"gradient and of the score function's.\n\n{table(head, rows)}"
    )


def tables(records: list[Record]) -> str:
    """Exact variances and trained costs."""
    variances, trained = _found(records, "variance"), _found(records, "train")
    rows, clock = [], training.clock(records)
    for offset in OFFSETS:
        best = [r["curve"][-1] for r in trained.get((offset, BEST), [])]
        for name in NAMES:
            one, two = variances.get((offset, name), []), trained.get((offset, name), [])
            if one:
                ends = [r["curve"][-1] for r in two]
                gaps = [a - b for a, b in zip(ends, best, strict=False)]
                rows.append(
                    [f"{offset:g}", name, interval([r["variance"] for r in one], 3),
                     interval(ends, 3), interval(gaps, 3), f"{1000 * clock.get(name, nan):.2f}"]
                )  # fmt: skip
    about = (
        "Exact variance of one run at the start, summed over the units, and exact mean cost, "
        f"without offset, after {UPDATES} updates (rate {RATE}, {BATCH} runs each), with 95 % "
        "intervals over the seeds, which draw the table of costs; the last column but one compares "
        f"seed by seed. Each gradient evaluates the cost once; times are those in a call of {RUNS} "
        "runs."
    )
    head = ["offset", "baseline", "variance", f"cost after {UPDATES} updates",
            "above the optimal baseline", "CPU µs"]  # fmt: skip
    return f"{about}\n\n{table(head, rows)}{_rectified(records)}"


def draw(records: list[Record]) -> Figure:
    """Variances over that of the optimal baseline, and how far training lags behind it."""
    variances, trained = _found(records, "variance"), _found(records, "train")
    figure = canvas(8.5, 3.2)
    left, right = figure.subplots(1, 2)
    for marker, offset in zip("os", OFFSETS, strict=True):
        least = [r["variance"] for r in variances.get((offset, BEST), [])]
        for i, name in enumerate(NAMES):
            values = [r["variance"] for r in variances.get((offset, name), [])]
            ratios = [v / low for v, low in zip(values, least, strict=False)]
            x = [i + (0.15 if offset else -0.15)] * len(ratios)
            label = "_" if i else f"cost + {offset:g}"
            left.plot(x, ratios, marker, color=COLOURS[bool(offset)], alpha=0.8, label=label)
    left.set(yscale="log", ylabel="variance / optimal baseline", title="at the start")
    left.set_yticks((1, 2, 5, 10), ("1", "2", "5", "10"))
    left.set_yticks((), minor=True)
    left.set_xticks(range(len(NAMES)), NAMES, rotation=20, ha="right", fontsize="small")
    best = [r["curve"] for r in trained.get((OFFSETS[-1], BEST), [])]
    for color, name in zip(COLOURS, NAMES, strict=False):
        curves = [r["curve"] for r in trained.get((OFFSETS[-1], name), [])]
        lags = [np.subtract(a, b) for a, b in zip(curves, best, strict=False)]
        if lags:
            right.plot(20 * np.arange(len(lags[0])), np.mean(lags, axis=0), color=color, label=name)
    right.set(xlabel="updates", ylabel="mean cost − that of the optimal")
    right.set_title(f"training on cost + {OFFSETS[-1]:g}")
    for axes, loc in ((left, "upper right"), (right, "center right")):
        framed(axes)
        labelled(axes, loc=loc)
    return figure


UNBIASED = Paper(
    name="unbiased",
    title="Bengio (2013): unbiased gradients of binary units without back-propagation",
    short="Bengio, unbiased",
    verdict="The derivations hold, and gradients are sparse; a noisy baseline adds variance.",
    about="""
The report derives that (h − σ(a)) (L − b) is an unbiased gradient of E L in the logit a of a binary
unit h for any constant b, with the least variance at b = E[(h − σ(a))² L] / E[(h − σ(a))²]. We know
of no experiment in it. Here eight units index a table of 256 normal costs, a Python function
without derivative, with and without an offset of 3; means and variances are exact. The report's
second proposal, rectified units with noise on their input, has a pathwise gradient that is
unbiased, and zero where a unit is shut: eight of them have the cost (w·h − 1)². The prediction of
the unbiased estimate from a biased one, which it proposes, too, is on the [page of
gates](gated.md).
""",
    why="""
The derivations hold exactly: no bias, and the least variance at the optimal baseline. A learned
baseline that averages ten runs (decay 0.9) is noisy, which adds 2 to 23 % of variance; one that
averages a hundred adds at most 1 %. Without an offset in the cost a baseline matters little; with
an offset of 3 its absence multiplies the variance by 9.5 to 11.6. Gradients through rectified units
have as many zeros as units are shut, 44 to 95 %, no bias, and a variance that is 6 to 19 times
smaller than that of the score function.
""",
    pieces=pieces,
    findings=findings,
    tables=tables,
    draw=draw,
)
