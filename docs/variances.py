"""Plot the exact variance of each estimator beside those of the score function and leave-one-out.

    python docs/variances.py [PAGE ...]     all, or some of docs/reference/estimators/*.md

Variances are exact moments (``scg.moments``; for ARSM sums over a grid of its noise), summed over
the components of the gradient, as functions of one logit or mean θ. The score function is averaged
over as many samples as the estimator evaluates costs. Leave-one-out draws as many samples, but at
least two and at most four. The numbers are in docs/results/variances.json.
"""

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import scg
from scg.estimators import ESTIMATORS

mpl.use("Agg")
mpl.rcParams |= {"svg.hashsalt": "scg", "svg.fonttype": "none", "font.size": 9}
import matplotlib.pyplot as plt  # noqa: E402 - after the choice of its backend

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "reference" / "estimators" / "variance"
FILE = DOCS / "results" / "variances.json"
THETAS = [round(float(x), 2) for x in np.linspace(-4, 4, 25)]
HERE = 0.67  # where own parameters are learned, and where a test computes the variances again
GRID = 300
UPDATES, RATE = 60, 0.1
MOST = {"real": 2, "relaxed": 2}  # draws of leave-one-out, where moments are integrals
QUIET = {"allow_biased": True}
FILES = {cls.__module__.rpartition(".")[2]: cls for cls in ESTIMATORS}


# --- graphs ---------------------------------------------------------------------------------------
def bits() -> scg.Graph:
    """Two units and one cost, with an interaction and without symmetry."""
    g = scg.Graph("f(b) = exp(b₁ − 0.6 b₂), logits (θ, −0.7)")
    theta, other = g.parameter("theta", HERE), g.parameter("other", -0.7)
    b = g.sample("x", scg.Bernoulli(logits=np.stack([theta, other])))
    g.cost("loss", np.exp(b[0] - 0.6 * b[1]))
    return g


def bit() -> scg.Graph:
    """One unit, whose latent can be integrated over."""
    g = scg.Graph("f(b) = (b − 0.45)², logit θ")
    b = g.sample("x", scg.Bernoulli(logits=g.parameter("theta", HERE)))
    g.cost("loss", (b - 0.45) ** 2)
    return g


def classes() -> scg.Graph:
    """One variable of three classes."""
    g = scg.Graph("f(x) = exp(x₂ / 2 + x₃), logits (θ, −0.7, 0.4)")
    theta, others = g.parameter("theta", HERE), g.parameter("others", [-0.7, 0.4])
    logits = np.stack([theta, others[0], others[1]])
    x = g.sample("x", scg.OneHotCategorical(logits=logits))
    g.cost("loss", np.exp(0.5 * x[1] + x[2]))
    return g


def real() -> scg.Graph:
    """One normal variable."""
    g = scg.Graph("f(x) = (x − 0.45)² + sin 2x, x ~ N(θ, 1)")
    x = g.sample("x", scg.Normal(g.parameter("theta", HERE), 1.0))
    g.cost("loss", (x - 0.45) ** 2 + np.sin(2.0 * x))
    return g


PARTICLES = scg.Plate("particles", length=3)


def particles() -> scg.Graph:
    """A bound with three particles."""
    g = scg.Graph("f(b) = −log 1/3 Σⱼ exp(1.5 bⱼ − 0.3), logit θ")
    b = g.sample("x", scg.Bernoulli(logits=g.parameter("theta", HERE)), plates=PARTICLES)
    g.cost("loss", scg.iwae(1.5 * b - 0.3, PARTICLES))
    return g


GRAPHS: dict[str, Callable[[], scg.Graph]] = {
    "bits": bits, "relaxed": bit, "classes": classes, "real": real, "particles": particles,
}  # fmt: skip
#: For pages with options or other names the graph, and the estimators that are plotted.
NAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "arms": ("bits", {f"ARMS, K={k}": scg.ARMS(k) for k in (2, 4)}),
    "carms": ("classes", {f"CARMS, K={k}": scg.CARMS(k) for k in (2, 3)}),
    "categorical_disarm": ("classes", {
        "DisARM-SB": scg.CategoricalDisARM("stick"), "DisARM-Tree": scg.CategoricalDisARM("tree"),
    }),
    "darn": ("bits", {"1/2 (biased)": scg.DARN(**QUIET)}),
    "double_cv": ("bits", {"double CV, K=2": scg.DoubleCV(2)}),
    "enumeration": ("bits", {"enumeration": scg.Enumeration()}),
    "gapped_straight_through": ("classes", {
        "gapped (biased)": scg.GappedStraightThrough(**QUIET),
    }),
    "gradient_predictor": ("bits", {"predictor (biased)": scg.GradientPredictor(**QUIET)}),
    "gumbel_softmax": ("relaxed", {
        "τ = 0.5 (biased)": scg.GumbelSoftmax(0.5, **QUIET),
        "τ = 0.5, hard (biased)": scg.GumbelSoftmax(0.5, hard=True, **QUIET),
    }),
    "lax": ("real", {"LAX": scg.LAX(hidden=(4,))}),
    "leave_one_out": ("bits", {f"leave-one-out, K={k}": scg.LeaveOneOut(k) for k in (3, 4)}),
    "local_expectation": ("bits", {"local expectation": scg.LocalExpectation()}),
    "measure_valued": ("real", {"measure-valued": scg.MeasureValued()}),
    "optimal_baselines": ("bits", {
        "best constant": scg.ScoreFunction(scg.baselines.OptimalConstant()),
    }),
    "rao_gumbel": ("relaxed", {"K = 1 (biased)": scg.RaoGumbel(0.5, 1, **QUIET)}),
    "rebar": ("relaxed", {
        "η = 1, τ = 0.5": scg.REBAR(learn=False), "learned at the dot": scg.REBAR(),
    }),
    "reinmax": ("classes", {"ReinMax (biased)": scg.ReinMax(**QUIET)}),
    "relax": ("relaxed", {"RELAX, learned at the dot": scg.RELAX(hidden=(4,), coupled=True)}),
    "reparameterization": ("real", {"reparameterization": scg.Reparameterization()}),
    "rodeo": ("bits", {"RODEO, K=2": scg.RODEO(2, hidden=4)}),
    "score_function": ("bits", {
        "baseline 1.2": scg.ScoreFunction(scg.baselines.Constant(1.2)),
    }),
    "straight_through": ("bits", {
        f"{through} (biased)": scg.StraightThrough(through, **QUIET)
        for through in ("mean", "logits")
    }),
    "stratified": ("bits", {f"stratified, K={k}": scg.Stratified(k) for k in (2, 4)}),
    "sum_and_sample": ("bits", {f"sum and sample, K={k}": scg.SumAndSample(k) for k in (2, 3)}),
    "unordered_set": ("bits", {f"unordered set, K={k}": scg.UnorderedSet(k) for k in (2, 3)}),
    "vimco": ("particles", {
        impute: scg.VIMCO(PARTICLES, impute) for impute in ("geometric", "arithmetic")
    }),
}  # fmt: skip


def by_default(cls: type[scg.Estimator]) -> tuple[str, dict[str, Any]]:
    """The first graph that the compiler accepts an estimator on, and the estimator."""
    estimator = cls() if cls.unbiased else cls(**QUIET)
    for name, graph in GRAPHS.items():
        try:
            scg.compile(graph(), estimator)
        except scg.EstimatorError:
            continue
        return name, {cls.__name__ + ("" if cls.unbiased else " (biased)"): estimator}
    raise SystemExit(f"no graph of {', '.join(GRAPHS)} takes {estimator!r}: write a row of NAMED")


PAGES = {page: by_default(cls) for page, cls in FILES.items() if page not in NAMED} | NAMED


# --- numbers --------------------------------------------------------------------------------------
def variances(page: str, thetas: list[float] = THETAS) -> dict[str, list[float]]:
    """The curves of a page by name; the last two are the curves for comparison."""
    graph, estimators = PAGES[page]
    curves, most = {}, 1
    for name, estimator in estimators.items():
        step = scg.compile(GRAPHS[graph](), estimator)
        state = learned(step)
        curves[name] = [variance(step, theta, state) for theta in thetas]
        most = max(most, step.explain().evaluations)
    score, draws = scg.compile(GRAPHS[graph](), scg.ScoreFunction()), max(most, 2)
    several = "" if most == 1 else f", mean of {most}"
    curves[f"score function{several}"] = [variance(score, theta) / most for theta in thetas]
    if graph != "particles":
        draws = min(draws, MOST.get(graph, 4))
        step = scg.compile(GRAPHS[graph](), scg.LeaveOneOut(draws))
        curves[f"leave-one-out, K={draws}"] = [variance(step, theta) for theta in thetas]
    return curves


def variance(step: Any, theta: float, state: Any = None) -> float:
    """The exact variance of one run, summed over the components of the gradient."""
    params = {**step.graph.init(seed=0), "theta": np.array(theta)}
    try:
        found = scg.moments(step, params, state=state).variance
    except scg.EnumerationError:
        found = on_a_grid(step, params)
    return max(sum(float(np.sum(v)) for v in found.values()), 0.0)


def on_a_grid(step: Any, params: Any) -> dict[str, np.ndarray]:
    """Variances over midpoints of all noise, for ARSM, which `scg.moments` refuses."""
    leaves = {name: leaf.shape for name, leaf in step.noise(seed=0).items()}
    points = (np.arange(GRID) + 0.5) / GRID
    axes = np.meshgrid(*(points for _ in leaves), indexing="ij")
    noise = {
        name: axis.reshape(-1, *shape[1:])
        for (name, shape), axis in zip(leaves.items(), axes, strict=True)
    }
    out = step(params, noise=noise)
    return {name: error**2 * out.runs for name, error in out.stderr.items()}


def learned(step: Any) -> Any:
    """The state of an estimator after exact gradient steps on its variance (or loss) at the dot."""
    state, slots, rule = step.init(seed=0), None, scg.optim.Adam(RATE)
    params = step.graph.init(seed=0)
    for _ in range(UPDATES if any(state.values()) else 0):
        grads = scg.moments(step, params, state=state).estimator_grads
        flat: dict[Any, Any] = {(n, k): v for n, own in state.items() for k, v in own.items()}
        moved: dict[Any, Any] = {(n, k): v for n, own in grads.items() for k, v in own.items()}
        flat, slots = rule.apply(flat, moved, slots)
        state = {n: {k: flat[n, k] for k in own} for n, own in state.items()}
    return state


# --- pictures -------------------------------------------------------------------------------------
def draw(page: str, curves: dict[str, list[float]]) -> None:
    """Write the plot of a page."""
    figure, axes = plt.subplots(figsize=(5.2, 2.9), layout="constrained")
    styles = ["-", "--"]
    for name, values in curves.items():
        mine = name in PAGES[page][1]
        style = styles.pop(0) if mine else "--" if name.startswith("score") else ":"
        color = "#1f5fa8" if mine else "#888888"
        axes.plot(THETAS, values, style, color=color, lw=2 if mine else 1.3, label=name)
        if mine:
            axes.plot([HERE], [values[THETAS.index(HERE)]], "o", color=color, ms=4)
    positive = [v for values in curves.values() for v in values if v > 1e-12]
    if max(positive) > 100 * min(positive):
        axes.set_yscale("symlog" if min(map(min, curves.values())) < 1e-12 else "log")
    axes.set_xlabel("θ")
    axes.set_ylabel("variance")
    axes.set_title(GRAPHS[PAGES[page][0]]().name, fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(PICTURES / f"{page}.svg", metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Compute and plot."""
    warnings.simplefilter("ignore")
    PICTURES.mkdir(exist_ok=True)
    known = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for page in sys.argv[1:] or PAGES:
        known[page] = variances(page)
        draw(page, known[page])
        text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False)
        FILE.write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(f"{page}\n")


if __name__ == "__main__":
    main()
