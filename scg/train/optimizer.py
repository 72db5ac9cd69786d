"""The base class of optimizers: pure functions of a parameter, its gradient and its slots.

Slots are arrays such as a momentum, so that the state of a run is a plain mapping that a checkpoint
can hold. An optimizer of your own is one method:

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

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from scg.common.arguments import checked, kind, numbers_of, said, takes
from scg.errors import CallError
from scg.train.check import check_number
from scg.train.clip import RULES, Clip
from scg.train.schedules import Schedule

Slots = dict[str, np.ndarray]


@kind("an optimizer's state, as optimizer.apply returns it")
@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer keeps between updates.

    Keep it beside the parameters; :func:`scg.fit` does so in checkpoints.

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

    Decorate :meth:`update` with :func:`scg.optim.rule` if it consists of NumPy functions alone: a
    compiled step then makes the updates, too.

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
        if not takes(self.rate, 1):
            self._check_rate(self.rate)
        for option in fields(self):
            value = getattr(self, option.name)
            if option.type == "bool" and not isinstance(value, (bool, np.bool_)):
                raise CallError(
                    f"{type(self).__name__}: {option.name} must be True or False, got {value!r}"
                )
        if self.clip is not None and not takes(self.clip, 1):
            raise CallError(
                f"{type(self).__name__}: clip must be a function of the gradients, such as "
                f"clip=scg.optim.ClipNorm(5.0), got {said(self.clip)}"
            )

    def update(
        self, value: np.ndarray, grad: np.ndarray, slots: Slots, rate: float, count: int
    ) -> tuple[np.ndarray, Slots]:
        """Compute the new value of one parameter, and its new slots.

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
        """The learning rate after `count` updates."""
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
            If a gradient is not finite, or has no parameter of its shape: nothing is updated then.
        """
        state, own = state or OptimizerState(), type(self).__name__
        grads = {k: numbers_of(f"{own}: the gradient of {k!r}", v) for k, v in grads.items()}
        arrays = {
            k: numbers_of(f"{own}: parameter {k!r}", v) for k, v in params.items() if k in grads
        }
        for name, grad in grads.items():
            if name not in arrays:
                raise CallError(f"{own}: gradient {name!r} has no parameter")
            shapes = arrays[name].shape, grad.shape
            if len(set(shapes)) > 1:
                raise CallError(
                    f"{own}: parameter {name!r} is of shape {shapes[0]}, its "
                    f"gradient of shape {shapes[1]}"
                )
            if not np.all(np.isfinite(grad)):
                raise CallError(
                    f"{own}: the gradient of {name!r} is not finite after "
                    f"{state.count} updates; lower the learning rate or clip the gradients: "
                    "clip=scg.optim.ClipNorm(5.0)"
                )
        rate, count = self.rate_at(state.count), state.count + 1
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
        new, kept, own = {}, {}, type(self).__name__
        clipped = self.clip(grads) if self.clip else grads
        if not isinstance(clipped, Mapping) or clipped.keys() != grads.keys():
            raise CallError(f"{own}: clip must return the gradients by name, got {said(clipped)}")
        for name, grad in clipped.items():
            old = slots.get(name, {})
            match self.update(values[name], grad, old, rate, count):
                case (value, Mapping() as more) if np.shape(value) == np.shape(values[name]):
                    new[name], kept[name] = value, more
                    if not old.keys() <= more.keys():
                        raise CallError(
                            f"{own}: the state is that of another optimizer: it has "
                            f"{', '.join(old)} for parameter {name!r}"
                        )
                case found:
                    raise CallError(
                        f"{own}.update must return a new value of shape {np.shape(values[name])} "
                        f"and a mapping of slots for parameter {name!r}, got {said(found)}"
                    )
        return new, kept

    @property
    def is_rule(self) -> bool:
        """Whether a compiled step may make the updates, see :func:`rule`."""
        clip = self.clip is None or type(self.clip).__call__ in RULES
        return clip and type(self).update in RULES

    def slots_of(self, shape: tuple[int, ...]) -> Slots:
        """The slots of a parameter of this shape, after an update with zeros."""
        zeros = np.zeros(shape)
        with np.errstate(all="ignore"):
            return self.update(zeros, zeros, {}, 0.0, 1)[1]
