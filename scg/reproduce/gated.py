"""Bengio, Léonard and Courville (2013): a classifier whose units are gated by stochastic units."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import scg
from scg.estimators.baselines import PerUnit
from scg.models import gated
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.page import band, framed, interval, table
from scg.reproduce.paper import SEEDS, Conditions, Finding, Paper, Piece
from scg.reproduce.race import at
from scg.reproduce.training import OWN_RATE, held_out
from scg.train import Run
from scg.train.optimizer import Slots
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH, RATE, NORM = 32, 0.1, 2.1
TARGET, SAMPLES = 0.1, 10
Parts = tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]


class Gate(NamedTuple):
    """A kind of gate, the estimator of its node, and how many units and gater units there are."""

    kind: str
    estimator: scg.Estimator | None = None
    width: int = 200
    gater: int = 40


ST = scg.StraightThrough(allow_biased=True)
UNITS = {
    "straight-through": Gate("binary", ST),
    "stochastic binary, unbiased": Gate("binary", scg.ScoreFunction(PerUnit())),
    "stochastic times smooth": Gate("smooth"),
    "noisy rectifier": Gate("noisy rectifier"),
    "stochastic binary, predicted": Gate("binary", scg.GradientPredictor(allow_biased=True)),
    "rectifier, no noise": Gate("rectifier"),
    "sigmoid, noise": Gate("noisy sigmoid"),
    "sigmoid, no noise": Gate("sigmoid"),
    # A suspect of the distance to the published errors: few units are active at a time.
    "straight-through, 1000 units": Gate("binary", ST, 1000, 200),
    "sigmoid, no noise, 1000 units": Gate("sigmoid", None, 1000, 200),
}
#: Test errors in percent; from memory, except straight-through's.
PUBLISHED = {
    "straight-through": 1.39,
    "stochastic binary, unbiased": 1.89,
    "stochastic times smooth": 1.96,
    "noisy rectifier": 1.87,
    "rectifier, no noise": 1.60,
    "sigmoid, noise": 1.87,
    "sigmoid, no noise": 1.92,
}
#: Units whose gates are shut for most inputs.
SPARSE = (*tuple(UNITS)[:5], "straight-through, 1000 units")
#: Expected orders, fewer errors first: published, of less variance, and of more units.
ORDER = (
    ("straight-through", "stochastic binary, unbiased"),
    ("straight-through", "sigmoid, no noise"),
    ("rectifier, no noise", "noisy rectifier"),
    ("rectifier, no noise", "sigmoid, no noise"),
    ("stochastic binary, predicted", "stochastic binary, unbiased"),
    ("straight-through, 1000 units", "straight-through"),
    ("straight-through, 1000 units", "sigmoid, no noise, 1000 units"),
)


@dataclass(frozen=True)
class BoundedDescent(scg.optim.SGD):
    """Gradient descent that scales the weights of a unit to a norm of at most `NORM`."""

    @scg.optim.rule
    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Make one step, and bound the columns of a matrix."""
        value = value - rate * grad
        if value.ndim == 2:
            norm = np.sqrt(np.sum(np.square(value), axis=0))
            value = value * (NORM / np.maximum(norm, NORM))
        return value, slots


def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """One run for each seed and unit."""
    parts = functools.cache(lambda: held_out(under.data))
    for seed in SEEDS:
        for unit in UNITS:

            def work(seed: int = seed, unit: str = unit) -> Record:
                return _train(under, parts(), unit, seed)

            yield Piece(dict(kind="run", unit=unit, seed=seed, updates=under.updates), work)


def _train(under: Conditions, parts: Parts, unit: str, seed: int) -> Record:
    kind, estimator, width, gater = UNITS[unit]
    train, valid, test, labels = parts
    means = train.mean(axis=0, dtype=float)
    graph = gated(means, width=width, gater=gater, unit=kind, target=TARGET)
    step = scg.compile(graph, estimator, backend=under.backend, dtype="float32")
    curve: list[list[float]] = []
    points = max(min(10, under.updates), -(-under.updates * BATCH // len(train)))

    def error(run: Run) -> None:
        found = _error(graph, run.params, valid[::10], labels["valid"][::10])
        curve.append([run.now.count, found[0]])

    run = scg.fit(
        step,
        data={"x": train, "labels": labels["train"]},
        seed=seed,
        optimizer=BoundedDescent(RATE),
        own_optimizer=scg.optim.Adam(OWN_RATE),
        batch_size=BATCH,
        epochs=points,
        steps_per_epoch=under.updates // points,
        callbacks=[error],
    )
    error_rate, activity, closed = _error(graph, run.params, test, labels["test"])
    batch = {"x": test[:BATCH], "labels": labels["test"][:BATCH]}
    out = step(run.params, seed=1, runs=1, data=batch, state=run.state)
    silent = float(np.mean(out.grads["main/W"] == 0.0))
    return {
        "error": error_rate, "activity": activity, "closed": closed, "zero_gradient": silent,
        "curve": curve,
    }  # fmt: skip


def _error(
    graph: scg.Graph, params: Record, x: np.ndarray, labels: np.ndarray
) -> tuple[float, float, float]:
    """Percentage of errors, mean activity of the gates, and fraction of gates that are shut."""
    wrong, activity, closed = [], [], []
    for start in range(0, len(x), 1000):
        data = {"x": x[start : start + 1000], "labels": labels[start : start + 1000]}
        nodes = ["scores", "activity", "open"]
        found = graph.simulate(params, nodes=nodes, seed=start, runs=SAMPLES, data=data)
        scores = found["scores"] - found["scores"].max(axis=-1, keepdims=True)
        odds = np.exp(scores)
        probs = (odds / odds.sum(axis=-1, keepdims=True)).mean(axis=0)
        wrong.append(probs.argmax(axis=-1) != data["labels"])
        activity.append(float(found["activity"].mean()))
        closed.append(float((found["open"] == 0.0).mean()))
    return 100 * float(np.concatenate(wrong).mean()), mean(activity), mean(closed)


def predict(under: Conditions, ledger: Ledger) -> Callable[[Record], float]:
    """Time runs of 100 and of 300 updates with each unit."""
    parts = held_out(under.data)
    for unit in UNITS:
        if not ledger.find(kind="pilot", unit=unit):
            ends = [time.perf_counter()]
            for updates in (100, 300):
                _train(replace(under, updates=updates), parts, unit, 0)
                ends.append(time.perf_counter())
            short, long = np.diff(ends)
            each = max(long - short, 0.0) / 200
            ledger.add(dict(kind="pilot", unit=unit, seconds=round(short, 2), each=round(each, 5)))

    def seconds(key: Record) -> float:
        (pilot,) = ledger.find(kind="pilot", unit=key["unit"])
        return pilot["seconds"] + pilot["each"] * key["updates"]

    return seconds


# --- results --------------------------------------------------------------------------------------
def _found(records: list[Record]) -> dict[str, list[Record]]:
    """The runs of each unit, at its largest length."""
    found: dict[str, list[Record]] = {}
    for unit in UNITS:
        runs = [r for r in records if r["kind"] == "run" and r["unit"] == unit]
        longest = max((r["updates"] for r in runs), default=0)
        if runs:
            found[unit] = [r for r in runs if r["updates"] == longest]
    return found


def findings(records: list[Record]) -> list[Finding]:
    """Each unit learns, to the published error; gates are sparse; the published order of some."""
    found, results = _found(records), []
    for unit in UNITS:
        errors = [r["error"] for r in found.get(unit, [])]
        about = f"{interval(errors, 2)} %." if errors else ""
        text = f"{unit}: less than 5 % errors for all seeds"
        results.append(Finding(text, max(errors) < 5 if errors else None, about))
        if unit in PUBLISHED:
            text = f"{unit}: within 0.5 of the published {PUBLISHED[unit]:.2f} % on average"
            met = abs(mean(errors) - PUBLISHED[unit]) <= 0.5 if errors else None
            results.append(Finding(text, met, about))
        if unit in SPARSE:
            active = [r["activity"] for r in found.get(unit, [])]
            text = f"{unit}: gates are active in 5 to 20 % of the cases"
            met = 0.05 < min(active) and max(active) < 0.2 if active else None
            about = f"{interval([100 * a for a in active])} %." if active else ""
            results.append(Finding(text, met, about))
    return results + [_order(records, *pair) for pair in ORDER]


def _order(records: list[Record], few: str, more: str) -> Finding:
    """Expect one unit to end with fewer errors than another, at their largest common length."""
    text = f"{few} ends with fewer errors than {more}, for all seeds"
    rivals = [[r for r in records if r["kind"] == "run" and r["unit"] == u] for u in (few, more)]
    common = set.intersection(*({r["updates"] for r in runs} for runs in rivals))
    if not common:
        return Finding(text, None)
    low, high = ([r["error"] for r in runs if r["updates"] == max(common)] for runs in rivals)
    about = f"{interval(low, 2)} and {interval(high, 2)} % after {max(common)} updates."
    return Finding(text, max(low) < min(high), about)


def tables(records: list[Record]) -> str:
    """Errors, activity and sparsity."""
    rows, found = [], _found(records)
    seconds = {unit: mean(r["cell_cpu"] for r in runs) for unit, runs in found.items()}
    for unit, runs in found.items():
        columns = ("error", 1.0, 2), ("activity", 100.0, 1), ("closed", 100.0, 1)
        columns = *columns, ("zero_gradient", 100.0, 1)
        cells = [interval([k * r[name] for r in runs], digits) for name, k, digits in columns]
        updates = runs[0]["updates"]
        budget = updates * min(seconds.values()) / seconds[unit]
        early = [at(r["curve"], budget) for r in runs if r["curve"][0][0] <= budget]
        each = f"{1000 * seconds[unit] / updates:.2f}"
        published = PUBLISHED.get(unit, "–")
        rows.append([unit, *cells, interval(early, 1), each, published, updates, len(runs)])
    rates = [r["error"] / 100 for runs in found.values() for r in runs] or [0.0]
    low, high = (100 * (p * (1 - p) / 10_000) ** 0.5 for p in (min(rates), max(rates)))
    about = (
        "Percentages with 95 % intervals over the seeds. The standard error of an error rate over "
        f"10,000 test images is {low:.2f} to {high:.2f}. The gradient is that of the main path's "
        "weights in "
        f"one batch of {BATCH}. An update evaluates the network once, whatever the gates are, so "
        "that test errors are at equal evaluations. *At equal times* is the validation error, in "
        "percent, after the processor time of the fastest kind; *ms* is that of an update."
    )
    head = ["gate", "test error", "active", "shut", "zeros in the gradient", "at equal times",
            "ms", "published error", "updates", "seeds"]  # fmt: skip
    return f"{about}\n\n{table(head, rows)}"


def draw(records: list[Record]) -> Figure:
    """Validation error against updates, means and ranges over the seeds."""
    figure = canvas(9, 3.4)
    axes = figure.subplots()
    found = _found(records)
    for i, unit in enumerate(UNITS):
        if runs := found.get(unit):
            color, style = COLOURS[i % len(COLOURS)], "--" if i >= len(COLOURS) else "-"
            curves = np.array([r["curve"] for r in runs])
            updates, errors = curves[0, :, 0], curves[:, :, 1]
            band(axes, updates, errors, ls=style, color=color, label=unit)
    axes.set(yscale="log", xlabel="updates", ylabel="validation error, %")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    framed(axes, "both")
    if found:
        figure.legend(loc="outside right center", fontsize="small")
    return figure


GATED = Paper(
    name="gated",
    title="Bengio, Léonard and Courville (2013): a classifier with stochastic gates",
    short="Bengio et al., gates",
    verdict="Gates are sparse; straight-through beats the unbiased estimator. Not the error rates.",
    about="""
A gater of 40 tanh units turns 200 rectified units on and off; a penalty pulls each gate's mean
activity to 10 %. Batches of 32, SGD with rate 0.1, weights of a unit of norm at most 2.1. The
published runs chose sizes, penalties and momentum for each kind of unit; here all kinds share one
setting. The gate of the noisy rectifier is max(0, a − 1 + ε), that of the rectifier max(0, a), and
that of the sigmoid with noise σ(a + ε), ε standard normal; stochastic times smooth is b √p with b
of mean √p. The activity of rectifiers and sigmoids without noise, and of sigmoids with noise, is
their mean. *Predicted* learns to predict the unbiased estimate from the biased one, as the paper
proposes without a result. Ten samples of the gates are averaged in a test. The published errors
are from memory, except that of straight-through; we do not know whether the published settings were
chosen by validation or by test errors.
""",
    why="""
Gates are sparse. Straight-through ends with 1.9 points fewer errors than the unbiased estimator,
and the prediction of that estimator with 1.7 fewer. The error rates do not reproduce: they are 2.9
to 5 % after 32 passes over the images (published 1.4 to 2). Sigmoids with noise make fewer errors
than straight-through for each seed, those without noise as many. One cause is the size: with 1000
units in place of 200, and a gater of 200 in place of 40, straight-through ends at 2.5 %, and the
sigmoid without noise at 2.3; an update takes six to seven times as long.
""",
    pieces=pieces,
    findings=findings,
    tables=tables,
    draw=draw,
    data="mnist:DIR",
    read=held_out,
    lengths=(500, 3000, 15_000, 30_000, 100_000),
    predict=predict,
)
