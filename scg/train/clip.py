"""Gradient clipping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from scg.train.check import check_number

Rule = TypeVar("Rule", bound=Callable[..., Any])

RULES: set[Callable[..., Any]] = set()


def rule(function: Rule) -> Rule:
    """Declare that an optimizer's ``update``, or a clip's ``__call__``, is a rule.

    A rule consists of NumPy functions and operators on its arguments alone - no ``if`` on their
    values, no conversion to ``float``, no random numbers of its own - and a slot that is absent
    counts as zeros. A compiled step makes updates by rules in the same call as the gradients.

    Examples
    --------
    >>> import scg
    >>> class SignDescent(scg.optim.Optimizer):
    ...     @scg.optim.rule
    ...     def update(self, value, grad, slots, rate, count):
    ...         return value - rate * np.sign(grad), slots
    >>> SignDescent(0.1).is_rule
    True
    """
    RULES.add(function)
    return function


Clip = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class ClipNorm:
    """Scale all gradients together so that their joint norm is at most `limit`.

    Pascanu, Mikolov and Bengio (2013).

    Examples
    --------
    >>> clipped = ClipNorm(1.0)({"a": np.array(3.0), "b": np.array([0.0, 4.0])})
    >>> clipped["a"].round(12), clipped["b"].round(12)
    (np.float64(0.6), array([0. , 0.8]))
    """

    limit: float

    def __post_init__(self) -> None:
        check_number(f"{type(self).__name__}: limit", self.limit, above=0.0)

    @rule
    def __call__(self, grads: Mapping[str, Any]) -> dict[str, Any]:
        """Scale the gradients."""
        norm = np.sqrt(sum(np.sum(np.square(grad)) for grad in grads.values()))
        scale = self.limit / np.maximum(norm, self.limit)
        return {name: grad * scale for name, grad in grads.items()}


@dataclass(frozen=True)
class ClipValue:
    """Clip each element of each gradient to ±`limit`; :class:`ClipNorm` keeps the direction."""

    limit: float

    def __post_init__(self) -> None:
        check_number(f"{type(self).__name__}: limit", self.limit, above=0.0)

    @rule
    def __call__(self, grads: Mapping[str, Any]) -> dict[str, Any]:
        """Clip the gradients."""
        return {name: np.clip(grad, -self.limit, self.limit) for name, grad in grads.items()}
