"""A result: what one call of a step returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Nested = dict[str, dict[str, np.ndarray]]


class _Once:
    """A property that is computed when it is first asked for.

    ``functools.cached_property`` takes a lock in Python 3.11, which costs more than a small step.
    """

    def __init__(self, compute: Callable[[Any], Any]):
        self._compute, self.__doc__, self._name = compute, compute.__doc__, compute.__name__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


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

    @_Once
    def cost(self) -> float:
        """The estimate of the objective."""
        return float(self._means["cost",])

    @_Once
    def costs(self) -> dict[str, float]:
        """The contribution of each cost."""
        return {key[1]: float(value) for key, value in self._means.items() if key[0] == "costs"}

    @_Once
    def grads(self) -> dict[str, Any]:
        """The gradient estimate, with the keys and shapes of the parameters."""
        # Indexed by nothing, a scalar leaves its array and an array stays one.
        return {key[1]: value[()] for key, value in self._means.items() if key[0] == "grads"}

    @_Once
    def stderr(self) -> dict[str, Any]:
        """Standard errors of `grads` over the runs; NaN for a single run."""
        if self.runs == 1:
            return {name: np.full(np.shape(mean), np.nan) for name, mean in self.grads.items()}
        scale = 1.0 / (self.runs - 1) / self.runs
        return {
            name: np.sqrt(np.broadcast_to(self._squares["grads", name], np.shape(mean)) * scale)
            for name, mean in self.grads.items()
        }

    @_Once
    def state(self) -> Nested:
        """The estimators' own parameters, unchanged, and their new state: node, then name."""
        return nest(self._memory, self._means, "state")

    @_Once
    def estimator_grads(self) -> Nested:
        """Gradients of the estimators' own parameters: node, then name."""
        return nest({}, self._means, "own")

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
