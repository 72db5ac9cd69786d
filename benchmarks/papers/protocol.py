"""The protocol of the reproductions: train, choose a rate, test, measure the variance.

Each finished piece of work is one line of JSON in a file. A program skips the pieces whose line
exists, so interrupted runs resume.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.data import binarize, load
from scg.run.step import Step
from scg.train.batches import Batches

BATCH = 100
MOMENTUM = 0.9
OWN_RATE = 1e-3  # Adam, for the weights of network baselines
CURVE = 10  # points of a learning curve
SERVED = ("layer", "encoder")  # scopes of the parameters whose gradients an estimator makes


@dataclass(frozen=True)
class Task:
    """The task of a table of a paper.

    Attributes
    ----------
    name : str
        Name of the file of results.
    models : mapping
        By name of the model: a function from the mean training image to a graph.
    estimators : mapping
        The estimators that are trained.
    measured : mapping
        The estimators whose variance is measured, without normalization of the signal, which
        would scale the variance.
    frozen : str
        The estimator whose trained parameters are the frozen checkpoint.
    test_samples : int
        Samples per image in the test.
    measure : callable
        From an evaluation to the figure of the table and its standard error, in nats; lower is
        better.
    """

    name: str
    models: Mapping[str, Callable[[np.ndarray], scg.Graph]]
    estimators: Mapping[str, scg.Estimator]
    measured: Mapping[str, scg.Estimator]
    frozen: str
    test_samples: int
    measure: Callable[[Any], tuple[float, float]]


@dataclass(frozen=True)
class Images:
    """Binary images, and the mean grey training image."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    means: np.ndarray


class Ledger:
    """A file of JSON lines, each the result of one piece of work with its key."""

    def __init__(self, path: Path):
        self.path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        # An interrupt may have cut the last line: what was not finished is done again.
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        self.records = [json.loads(line) for line in whole.splitlines()]

    def find(self, **key: Any) -> list[dict[str, Any]]:
        """The records that have these entries."""
        return [r for r in self.records if all(r.get(k) == v for k, v in key.items())]

    def add(self, record: dict[str, Any]) -> None:
        """Append a record to the file."""
        self.records.append(record)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        shown = {k: v for k, v in record.items() if k not in ("curve", "about")}
        print(json.dumps(shown), flush=True)


class OutOfTimeError(Exception):
    """Raised when the given number of minutes is over."""


def options(description: str) -> argparse.ArgumentParser:
    """The command-line options of a reproduction."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    add = parser.add_argument
    add("--data", default=os.environ.get("SCG_MNIST"), metavar="DIR",
        help="folder of the four MNIST files; or set SCG_MNIST")  # fmt: skip
    add("--out", type=Path, default=Path("paper-runs"), help="folder of results and parameters")
    add("--steps", type=int, default=15_000, help="updates of each run")
    add("--rates", type=float, nargs="+", default=[3e-3, 1e-2, 3e-2],
        help="for every rival")  # fmt: skip
    add("--extensions", type=int, default=2, help="further rates, while the best is at the edge")
    add("--seeds", type=int, nargs="+", default=[0, 1],
        help="the rate is chosen with the first; the others run at that rate")  # fmt: skip
    add("--models", nargs="+", help="some of the models only")
    add("--estimators", nargs="+", help="some of the estimators only")
    add("--held-out", type=int, default=1000, help="images for validation, and for the test")
    add("--draws", type=int, default=200, help="draws of a gradient for its variance")
    add("--backend", choices=["numba", "numpy"], default="numba")
    add("--minutes", type=float, help="begin nothing new after so many minutes")
    return parser


def main(task: Task, description: str) -> None:
    """Do the missing pieces of work of a task."""
    parser = options(description)
    args = parser.parse_args()
    if args.data is None:
        parser.error("where is MNIST? --data DIR, or SCG_MNIST=DIR")
    args.deadline = time.monotonic() + 60 * args.minutes if args.minutes else float("inf")
    (args.out / "params").mkdir(parents=True, exist_ok=True)
    ledger = Ledger(args.out / f"{task.name}.jsonl")
    images = prepare(args.data, args.held_out)
    try:
        for model in args.models or task.models:
            reproduce(task, model, images, args, ledger)
    except OutOfTimeError:
        print("out of time; the same command goes on from here")


def prepare(folder: str, held_out: int) -> Images:
    """Load MNIST and binarize it once."""
    splits = load(f"mnist:{folder}")
    assert splits.valid is not None
    return Images(
        binarize(splits.train, 0),
        binarize(splits.valid[:held_out], 1),
        binarize(splits.test[:held_out], 2),
        splits.train.mean(axis=0, dtype=np.float64),
    )


def reproduce(task: Task, model: str, images: Images, args: Any, ledger: Ledger) -> None:
    """Train all estimators on one model, test the best rate of each, and measure variances."""
    graph = task.models[model](images.means)
    for name in args.estimators or task.estimators:
        step = scg.compile(graph, task.estimators[name], backend=args.backend, dtype="float32")
        first, *others = args.seeds
        rates = sorted(args.rates)
        for rate in rates:
            train(task, model, name, step, rate, first, images, args, ledger)
        rate = best_rate(ledger, model, name, first, args.steps)
        for _ in range(args.extensions):  # a best rate at the edge of the grid is none
            if rate not in (rates[0], rates[-1]):
                break
            further = rate / 3 if rate == rates[0] else rate * 3
            rates = sorted([*rates, further])
            train(task, model, name, step, further, first, images, args, ledger)
            rate = best_rate(ledger, model, name, first, args.steps)
        for seed in args.seeds:
            if seed in others:
                train(task, model, name, step, rate, seed, images, args, ledger)
            test(task, model, name, graph, rate, seed, images, args, ledger)
    if ledger.find(kind="run", model=model, estimator=task.frozen, steps=args.steps):
        rate = best_rate(ledger, model, task.frozen, args.seeds[0], args.steps)
        for name in task.measured:
            variance(task, model, name, graph, rate, images, args, ledger)


def best_rate(ledger: Ledger, model: str, estimator: str, seed: int, steps: int) -> float:
    """The rate with the lowest validation figure; runs that diverged do not count."""
    runs = ledger.find(kind="run", model=model, estimator=estimator, seed=seed, steps=steps)
    alive = [run for run in runs if run["valid"] is not None]
    if not alive:
        raise SystemExit(f"{model}, {estimator}: every rate diverged; give lower --rates")
    return min(alive, key=lambda run: run["valid"])["rate"]


def train(
    task: Task, model: str, name: str, step: Step, rate: float, seed: int,
    images: Images, args: Any, ledger: Ledger,
) -> None:  # fmt: skip
    """Train once, and validate."""
    key = dict(kind="run", model=model, estimator=name, rate=rate, seed=seed, steps=args.steps)
    if ledger.find(**key):
        return
    _check_time(args)
    # Points of the curve: ten, or one each time all images were seen.
    epochs = max(CURVE, -(-args.steps // (len(images.train) // BATCH)))
    started = time.perf_counter()
    try:
        run = scg.fit(
            step,
            data={"x": images.train},
            seed=seed,
            optimizer=scg.optim.SGD(rate, momentum=MOMENTUM),
            own_optimizer=scg.optim.Adam(OWN_RATE),
            batch_size=BATCH,
            epochs=epochs,
            steps_per_epoch=args.steps // epochs,
            callbacks=[lambda run: _figure(task, run, images.valid[:500])],
        )
    except scg.CallError as error:  # a gradient that is not finite
        ledger.add({**key, "valid": None, "why": str(error), "curve": []})
        return
    seconds = sum(record["seconds"] for record in run.history)
    found = scg.evaluate(step.graph, run.params, {"x": images.valid}, samples=10, seed=1)
    valid = task.measure(found)[0]
    curve = [[record["step"], record["figure"]] for record in run.history]
    np.savez(_file(args.out, model, name, rate, seed, args.steps), **run.params)
    ledger.add({
        **key,
        "valid": valid if np.isfinite(valid) else None,
        "ms_per_step": round(1000 * seconds / args.steps, 2),
        "seconds": round(time.perf_counter() - started, 1),
        "backend": args.backend,
        "curve": curve,
    })  # fmt: skip


def _figure(task: Task, run: Any, x: np.ndarray) -> dict[str, float]:
    found = scg.evaluate(run.step.graph, run.params, {"x": x}, samples=5, seed=0)
    return {"figure": task.measure(found)[0]}


def test(
    task: Task, model: str, name: str, graph: scg.Graph, rate: float, seed: int,
    images: Images, args: Any, ledger: Ledger,
) -> None:  # fmt: skip
    """Evaluate the test images at the parameters of one run."""
    key = dict(kind="test", model=model, estimator=name, rate=rate, seed=seed, steps=args.steps)
    if ledger.find(**key):
        return
    _check_time(args)
    params = parameters(args.out, model, name, rate, seed, args.steps)
    samples = task.test_samples
    found = scg.evaluate(graph, params, {"x": images.test}, samples=samples, seed=2, batch_size=200)
    figure, stderr = task.measure(found)
    ledger.add({**key, "test": figure, "stderr": stderr, "images": len(images.test),
                "samples": samples})  # fmt: skip


def variance(
    task: Task, model: str, name: str, graph: scg.Graph, rate: float,
    images: Images, args: Any, ledger: Ledger,
) -> None:  # fmt: skip
    """Measure the variance of an estimator at the frozen checkpoint, on a fixed batch.

    The checkpoint holds the final parameters of the run of `task.frozen` with this rate and the
    first seed. They stay fixed; averages and network baselines first learn on other batches.
    """
    key = dict(kind="variance", model=model, estimator=name, rate=rate, steps=args.steps)
    if ledger.find(**key):
        return
    _check_time(args)
    params = parameters(args.out, model, task.frozen, rate, args.seeds[0], args.steps)
    step = scg.compile(graph, task.measured[name], backend=args.backend, dtype="float32")
    state, rule, slots = step.init(0), scg.optim.Adam(OWN_RATE), None
    batches = Batches(graph, {"x": images.train}, BATCH, (0,))
    for count in range(args.draws if state else 0):
        out = step(params, seed=(0, count), data=batches[count], state=state)
        state = out.state
        if out.estimator_grads:
            flat = {(n, k): v for n, entries in state.items() for k, v in entries.items()}
            grads = {(n, k): v for n, e in out.estimator_grads.items() for k, v in e.items()}
            flat, slots = rule.apply(flat, grads, slots)
            for (n, k), value in flat.items():
                state[n][k] = value
    x = images.train[-BATCH:]
    out = step(params, seed=1, runs=args.draws, data={"x": x}, state=state)
    spread = [np.ravel(e**2) for name, e in out.stderr.items() if name.startswith(SERVED)]
    ledger.add({**key, "variance": out.runs * float(np.mean(np.concatenate(spread))),
                "draws": args.draws, "unbiased": step.plan.unbiased})  # fmt: skip


def parameters(
    out: Path, model: str, name: str, rate: float, seed: int, steps: int
) -> dict[str, np.ndarray]:
    """The final parameters of a run."""
    with np.load(_file(out, model, name, rate, seed, steps)) as file:
        return dict(file)


def _file(out: Path, model: str, name: str, rate: float, seed: int, steps: int) -> Path:
    name = name.replace("/", "-")
    return out / "params" / f"{model}_{name}_{rate:g}_{seed}_{steps}.npz"


def _check_time(args: Any) -> None:
    if time.monotonic() > args.deadline:
        raise OutOfTimeError
