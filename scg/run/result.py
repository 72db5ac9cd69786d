"""Result: the estimates that one call of a step returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.common.named import Named
from scg.errors import CallError
from scg.ir.tables import grid
from scg.run.curvature import assemble

Nested = dict[str, dict[str, np.ndarray]]

#: Most numbers that a notebook shows in one cell.
FEW = 4


class Layout(NamedTuple):
    """Properties that all results of a step share."""

    unbiased: bool  #: Whether all estimators are unbiased.
    costs: list[tuple[str, Any]]  #: The costs, each with the key of its output.
    grads: list[tuple[str, Any]]  #: The gradients of the parameters, likewise.
    data_grads: list[tuple[str, Any]]  #: The gradients in data, likewise.
    second: dict[str, tuple[int, ...]]  #: Shapes of the parameters that have second derivatives.


class Result:
    """Estimates of the cost and its gradients, averaged over the runs of one call of a step.

    Attributes are read from arrays that the next call of a bound step overwrites: copy what you
    keep. ``runs`` is the number of runs.
    """

    def __init__(
        self,
        found: Mapping[Any, Any],
        runs: int,
        memory: Mapping[str, Mapping[str, Any]],
        layout: Layout,
    ):
        # `found`: means of the outputs by key, sums of squared deviations by ("spread", key)
        self.runs, self._found, self._memory, self._layout = runs, found, memory, layout
        self._grads: dict[str, Any] | None = None

    @property
    def unbiased(self) -> bool:
        """Whether all estimators are unbiased."""
        return self._layout.unbiased

    @property
    def cost(self) -> float:
        """The estimate of the objective."""
        return float(self._found["cost",])

    @property
    def costs(self) -> dict[str, float]:
        """The contribution of each cost."""
        return Named({name: float(self._found[key]) for name, key in self._layout.costs})

    @property
    def grads(self) -> dict[str, Any]:
        """The gradient estimate, with the keys and shapes of the parameters."""
        # They are read in each call: a plain property and a loop are the cheapest way.
        if self._grads is None:
            grads, found = {}, self._found
            for name, key in self._layout.grads:
                grads[name] = found[key]
            self._grads = grads
        return self._grads

    @property
    def data_grads(self) -> dict[str, Any]:
        """Gradient estimates in the data that ``compile(data_grads=...)`` names."""
        return {name: self._found[key] for name, key in self._layout.data_grads}

    @property
    def stderr(self) -> dict[str, Any]:
        """Standard errors of `grads` over the runs; NaN for a single run."""
        if self.runs == 1:
            return {name: np.full(np.shape(mean), np.nan) for name, mean in self.grads.items()}
        scale = 1.0 / (self.runs - 1) / self.runs
        errors = {}
        for name, key in self._layout.grads:
            spread = self._found.get(("spread", key), 0.0)
            errors[name] = np.sqrt(np.broadcast_to(spread, np.shape(self._found[key])) * scale)
        return errors

    @property
    def state(self) -> Nested:
        """The estimators' own parameters, unchanged, and their new state: node, then name."""
        return nest(self._memory, self._found, "state")

    @property
    def carry(self) -> dict[str, np.ndarray]:
        """With ``stream=True``: what the next window takes over, as copies; of a single run."""
        if self.runs != 1:
            raise CallError(f"out.carry: a window continues one run, and this call has {self.runs}")
        return {key[1]: np.array(x) for key, x in self._found.items() if key[0] == "carry"}

    @property
    def hessian(self) -> Nested:
        """With ``order=2``: ``hessian["a"]["b"]`` of shape ``a.shape + b.shape``."""
        return assemble(self._layout.second, self._found)

    @property
    def estimator_grads(self) -> Nested:
        """Gradients of the estimators' own parameters: node, then name."""
        return nest({}, self._found, "own")

    def __repr__(self) -> str:
        return (
            f"Result(cost={self.cost}, costs={self.costs}, grads={self.grads}, "
            f"stderr={self.stderr}, state={self.state}, estimator_grads={self.estimator_grads}, "
            f"data_grads={self.data_grads}, hessian={self.hessian}, "
            f"unbiased={self.unbiased}, runs={self.runs})"
        )

    def _repr_html_(self) -> str:
        rows = [["cost", "", f"{self.cost:.6g}", ""]]
        if len(costs := self.costs) > 1:
            rows += [[f"cost {name}", "", f"{value:.6g}", ""] for name, value in costs.items()]
        errors = self.stderr
        for name, grad in self.grads.items():
            error = _short(errors[name]) if self.runs > 1 else ""
            rows.append([f"∂/∂{name}", str(np.shape(grad) or ""), _short(grad), error])
        bias = "unbiased" if self.unbiased else "BIASED"
        caption = f"{self.runs} {'run' if self.runs == 1 else 'runs'}, {bias}"
        return grid(["", "shape", "estimate", "± standard error"], rows, caption)


def _short(values: Any) -> str:
    """A few numbers, or the norm of many."""
    flat = np.ravel(values)
    if flat.size > FEW:
        return f"norm {np.linalg.norm(flat):.4g}"
    return ", ".join(f"{x:.4g}" for x in flat)


def nest(start: Mapping[str, Mapping[str, Any]], out: Mapping[Any, Any], kind: str) -> Nested:
    """Outputs of one kind by node, then name, over the entries of `start`."""
    nested: Nested = {node: dict(entries) for node, entries in start.items()}
    for key, value in out.items():
        if key[0] == kind:
            nested.setdefault(key[1], {})[key[2]] = np.asarray(value)
    return nested
