"""A million draws for a point of each curve of the lessons that is of something random.

    PYTHONPATH=docs python -m course.draws [PICTURE ...]     writes draws.json

Twenty batches of 50,000 runs give twenty values of what the curve shows. A t-test compares their
mean with the exact value, at a false-alarm rate of 1e-8 a point. The curves that no draws
are needed for are in FIXED: they have no noise.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from course import curves, toys
from scipy.special import logit

import scg

FILE = Path(__file__).with_name("draws.json")
BATCHES, RUNS = 20, 50_000
LEVEL = 1e-8  #: The false-alarm rate of the test of a point.
Key = tuple[str, int, str]  #: Picture, panel, curve.

#: Curves without noise.
FIXED: set[Key] = {
    ("objective", 0, "cost of b = 1"),
    ("objective", 0, "cost of b = 0"),
    ("truncation", 0, "full gradient"),
    ("truncation", 1, "truncated"),
    ("truncation", 1, "full gradient"),
}


class Point(NamedTuple):
    """What is sampled for a point of a curve.

    `read` takes the mean of a batch, the variance of one run, and the number of runs.
    """

    position: int
    graph: scg.Graph
    estimator: Any
    params: Mapping[str, Any]
    read: Callable[[Any, Any, int], Any]
    data: Mapping[str, Any] | None = None
    kind: str = "gradient"


def mean(m: Any, v: Any, n: int) -> Any:
    """What the curve of a mean shows."""
    return m


def variance(m: Any, v: Any, n: int) -> Any:
    """What the curve of a variance shows: the sum over components."""
    return np.sum(v)


def part(count: int) -> Callable[[Any, Any, int], Any]:
    """The variance of the mean of some estimates."""
    return lambda m, v, n: v / count


def squared(m: Any, v: Any, n: int) -> Any:
    """The square of the mean, without the bias of its estimate."""
    return m**2 - v / n


def error(true: float, count: int | None) -> Callable[[Any, Any, int], Any]:
    """The mean squared error of the mean of some estimates, or the squared bias."""
    return lambda m, v, n: (m - true) ** 2 - v / n + (v / count if count else 0.0)


# --- the points -----------------------------------------------------------------------------------
def points() -> Iterator[tuple[Key, Point]]:
    """A point of each curve that is not fixed."""
    yield from _coin()
    yield from _grid()
    yield from _chains()
    yield from _several()


def _coin() -> Iterator[tuple[Key, Point]]:
    i, here = 13, {"theta": curves.THETAS[13]}
    coin, score, two = toys.coin, scg.ScoreFunction(), scg.LeaveOneOut(2)
    yield ("objective", 0, "expected cost"), Point(i, coin(), score, here, mean, kind="cost")
    yield ("objective", 1, "gradient"), Point(i, coin(), score, here, mean)
    for name, shift in (
        ("variance", 0.0),
        ("variance, cost + 1", 1.0),
        ("variance, cost + 10", 10.0),
    ):
        yield ("score", 0, name), Point(i, coin(shift), score, here, variance)
    yield ("score", 0, "squared gradient"), Point(i, coin(), score, here, squared)
    best = scg.exact(coin(), here).cost
    at = {"theta": toys.THETA}
    constant = curves.constant(curves.BASELINES[9])
    yield ("parabola", 0, "variance"), Point(9, coin(), constant, at, variance)
    both = {
        "no baseline, mean of 2": (score, part(2)),
        "leave-one-out, K = 2": (two, variance),
        "c = E[f], mean of 2": (curves.constant(best), part(2)),
    }
    for name, (estimator, read) in both.items():
        yield ("parabola", 1, name), Point(i, coin(), estimator, here, read)
    aims = {
        "score function, mean of 3": (score, part(3)),
        "MuProp": (scg.MuProp(), variance),
        "REBAR, τ = 1": (scg.REBAR(1.0, learn=False), variance),
        "leave-one-out, K = 3": (scg.LeaveOneOut(3), variance),
    }
    for name, (estimator, read) in aims.items():
        data = {"t": curves.TARGETS[10]}
        yield ("target", 0, name), Point(10, toys.aimed(), estimator, at, read, data)
    tau = curves.TAUS[20]
    relaxed = scg.GumbelSoftmax(tau, allow_biased=True)
    true = float(scg.exact(coin(), at).grads["theta"])
    errors = {
        "squared bias": (relaxed, error(true, None)),
        "error of 1 sample": (relaxed, error(true, 1)),
        "error of 1000 samples": (relaxed, error(true, 1000)),
        "score function, 1000 samples": (score, part(1000)),
    }
    for name, (estimator, read) in errors.items():
        yield ("tau", 0, name), Point(20, coin(), estimator, at, read)
    for name, estimator in (
        ("true", score),
        ("magic box", score),
        ("log p · f twice", toys.Twice()),
    ):
        yield ("curvature", 0, name), Point(i, coin(), estimator, here, mean, kind="hessian")


def _grid() -> Iterator[tuple[Key, Point]]:
    panel = 0
    for learned in ("mu", "sigma"):
        for cost, ks in curves.COSTS.values():
            k = float(ks[8])
            estimators = {
                "score function": scg.ScoreFunction(),
                "with the best constant": curves.constant(curves.best_constant(cost, learned, k)),
                "pathwise": scg.Reparameterization(),
                "measure-valued": scg.MeasureValued(),
            }
            for name, estimator in estimators.items():
                graph = toys.normal(cost, learned)
                own = Point(8, graph, estimator, {learned: 1.0}, variance, {"k": k})
                yield ("grid", panel, name), own
            panel += 1


def _chains() -> Iterator[tuple[Key, Point]]:
    here, score = curves.HERE, scg.ScoreFunction()
    for name, kind in (("return", "return"), ("cost to go", "each")):
        yield ("credit", 0, name), Point(4, toys.chain(5, kind), score, here, variance)
    five = toys.chain(5)
    means = {
        "true gradient": score,
        "MuProp": scg.MuProp(),
        "mean-pass correction": toys.MeanPass(),
    }
    for name, estimator in means.items():
        yield ("depth", 0, name), Point(4, five, estimator, here, mean)
    rollout = scg.MuProp(mean_field="rollout")
    spreads = {
        "score function": score,
        "MuProp, single pass": scg.MuProp(),
        "MuProp, rollout": rollout,
    }
    for name, estimator in spreads.items():
        yield ("depth", 1, name), Point(4, five, estimator, here, variance)
    for name, w in (("w = 2", 2.0), ("w = −4", -4.0)):
        full = float(scg.exact(toys.chain(8, w=w), here).grads["theta"])
        graph = toys.chain(8, window=3, w=w)
        read = lambda m, v, n, full=full: m / full  # noqa: E731
        yield ("truncation", 0, name), Point(2, graph, score, here, read)


def _several() -> Iterator[tuple[Key, Point]]:
    estimators = {
        "score function": scg.ScoreFunction(),
        "leave-one-out, K = 2": scg.LeaveOneOut(2),
        "local expectation": scg.RAM(),
    }
    x = curves.THETAS[13]
    for panel, shared in enumerate((False, True)):
        for name, estimator in estimators.items():
            params = {"theta": x} if shared else {"theta": x, "other": x}
            yield (
                ("sharing", panel, name),
                Point(13, toys.match(shared), estimator, params, variance),
            )
    coupled = {
        "independent, K = 2": scg.LeaveOneOut(2),
        "antithetic (DisARM), K = 2": scg.ARMS(2),
        "independent, K = 4": scg.LeaveOneOut(4),
        "ARMS, K = 4": scg.ARMS(4),
    }
    p = {"theta": logit(curves.PROBS[12])}
    for name, estimator in coupled.items():
        yield ("antithetic", 0, name), Point(12, toys.coin(), estimator, p, variance)
    faces = {"with replacement": scg.LeaveOneOut(3), "without replacement": scg.UnorderedSet(3)}
    for name, estimator in faces.items():
        die = toys.die()
        yield ("antithetic", 1, name), Point(1, die, estimator, die.init(seed=0), variance)


# --- the draws ------------------------------------------------------------------------------------
def drawn(point: Point, batches: int = BATCHES) -> np.ndarray:
    """The value of the curve that each batch gives."""
    order = 2 if point.kind == "hessian" else 1
    step = scg.compile(point.graph, point.estimator, order=order)
    learned = next(iter(point.params))
    found = []
    for batch in range(batches):
        out = step(point.params, seed=(7, batch), runs=RUNS, data=point.data)
        if point.kind == "gradient":
            m, v = out.grads[learned], out.stderr[learned] ** 2 * RUNS
        else:
            m = out.cost if point.kind == "cost" else out.hessian[learned][learned]
            v = np.nan  # of means alone
        found.append(float(point.read(m, v, RUNS)))
    return np.array(found)


def main() -> None:
    """Draw, and keep what was not asked for."""
    warnings.simplefilter("ignore")
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for key, point in points():
        if sys.argv[1:] and key[0] not in sys.argv[1:]:
            continue
        before = time.process_time()
        found = drawn(point)
        known["|".join(map(str, key))] = {
            "position": point.position,
            "found": found.mean(),
            "stderr": found.std(ddof=1) / np.sqrt(BATCHES),
            "first": found[0],
        }
        sys.stdout.write(f"{key}: {time.process_time() - before:.1f} s\n")
        sys.stdout.flush()
        FILE.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
