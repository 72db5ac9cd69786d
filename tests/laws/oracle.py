"""Truth by enumeration, in plain NumPy and from Python callables alone.

Nothing here knows the library under test.  A model is a list of conditionals in topological
order and a list of costs, each a callable of the parameters ``t`` and the earlier values ``v``.
Derivatives are complex steps, so the callables must be analytic and accept complex parameters.

The objective that is differentiated is, for live parameters t and fixed ones t.still,

    J(t) = Σ_x Σ_c  Π_{n credited for c} p_n(x; t)  ·  Π_{other n} p_n(x; t.still)  ·  c(x; t).

A node that reaches a cost only through a stop is simply not credited for it, and a stopped
parameter is read from ``t.still``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

STEP = 1e-40  # a complex step has no cancellation, so it may be far below rounding
# Central differences of order 8 for a first derivative, offsets 1 to 4.
STENCIL = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
SPACING = 0.01


class Theta(dict):
    """Parameter values, with ``still``: the point at which stopped parts are read."""

    def __init__(self, live: dict, still: dict | None = None):
        super().__init__(live)
        self.still = live if still is None else still


@dataclass(frozen=True)
class Conditional:
    """One stochastic node: finitely many atoms and their probability given earlier values."""

    name: str
    atoms: Sequence[Any]
    probability: Callable[[Theta, dict, Any], complex]
    value: Callable[[Theta, dict, Any], Any] = lambda t, v, atom: atom
    mean: Callable[[Theta, dict], Any] | None = None


@dataclass(frozen=True)
class Cost:
    """A contribution to the objective and the nodes whose probabilities it credits."""

    value: Callable[[Theta, dict], complex]
    credited: frozenset[str] | set[str] = field(default_factory=frozenset)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


def bernoulli(name: str, logits: Callable, shape: tuple[int, ...] = ()) -> Conditional:
    """Independent Bernoullis of one event of the given shape."""
    size = int(np.prod(shape))
    atoms = [np.reshape(bits, shape) for bits in itertools.product((0.0, 1.0), repeat=size)]

    def mean(t, v):
        return sigmoid(np.asarray(logits(t, v)))

    def probability(t, v, atom):
        p = mean(t, v)
        return np.prod(np.where(atom == 1, p, 1 - p))

    return Conditional(name, atoms, probability, mean=mean)


def _softmax(logits):
    weights = np.exp(np.asarray(logits))
    return weights / np.sum(weights)


def categorical(name: str, logits: Callable, classes: int) -> Conditional:
    """A class index."""
    return Conditional(name, range(classes), lambda t, v, atom: _softmax(logits(t, v))[atom])


def one_hot_categorical(name: str, logits: Callable, classes: int) -> Conditional:
    """A one-hot vector."""
    return Conditional(
        name,
        list(np.eye(classes)),
        lambda t, v, atom: np.sum(_softmax(logits(t, v)) * atom),
        mean=lambda t, v: _softmax(logits(t, v)),
    )


def normal(name: str, loc: Callable, scale: Callable, points: int = 80) -> Conditional:
    """A scalar normal by Gauss-Hermite quadrature; its value moves with the parameters."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    weights = weights / np.sqrt(2 * np.pi)
    return Conditional(
        name,
        range(points),
        lambda t, v, atom: weights[atom],
        lambda t, v, atom: loc(t, v) + scale(t, v) * nodes[atom],
        mean=loc,
    )


def components(params: dict) -> list[tuple[str, tuple[int, ...]]]:
    """Every scalar component of the parameters as (name, index), in a fixed order."""
    return [(name, index) for name, value in params.items() for index in np.ndindex(value.shape)]


def moved_by(params: dict, component: tuple[str, tuple[int, ...]], by: complex) -> dict:
    name, index = component
    value = np.array(params[name], dtype=np.result_type(params[name].dtype, type(by)))
    value[index] += by
    return {**params, name: value}


def _cuts(params: dict) -> dict[str, slice]:
    ends = np.cumsum([0, *(value.size for value in params.values())])
    return {name: slice(*ends[i : i + 2]) for i, name in enumerate(params)}


def unflatten(params: dict, flat: np.ndarray) -> dict:
    """A vector over all components as one array per parameter."""
    return {n: flat[cut].reshape(params[n].shape) for n, cut in _cuts(params).items()}


def _blocks(params: dict, matrix: np.ndarray) -> dict:
    cuts = _cuts(params)
    return {
        a: {
            b: matrix[rows, columns].reshape(params[a].shape + params[b].shape)
            for b, columns in cuts.items()
        }
        for a, rows in cuts.items()
    }


@dataclass(frozen=True)
class Model:
    """Conditionals in topological order, and the costs whose sum is the objective."""

    conditionals: Sequence[Conditional]
    costs: Sequence[Cost]

    @cached_property
    def names(self) -> list[str]:
        return [c.name for c in self.conditionals]

    def paths(self, t: Theta) -> list[tuple[dict, dict]]:
        """Every outcome: its values, and the probability of each node given the earlier ones."""
        paths: list[tuple[dict, dict]] = [({}, {})]
        for c in self.conditionals:
            paths = [
                (
                    {**values, c.name: c.value(t, values, atom)},
                    {**probabilities, c.name: c.probability(t, values, atom)},
                )
                for values, probabilities in paths
                for atom in c.atoms
            ]
        return paths


def as_arrays(params: dict) -> dict:
    return {name: np.asarray(value, dtype=float) for name, value in params.items()}


def _objective(model: Model, t: Theta, still: list[tuple[dict, dict]]) -> complex:
    total = 0.0
    for (values, live), (_, frozen) in zip(model.paths(t), still, strict=True):
        for cost in model.costs:
            weight = 1.0
            for name in model.names:
                weight = weight * (live[name] if name in cost.credited else frozen[name])
            total = total + weight * cost.value(t, values)
    return total


def objective(model: Model, params: dict) -> float:
    """The expected sum of costs."""
    t = Theta(as_arrays(params))
    return float(np.real(_objective(model, t, model.paths(t))))


def _flat_gradient(model: Model, live: dict, at: dict, still: list) -> np.ndarray:
    return np.array(
        [
            np.imag(_objective(model, Theta(moved_by(live, c, 1j * STEP), at), still)) / STEP
            for c in components(live)
        ]
    )


def gradient(model: Model, params: dict) -> dict:
    """The gradient of the objective, one array per parameter, to rounding."""
    params = as_arrays(params)
    return unflatten(params, _flat_gradient(model, params, params, model.paths(Theta(params))))


def hessian(model: Model, params: dict) -> dict:
    """The Hessian, ``[a][b]`` of shape ``a.shape + b.shape``, to about 1e-11."""
    params = as_arrays(params)
    still = model.paths(Theta(params))
    rows = []
    for c in components(params):
        row = 0.0
        for offset, weight in enumerate(STENCIL, start=1):
            up, down = (
                _flat_gradient(model, moved_by(params, c, sign * offset * SPACING), params, still)
                for sign in (1.0, -1.0)
            )
            row = row + weight * (up - down) / SPACING
        rows.append(row)
    return _blocks(params, np.array(rows))
