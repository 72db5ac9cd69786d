"""Constraints: sets of values, of parameters and of samples.

A constraint tests whether values are in the set. If parameters can be constrained to it, it also
maps unconstrained numbers of the same shape onto the set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from scg.distributions.constraints.numbers import (
    Angles,
    Chance,
    ClassLogits,
    Constraint,
    Integers,
    Interval,
    Logits,
    Point,
    Positive,
    Real,
    Union,
    UnitInterval,
)
from scg.distributions.constraints.vectors import (
    Bits,
    Counts,
    LowerCholesky,
    OneHot,
    OneHotRows,
    Ordered,
    Simplex,
    Subsets,
)
from scg.errors import DeclarationError

real = Real()
real_vector = Real(axes=1)
positive = Positive()
positive_exp = Positive("exp")
nonnegative = Interval(0.0, np.inf, name="non-negative")
unit_interval = UnitInterval()
logits = Logits()
class_logits = ClassLogits()
boolean = Integers(0, 1, "0 or 1")
natural = Integers(0, np.inf, "a non-negative integer")
simplex = Simplex()
binary_vector = Bits()
one_hot_vector = OneHot()
one_hot_rows = OneHotRows()
ordered_vector = Ordered()
lower_cholesky = LowerCholesky()
angle = Angles(-np.pi, np.pi, name="between −π and π")


# fmt: off
__all__ = [
    "Angles", "Bits", "Chance", "ClassLogits", "Constraint", "Counts", "Integers", "Interval",
    "Logits", "LowerCholesky", "OneHot", "OneHotRows", "Ordered", "Point", "Positive", "Real",
    "Simplex", "Subsets", "Union", "UnitInterval",
]
# fmt: on


def of(**constraints: Constraint) -> Mapping[str, Constraint]:
    """Constraints of parameters by name, read-only."""
    return MappingProxyType(constraints)


def check(family: str, name: str, value: Any, constraint: Constraint) -> None:
    """Raise unless the numbers of a parameter satisfy its constraint."""
    complaint = constraint.complaint(value)
    if complaint is not None:
        raise DeclarationError(f"{family}: {name} {complaint}")
