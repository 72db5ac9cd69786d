"""Optimizers: small rules, one array at a time.

A rule is a pure function of one parameter, its gradient and its slots (momentum and the like), so
that the state of a run is a plain mapping that a checkpoint can hold. An optimizer of your own is
one method:

>>> import numpy as np
>>> class SignDescent(Optimizer):
...     def update(self, value, grad, slots, rate, count):
...         return value - rate * np.sign(grad), slots
>>> optimizer = SignDescent(0.1)
>>> params, state = optimizer.apply({"w": np.ones(2)}, {"w": np.array([3.0, -2.0])})
>>> params["w"], state.count
(array([0.9, 1.1]), 1)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg.arguments import checked, kind
from scg.errors import CallError
from scg.train import schedules
from scg.train.check import check_number
from scg.train.clip import RULES, Clip, ClipNorm, ClipValue, rule
from scg.train.schedules import Schedule

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ClipNorm",
    "ClipValue",
    "Optimizer",
    "OptimizerState",
    "RMSprop",
    "rule",
    "schedules",
]

Slots = dict[str, np.ndarray]


@kind("an optimizer's state, as optimizer.apply returns it")
@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer keeps between updates.

    Attributes
    ----------
    count : int
        Number of updates made.
    slots : dict
        Arrays by parameter, then by the optimizer's own name for them.
    """

    count: int = 0
    slots: dict[str, Slots] = field(default_factory=dict)


@kind("an optimizer such as scg.optim.Adam(1e-3)")
@dataclass(frozen=True)
class Optimizer:
    """Base class of optimizers; a concrete one overrides :meth:`update` alone.

    Parameters
    ----------
    rate : float or schedule
        The learning rate, or a function from the number of updates made to it
        (``scg.optim.schedules``).
    clip : Clip, optional
        What is done to the gradients first: ``scg.optim.ClipNorm(5.0)``, ``ClipValue(1.0)``.
    """

    rate: float | Schedule = 1e-3
    clip: Clip | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not callable(self.rate):
            self._check_rate(self.rate)
        if self.clip is not None and not callable(self.clip):
            raise CallError(
                f"{type(self).__name__}: clip must be a function of the gradients, such as "
                f"clip=scg.optim.ClipNorm(5.0), got {self.clip!r}"
            )

    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Return the new value of one parameter, and its new slots.

        Parameters
        ----------
        value, grad : ndarray
            The parameter and the gradient of the cost, of one shape.
        slots : dict
            What the last update returned; empty at first.
        rate : float
            The learning rate now.
        count : int
            The number of this update, from 1.
        """
        raise NotImplementedError

    def rate_at(self, count: int) -> float:
        """Return the learning rate after `count` updates."""
        return self._check_rate(self.rate(count)) if callable(self.rate) else float(self.rate)

    def _check_rate(self, rate: Any) -> float:
        name = type(self).__name__
        return check_number(f"{name}: rate", rate, least=0.0, hint=f"{name}(1e-3), or a schedule")

    @checked("optimizer.apply(params, grads, state)")
    def apply(
        self,
        params: Mapping[str, np.ndarray],
        grads: Mapping[str, np.ndarray],
        state: OptimizerState | None = None,
    ) -> tuple[dict[str, np.ndarray], OptimizerState]:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        params, grads : mapping
            Arrays by name.
        state : OptimizerState, optional
            What the last call returned; None at first.

        Returns
        -------
        params : dict
            New arrays; the old ones are not touched.
        state : OptimizerState

        Raises
        ------
        CallError
            If a gradient is not finite or has no parameter: nothing is updated then.
        """
        state = state or OptimizerState()
        for name, grad in grads.items():
            if name not in params:
                raise CallError(f"{type(self).__name__}: gradient {name!r} has no parameter")
            if not np.all(np.isfinite(grad)):
                raise CallError(
                    f"{type(self).__name__}: the gradient of {name!r} is not finite after "
                    f"{state.count} updates; lower the learning rate or clip the gradients: "
                    "clip=scg.optim.ClipNorm(5.0)"
                )
        rate, count = self.rate_at(state.count), state.count + 1
        arrays = {name: np.asarray(params[name]) for name in grads}
        new, slots = self.move(arrays, grads, state.slots, rate, count)
        return {**params, **new}, OptimizerState(count, {**state.slots, **slots})

    def move(
        self,
        values: Mapping[str, Any],
        grads: Mapping[str, Any],
        slots: Mapping[str, dict[str, Any]],
        rate: Any,
        count: Any,
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Clip and update: arrays, or the expressions of a program."""
        new, kept = {}, {}
        for name, grad in (self.clip(grads) if self.clip else grads).items():
            new[name], kept[name] = self.update(
                values[name], grad, slots.get(name, {}), rate, count
            )
        return new, kept

    @property
    def is_rule(self) -> bool:
        """Whether a compiled step may make the updates, see :func:`rule`."""
        clip = self.clip is None or type(self.clip).__call__ in RULES
        return clip and type(self).update in RULES

    def slots_of(self, shape: tuple[int, ...]) -> Slots:
        """Return the slots of a parameter of this shape after an update with zeros."""
        zeros = np.zeros(shape)
        with np.errstate(all="ignore"):
            return self.update(zeros, zeros, {}, 0.0, 1)[1]


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
    """

    rate: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

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
        first = self.beta1 * slots.get("first", 0.0) + (1.0 - self.beta1) * grad
        second = self.beta2 * slots.get("second", 0.0) + (1.0 - self.beta2) * grad**2
        root = np.sqrt(second / _shortfall(self.beta2, count))
        step = first / _shortfall(self.beta1, count) / (root + self.epsilon)
        return value - rate * step, {"first": first, "second": second}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

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

    @rule
    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Make one step."""
        return super().update((1.0 - rate * self.decay) * value, grad, slots, rate, count)


def _shortfall(decay: float, count: int) -> Any:
    """Return 1 - decayᵗ; in single precision, too, it does not cancel."""
    return -np.expm1(count * math.log(decay)) if decay else 1.0


def _fraction(name: str, **given: float) -> None:
    for what, value in given.items():
        check_number(f"{name}: {what}", value, least=0.0, below=1.0)
