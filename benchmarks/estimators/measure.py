"""Measure variance and time of all estimators on the tasks of their papers.

    python benchmarks/estimators/measure.py --mnist DIR --fashion DIR --omniglot FILE

Each finished measurement is one line of JSON in docs/results/estimators.jsonl; the program skips
measurements whose line exists. Variances are per run, on one batch, summed over the components of
the gradients that the estimator produces. Seconds are processor time.
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from rivals import CHECKPOINTS, DIRICHLET, RIVALS, THRESHOLDS

import scg
from scg.data import Binarize, binarize, load
from scg.models.vae import bernoulli_vae, categorical_vae
from scg.run.step import Step

FILE = Path(__file__).resolve().parents[2] / "docs" / "results" / "estimators.jsonl"
BATCH = 50
#: Updates of what an estimator keeps and learns, before it is measured, and Adam's rate.
WARM = {"toy": (5000, 1e-3), "classes": (300, 1e-2), "frozen": (300, 1e-2)}
DRAWS = 30  # Dirichlet vectors of each concentration
PARTS = 4  # independent estimates of a variance, from which its standard error is
ENCODER = "to_h"
MODELS = {
    "bernoulli": lambda means: bernoulli_vae(means, hidden=200),
    "categorical": lambda means: categorical_vae(means, variables=20, classes=10),
}


def main() -> None:
    """Do the measurements that are missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mnist", metavar="DIR", help="folder of the files of MNIST")
    parser.add_argument("--fashion", metavar="DIR", help="folder of the files of Fashion-MNIST")
    parser.add_argument("--omniglot", metavar="FILE", help="npz file of OMNIGLOT")
    parser.add_argument("--updates", type=int, default=3000, help="updates of a checkpoint")
    parser.add_argument("--evaluations", type=int, default=700, help="costs for one variance")
    args = parser.parse_args()
    warnings.simplefilter("ignore", scg.BiasWarning)
    done = (
        [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
        if FILE.exists()
        else []
    )
    known = {(record["task"], record["case"], record["estimator"]) for record in done}
    for record in chain(toy(known), classes(known), frozen(args, known)):
        with FILE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def toy(known: set) -> Iterator[dict[str, Any]]:
    """Minimise E (b − t)²: Tucker et al. (2017), Grathwohl et al. (2018)."""
    for t in THRESHOLDS:
        g = scg.Graph("toy")
        b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 1.0)))
        g.cost("loss", (b - t) ** 2)
        for name, estimator in RIVALS["toy"].items():
            if ("toy", str(t), name) not in known:
                step = scg.compile(g, estimator, backend="numba")
                yield {
                    "task": "toy",
                    "case": str(t),
                    **measure(name, step, g.init(0), 200_000, WARM["toy"]),
                }


def classes(known: set) -> Iterator[dict[str, Any]]:
    """Three variables of three classes and a linear cost: Dimitriev and Zhou (2021).

    The figures are medians over Dirichlet vectors of probabilities.
    """
    g = scg.Graph("classes")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", shape=(3, 3))))
    g.cost("loss", np.sum(3.0 * np.arange(3.0) * x))
    for name, estimator in RIVALS["classes"].items():
        step = None
        for a in DIRICHLET:
            if ("classes", str(a), name) in known:
                continue
            step = step or scg.compile(g, estimator, backend="numba")
            rng, found = np.random.default_rng(a), []
            for _ in range(DRAWS):
                theta = np.log(rng.dirichlet(np.full(3, float(a)), size=3) + 1e-12)
                found.append(measure(name, step, {"theta": theta}, 12_000, WARM["classes"]))
            middle = {k: float(np.median([r[k] for r in found])) for k in ("variance", "seconds")}
            each = [record["variance"] for record in found]
            yield {"task": "classes", "case": str(a), **found[0], **middle, "each": each}


def frozen(args: Any, known: set) -> Iterator[dict[str, Any]]:
    """Linear variational autoencoders, trained briefly and then held fixed."""
    addresses = {
        "MNIST": args.mnist and f"mnist:{args.mnist}",
        "Fashion-MNIST": args.fashion and f"mnist:{args.fashion}",
        "OMNIGLOT": args.omniglot and f"npz:{args.omniglot}",
    }
    for title, address in addresses.items():
        if not address:
            continue
        splits = load(address)
        assert splits.valid is not None
        x = {"x": binarize(splits.valid[:BATCH], 0)}
        for model in MODELS:
            rivals = {k: v for k, v in RIVALS[model].items() if (model, title, k) not in known}
            if not rivals:
                continue
            g = MODELS[model](splits.train.mean(axis=0, dtype=np.float64))
            params = checkpoint(g, CHECKPOINTS[model], splits.train, args.updates)
            for name, estimator in rivals.items():
                step = scg.compile(g, estimator, backend="numba", dtype="float32")
                record = measure(
                    name, step, params, args.evaluations, WARM["frozen"], splits.train, x
                )
                yield {"task": model, "case": title, **record}


def checkpoint(g: scg.Graph, estimator: Any, train: np.ndarray, updates: int) -> dict:
    """Parameters after a short training that binarizes each batch again."""
    step = scg.compile(g, estimator, backend="numba", dtype="float32")
    rate, epochs = scg.optim.Adam(1e-3), -(-updates // (len(train) // BATCH))
    run = scg.fit(
        step, data={"x": train}, seed=0, optimizer=rate, batch_size=BATCH, epochs=epochs,
        steps_per_epoch=updates // epochs, transform=Binarize(),
    )  # fmt: skip
    print(f"{g.name}: cost {run.history[-1]['cost']:.2f}", flush=True)
    return run.params


def measure(
    name: str, step: Step, params: Any, budget: int, warm: tuple[int, float],
    train: np.ndarray | None = None, data: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """Variance and time of one run, after own parameters have learned on other batches."""
    evaluations = step.explain().evaluations
    state = step.init(seed=0)
    if state:
        batches = {"data": {"x": train}, "batch_size": BATCH, "transform": Binarize()}
        state = scg.fit(
            step, params, seed=0, epochs=1, steps_per_epoch=warm[0], optimizer=scg.optim.SGD(0.0),
            own_optimizer=scg.optim.Adam(warm[1]), **({} if train is None else batches),
        ).state  # fmt: skip
    runs = max(budget // evaluations // PARTS, 3)
    step(params, seed=0, runs=2, data=data, state=state)
    times, found = [], []
    for part in range(PARTS):
        started = time.process_time()
        out = step(params, seed=(1, part), runs=runs, data=data, state=state)
        times.append((time.process_time() - started) / runs)
        served = [k for k in out.grads if train is None or k.startswith(ENCODER)]
        squares = (float(np.sum(np.square(out.stderr[k], dtype=float))) for k in served)
        found.append(runs * sum(squares))
    record = {
        "estimator": name,
        "evaluations": evaluations,
        "runs": PARTS * runs,
        "variance": float(np.mean(found)),
        "error": float(np.std(found, ddof=1) / np.sqrt(PARTS)),
        "seconds": min(times),
        "unbiased": step.plan.unbiased,
    }
    print(record, flush=True)
    return record


if __name__ == "__main__":
    main()
