"""Training: one run with early stopping on validation images, and its test."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import scg
from scg.data import binarize, load
from scg.errors import DataError
from scg.reproduce.ledger import Record
from scg.reproduce.paper import Conditions
from scg.train import Batches, Run

BATCH, MOMENTUM = 100, 0.9
OWN_RATE = 1e-3  # of Adam, for the weights of network baselines
VALID_SAMPLES = 10
PASSES = 2  # over the training images, between two validations
PATIENCE = 10  # validations without a new best after which a run stops
ROUNDS = 20  # of gradients that are timed


@dataclass(frozen=True)
class Images:
    """Binary images, and the mean grey training image."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    means: np.ndarray


def images(address: str, how: str) -> Images:
    """Images thresholded at 1/2 (``how="thresholded"``) or sampled once (``how="sampled"``).

    Every tenth validation image and every fourth test image is used.
    """
    train, valid, test, _ = held_out(address)
    means = train.mean(axis=0, dtype=np.float64)
    parts = train, valid[::10], test[::4]
    if how == "sampled":
        train, valid, test = (binarize(part, seed) for seed, part in enumerate(parts))
    else:
        train, valid, test = ((part >= 0.5).astype(np.uint8) for part in parts)
    return Images(train, valid, test, means)


def held_out(address: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Images for training, validation and test, and labels; an error if a part is missing."""
    train, valid, test, labels = load(address)
    if valid is None:
        raise DataError(f"data {address!r}: has no validation images; use mnist:DIR")
    return train, valid, test, labels


@dataclass
class Best:
    """A callback that keeps the parameters of the best validation, and stops a run after it.

    It measures the CPU time of each pass; the first one contains the compilation.
    """

    measure: Callable[[Any], tuple[float, float]]
    x: np.ndarray
    curve: list[list[float]] = field(default_factory=list)
    params: Mapping[str, np.ndarray] = field(default_factory=dict)
    least: float = float("inf")
    at: int = 0
    passes: list[float] = field(default_factory=list)
    since: float = field(default_factory=time.process_time)

    def __call__(self, run: Run) -> None:
        """Validate, after every second pass."""
        self.passes.append(time.process_time() - self.since)
        if run.epoch % PASSES == 0:
            self._validate(run)
        self.since = time.process_time()

    def _validate(self, run: Run) -> None:
        found = scg.evaluate(
            run.step.graph, run.params, {"x": self.x}, samples=VALID_SAMPLES, seed=1
        )
        value = self.measure(found)[0]
        self.curve.append([run.now.count, round(sum(self.passes), 2), round(value, 3)])
        if value < self.least:
            self.least, self.at = value, len(self.curve)
            self.params = {name: np.array(entry) for name, entry in run.params.items()}
        run.stop = len(self.curve) - self.at > PATIENCE


def train(
    graph: scg.Graph,
    estimator: scg.Estimator,
    best: Best,
    shown: Images,
    rate: float,
    seed: int,
    under: Conditions,
    file: Path,
) -> Record:
    """Train once, and keep the parameters of the best validation in a file."""
    step = scg.compile(graph, estimator, backend=under.backend, dtype="float32")
    passes = PASSES * -(-under.updates * BATCH // (PASSES * len(shown.train)))
    try:
        run = scg.fit(
            step,
            data={"x": shown.train},
            seed=seed,
            optimizer=scg.optim.SGD(rate, momentum=MOMENTUM),
            own_optimizer=scg.optim.Adam(OWN_RATE),
            batch_size=BATCH,
            epochs=passes,
            steps_per_epoch=max(1, under.updates // passes),
            callbacks=[best],
        )
    except scg.CallError as error:  # a gradient that is not finite
        return {"valid": None, "why": str(error), "curve": best.curve}
    keep(file, best.params)
    return {
        "valid": round(best.least, 3),
        "best_at": best.curve[best.at - 1][0],
        "ended_at": run.now.count,
        "ms_per_update": round(1000 * median(best.passes[1:]) * run.epoch / run.now.count, 3),
        "curve": best.curve,
    }


def pilot(
    graph: scg.Graph, estimator: scg.Estimator, best: Best, shown: Images, under: Conditions
) -> Record:
    """Measure a short run: seconds to start, milliseconds an update, seconds a validation."""
    started = time.perf_counter()
    step = scg.compile(graph, estimator, backend=under.backend, dtype="float32")
    run = scg.fit(
        step, data={"x": shown.train}, seed=0, batch_size=BATCH, epochs=PASSES, steps_per_epoch=50,
        optimizer=scg.optim.SGD(1e-4, momentum=MOMENTUM),
    )  # fmt: skip
    trained = time.perf_counter()
    best(run)
    return {
        "start": round(trained - started, 3),
        "ms": round(20 * run.history[-1]["seconds"], 3),
        "validation": round(time.perf_counter() - trained, 3),
    }


def keep(file: Path, params: Mapping[str, np.ndarray]) -> None:
    """Write parameters to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, allow_pickle=False, **params)


def parameters(file: Path) -> dict[str, np.ndarray]:
    """The parameters in a file."""
    with np.load(file) as found:
        return dict(found)


def test(
    graph: scg.Graph,
    measure: Callable[[Any], tuple[float, float]],
    shown: Images,
    file: Path,
    samples: int,
) -> Record:
    """Evaluate the test images at the parameters in a file."""
    x = {"x": shown.test}
    found = scg.evaluate(graph, parameters(file), x, samples=samples, seed=2, batch_size=250)
    figure, stderr = measure(found)
    return {"test": round(figure, 3), "stderr": round(stderr, 3), "test_images": len(shown.test)}


def variance(
    graph: scg.Graph,
    estimator: scg.Estimator,
    params: Mapping[str, np.ndarray],
    shown: Images,
    draws: int,
    served: str | tuple[str, ...],
    under: Conditions,
) -> Record:
    """Variance of a single run's gradient on one fixed batch, the mean over all components.

    Only parameters whose names begin with `served`, or one of them, count. Averages and network
    baselines first learn on as many other batches, while the parameters stay fixed.
    """
    step = scg.compile(graph, estimator, backend=under.backend, dtype="float32")
    state, rule, slots = step.init(0), scg.optim.Adam(OWN_RATE), None
    batches = Batches(graph, {"x": shown.train}, BATCH, (0,))
    for count in range(draws if state else 0):
        out = step(params, seed=(0, count), data=batches[count], state=state)
        state = out.state
        if out.estimator_grads:
            own, found = ({f"{n}:{k}": v for n, e in nested.items() for k, v in e.items()}
                          for nested in (state, out.estimator_grads))  # fmt: skip
            own, slots = rule.apply(own, found, slots)
            for name, value in own.items():
                node, key = name.rsplit(":", 1)
                state[node][key] = value
    out = step(params, seed=1, runs=draws, data={"x": shown.train[-BATCH:]}, state=state)
    spread = [np.ravel(e**2) for name, e in out.stderr.items() if name.startswith(served)]
    found = out.runs * float(np.mean(np.concatenate(spread)))
    return {"variance": found, "draws": draws, "unbiased": step.plan.unbiased}


def effort(graph: scg.Graph, estimator: scg.Estimator) -> tuple[int, float]:
    """Evaluations of the cost in a gradient, and its operations relative to the graph's."""
    found = scg.compile(graph, estimator, backend="numpy").explain()
    return found.evaluations, found.work


def times(
    graph: scg.Graph,
    estimators: Mapping[str, scg.Estimator],
    data: Mapping[str, np.ndarray],
    under: Conditions,
    runs: int = 1,
) -> Record:
    """CPU milliseconds of a gradient at the start, by estimator: the least of some rounds.

    In each round all estimators take their turn, so that other work slows all of them down. Where
    a gradient is shorter than a call, many `runs` in a call show its own time.
    """
    params, calls = graph.init(0), {}
    for name, estimator in estimators.items():
        step = scg.compile(graph, estimator, backend=under.backend, dtype="float32")
        calls[name] = partial(step, params, data=data, state=step.init(0), runs=runs)
    least = dict.fromkeys(calls, float("inf"))
    for count in range(-1, ROUNDS):  # the first one compiles
        for name, call in calls.items():
            started = time.process_time()
            call(seed=count + 1)
            if count >= 0:
                least[name] = min(least[name], time.process_time() - started)
    return {"ms": {name: round(1000 * seconds / runs, 6) for name, seconds in least.items()}}


def clock(records: Sequence[Record], **key: Any) -> dict[str, float]:
    """CPU milliseconds of a gradient by estimator, from a record of `times` with these entries."""
    wanted = {"kind": "time", **key}.items()
    return next((r["ms"] for r in records if wanted <= r.items()), {})
