"""One update of a training run: sample, differentiate, and move the parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import STATE, constant, intern
from scg.ir.origin import Origin
from scg.ops.gather import gather
from scg.ops.reductions import REDUCTIONS
from scg.run.finish import finish
from scg.run.result import Nested, Result, nest
from scg.run.step import Step
from scg.train.optim import Optimizer, OptimizerState
from scg.train.rows import Tables, row_updates

Params = dict[str, np.ndarray]


class Snapshot(NamedTuple):
    """All that changes from update to update; replaced as a whole, so it is never half new.

    Attributes
    ----------
    count : int
        Number of updates made: the position in the noise and in the data.
    params : dict
        Parameters by name.
    state : dict
        The estimators' state and own parameters: node, then name.
    optimizer, own : OptimizerState
        Of the parameters, and of the estimators' own parameters.
    cost : float
        Sum of the cost estimates of the epoch that is under way.
    last : float
        The cost estimate of the last update.
    carry : dict or None
        With ``stream=True``, what the next window takes over.
    """

    count: int
    params: Params
    state: Nested
    optimizer: OptimizerState
    own: OptimizerState
    cost: float = 0.0
    last: float = math.nan
    carry: Params | None = None


class Update:
    """Makes updates of a step, with one call for the gradients and NumPy for the optimizers.

    `own_optimizer` moves the own parameters of estimators.
    """

    def __init__(self, step: Step, optimizer: Optimizer, own_optimizer: Optimizer):
        self.step, self.optimizer, self.own_optimizer = step, optimizer, own_optimizer

    def estimate(self, now: Snapshot, batch: Any, seed: Any) -> Result:
        """The estimates that move the parameters."""
        return self.step(now.params, seed=seed, data=batch, state=now.state, carry=now.carry)

    def undo(self, now: Snapshot) -> None:
        """Make a snapshot valid again, if the last update began with it and did not finish."""

    def release(self) -> None:
        """Never change the arrays of the last snapshot, because someone else holds them."""

    def __call__(self, now: Snapshot, batch: Any, seed: Any) -> Snapshot:
        """The snapshot that follows `now`."""
        out = self.estimate(now, batch, seed)
        graph = self.step.graph
        numbers, optimizer = self.optimizer.apply(
            graph.unconstrained(now.params), out.grads, now.optimizer
        )
        state, own = out.state, now.own
        if out.estimator_grads:
            grads = flat(out.estimator_grads)
            new, own = self.own_optimizer.apply(flat(state), grads, own)
            state = {n: {k: new[f"{n}@{k}"] for k in entries} for n, entries in state.items()}
        if not np.isfinite(out.cost):
            raise CallError(
                f"the cost of graph {graph.name!r} is {out.cost} after {now.count} updates; lower "
                "the learning rate, or compile with check_finite=True, which names the node"
            )
        cost, params = float(out.cost), graph.constrained(numbers)
        carry = out.carry or None
        return Snapshot(now.count + 1, params, state, optimizer, own, now.cost + cost, cost, carry)


class FusedUpdate(Update):
    """The same in one call of one program: the optimizers' rules are expressions of it.

    What the rules need besides parameters and gradients - rates, counts, slots - are leaves. Rows
    of large tables are overwritten, so that the next update may change the tables of a snapshot.
    """

    def __init__(self, step: Step, optimizer: Optimizer, own_optimizer: Optimizer):
        super().__init__(step, optimizer, own_optimizer)
        outputs, graph = step.program.outputs, step.graph
        self.params = _Part(
            "params",
            optimizer,
            {name: parameter.node for name, parameter in graph.parameters.items()},
            {key[1]: grad for key, grad in outputs.items() if key[0] == "grads"},
            graph,
            step.program.dtype,
        )
        leaves = {
            f"{memory.node}@{name}": leaf
            for memory in step.surrogate.memory.values()
            for name, leaf in memory.leaves.items()
        }
        own = {f"{key[1]}@{key[2]}": grad for key, grad in outputs.items() if key[0] == "own"}
        self.own = _Part("own", own_optimizer, leaves, own, graph, step.program.dtype)
        kept = {key: e for key, e in outputs.items() if key[0] in ("cost", "state", "carry")}
        grads = [*self.params.used, *self.own.used]
        size: Expr = sum(map(_size, grads), constant(graph, 0.0))
        self._begun: Snapshot | None = None
        program = step.program
        self.program = finish(
            {**kept, **self.params.outputs, **self.own.outputs, ("size",): size},
            program.dtype,
            program.backend,
        )

    def __call__(self, now: Snapshot, batch: Any, seed: Any) -> Snapshot:
        """The snapshot that follows `now`."""
        for part in (self.params, self.own):
            part.tables.begin()
        self._begun = now
        values, sizes, memory = self.step.checked(now.params, batch, now.state, now.carry)
        values |= self.params.inputs(now.optimizer) | self.own.inputs(now.own)
        out = self.program.estimate(values, sizes, 1, seed)
        if not (np.isfinite(out["size",]) and np.isfinite(out["cost",])):
            return super().__call__(now, batch, seed)  # which says what is not finite
        self.params.write(out, values)
        self.own.write(out, values)
        params = self.step.graph.constrained(self.params.values(out))
        state = nest(memory, out, "state")
        for name, value in self.own.values(out).items():
            node, _, entry = name.partition("@")
            state[node][entry] = value
        cost = float(out["cost",])
        optimizer, own = self.params.state(out, now.optimizer), self.own.state(out, now.own)
        carry = {key[1]: np.array(x) for key, x in out.items() if key[0] == "carry"} or None
        return Snapshot(now.count + 1, params, state, optimizer, own, now.cost + cost, cost, carry)

    def undo(self, now: Snapshot) -> None:
        """Make a snapshot valid again, if the last update began with it and did not finish."""
        if now is self._begun:
            self.params.tables.undo()
            self.own.tables.undo()

    def release(self) -> None:
        """Never change the arrays of the last snapshot, because someone else holds them."""
        self.params.tables.release()
        self.own.tables.release()


def make_update(step: Step, optimizer: Optimizer, own_optimizer: Optimizer) -> Update:
    """One program for all of an update if a compiled step can hold the optimizers."""
    compiled = step.program.draws and step.any_length
    if compiled and not step.check_finite and optimizer.is_rule and own_optimizer.is_rule:
        return FusedUpdate(step, optimizer, own_optimizer)
    return Update(step, optimizer, own_optimizer)


class _Part:
    """An optimizer as a part of a program: outputs and leaves whose keys begin with `kind`.

    It moves the leaves `values` that have gradients in `grads`; new leaves live in `graph`.
    """

    def __init__(
        self,
        kind: str,
        optimizer: Optimizer,
        values: Mapping[str, Expr],
        grads: Mapping[str, Expr],
        graph: CoreGraph,
        dtype: Any,
    ):
        self.kind, self.optimizer, self.grads = kind, optimizer, grads
        self._number = np.dtype(dtype).type
        self._shapes: dict[str, tuple[int, ...]] = {}

        graph.origin = Origin(f"optimizer of {kind}")

        def leaf(name: str, shape: tuple[int, ...] = ()) -> Expr:
            # No node's name is empty, so that no other leaf's name begins so.
            full = f"@{kind}/{name}"
            self._shapes[full] = shape
            return intern(graph, STATE, (), {"name": full}, (shape, (), "float"))

        slots = {
            name: {
                slot: leaf(f"{name}/{slot}", np.shape(array))
                for slot, array in optimizer.slots_of(grad.shape).items()
            }
            for name, grad in grads.items()
        }
        used = {name: values[name] for name in grads}
        new, new_slots = optimizer.move(used, grads, slots, leaf("rate"), leaf("count"))
        self.outputs: dict[Any, Expr] = {}
        #: Gradients, or what of them can differ from zero.
        self.used: list[Expr] = []
        self.tables = Tables()
        #: The leaf's name of each array of which rows alone are computed.
        self._leaf: dict[Any, str] = {}
        #: Keys of an array that changes by rows, of its rows, and of their index.
        self.by_rows: list[tuple[Any, Any, Any]] = []
        for name, grad in grads.items():
            fresh = {(kind, name): new[name]}
            old = {(kind, name): used[name]}
            fresh |= {(f"{kind} slots", name, s): e for s, e in new_slots[name].items()}
            old |= {(f"{kind} slots", name, s): e for s, e in slots[name].items()}
            found = row_updates(grad, old, fresh)
            if found is None:
                self.outputs |= fresh
                self.used.append(grad)
                continue
            self._leaf |= {key: leaf.attrs["name"] for key, leaf in old.items()}
            for number, (k, moved) in enumerate(found):
                index = (f"{kind} index", name, number)
                self.outputs[index] = k
                self.outputs |= {(key, number): rows for key, rows in moved.items()}
                self.by_rows += [(key, (key, number), index) for key in moved]
                self.used.append(gather(grad, k, rank=grad.ndim, index_rank=k.ndim))

    def inputs(self, state: OptimizerState) -> dict[str, Any]:
        """Values of the leaves."""
        if not self.grads:
            return {}
        given: dict[str, Any] = {
            f"@{self.kind}/rate": self._number(self.optimizer.rate_at(state.count)),
            f"@{self.kind}/count": self._number(state.count + 1),
        }
        for name, entries in state.slots.items():
            given |= {f"@{self.kind}/{name}/{slot}": array for slot, array in entries.items()}
        for name, shape in self._shapes.items():
            if name not in given:
                given[name] = np.zeros(shape)
        return given

    def write(self, out: dict[Any, Any], values: dict[str, Any]) -> None:
        """Put the arrays of which `out` has rows alone into it; `values` are those before."""
        for key, rows, index in self.by_rows:
            name = self._leaf[key]
            values[name] = self.tables.write(key, values[name], out[index], out[rows])
            out[key] = values[name]

    def values(self, out: Mapping[Any, Any]) -> Params:
        """The updated arrays."""
        return {name: np.asarray(out[self.kind, name]) for name in self.grads}

    def state(self, out: Mapping[Any, Any], before: OptimizerState) -> OptimizerState:
        """The optimizer's new state."""
        if not self.grads:
            return before
        found = nest(before.slots, out, f"{self.kind} slots")
        return OptimizerState(before.count + 1, {n: found.get(n, {}) for n in self.grads})


def _size(x: Expr) -> Expr:
    """Sum of absolute values, which is finite only if all numbers are."""
    return REDUCTIONS[0](np.abs(x), axes=tuple(range(-x.ndim, 0)), over=x.plates)


def flat(nested: Nested) -> Params:
    """The entries of a state by "node@name"."""
    return {f"{node}@{name}": v for node, entries in nested.items() for name, v in entries.items()}
