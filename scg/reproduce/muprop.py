"""Gu, Levine, Sutskever and Mnih (2016), Table 2: the lower half of a digit from its upper half."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.estimators.baselines import MovingAverage, Network
from scg.models import structured
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.paper import SEEDS, Conditions, Piece

MODELS = {"392-200-200-392": (200, 200), "392-200-200-200-392": (200, 200, 200)}
IMAGES = ("thresholded", "sampled")
ESTIMATORS: dict[str, scg.Estimator] = {
    "ST": scg.StraightThrough(allow_biased=True),
    "1/2": scg.DARN(allow_biased=True),
    "MuProp-C": scg.MuProp(baseline=MovingAverage()),
    "MuProp-C-VN": scg.MuProp(
        baseline=MovingAverage(), variance_normalization=True, allow_biased=True
    ),
    "LR-C-VN-IDB": scg.ScoreFunction(
        Network((100,)), variance_normalization=True, allow_biased=True
    ),
}
#: Rates among which the first seed chooses on validation, on thresholded images.
RATES = {"LR-C-VN-IDB": (3e-3, 1e-2), "MuProp-C": (3e-3, 1e-2)}
OTHER_RATES = (1e-2, 3e-2)
PUBLISHED = {
    "392-200-200-392": {
        "LR-C-VN-IDB": 63.2, "MuProp-C": 57.7, "MuProp-C-VN": 56.7, "ST": 56.1, "1/2": 57.2,
    },
    "392-200-200-200-392": {
        "LR-C-VN-IDB": 100.6, "MuProp-C": 62.7, "MuProp-C-VN": 57.2, "ST": 54.4, "1/2": 55.8,
    },
}  # fmt: skip
#: Estimators whose variance is measured, without normalization, which would scale it.
MEASURED: dict[str, scg.Estimator] = {
    "LR": scg.ScoreFunction(),
    "LR-C": scg.ScoreFunction(MovingAverage()),
    "LR-C-IDB": scg.ScoreFunction(Network((100,))),
    "MuProp": scg.MuProp(),
    "MuProp-C": scg.MuProp(baseline=MovingAverage()),
    "ST": scg.StraightThrough(allow_biased=True),
    "1/2": scg.DARN(allow_biased=True),
}
TEST_SAMPLES, DRAWS = 100, 200


def cells(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """Runs on thresholded images, then their variances, then runs on sampled images."""
    shown = functools.cache(functools.partial(training.images, under.data))
    for how in IMAGES:
        for model in MODELS:
            for name in ESTIMATORS:
                yield from _runs(under, ledger, shown, how, model, name)
            if how == "thresholded":
                yield from _variances(under, ledger, shown, model)


def _runs(
    under: Conditions, ledger: Ledger, shown: Callable[[str], training.Images],
    how: str, model: str, name: str,
) -> Iterator[Piece]:  # fmt: skip
    """Runs of one estimator; the first seed chooses the rate on thresholded images."""

    def cell(kind: str, rate: float, seed: int) -> Piece:
        key = {
            "kind": kind, "images": how, "model": model, "estimator": name, "rate": rate,
            "seed": seed, "updates": under.updates,
        }  # fmt: skip

        def work() -> Record:
            x = shown(how)
            graph = structured(x.means, hidden=MODELS[model])
            file = _file(under, how, model, name, rate, seed)
            if kind == "test":
                return training.test(graph, _nll, x, file, TEST_SAMPLES)
            return training.train(graph, ESTIMATORS[name], _nll, x, rate, seed, under, file)

        return Piece(key, work)

    if how == "thresholded":
        for rate in RATES.get(name, OTHER_RATES):
            yield cell("run", rate, SEEDS[0])
    rate = chosen_rate(ledger.records, model, name, under.updates)
    for seed in SEEDS:
        yield cell("run", rate, seed)
        yield cell("test", rate, seed)


def chosen_rate(records: list[Record], model: str, name: str, updates: int) -> float:
    """The rate with the lowest validation figure of the first seed; the least before any run."""
    key = dict(images="thresholded", model=model, estimator=name, seed=SEEDS[0], updates=updates)
    runs = [r for r in records if key.items() <= r.items() and r["kind"] == "run" and r["valid"]]
    best = min(runs, key=lambda r: r["valid"], default=None)
    return best["rate"] if best else RATES.get(name, OTHER_RATES)[0]


def _variances(
    under: Conditions, ledger: Ledger, shown: Callable[[str], training.Images], model: str
) -> Iterator[Piece]:
    """Variances where MuProp-C with the first seed was best, on one fixed batch."""
    for name in MEASURED:

        def work(name: str = name) -> Record:
            x = shown("thresholded")
            rate = chosen_rate(ledger.records, model, "MuProp-C", under.updates)
            file = _file(under, "thresholded", model, "MuProp-C", rate, SEEDS[0])
            with np.load(file) as found:
                params = dict(found)
            graph = structured(x.means, hidden=MODELS[model])
            return training.variance(graph, MEASURED[name], params, x, DRAWS, "layer", under)

        key = dict(kind="variance", model=model, estimator=name, updates=under.updates)
        yield Piece(key, work)


def _nll(found: Any) -> tuple[float, float]:
    return found.nll, found.bound_stderr


def _file(under: Conditions, how: str, model: str, name: str, rate: float, seed: int) -> Path:
    name = name.replace("/", "-")
    return under.folder / "params" / f"{how}_{model}_{name}_{rate:g}_{seed}_{under.updates}.npz"
