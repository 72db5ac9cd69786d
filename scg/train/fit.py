"""Fit: the training loop, which owns the seed counter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scg.errors import CallError, CheckpointError
from scg.run.result import Nested
from scg.run.step import Step
from scg.seeds.noise import check_seed
from scg.train import checkpoint as files
from scg.train.batches import Batches, Transform
from scg.train.interrupt import between_updates
from scg.train.metrics import JsonLines
from scg.train.optim import Adam, Optimizer, OptimizerState
from scg.train.progress import progress_bar
from scg.train.settings import compare, settings
from scg.train.update import Params, Snapshot, make_update

Callback = Callable[["Run"], Mapping[str, Any] | None]


@dataclass(repr=False)
class Run:
    """A training run: what :func:`fit` returns, and what callbacks see.

    Attributes
    ----------
    step : Step
        What is trained.
    now : Snapshot
        Parameters, states and position.
    history : list of dict
        The metrics of each finished epoch.
    stop : bool
        A callback sets it to end the run after this epoch.
    """

    step: Step
    now: Snapshot
    history: list[dict[str, Any]] = field(default_factory=list)
    stop: bool = False

    @property
    def params(self) -> Params:
        """The parameters."""
        return self.now.params

    @property
    def state(self) -> Nested:
        """The estimators' state and own parameters."""
        return self.now.state

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    def __repr__(self) -> str:
        cost = f", cost {self.history[-1]['cost']:.6g}" if self.history else ""
        name, done = self.step.graph.name, f"{self.epoch} epochs, {self.now.count} updates"
        return f"Run({name!r}: {done}{cost})"


def fit(
    step: Step,
    params: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    *,
    seed: int | tuple[int, ...],
    optimizer: Optimizer | None = None,
    own_optimizer: Optimizer | None = None,
    epochs: int = 1,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    plate: str | None = None,
    transform: Transform | None = None,
    callbacks: Iterable[Callback] = (),
    metrics: str | Path | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    progress: bool | str = False,
) -> Run:
    """Train the parameters of a step.

    Update `count` draws its noise from ``seed=(*seed, count)``, its batch from the epoch's own
    shuffling: what happens depends on the arguments alone, and a resumed run repeats it bit by bit.
    With ``backend="numba"`` one call samples, differentiates and updates, if the optimizers are
    rules (:func:`scg.optim.rule`, as those of ``scg.optim`` are); parameters and what optimizers
    keep are then of the step's type.

    Parameters
    ----------
    step : Step
        What ``scg.compile`` returned.
    params : mapping, optional
        Where to start; ``graph.init(seed)`` by default.
    data : mapping, optional
        Arrays by name, all examples.
    seed : int or tuple of int
        There is no default.
    optimizer : Optimizer, optional
        ``scg.optim.Adam(1e-3)`` by default.
    own_optimizer : Optimizer, optional
        For the own parameters of estimators and baselines; `optimizer` by default.
    epochs : int
        Number of epochs in all, those before a resumption included.
    batch_size, plate, steps_per_epoch, transform
        See :class:`scg.train.Batches`.
    callbacks : iterable of callable
        Each is called with the :class:`Run` after every epoch; a mapping that it returns joins the
        metrics, and ``run.stop = True`` ends the run.
    metrics : path, optional
        A file of JSON lines, one an epoch.
    checkpoint : path, optional
        Written at the start, after every epoch, on an interrupt, and every `checkpoint_every`
        updates; see :mod:`scg.train.checkpoint`.
    resume : bool
        Continue from the checkpoint.
    progress : bool or str
        Show a progress bar on the standard error stream, with this text before it.

    Returns
    -------
    Run

    Raises
    ------
    CallError
        If the data do not fit the graph, or a gradient is not finite.
    CheckpointError
        If an older file is in the way; if the checkpoint to resume is missing,
        damaged, or of another run.
    """
    check_seed(seed)
    if not step.graph.parameters:
        raise CallError(f"graph {step.graph.name!r} declares no parameter: nothing to train")
    base = tuple(seed) if isinstance(seed, tuple) else (seed,)
    optimizer = optimizer or Adam()
    own_optimizer = own_optimizer or optimizer
    batches = Batches(step.graph, data or {}, batch_size, base, plate, steps_per_epoch, transform)
    start = Snapshot(
        0,
        {name: np.asarray(value) for name, value in (params or step.graph.init(seed)).items()},
        step.init(seed),
        OptimizerState(),
        OptimizerState(),
    )
    run = Run(step, start)
    update = make_update(step, optimizer, own_optimizer)
    path = Path(checkpoint) if checkpoint is not None else None
    if resume and path is None:
        raise CheckpointError("resume=True needs checkpoint=, the file to continue from")
    made_with = settings(step, start.params, batches, optimizer, own_optimizer) if path else {}
    if path is not None and resume:
        _restore(run, path, made_with)
    else:
        for name in filter(None, (checkpoint, metrics)):
            if Path(name).exists():
                raise CheckpointError(
                    f"{name}: is there already; resume the run or choose another place"
                )
    callbacks = tuple(callbacks)
    last = epochs * batches.per_epoch
    if path is not None and not resume:
        _save(run, path, made_with)  # an unwritable place is found before the work, not after
    lines = JsonLines(metrics, run.history) if metrics is not None else None
    saved = run.now.count
    whole = (run.now, run.epoch)  # the last point at which nothing was half done

    try:
        with progress_bar(last, run.now.count, progress) as advance, between_updates() as ask:
            started = time.perf_counter()
            while run.now.count < last and not run.stop:
                count = run.now.count
                run.now = update(run.now, batches[count], (*base, count))
                advance(run)
                due = checkpoint_every is not None and run.now.count % checkpoint_every == 0
                if run.now.count % batches.per_epoch == 0:
                    _finish_epoch(run, batches.per_epoch, started, callbacks, lines)
                    started, due = time.perf_counter(), True
                whole = (run.now, run.epoch)
                if path is not None and due:
                    saved = _save(run, path, made_with)
                ask()
    except KeyboardInterrupt:
        run.now, finished = whole
        del run.history[finished:]
        if path is not None and run.now.count != saved:
            _save(run, path, made_with)
        raise
    return run


def _finish_epoch(
    run: Run,
    per_epoch: int,
    started: float,
    callbacks: tuple[Callback, ...],
    lines: JsonLines | None,
) -> None:
    cost = run.now.cost / per_epoch
    run.now = run.now._replace(cost=0.0)
    record: dict[str, Any] = {"epoch": run.epoch + 1, "step": run.now.count, "cost": cost}
    record["seconds"] = round(time.perf_counter() - started, 4)
    run.history.append(record)
    for callback in callbacks:
        record.update(callback(run) or {})
    if lines is not None:
        lines.write(record)


def _save(run: Run, path: Path, made_with: Mapping[str, Any]) -> int:
    now = run.now
    arrays = {
        "params": now.params,
        "state": now.state,
        "optimizer": now.optimizer.slots,
        "own": now.own.slots,
    }
    about = {
        "settings": made_with,
        "count": now.count,
        "updates": [now.optimizer.count, now.own.count],
        "cost": now.cost,
        "history": run.history,
    }
    files.save(path, arrays, about)
    return now.count


def _restore(run: Run, path: Path, made_with: Mapping[str, Any]) -> None:
    arrays, about = files.load(path)
    compare(path, about.get("settings", {}), made_with)
    first, own = about["updates"]
    run.now = Snapshot(
        about["count"],
        arrays.get("params", {}),
        arrays.get("state", {}),
        OptimizerState(first, arrays.get("optimizer", {})),
        OptimizerState(own, arrays.get("own", {})),
        about["cost"],
    )
    run.history = about["history"]
