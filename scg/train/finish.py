"""The end of an epoch: its metrics, from the loop itself and from callbacks."""

from __future__ import annotations

import math
import time
from typing import Any

from scg.errors import DivergenceWarning
from scg.ir.origin import warn
from scg.train.check import check_numbers, measured
from scg.train.metrics import Writer
from scg.train.run import Run

#: A cost that is larger than so many times the first one, or 1 if that is more, has diverged.
DIVERGED = 100.0


class Finish:
    """Finishes epochs: called after each update, it returns whether an epoch has ended."""

    def __init__(
        self,
        run: Run,
        per_epoch: int,
        callbacks: tuple[Any, ...],
        writers: list[Writer],
        log_every: int | None,
    ):
        self.run, self.per_epoch, self.callbacks = run, per_epoch, callbacks
        self.writers, self.log_every = writers, log_every
        self._started = time.perf_counter()
        self._first: float | None = None

    def __call__(self) -> bool:
        """Measure, if the epoch has ended."""
        run = self.run
        if self._first is None:
            self._first = run.now.last
        if self.log_every and run.now.count % self.log_every == 0:
            self._write({"step": run.now.count, "cost": run.now.last})
        if run.now.count % self.per_epoch:
            return False
        check_numbers(run.params, run.now.count)
        cost = run.now.cost / self.per_epoch
        run.now = run.now._replace(cost=0.0)
        record: dict[str, Any] = {"epoch": run.epoch + 1, "step": run.now.count, "cost": cost}
        record["seconds"] = round(time.perf_counter() - self._started, 4)
        own = tuple(record)
        run.history.append(record)
        for callback in self.callbacks:
            record.update(measured(callback, callback(run), own))
        self._write(record)
        self._warn(cost, self._first)
        self._started = time.perf_counter()
        return True

    def _write(self, record: dict[str, Any]) -> None:
        for writer in self.writers:
            writer.write(record)

    def _warn(self, cost: float, first: float) -> None:
        """Say once that a run diverges."""
        if cost - first > DIVERGED * max(abs(first), 1.0):
            self._first = math.inf
            warn(
                f"the cost rose from {first:.6g} at first to {cost:.6g} in epoch "
                f"{self.run.epoch}: the run diverges. Lower the learning rate or clip the "
                "gradients: clip=scg.optim.ClipNorm(5.0)",
                DivergenceWarning,
            )
