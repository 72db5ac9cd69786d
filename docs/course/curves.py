"""The curves of the lessons, as exact numbers in curves.json.

    PYTHONPATH=docs python -m course.curves [PICTURE ...]     all, or some; then course.pictures

Each picture is a list of panels: the label and the values of x, and curves by name. Variances are
exact moments of one estimate, divided by the number of estimates that a curve's name states.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from course import toys

import scg

FILE = Path(__file__).with_name("curves.json")
THETAS = np.linspace(-3.0, 3.0, 41)
BASELINES = np.linspace(0.15, 0.35, 41)
TARGETS = np.linspace(-1.0, 2.0, 31)
TAUS = np.logspace(-1.3, 0.9, 45)
PROBS = np.linspace(0.02, 0.98, 49)
COINS = tuple(range(1, 9))
WINDOWS = (1, 2, 3, 5, 7, 10, 14, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100)
SCORE, TWO = scg.ScoreFunction(), scg.LeaveOneOut(2)
HERE = {"theta": toys.THETA}
Panel = dict[str, Any]


def panel(
    label: str, x: Iterable[Any], curves: Mapping[str, Iterable[Any]], ylabel: str = "variance"
) -> Panel:
    """Axes with curves by name."""
    named = {name: np.asarray(list(values), float).tolist() for name, values in curves.items()}
    return {"label": label, "x": np.asarray(x).tolist(), "ylabel": ylabel, "curves": named}


def variances(
    graph: scg.Graph, over: Mapping[str, Any], curves: Mapping[str, Any], **runs: int
) -> dict[str, np.ndarray]:
    """Exact variances of estimators along a line; `runs` is how many are averaged, by default 1."""
    swept = scg.sweep(graph, curves, over)
    return {k: np.maximum(c.variance, 0.0) / runs.get(k, 1) for k, c in swept.items()}


def constant(c: float) -> scg.Estimator:
    """The score function with a constant baseline."""
    return scg.ScoreFunction(scg.baselines.Constant(c))


def moments(graph: scg.Graph, estimator: Any, **params: float) -> Any:
    """Exact moments at the given parameters."""
    return scg.moments(scg.compile(graph, estimator, backend="numpy"), {**HERE, **params})


# --- lessons 1 to 3: one coin ---------------------------------------------------------------------
def objective() -> list[Panel]:
    """Costs of the samples, their mean, and the gradient of the mean."""
    true = [scg.exact(toys.coin(), {"theta": x}) for x in THETAS]
    costs = {
        "cost of b = 1": [(1 - toys.TARGET) ** 2 for _ in THETAS],
        "cost of b = 0": [toys.TARGET**2 for _ in THETAS],
        "expected cost": [t.cost for t in true],
    }
    slope = {"gradient": [t.grads["theta"] for t in true]}
    return [
        panel("θ", THETAS, costs, "cost"),
        panel("θ", THETAS, slope, "gradient of the expected cost"),
    ]


def score() -> list[Panel]:
    """Variance of the score function for a cost and for shifted costs; the squared gradient."""
    swept = {c: scg.sweep(toys.coin(c), {"": SCORE}, {"theta": THETAS}) for c in (10.0, 1.0, 0.0)}
    names = {10.0: "variance, cost + 10", 1.0: "variance, cost + 1", 0.0: "variance"}
    curves = {names[c]: s[""].variance for c, s in swept.items()}
    return [panel("θ", THETAS, curves | {"squared gradient": swept[0.0].truth["theta"] ** 2})]


def parabola() -> list[Panel]:
    """Variance over the baseline, and over θ for three ways to choose it."""
    mean = [scg.exact(toys.coin(), {"theta": x}).cost for x in THETAS]
    both = {
        "no baseline, mean of 2": lambda c: SCORE,
        "leave-one-out, K = 2": lambda c: TWO,
        "c = E[f], mean of 2": constant,
    }
    halved = {name: 2 for name in both if name.endswith("mean of 2")}
    return [
        panel("baseline c, at θ = 0.4", BASELINES,
              variances(toys.coin(), {"c": BASELINES}, {"variance": constant})),
        panel("θ", THETAS, variances(toys.coin(), {"theta": THETAS, "c": mean}, both, **halved)),
    ]  # fmt: skip


# --- lesson 4: one normal variable ----------------------------------------------------------------
COSTS: dict[str, tuple[Callable[[Any, Any], Any], np.ndarray]] = {
    "(x − k)²": (lambda x, k: (x - k) ** 2, np.linspace(-3.0, 3.0, 25)),
    "exp(−k x²)": (lambda x, k: np.exp(-k * x**2), np.logspace(-1.0, 1.0, 25)),
    "cos(k x)": (lambda x, k: np.cos(k * x), np.logspace(np.log10(0.5), np.log10(5.0), 25)),
}
NODES = np.linspace(-12.0, 12.0, 4001)
WEIGHTS = np.exp(-(NODES**2) / 2)


def best_constant(cost: Callable[[Any, Any], Any], learned: str, k: float) -> float:
    """E[s² f] / E[s²] for x ~ N(1, 1), by the trapezoidal rule."""
    squared = (NODES if learned == "mu" else NODES**2 - 1) ** 2
    return float(WEIGHTS @ (squared * cost(1 + NODES, k)) / (WEIGHTS @ squared))


def grid() -> list[Panel]:
    """Variances of four estimators for three costs, in μ and in σ."""
    estimators = {
        "score function": lambda c: SCORE,
        "with the best constant": constant,
        "pathwise": lambda c: scg.Reparameterization(),
    }
    panels = []
    for learned, letter in (("mu", "μ"), ("sigma", "σ")):
        for name, (cost, ks) in COSTS.items():
            over = {"k": ks, "c": [best_constant(cost, learned, k) for k in ks]}
            graph = toys.normal(cost, learned)
            found = variances(graph, over, estimators)
            step, at = scg.compile(graph, scg.MeasureValued(), backend="numpy"), {learned: 1.0}
            parts = [scg.moments(step, at, {"k": k}, limit=1 << 22) for k in ks]  # two uniforms
            found["measure-valued"] = np.maximum([m.variance[learned] for m in parts], 0.0)
            panels.append(panel(f"k, for {name}", ks, found, f"variance in {letter}"))
    return panels


# --- lessons 5 and 6: a chain of coins ------------------------------------------------------------
def credit() -> list[Panel]:
    """Variance of the return and of the costs to go."""
    kinds = {"return": "return", "cost to go": "each"}
    curves = {
        name: [moments(toys.chain(n, kind), SCORE).variance["theta"] for n in COINS]
        for name, kind in kinds.items()
    }
    return [panel("number of coins", COINS, curves)]


def depth() -> list[Panel]:
    """Means with the right correction and with that of the mean pass; variances."""
    depths = COINS[:7]
    single, rollout = scg.MuProp(), scg.MuProp(mean_field="rollout")
    found = {
        e: [moments(toys.chain(n), e) for n in depths]
        for e in (SCORE, single, rollout, toys.MeanPass())
    }
    score, right, rolled, wrong = found.values()
    means = {
        "true gradient": [scg.exact(toys.chain(n), HERE).grads["theta"] for n in depths],
        "MuProp": [m.mean["theta"] for m in right],
        "mean-pass correction": [m.mean["theta"] for m in wrong],
    }
    spread = {"score function": score, "MuProp, single pass": right, "MuProp, rollout": rolled}
    return [
        panel("number of coins", depths, means, "mean of the estimate"),
        panel("number of coins", depths,
              {k: [m.variance["theta"] for m in v] for k, v in spread.items()}),
    ]  # fmt: skip


def target() -> list[Panel]:
    """Variance over the target of one coin."""
    estimators = {
        "score function, mean of 3": SCORE,
        "MuProp": scg.MuProp(),
        "REBAR, τ = 1": scg.REBAR(1.0, learn=False),
        "leave-one-out, K = 3": scg.LeaveOneOut(3),
    }
    thirds = {"score function, mean of 3": 3}
    curves = variances(toys.aimed(), {"t": TARGETS}, estimators, **thirds)
    return [panel("target t, at θ = 0.4", TARGETS, curves)]


# --- lesson 7: two coins --------------------------------------------------------------------------
def sharing() -> list[Panel]:
    """Variance in θ with and without a shared parameter."""
    estimators = {
        "score function": SCORE, "leave-one-out, K = 2": TWO, "local expectation": scg.RAM(),
    }  # fmt: skip
    panels = []
    for shared, label in ((False, "θ, each coin its own"), (True, "θ, shared by both coins")):
        points = [{"theta": x} if shared else {"theta": x, "other": x} for x in THETAS]
        steps = {k: scg.compile(toys.match(shared), e) for k, e in estimators.items()}
        found = {k: [scg.moments(s, p) for p in points] for k, s in steps.items()}
        curves = {k: [m.variance["theta"] for m in v] for k, v in found.items()}
        panels.append(panel(label, THETAS, curves))
    return panels


# --- lesson 8: relaxations ------------------------------------------------------------------------
def tau() -> list[Panel]:
    """Squared bias and mean squared errors over the temperature."""
    estimators = {"relaxed": scg.GumbelSoftmax, "score": lambda temperature: SCORE}
    swept = scg.sweep(toys.coin(), estimators, {"temperature": TAUS})
    relaxed, score = swept["relaxed"], swept["score"]
    curves = {
        "squared bias": relaxed.bias2,
        "error of 1 sample": relaxed.mse(),
        "error of 1000 samples": relaxed.mse(1000),
        "score function, 1000 samples": score.mse(1000),
    }
    return [panel("temperature τ", TAUS, curves, "mean squared error")]


# --- lesson 9: coupled samples --------------------------------------------------------------------
def antithetic() -> list[Panel]:
    """Variance of independent and of coupled samples; samples with and without replacement."""
    estimators = {
        "independent, K = 2": TWO,
        "antithetic (DisARM), K = 2": scg.ARMS(2),
        "independent, K = 4": scg.LeaveOneOut(4),
        "ARMS, K = 4": scg.ARMS(4),
    }
    faces = {"with replacement": scg.LeaveOneOut, "without replacement": scg.UnorderedSet}
    logits, samples = np.log(PROBS / (1 - PROBS)), (2, 3, 4)
    return [
        panel("p", PROBS, variances(toys.coin(), {"theta": logits}, estimators)),
        panel("samples of the die", samples, variances(toys.die(), {"samples": samples}, faces)),
    ]


# --- lesson 10: second derivatives and truncation -------------------------------------------------
def second(estimator: Any) -> list[float]:
    """Mean estimates of the second derivative for one coin."""
    step = scg.compile(toys.coin(), estimator, order=2, backend="numpy")
    found = [scg.moments(step, {"theta": x}, variance=False).hessian for x in THETAS]
    return [hessian["theta"]["theta"] for hessian in found]


def curvature() -> list[Panel]:
    """The second derivative, and the means of two estimates of it."""
    true = [scg.exact(toys.coin(), {"theta": x}).hessian["theta"]["theta"] for x in THETAS]
    curves = {
        "true": true, "magic box": second(SCORE), "log p · f twice": second(toys.Twice()),
    }  # fmt: skip
    return [panel("θ", THETAS, curves, "second derivative")]


def balance(window: int, states: int = 23, positive: int = 10) -> float:
    """First entry of Σ A^j v over the window: influence balancing, s′ = A s + θ v."""
    A = 0.5 * (np.eye(states) + np.eye(states, k=1))
    v = np.where(np.arange(states) < positive, 1.0, -1.0)
    d = np.zeros(states)
    for _ in range(window):
        d = A @ d + v
    return float(d[0])


def truncated(w: float) -> np.ndarray:
    """Gradients of eight coins with θ learned in the last steps alone, over the full one."""
    graphs = [toys.chain(8, window=n, w=w) for n in COINS]
    found = np.array([scg.exact(g, HERE).grads["theta"] for g in graphs])
    return found / found[-1]


def truncation() -> list[Panel]:
    """Truncated gradients over the window."""
    coins = {"w = 2": truncated(2.0), "w = −4": truncated(-4.0), "full gradient": np.ones(8)}
    states = {
        "truncated": [balance(k) for k in WINDOWS], "full gradient": [balance(1000)] * len(WINDOWS),
    }  # fmt: skip
    return [
        panel("window, of 8 coins", COINS, coins, "truncated / full"),
        panel("window, influence balancing", WINDOWS, states, "derivative"),
    ]


PICTURES: dict[str, Callable[[], list[Panel]]] = {
    f.__name__: f for f in (
        objective, score, parabola, grid, credit, depth, target, sharing, tau, antithetic,
        curvature, truncation,
    )
}  # fmt: skip


def main() -> None:
    """Compute, and keep what was not asked for."""
    warnings.simplefilter("ignore")
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for name in sys.argv[1:] or PICTURES:
        known[name] = PICTURES[name]()
        sys.stdout.write(f"{name}\n")
    FILE.write_text(json.dumps(known, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
