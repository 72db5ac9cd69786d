"""Optimizers by their published names; see :class:`scg.optim.Optimizer` for one of your own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.errors import CallError
from scg.train import schedules
from scg.train.check import check_number
from scg.train.clip import ClipNorm, ClipValue, rule
from scg.train.optimizer import Optimizer, OptimizerState, Slots
from scg.train.schedules import Schedule

# fmt: off
__all__ = [
    "SGD", "Adam", "AdamW", "ClipNorm", "ClipValue", "Optimizer", "OptimizerState", "RMSprop",
    "rule", "schedules",
]
# fmt: on


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak 1964) or Nesterov's (1983).

    v ← m v + g;  θ ← θ − rate · v, or θ − rate · (g + m v) with Nesterov's (Sutskever et al. 2013,
    in the form in which the gradient is taken at the point that is stored).

    Parameters
    ----------
    momentum : float
        m, 0 ≤ m < 1.
    nesterov : bool
        Look ahead.
    """

    rate: float | Schedule = 1e-2
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _fraction("SGD", momentum=self.momentum)
        if self.nesterov and not self.momentum:
            raise CallError("SGD: nesterov=True needs momentum, for instance momentum=0.9")

    @rule
    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Make one step."""
        if not self.momentum:
            return value - rate * grad, slots
        velocity = self.momentum * slots.get("velocity", 0.0) + grad
        direction = grad + self.momentum * velocity if self.nesterov else velocity
        return value - rate * direction, {"velocity": velocity}


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Divide by a running root mean square (Tieleman and Hinton 2012, lecture 6.5).

    s ← α s + (1 − α) g²;  θ ← θ − rate · g / (√s + ε), through a momentum if one is given.

    Parameters
    ----------
    decay : float
        α.
    momentum : float
        Momentum of the divided gradient.
    epsilon : float
        ε.
    """

    rate: float | Schedule = 1e-3
    decay: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _fraction("RMSprop", decay=self.decay, momentum=self.momentum)
        check_number("RMSprop: epsilon", self.epsilon, above=0.0)

    @rule
    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Make one step."""
        square = self.decay * slots.get("square", 0.0) + (1.0 - self.decay) * grad**2
        step = grad / (np.sqrt(square) + self.epsilon)
        if not self.momentum:
            return value - rate * step, {"square": square}
        velocity = self.momentum * slots.get("velocity", 0.0) + step
        return value - rate * velocity, {"square": square, "velocity": velocity}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moments (Kingma and Ba 2015, algorithm 1).

    m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
    θ ← θ − rate · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε).

    Parameters
    ----------
    beta1, beta2 : float
        Decays of the first and second moment.
    epsilon : float
        ε.
    lazy : bool
        Leave a row of a parameter, or an element of a vector, and its moments as they are in an
        update in which the whole row has gradient zero. Use it for tables of embeddings: an update
        then costs time for the rows that a batch reads, and not for the whole table. It is another
        algorithm, because m and v decay only when a row is read (``SparseAdam`` in PyTorch).
    """

    rate: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    lazy: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        _fraction(name, beta1=self.beta1, beta2=self.beta2)
        check_number(f"{name}: epsilon", self.epsilon, above=0.0)

    @rule
    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Make one step."""
        old = slots.get("first", 0.0), slots.get("second", 0.0)
        first = self.beta1 * old[0] + (1.0 - self.beta1) * grad
        second = self.beta2 * old[1] + (1.0 - self.beta2) * grad**2
        root = np.sqrt(second / _shortfall(self.beta2, count))
        step = first / _shortfall(self.beta1, count) / (root + self.epsilon)
        moved = value - rate * step
        if self.lazy:
            some = np.abs(grad)
            if grad.ndim > 1:
                some = np.sum(some, axis=tuple(range(1, grad.ndim)), keepdims=True)
            read = some > 0.0
            moved = np.where(read, moved, value)
            first, second = np.where(read, first, old[0]), np.where(read, second, old[1])
        return moved, {"first": first, "second": second}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    θ ← (1 − rate · decay) θ − rate · Adam's step.

    Parameters
    ----------
    decay : float
        The weight decay.
    """

    decay: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("AdamW: decay", self.decay, least=0.0)
        if self.lazy:
            raise CallError(
                "AdamW: lazy=True leaves rows without gradient as they are, but the weight decay "
                "moves every row; use scg.optim.Adam(lazy=True), and add a penalty of the rows "
                "that a batch reads to a cost"
            )

    @rule
    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Make one step."""
        return super().update((1.0 - rate * self.decay) * value, grad, slots, rate, count)


def _shortfall(decay: float, count: int) -> Any:
    """1 − decayᵗ without cancellation, also in single precision."""
    return -np.expm1(count * math.log(decay)) if decay else 1.0


def _fraction(name: str, **given: float) -> None:
    for what, value in given.items():
        check_number(f"{name}: {what}", value, least=0.0, below=1.0)
