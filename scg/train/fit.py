"""Fit: the training loop, which owns the seed counter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import CallError, CheckpointError
from scg.run.binding import Binder
from scg.run.step import Step
from scg.seeds.noise import check_seed, extended
from scg.train.batches import Transform
from scg.train.check import check_numbers
from scg.train.checkpoint import alone
from scg.train.finish import Finish
from scg.train.interrupt import between_updates
from scg.train.metrics import JsonLines, writers
from scg.train.optim import Adam, Optimizer, OptimizerState
from scg.train.progress import progress_bar
from scg.train.run import Kept, Run
from scg.train.settings import settings
from scg.train.shards import ShardedUpdate, Shards, work_of
from scg.train.stream import loaded, make_batches
from scg.train.update import Snapshot, make_update
from scg.train.windows import Windows, check_windows
from scg.workers import Crew

Examples = Mapping[str, Any] | Iterable[Mapping[str, Any]] | Callable[[], Mapping[str, Any]]
SHARDS = 8
Callback = Callable[[Run], Mapping[str, Any] | None]


@checked(
    "scg.fit(scg.compile(g), data={...}, seed=0, optimizer=scg.optim.Adam(1e-3), callbacks=[f])"
)
def fit(
    step: Step,
    params: Mapping[str, Any] | None = None,
    data: Examples | None = None,
    *,
    seed: int | tuple[int, ...],
    optimizer: Optimizer | None = None,
    own_optimizer: Optimizer | None = None,
    epochs: int = 1,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    plate: str | None = None,
    transform: Transform | None = None,
    callbacks: Sequence[Callback] = (),
    metrics: Any = None,
    log_every: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    progress: bool | str = False,
    executor: Any = None,
    shards: int | None = None,
    make_step: Callable[[], Any] | None = None,
    stream: bool = False,
    window: int | None = None,
) -> Run:
    """Train the parameters of a step.

    For a loop of your own, call the step and ``optimizer.apply``. Here update `count` samples its
    noise with ``seed=(*seed, count)``, and each epoch has its own shuffling: a run depends on the
    arguments alone, and a resumed run repeats it bit by bit. With ``backend="numba"`` one call
    samples, differentiates and updates if the optimizers are rules (:func:`scg.optim.rule`), as
    those of ``scg.optim`` are; parameters and slots then have the step's type.

    Parameters
    ----------
    step : Step
        What ``scg.compile`` returned.
    params : mapping, optional
        Where to start; ``graph.init(seed)`` by default.
    data : mapping, iterable of mapping, or callable, optional
        Arrays by name, all examples; or batches, one for each update, see
        :class:`scg.train.Stream`; or a function without arguments that loads the arrays.
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
    callbacks : sequence of callable
        Each is called with the :class:`Run` after every epoch; a mapping that it returns joins the
        metrics, and ``run.stop = True`` ends the run.
    metrics : path or Writer, or a list of them, optional
        Where the metrics of each epoch are written: a file of JSON lines, in which a number that is
        not finite is null, or a writer such as :class:`scg.train.TensorBoard`.
    log_every : int, optional
        Also write the cost of one update after every so many: 1 writes that of each.
    checkpoint : path, optional
        Written at the start, after every epoch, on an interrupt or an error, and every
        `checkpoint_every` updates; see :mod:`scg.train.checkpoint`. Interrupts are Ctrl-C, SIGTERM
        and SIGHUP. No other run can write there meanwhile.
    resume : bool
        Continue from the checkpoint.
    progress : bool or str
        Show a progress bar on the standard error stream, with this text before it.
    executor : int, executor, or callable, optional
        Who computes the gradients, each on a part of the batch; see :class:`scg.workers.Crew`.
        Workers compile the step once. If `data` is a function, each of them calls it once and
        makes the batches; a transform is then theirs.
    shards : int, optional
        Parts of a batch, 8 by default. Examples have the noise that they have without an executor,
        so that the results agree to rounding; those of one number of parts have the same bits for
        1, 2 or 7 workers, lost and replaced ones included. Own parameters that estimators learn on
        a variance get the gradient of the sum of the parts' variances, which has the same mean.
    make_step : callable, optional
        A function without arguments that makes the step in a worker, where the graph cannot be
        read from JSON because it has ops or distributions of your own.
    stream : bool
        Take the data as sequences without end, in consecutive windows between which a step that was
        compiled with ``stream=True`` carries its state; see :class:`scg.train.Windows`. With
        parameters that do not move the sum of the gradients is unbiased; after an update, the
        influence that is carried belongs to older parameters.
    window : int, optional
        With `stream`: steps of a window.

    Returns
    -------
    Run
        Parameters, states and the history of metrics.

    Raises
    ------
    CallError
        If the data do not fit the graph, or a cost or a gradient is not finite; if the examples of
        a batch cannot be split, because an op mixes them.
    WorkerError
        If the executor is lost, or a part of a batch fails.
    CheckpointError
        If an older file is in the way, or another run writes there; if the checkpoint to resume is
        missing, damaged, or of another run.
    """
    check_seed(seed)
    if not step.graph.parameters:
        raise CallError(f"graph {step.graph.name!r} declares no parameter: nothing to train")
    base = extended(seed)
    optimizer = optimizer or Adam()
    optimizers = optimizer, own_optimizer or optimizer
    if checkpoint is None and (resume or checkpoint_every):
        what = "resume=True" if resume else "checkpoint_every="
        raise CheckpointError(f"{what} needs checkpoint=, the file to continue from")
    if executor is None and (shards or make_step):
        raise CallError("fit: shards= and make_step= need executor=")
    loader = data if callable(data) else None
    arrays = loaded(loader) if loader else data
    how = batch_size, base, plate, steps_per_epoch, transform
    windows = None
    if stream:
        check_windows(batch_size=batch_size, plate=plate, executor=executor)
        windows = Windows(step, arrays, base, window, steps_per_epoch, transform)
    elif window is not None:
        raise CallError("fit: window= needs stream=True")
    batches = windows or make_batches(step, arrays, *how)
    last = epochs * batches.per_epoch
    run = Run(step, _start(step, params, seed))
    if transform is None:
        step.checked(run.params, batches[0], run.state)
    crew = Crew(executor, retries=3)
    update, split = make_update(step, *optimizers), None
    if executor is not None:
        assert not isinstance(batches, Windows)  # which check_windows refuses
        split = Shards(step, batches, shards or SHARDS, plate, loader is not None)
        work = work_of(step, make_step, split, loader, how)
        update = ShardedUpdate(step, *optimizers, crew, work)
    path = None if checkpoint is None else Path(checkpoint)
    logs = writers(metrics)
    places = [path] if path else []
    places += [log.path for log in logs if isinstance(log, JsonLines)]

    with alone(*places), crew:
        made_with = settings(step, run.params, batches, *optimizers) if path else {}
        made_with |= {"shards": split.count if split else None} if path else {}
        kept = Kept(path, made_with)
        if resume:
            kept.restore(run, batches.per_epoch, optimizers)
        else:
            for place in places:
                if place.exists():
                    raise CheckpointError(
                        f"{place}: is there already; resume the run or choose another place"
                    )
            kept.save(run)  # an unwritable place is found before the work, not after
        for log in logs:
            log.start(run)
        finish = Finish(run, batches.per_epoch, tuple(callbacks), logs, log_every)
        whole = (run.now, run.epoch)  # the last point at which nothing was half done
        try:
            with (
                progress_bar(run, last, batches.per_epoch, progress) as advance,
                between_updates() as ask,
            ):
                while run.now.count < last and not run.stop:
                    count = run.now.count
                    if windows and windows.begins(count):
                        run.now = run.now._replace(carry=None)
                    run.now = update(run.now, (split or batches)[count], (*base, count))
                    advance()
                    ended = finish()
                    whole = (run.now, run.epoch)
                    if ended and (callbacks or logs):
                        update.release()
                    if ended or (checkpoint_every and run.now.count % checkpoint_every == 0):
                        kept.save(run)
                    ask()
        except BaseException as error:
            run.now, finished = whole
            update.undo(run.now)
            del run.history[finished:]
            if not isinstance(error, CheckpointError) and run.now.count != kept.count:
                kept.save(run)
            raise
    return run


def _start(step: Step, params: Mapping[str, Any] | None, seed: Any) -> Snapshot:
    """The snapshot at which a run begins, with the parameters that the graph declares."""
    given = step.graph.init(seed) if params is None else params
    Binder(step.graph, step.program.dtype).bind(given, {}, needed=set(step.graph.parameters))
    values = {name: np.asarray(value) for name, value in given.items()}
    check_numbers(values)
    return Snapshot(0, values, step.init(seed), OptimizerState(), OptimizerState())
