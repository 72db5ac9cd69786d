"""Dimitriev and Zhou (2021b): CARMS on its toy, and at a frozen checkpoint of an autoencoder."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

import scg
from scg.data import Binarize, binarize
from scg.models import categorical_vae
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.page import framed, interval, labelled, table
from scg.reproduce.paper import SEEDS, Conditions, Finding, Paper, Piece, by_ratio
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIABLES, CLASSES, SAMPLES = 3, 3, 3  # of the toy
CONCENTRATIONS = (1, 10, 100, 1000)
DRAWN = 2  # probabilities of the toy for each seed
LATENTS, BATCH, RATE, UPDATES = 20, 50, 1e-3, 3000  # of the checkpoint
SAMPLED = 5000  # runs of the toy for estimators without exact moments
RUNS = 200  # gradients on its fixed batch
NAMES: dict[str, Callable[[int], scg.Estimator]] = {
    "CARMS-I": lambda k: scg.CARMS(k),
    "CARMS-G": lambda k: scg.CARMS(k, sampling="gumbel", allow_biased=True),
    "leave-one-out": lambda k: scg.LeaveOneOut(k),
    "unordered set": lambda k: scg.UnorderedSet(k),
    "ARSM": lambda k: scg.ARSM(),
}


def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """The toy, then the checkpoints of each seed, those with ten classes last."""
    for a in CONCENTRATIONS:
        for seed in SEEDS:
            for name in NAMES:

                def toy(a: int = a, seed: int = seed, name: str = name) -> Record:
                    return {"variance": [_toy(a, seed, i, name) for i in range(DRAWN)]}

                yield Piece(dict(kind="toy", a=a, seed=seed, estimator=name), toy)
    for few in ((5, 3), (10,)):  # ten classes take most of the time
        for seed, classes in itertools.product(SEEDS, few):
            frozen = dict(kind="checkpoint", classes=classes, seed=seed)

            def checkpoint(classes: int = classes, seed: int = seed) -> Record:
                return _train(under, classes, seed)

            file = _place(under, classes, seed)
            yield Piece(frozen, checkpoint, (file,))
            for samples in (2, 4, 7):
                for name in NAMES:
                    if name != "ARSM" or samples == 2:  # its evaluations follow from the classes

                        def at(
                            classes: int = classes, seed: int = seed,
                            samples: int = samples, name: str = name,
                        ) -> Record:  # fmt: skip
                            return _variance(under, classes, seed, NAMES[name](samples))

                        key = dict(classes=classes, seed=seed, samples=samples, estimator=name)
                        yield Piece({"kind": "variance", **key}, at, needs=file)
    for classes in (3, 5, 10):
        yield Piece(dict(kind="time", classes=classes), functools.partial(_times, under, classes))


def _toy(a: int, seed: int, i: int, name: str) -> float:
    """Variance of a single run, summed over components; exact where the noise can be split."""
    rng = np.random.default_rng([seed, a, i])
    probs = rng.dirichlet(np.full(CLASSES, float(a)), size=VARIABLES)
    g = scg.Graph("toy")
    logits = g.parameter("logits", np.log(np.maximum(probs, 1e-12)))
    z = g.sample("z", scg.OneHotCategorical(logits=logits))
    g.cost("loss", np.sum(z @ (CLASSES * np.arange(CLASSES, dtype=float))))
    step, params = scg.compile(g, NAMES[name](SAMPLES), backend="numpy"), g.init(0)
    if name in ("CARMS-G", "ARSM"):
        out = step(params, seed=seed, runs=SAMPLED)
        return float(out.runs * np.sum(out.stderr["logits"] ** 2))
    return float(np.sum(scg.moments(step, params).variance["logits"]))


def _model(means: Any, classes: int) -> scg.Graph:
    return categorical_vae(means, variables=LATENTS, classes=classes, layers=())


def _place(under: Conditions, classes: int, seed: int) -> Any:
    return under.folder / "params" / f"carms_{classes}_{seed}.npz"


def _train(under: Conditions, classes: int, seed: int) -> Record:
    x = training.held_out(under.data)[0]
    step = scg.compile(
        _model(x.mean(axis=0, dtype=float), classes),
        scg.LeaveOneOut(4),
        backend=under.backend,
        dtype="float32",
    )
    run = scg.fit(
        step, data={"x": x}, seed=seed, optimizer=scg.optim.Adam(RATE), batch_size=BATCH,
        epochs=3, steps_per_epoch=UPDATES // 3, transform=Binarize(),
    )  # fmt: skip
    training.keep(_place(under, classes, seed), run.params)
    return {"cost": run.history[-1]["cost"]}


def _variance(under: Conditions, classes: int, seed: int, estimator: scg.Estimator) -> Record:
    grey = training.held_out(under.data)[0]
    graph = _model(grey.mean(axis=0, dtype=float), classes)
    step = scg.compile(graph, estimator, backend=under.backend, dtype="float32")
    x = binarize(grey[-BATCH:], 0)
    params = training.parameters(_place(under, classes, seed))
    out = step(params, seed=seed, runs=RUNS, data={"x": x}, state=step.init(0))
    spread = [np.ravel(e**2) for name, e in out.stderr.items() if name.startswith("to_h")]
    return {
        "variance": out.runs * float(np.mean(np.concatenate(spread))),
        "unbiased": step.plan.unbiased,
    }


def _times(under: Conditions, classes: int) -> Record:
    grey = training.held_out(under.data)[0]
    estimators = {
        f"{name}, K = {k}": NAMES[name](k)
        for k in (2, 4, 7)
        for name in NAMES
        if name != "ARSM" or k == 2
    }
    graph = _model(grey.mean(axis=0, dtype=float), classes)
    return training.times(graph, estimators, {"x": binarize(grey[-BATCH:], 0)}, under)


# --- results --------------------------------------------------------------------------------------
def _toys(records: list[Record]) -> dict[tuple[int, str], np.ndarray]:
    """Variances by concentration and estimator, in the order of seeds and draws."""
    found: dict[tuple[int, str], dict[int, list[float]]] = {}
    for r in records:
        if r["kind"] == "toy":
            found.setdefault((r["a"], r["estimator"]), {})[r["seed"]] = r["variance"]
    return {
        key: np.concatenate([by_seed[s] for s in SEEDS])
        for key, by_seed in found.items()
        if len(by_seed) == len(SEEDS)
    }


def _frozen(records: list[Record]) -> dict[tuple[int, int, str], list[float]]:
    """Variances over seeds by classes, samples and estimator."""
    found: dict[tuple[int, int, str], list[float]] = {}
    for r in records:
        if r["kind"] == "variance":
            key = r["classes"], r["samples"], r["estimator"]
            found.setdefault(key, []).append(r["variance"])
    return found


def _ratio(values: list[float], base: list[float]) -> float:
    """Ratio of the means over the seeds that both have, which are the first ones."""
    count = min(len(values), len(base))
    return mean(values[:count]) / mean(base[:count])


def findings(records: list[Record]) -> list[Finding]:
    """The abstract: better than leave-one-out; more so, we expect, for nearly equal classes."""
    toys, frozen, found = _toys(records), _frozen(records), []
    gains = {}
    for a in CONCENTRATIONS:
        for rival in ("leave-one-out", "unordered set", "ARSM"):
            text = f"toy, a = {a}: CARMS-I has less variance than {rival} at all drawn points"
            if {(a, "CARMS-I"), (a, rival)} <= toys.keys():
                ratio = toys[a, rival] / toys[a, "CARMS-I"]
                gains[a, rival] = float(np.exp(np.mean(np.log(ratio))))
                about = f"Ratios {ratio.min():.3g} to {ratio.max():.3g}."
                found.append(Finding(text, bool(ratio.min() > 1), about))
            else:
                found.append(Finding(text, None))
    text = "toy: the gain over leave-one-out grows from a = 1 to a = 1000"
    low, high = (gains.get((a, "leave-one-out")) for a in (1, 1000))
    if low is None or high is None:
        found.append(Finding(text, None))
    else:
        about = f"Geometric mean ratios {low:.3g} and {high:.3g}."
        found.append(Finding(text, high > low, about))
    for classes in (3, 5, 10):
        for samples in (2, 4, 7):
            at = f"frozen, C = {classes}, K = {samples}: "
            low, independent, sets = (
                frozen.get((classes, samples, name))
                for name in ("CARMS-I", "leave-one-out", "unordered set")
            )
            text = at + "CARMS-I has less variance than {} for all seeds"
            found.append(by_ratio(text.format("leave-one-out"), independent, low))
            found.append(by_ratio(text.format("the unordered set"), sets, low))
            text = at + "the unordered set has the variance of leave-one-out, within 5 %"
            found.append(by_ratio(text, sets, independent, _near))
    return found


def _near(ratios: Sequence[float]) -> bool:
    """Joint values of 20 variables are improbable, so that few samples would be equal."""
    return all(abs(ratio - 1) < 0.05 for ratio in ratios)


def tables(records: list[Record]) -> str:
    """Mean variances of the toy and of the checkpoints."""
    toys, frozen = _toys(records), _frozen(records)
    rows = [
        [name, *(interval(toys[a, name].reshape(-1, DRAWN).mean(axis=1).tolist(), None)
                 if (a, name) in toys else "–" for a in CONCENTRATIONS)]
        for name in NAMES
    ]  # fmt: skip
    parts = [
        "## Toy",
        f"Variance of one run, summed over components; mean over {DRAWN * len(SEEDS)} drawn "
        "probabilities, with 95 % intervals over the seeds. CARMS-G and ARSM are sampled in "
        f"{SAMPLED} runs, the others exact. Each estimator evaluates the cost three times.",
        table(["estimator", *(f"a = {a}" for a in CONCENTRATIONS)], rows),
    ]
    rows = []
    for (classes, samples, name), values in sorted(frozen.items()):
        base = frozen.get((classes, samples, "leave-one-out"))
        count = classes * (classes - 1) // 2 if name == "ARSM" else samples
        ratio = f"{_ratio(values, base):.3g}" if base else "–"
        work = training.effort(_model(np.full(784, 0.5), classes), NAMES[name](samples))[1]
        ms = training.clock(records, classes=classes).get(f"{name}, K = {samples}")
        budgets = (
            f"{1000 * mean(values) * each:.3g}" if each else "–" for each in (count, work, ms)
        )
        rows.append([classes, f"up to {count}" if name == "ARSM" else count, name,
                     interval(values, None), len(values), ratio, *budgets])  # fmt: skip
    if rows:
        head = ["C", "evaluations", "estimator", "variance", "seeds", "ratio to LOO, same K",
                "10³ × evaluations", "10³ × operations", "10³ × CPU ms"]  # fmt: skip
        parts += [
            "## Frozen checkpoints",
            f"Linear autoencoder of {LATENTS} variables with C classes after {UPDATES} updates by "
            f"leave-one-out with four samples: variance of the encoder's gradient in {RUNS} runs "
            f"on one batch of {BATCH}, mean over components. ARSM's ratio is to two samples. The "
            "last columns hold 1000 times the variance at equal budgets: multiplied by the "
            "evaluations, by the operations of a gradient relative to the model's, and by its CPU "
            "milliseconds.",
            table(head, rows),
        ]
    return "\n\n".join(parts)


def draw(records: list[Record]) -> Figure:
    """Ratios to leave-one-out: on the toy, and at the checkpoints."""
    toys, frozen = _toys(records), _frozen(records)
    figure = canvas(8.5, 3.2)
    left, right = figure.subplots(1, 2)
    for color, name in zip(COLOURS, NAMES, strict=False):
        shown = [a for a in CONCENTRATIONS if {(a, name), (a, "leave-one-out")} <= toys.keys()]
        ratios = [toys[a, name] / toys[a, "leave-one-out"] for a in shown]
        if shown:
            left.plot(shown, [np.exp(np.mean(np.log(np.maximum(r, 1e-9)))) for r in ratios],
                      "o-", color=color, label=name)  # fmt: skip
    left.set(xscale="log", xlabel="a (large: equal classes)", ylabel="variance / leave-one-out",
             title="toy")  # fmt: skip
    for color, classes in zip(COLOURS, (3, 5, 10), strict=False):
        for style, name in (("o-", "CARMS-I"), ("s--", "CARMS-G"), ("^:", "unordered set")):
            points = [
                (k, _ratio(frozen[classes, k, name], frozen[classes, k, "leave-one-out"]))
                for k in (2, 4, 7)
                if {(classes, k, name), (classes, k, "leave-one-out")} <= frozen.keys()
            ]
            if points:
                right.plot(
                    *np.transpose(points), style, color=color, label=f"{name}, C = {classes}"
                )
    ratios = (1, 1.5, 2, 3, 5)
    right.set(xlabel="samples K", yscale="log", title="frozen autoencoder")
    right.set_ylabel("variance / leave-one-out")
    right.set_yticks(ratios, map(str, ratios))
    right.set_yticks((), minor=True)
    right.set_xticks((2, 4, 7))
    for axes in (left, right):
        axes.axhline(1.0, color="#888888", linewidth=0.8)
        framed(axes)
        labelled(axes, fontsize="x-small")
    return figure


CARMS = Paper(
    name="carms",
    title="CARMS (Dimitriev and Zhou 2021): variances",
    short="CARMS, variances",
    verdict="3 to 12 % below independent samples; not with ten classes, nor at equal times.",
    about="""
Toy: three variables of three classes, the cost is three times the sum of the indices (the authors'
but for a constant, which cancels), three samples, probabilities drawn from Dirichlet(a, a, a). The
authors show box plots of the logarithm of the variance of 1000 repetitions; their code measures the
variance across the K terms, here it is that of their mean. CARMS-I is unbiased here. The authors'
code smooths and clips its weights, which is biased; scg's CARMS-G does so, too. The unordered set
is one of K distinct joint outcomes of all variables, as in the authors' code, where K is at most
the number of classes; here it is not. Published figures of variances were not found.
""",
    why="""
On the toy CARMS-I has less variance than independent samples and ARSM at all drawn points, and than
the unordered set unless a = 1. At frozen autoencoders with three and five classes it has 3 to 12 %
less than independent samples. With ten classes it has 12 % more with two samples, 3 % less with
four, and 1 % less with seven, which is not seen for one of three seeds. CARMS-I needs more
operations: when these are equal, it has less variance with three classes only, and when times are
equal, independent samples have the least variance with each number of classes. The unordered set
has the variance of independent samples, because joint outcomes of 20 variables are improbable; with
three classes and seven samples it has 5 to 6 % less, nearly as little as CARMS-I. The version with
Gumbel noise (CARMS-G) has less variance than independent samples on the toy, but more at the
autoencoders, and so has ARSM at equal evaluations.
""",
    pieces=pieces,
    findings=findings,
    tables=tables,
    draw=draw,
    data="mnist:DIR",
    read=training.held_out,
)
