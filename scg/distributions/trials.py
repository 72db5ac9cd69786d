"""Laws of a fixed number of independent trials."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution, check_same, one_of
from scg.errors import DeclarationError, UnsupportedError
from scg.ir.expr import Expr


class Trials(Distribution):
    """What counts the outcomes of `total_count` trials, given their logits or probabilities."""

    def __init__(self, total_count: Any, logits: Any = None, *, probs: Any = None):
        family = type(self).__name__
        self.total_count = whole_number(family, total_count)
        self.declare(**one_of(family, logits=logits, probs=probs))

    @property
    def static(self) -> tuple[Any, ...]:
        """Number of trials, and the name of the parameter given."""
        return (self.total_count, *self.parameters)

    @classmethod
    def rebuild(cls, values: tuple[Any, ...], static: tuple[Any, ...]) -> Any:
        """Make the distribution anew on another parameter value."""
        return cls(static[0], **dict(zip(static[1:], values, strict=True)))


def whole_number(family: str, value: Any) -> int:
    """Return a number of trials, checked."""
    whole = isinstance(value, (int, float, np.integer, np.floating)) and value == int(value)
    if isinstance(value, (bool, Expr)) or not whole or value < 1:
        raise DeclarationError(
            f"{family}: total_count must be a positive integer that is known when the graph is "
            f"declared, got {value!r}"
        )
    return int(value)


def check_same_total(this: Any, other: Any) -> None:
    """Raise unless two laws have the same number of trials."""
    check_same(this, other)
    if this.total_count != other.total_count:
        raise UnsupportedError(
            f"kl: {type(this).__name__} with total_count {this.total_count} and "
            f"{other.total_count} has no closed form; the numbers of trials must agree"
        )
