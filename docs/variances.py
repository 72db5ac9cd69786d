"""Plot the error of each estimator on the same three toys, beside two others.

    python docs/variances.py [PAGE ...]     all, or some of docs/reference/estimators/*.md

The toys are two binary units, a variable of three classes and a normal variable. A curve is the
mean squared error, summed over the components of the gradient, of the mean of as many runs as
BUDGET evaluations of the cost allow: bias² + variance · e / BUDGET for e evaluations a run. Without
bias it is a variance. Moments are exact (``scg.moments``) unless they are integrals over more
noise than quadrature can take; these are sampled, as the pictures say. The score function and
leave-one-out are the same on all pages. The numbers are in docs/results/variances.json.
"""

import json
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from panels import Line, Panel, figure

import scg
from scg.estimators import ESTIMATORS

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "reference" / "estimators" / "variance"
FILE = DOCS / "results" / "variances.json"
THETAS = [float(x) for x in np.linspace(-4, 4, 17)]
HERE = 0.5  # where own parameters are learned, and where a test computes the curves again
BUDGET = 12  # evaluations of the cost
RUNS = 40_000  # where moments are sampled
UPDATES, RATE = 200, 0.05
QUIET: dict[str, Any] = {"allow_biased": True}
FILES = {cls.__module__.rpartition(".")[2]: cls for cls in ESTIMATORS}
PARTICLES = scg.Plate("particles", length=3)


# --- toys -----------------------------------------------------------------------------------------
def finish(g: scg.Graph, cost: Any, particles: bool) -> scg.Graph:
    """The graph with its cost; with particles the cost is a bound on −log E[exp(−cost)]."""
    g.cost("loss", scg.iwae(-cost, PARTICLES) if particles else cost)
    return g


def bits(particles: bool = False) -> scg.Graph:
    """Two units, with an interaction and without symmetry."""
    g = scg.Graph("bits")
    logits = np.stack([g.parameter("theta", HERE), g.parameter("other", -0.7)])
    b = g.sample("x", scg.Bernoulli(logits=logits), plates=PARTICLES if particles else ())
    return finish(g, np.exp(b[0] - 0.6 * b[1]), particles)


def classes(particles: bool = False) -> scg.Graph:
    """One variable of three classes."""
    g = scg.Graph("classes")
    theta, others = g.parameter("theta", HERE), g.parameter("others", [-0.7, 0.4])
    dist = scg.OneHotCategorical(logits=np.stack([theta, others[0], others[1]]))
    x = g.sample("x", dist, plates=PARTICLES if particles else ())
    return finish(g, np.exp(0.5 * x[1] + x[2]), particles)


def normal(particles: bool = False) -> scg.Graph:
    """One normal variable."""
    g = scg.Graph("normal")
    dist = scg.Normal(g.parameter("theta", HERE), 1.0)
    x = g.sample("x", dist, plates=PARTICLES if particles else ())
    return finish(g, (x - 0.45) ** 2 + np.sin(2.0 * x), particles)


def gamma(particles: bool = False) -> scg.Graph:
    """One gamma variable, for estimators that fit no other toy."""
    g = scg.Graph("gamma")
    dist = scg.Gamma(2.0 * np.exp(0.25 * g.parameter("theta", HERE)), 1.0)
    x = g.sample("x", dist, plates=PARTICLES if particles else ())
    return finish(g, x + np.sin(2.0 * x), particles)


#: By toy: how to build it, its title, its formula, and the decades of its axis.
TOYS: dict[str, tuple[Callable[..., scg.Graph], str, str, tuple[int, int]]] = {
    "bits": (bits, "two binary units", "exp(b₁ − 0.6 b₂), logits θ, −0.7", (-5, 1)),
    "classes": (classes, "three classes", "exp(x₂/2 + x₃), logits θ, −0.7, 0.4", (-5, 1)),
    "normal": (normal, "a normal variable", "(x − 0.45)² + sin 2x, x ~ N(θ, 1)", (-3, 3)),
}


def matching(particles: bool = False) -> scg.Graph:
    """A matching of two rows to two columns."""
    g = scg.Graph("matching")
    scores = np.stack([np.stack([g.parameter("theta", HERE), 0.4]), np.zeros(2)])
    x = g.sample("x", scg.Matching(scores), plates=PARTICLES if particles else ())
    return finish(g, (x[0, 0] - 0.3) ** 3 + 0.5 * x[0, 1], particles)


def machine(particles: bool = False) -> scg.Graph:
    """A restricted Boltzmann machine of two visible units and a hidden one."""
    g = scg.Graph("machine")
    a = np.stack([g.parameter("theta", HERE), -0.7])
    dist = scg.RBM(a, [0.2], [[1.0], [-0.6]])
    x = g.sample("x", dist, plates=PARTICLES if particles else ())
    return finish(g, np.exp(x[0] - 0.6 * x[1]), particles)


def point(particles: bool = False) -> scg.Graph:
    """Two parameters of a black box."""
    g = scg.Graph("point")
    x = g.sample("x", scg.Delta(np.stack([g.parameter("theta", HERE), -0.7])))
    return finish(g, (x[0] - 0.45) ** 2 + np.sin(2.0 * x[0] + x[1]), particles)


#: The toys of pages whose estimators fit no other.
GAMMA = (gamma, "a gamma variable", "x + sin 2x, x ~ Gamma(2 exp(θ/4), 1)", (-3, 3))
MATCHING = (matching, "a matching", "(P₁₁ − 0.3)³ + P₁₂/2, scores (θ, 0.4), 0", (-5, 1))
MACHINE = (
    machine,
    "a machine of binary units",
    "exp(x₁ − 0.6 x₂), visible biases θ, −0.7",
    (-5, 1),
)
POINT = (point, "a point", "(x₁ − 0.45)² + sin(2 x₁ + x₂), x = (θ, −0.7)", (-3, 3))
ALL = TOYS | {"gamma": GAMMA, "matching": MATCHING, "machine": MACHINE, "point": POINT}
#: The toy of each page that has one of its own.
OWN = {
    "rsvi": "gamma", "grep": "gamma", "gumbel_sinkhorn": "matching",
    "persistent_chains": "machine", "spsa": "point",
}  # fmt: skip
#: For pages with options or other names the estimators that are plotted.
NAMED: dict[str, dict[str, Any]] = {
    "arms": {f"K = {k}": scg.ARMS(k) for k in (2, 4)},
    "carms": {f"K = {k}": scg.CARMS(k) for k in (2, 3)},
    "categorical_disarm": {
        "DisARM-SB": scg.CategoricalDisARM("stick"), "DisARM-Tree": scg.CategoricalDisARM("tree"),
    },
    "darn": {"1/2": scg.DARN(**QUIET)},
    "double_cv": {"K = 2": scg.DoubleCV(2)},
    "gapped_straight_through": {"gapped": scg.GappedStraightThrough(**QUIET)},
    "gumbel_softmax": {
        "τ = 0.5": scg.GumbelSoftmax(0.5, **QUIET),
        "τ = 0.5, hard": scg.GumbelSoftmax(0.5, hard=True, **QUIET),
    },
    "gumbel_sinkhorn": {"τ = 1": scg.GumbelSinkhorn(**QUIET)},
    "implicit_mle": {"λ = 1": scg.ImplicitMLE(**QUIET)},
    "lax": {"learned at θ = 0.5": scg.LAX(hidden=(4,))},
    "leave_one_out": {f"K = {k}": scg.LeaveOneOut(k) for k in (3, 4)},
    "optimal_baselines": {
        "best constant": scg.ScoreFunction(scg.baselines.OptimalConstant()),
    },
    "persistent_chains": {"K = 2": scg.PersistentChains(2, **QUIET)},
    "evolution_strategy": {"K = 2": scg.EvolutionStrategy(2)},
    "orthogonal_evolution": {"K = 4": scg.OrthogonalEvolution(4)},
    "spsa": {f"c = {c}": scg.SPSA(c, **QUIET) for c in (0.1, 0.5)},
    "rao_gumbel": {"K = 1": scg.RaoGumbel(0.5, 1, **QUIET)},
    "rebar": {
        "η = 1, τ = 0.5": scg.REBAR(learn=False), "learned at θ = 0.5": scg.REBAR(),
    },
    "relax": {"learned at θ = 0.5": scg.RELAX(hidden=(4,), coupled=True)},
    "rodeo": {"K = 2, learned at θ = 0.5": scg.RODEO(2, hidden=4)},
    "rsvi": {"RSVI, B = 0": scg.RSVI(0)},
    "score_function": {"baseline 1.2": scg.ScoreFunction(scg.baselines.Constant(1.2))},
    "straight_through": {
        f"through the {through}": scg.StraightThrough(through, **QUIET)
        for through in ("mean", "logits")
    },
    "stratified": {f"K = {k}": scg.Stratified(k) for k in (2, 4)},
    "sum_and_sample": {f"K = {k}": scg.SumAndSample(k) for k in (2, 3)},
    "unordered_set": {f"K = {k}": scg.UnorderedSet(k) for k in (2, 3)},
    "vimco": {how: scg.VIMCO(PARTICLES, how) for how in ("geometric", "arithmetic")},
}  # fmt: skip
OTHERS = {"score function": scg.ScoreFunction(), "leave-one-out, K = 2": scg.LeaveOneOut(2)}
PAGES: dict[str, dict[str, Any]] = {
    page: {cls.__name__: cls() if cls.unbiased else cls(**QUIET)}
    for page, cls in FILES.items()
    if page not in NAMED
} | NAMED
#: What is sampled: too many continuous noises for quadrature.
SAMPLED = {
    *(("bits", page) for page in ("lax", "rao_gumbel", "relax")),
    *(
        ("classes", page)
        for page in ("arsm", "gumbel_softmax", "lax", "rao_gumbel", "rebar", "relax")
    ),
    *(("normal", page) for page in ("leave_one_out", "orthogonal_evolution", "vimco")),
    ("gamma", ""),
    ("matching", "gumbel_sinkhorn"),
    ("classes", "implicit_mle"),
}


def toys(page: str) -> list[str]:
    """The toys of a page: all for the estimators that are drawn on each."""
    return list(ALL) if not page else [OWN[page]] if page in OWN else list(TOYS)


# --- numbers --------------------------------------------------------------------------------------
def curve(page: str, toy: str, estimator: Any, thetas: list[float] = THETAS) -> dict[str, Any]:
    """Variance and squared bias of one run along θ, its evaluations, and how they were found."""
    graph = ALL[toy][0](particles=page == "vimco")
    step = scg.compile(graph, estimator, backend="numpy")
    state = learned(step)
    variance, bias2, sampled = [], [], (toy, page) in SAMPLED
    for theta in thetas:
        params = {**graph.init(seed=0), "theta": np.array(theta)}
        mean, square = moments(step, params, state, sampled)
        variance.append(square)
        if sampled and step.plan.unbiased:
            bias2.append(0.0)
        else:  # sampling adds the variance of a mean to a squared deviation
            off = float(np.sum((mean - truth(graph, params, toy)) ** 2))
            bias2.append(max(off - sampled * square / RUNS, 0.0))
    return {
        "variance": rounded(variance), "bias2": rounded(bias2), "sampled": sampled,
        "evaluations": step.explain().evaluations, "unbiased": step.plan.unbiased,
    }  # fmt: skip


def moments(step: Any, params: Any, state: Any, sampled: bool) -> tuple[np.ndarray, float]:
    """Mean gradient and the variance of one run, summed over the components."""
    if sampled:
        out = step(params, seed=0, runs=RUNS, state=state)
        mean, spread = out.grads, {k: e**2 * out.runs for k, e in out.stderr.items()}
    else:
        found = scg.moments(step, params, state=state)
        mean, spread = found.mean, found.variance
    joined = np.concatenate([np.ravel(mean[name]) for name in sorted(mean)])
    return joined, max(sum(float(np.sum(v)) for v in spread.values()), 0.0)


def truth(graph: scg.Graph, params: Any, toy: str) -> np.ndarray:
    """The true gradient."""
    if toy in ("normal", "gamma", "point"):
        return moments(scg.compile(graph, scg.Reparameterization()), params, None, False)[0]
    found = scg.exact(graph, params).grads
    return np.concatenate([np.ravel(found[name]) for name in sorted(found)])


def rounded(values: list[float]) -> list[float]:
    """Values to six digits; errors of rounding and of quadrature are zero."""
    return [0.0 if value < 1e-9 else float(f"{value:.6g}") for value in values]


def learned(step: Any) -> Any:
    """The state of an estimator after gradient steps on its variance (or loss) at θ = HERE."""
    state, slots, rule = step.init(seed=0), None, scg.optim.Adam(RATE)
    params = step.graph.init(seed=0)
    for i in range(UPDATES if any(state.values()) else 0):
        out = step(params, seed=(1, i), runs=500, state=state)
        state, grads = out.state, out.estimator_grads
        flat: dict[Any, Any] = {(n, k): v for n, own in state.items() for k, v in own.items()}
        moved: dict[Any, Any] = {(n, k): v for n, own in grads.items() for k, v in own.items()}
        if moved:
            flat, slots = rule.apply(flat, moved, slots)
        state = {n: {k: flat[n, k] for k in own} for n, own in state.items()}
    return state


def measured(page: str) -> dict[str, Any]:
    """By toy, the curves of a page by name; none for a toy that the estimators do not fit."""
    found: dict[str, Any] = {toy: {} for toy in TOYS}
    chosen = PAGES[page] if page else OTHERS
    if page == "vimco":  # whose cost is a bound, on which others are measured anew
        chosen = {**chosen, "score function": scg.ScoreFunction()}
    for toy in toys(page):
        curves = {}
        for name, estimator in chosen.items():
            try:
                curves[name] = curve(page, toy, estimator)
            except scg.EstimatorError:
                continue
        found[toy] = curves
    return found


# --- pictures -------------------------------------------------------------------------------------
def errors(found: dict[str, Any], part: str = "both") -> list[float]:
    """Mean squared errors of BUDGET evaluations, or the squared bias in them."""
    share = found["evaluations"] / BUDGET if part == "both" else 0.0
    pairs = zip(found["variance"], found["bias2"], strict=True)
    return [bias2 + variance * share for variance, bias2 in pairs]


def shown(page: str, toy: str, known: dict[str, Any]) -> dict[str, Any]:
    """The curves of a panel by name: those of the page, then the score function and another."""
    own = known[page][toy]
    return {**own, **{k: v for k, v in known[""][toy].items() if page != "vimco" and k not in own}}


def lines(page: str, toy: str, known: dict[str, Any]) -> list[Line]:
    """The lines of a panel."""
    found = []
    names = list(dict.fromkeys(n for t in toys(page) for n in known[page][t] if n in PAGES[page]))
    for name, curve in shown(page, toy, known).items():
        if name in names:
            colour = names.index(name)
            found.append(Line(name, errors(curve), colour, "" if colour == 0 else "7 3"))
            if not curve["unbiased"]:
                found.append(
                    Line("squared bias (in its colour)", errors(curve, "bias"), colour, "1 3")
                )
        else:
            dash = "4 3" if name.startswith("score") else "1 2"
            found.append(Line(name, errors(curve), 4, dash, 1.6))
    return found


def picture(page: str, known: dict[str, Any]) -> str:
    """The SVG of a page."""
    panels = []
    for toy in toys(page):
        _, title, formula, (low, high) = ALL[toy]
        own = known[page][toy]
        note = "" if own else "does not apply:\nthe compiler refuses it"
        drawn = lines(page, toy, known) if own else []
        sampled = any(curve["sampled"] for curve in own.values())
        name = f"{title} (sampled)" if sampled else title
        panels.append(Panel(name, formula, THETAS, drawn, low, high, note))
    unbiased = all(curve["unbiased"] for toy in toys(page) for curve in known[page][toy].values())
    what = "variance" if unbiased else "mean squared error"
    if page in OWN:  # one panel is narrow
        return figure(panels, f"{what}, {BUDGET} evaluations")
    return figure(
        panels, f"{what} of the gradient's estimate from {BUDGET} evaluations of the cost"
    )


def words(page: str, known: dict[str, Any]) -> str:
    """What is seen in a picture: by panel the curves at θ = HERE, and how often they lie higher."""
    at, told = THETAS.index(HERE), []
    for toy in toys(page):
        title = ALL[toy][1]
        if not known[page][toy]:
            told.append(f"{title.capitalize()} – does not apply.")
            continue
        curves, seen = shown(page, toy, known), []
        lowest = errors(next(iter(curves.values())))
        for name, curve in curves.items():
            values, text = errors(curve), ""
            higher = sum(v > 1.000001 * own for v, own in zip(values, lowest, strict=True))
            where = "all points" if higher == len(THETAS) else f"{higher} of {len(THETAS)} points"
            if not curve["unbiased"]:
                text += f", of which squared bias {short(curve['bias2'][at])}"
            if seen:
                text += f", higher at {where}"
            seen.append(f"{name}: {short(values[at])}{text}")
        told.append(f"{title.capitalize()} – {'; '.join(seen)}.")
    unbiased = all(curve["unbiased"] for toy in toys(page) for curve in known[page][toy].values())
    what = "Variance" if unbiased else "Mean squared error"
    return (
        f"{what} of the gradient's estimate from {BUDGET} evaluations of the cost, over θ from −4 "
        f"to 4, on {'a toy' if page in OWN else 'three toys'}, with values at θ = {HERE:g}. "
        + " ".join(told)
    )


def short(value: float) -> str:
    """A number of two digits."""
    return "0" if value < 1e-12 else f"{value:.2g}"


def number(curve: dict[str, Any] | None) -> str:
    """The error at θ = HERE, marked if it was sampled; empty without a curve."""
    if curve is None:
        return ""
    value = short(errors(curve)[THETAS.index(HERE)])
    return f"≈ {value}" if curve["sampled"] else value


def load() -> dict[str, Any]:
    """The numbers of all pages."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def described(text: str, page: str, known: dict[str, Any]) -> str:
    """The text of a page with the current description of its picture."""
    image = re.compile(rf"!\[[^\]]*\]\(variance/{page}\.svg\)")
    return image.sub(lambda _: f"![{words(page, known)}](variance/{page}.svg)", text)


def main() -> None:
    """Compute and plot."""
    warnings.simplefilter("ignore")
    known = load()
    for page in sys.argv[1:] or ["", *PAGES]:
        known[page] = measured(page)
        if page:
            (PICTURES / f"{page}.svg").write_text(picture(page, known), encoding="utf-8")
        text = json.dumps(dict(sorted(known.items())), ensure_ascii=False)
        FILE.write_text(text.replace('}}}, "', '}}},\n"') + "\n", encoding="utf-8")
        sys.stdout.write(f"{page or 'others'}\n")


if __name__ == "__main__":
    main()
