"""A training run: where it is, and what of it a checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scg.common.frame import frame
from scg.errors import CheckpointError
from scg.ir.tables import grid
from scg.run.result import Nested
from scg.run.step import Step
from scg.train import checkpoint
from scg.train.optim import Optimizer, OptimizerState
from scg.train.settings import compare
from scg.train.update import Params, Snapshot, flat


@dataclass(repr=False)
class Run:
    """A training run: what :func:`scg.fit` returns, and what callbacks see.

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

    def to_frame(self) -> Any:
        """The history as a pandas DataFrame, a row for each epoch."""
        return frame(self.history)

    def _repr_html_(self) -> str:
        names = dict.fromkeys(name for record in self.history for name in record)
        rows = [[f"{record.get(name, '')!s:.10}" for name in names] for record in self.history]
        return grid(list(names), rows, caption=repr(self))

    def __repr__(self) -> str:
        cost = f", cost {self.history[-1]['cost']:.6g}" if self.history else ""
        name, done = self.step.graph.name, f"{self.epoch} epochs, {self.now.count} updates"
        return f"Run({name!r}: {done}{cost})"


class Kept:
    """The checkpoint of a run that was made with some settings; without a path it keeps nothing.

    The file holds the first `count` updates.
    """

    def __init__(self, path: Path | None, made_with: Mapping[str, Any]):
        self.path, self.made_with, self.count = path, made_with, 0

    def save(self, run: Run) -> None:
        """Write the file."""
        now = run.now
        arrays = {
            "params": now.params,
            "state": now.state,
            "optimizer": now.optimizer.slots,
            "own": now.own.slots,
            "carry": now.carry or {},
        }
        about = {
            "settings": self.made_with,
            "count": now.count,
            "updates": [now.optimizer.count, now.own.count],
            "cost": now.cost,
            "history": run.history,
        }
        if self.path is not None:
            checkpoint.save(self.path, arrays, about)
        self.count = now.count

    def restore(self, run: Run, per_epoch: int, optimizers: tuple[Optimizer, Optimizer]) -> None:
        """Bring a run that has not begun to where the file is; refuse what no such run writes."""
        assert self.path is not None
        arrays, about = checkpoint.load(self.path)
        compare(self.path, about.get("settings"), self.made_with)
        damaged = CheckpointError(f"{self.path}: damaged: its header holds what no run writes")
        match about:
            case {
                "count": int(count),
                "updates": [int(first), int(own)],
                "cost": float(cost),
                "history": list(history),
            } if min(count, first, own) >= 0 and len(history) == count // per_epoch:
                for record in history:
                    match record:
                        case {"step": int(), "cost": _}:
                            pass
                        case _:
                            raise damaged
            case _:
                raise damaged
        names = ("params", "state", "carry", "optimizer", "own")
        params, state, carry, *slots = (arrays.get(name, {}) for name in names)
        leaves = run.params, flat(run.state)
        fit = _fits(params, run.params) and _fits(state, run.state)
        window = run.step.surrogate.first.window
        fit &= carry.keys() == (window.leaves.keys() if window and carry else {}.keys())
        if not (fit and all(map(_slots_fit, slots, optimizers, leaves))):
            raise damaged
        moved = OptimizerState(first, slots[0]), OptimizerState(own, slots[1])
        now = Snapshot(count, params, state, *moved, cost, carry=carry or None)
        run.now, run.history = now, history
        self.count = count


def _fits(found: Any, wanted: Any) -> bool:
    """Whether nested arrays have the names and shapes of others, and hold numbers as they do."""
    if isinstance(wanted, Mapping):
        same = isinstance(found, Mapping) and found.keys() == wanted.keys()
        return same and all(_fits(found[name], wanted[name]) for name in wanted)
    wanted = np.asarray(wanted)
    return (
        not isinstance(found, Mapping)
        and found.shape == wanted.shape
        and found.dtype.kind in ("f", wanted.dtype.kind)
    )


def _slots_fit(found: Any, optimizer: Optimizer, leaves: Mapping[str, Any]) -> bool:
    """Whether slots fit an optimizer; those of an optimizer that is not a rule are not checked."""
    return isinstance(found, Mapping) and all(
        name in leaves
        and isinstance(slots, Mapping)
        and (not optimizer.is_rule or _fits(slots, optimizer.slots_of(np.shape(leaves[name]))))
        for name, slots in found.items()
    )
