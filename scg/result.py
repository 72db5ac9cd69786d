"""A result: what one call of a step returns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

Nested = dict[str, dict[str, np.ndarray]]


class Result:
    """What one call of a step returns, averaged over its runs.

    Everything is arranged when it is first asked for.

    Parameters
    ----------
    means, squares : mapping
        Means of the outputs of a program, and summed squared deviations from them, by key.
    runs : int
        The number of runs.
    memory : mapping
        The estimators' state and own parameters that the call was given: node, then name.
    unbiased : bool
        Whether every estimator is unbiased.
    hessian : dict
        See below.

    Attributes
    ----------
    cost : float
        The estimate of the objective.
    costs : dict
        The contribution of each cost.
    grads : dict
        The gradient estimate, with the keys and shapes of the parameters.
    stderr : dict
        Standard errors of `grads` over the runs; NaN for a single run.
    state : dict
        The estimators' own parameters, unchanged, and their new state: node, then name.
    estimator_grads : dict
        Gradients of the estimators' own parameters: node, then name.
    hessian : dict
        With ``order=2``: ``hessian["a"]["b"]`` of shape ``a.shape + b.shape``.
    unbiased : bool
        Whether every estimator is unbiased.
    runs : int
        The number of runs.
    """

    def __init__(
        self,
        means: Mapping[Any, Any],
        squares: Mapping[Any, Any],
        runs: int,
        memory: Mapping[str, Mapping[str, Any]],
        unbiased: bool,
        hessian: Nested,
    ):
        self._means, self._squares, self._memory = means, squares, memory
        self.runs, self.unbiased, self.hessian = runs, unbiased, hessian

    @cached_property
    def cost(self) -> float:
        """The estimate of the objective."""
        return float(self._means["cost",])

    @cached_property
    def costs(self) -> dict[str, float]:
        """The contribution of each cost."""
        return {name: float(value) for name, value in self._of("costs").items()}

    @cached_property
    def grads(self) -> dict[str, Any]:
        """The gradient estimate, with the keys and shapes of the parameters."""
        return self._of("grads")

    @cached_property
    def stderr(self) -> dict[str, Any]:
        """Standard errors of `grads` over the runs; NaN for a single run."""
        if self.runs == 1:
            return {name: np.full(np.shape(mean), np.nan) for name, mean in self.grads.items()}
        scale = 1.0 / (self.runs - 1) / self.runs
        return {
            name: np.sqrt(np.broadcast_to(self._squares["grads", name], np.shape(mean)) * scale)
            for name, mean in self.grads.items()
        }

    @cached_property
    def state(self) -> Nested:
        """The estimators' own parameters, unchanged, and their new state: node, then name."""
        return nest(self._memory, self._means, "state")

    @cached_property
    def estimator_grads(self) -> Nested:
        """Gradients of the estimators' own parameters: node, then name."""
        return nest({}, self._means, "own")

    def _of(self, kind: str) -> dict[str, Any]:
        # Indexed by nothing, a scalar leaves its array and an array stays one.
        return {key[1]: value[()] for key, value in self._means.items() if key[0] == kind}

    def __repr__(self) -> str:
        return (
            f"Result(cost={self.cost}, costs={self.costs}, grads={self.grads}, "
            f"stderr={self.stderr}, state={self.state}, estimator_grads={self.estimator_grads}, "
            f"hessian={self.hessian}, unbiased={self.unbiased}, runs={self.runs})"
        )


def nest(start: Mapping[str, Mapping[str, Any]], out: Mapping[Any, Any], kind: str) -> Nested:
    """Arrange outputs of one kind as node, then name, over what was there before."""
    nested: Nested = {node: dict(entries) for node, entries in start.items()}
    for key, value in out.items():
        if key[0] == kind:
            nested.setdefault(key[1], {})[key[2]] = np.asarray(value)
    return nested
