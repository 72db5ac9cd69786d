"""Tests of attributes that come from a declaration's text.

The functions that users call hand sound attributes to an op, and its shape rule trusts them; a text
is not to be trusted. A test takes the value, the op's arguments and all attributes; it returns what
was expected instead, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scg.ir.expr import Expr
from scg.ir.plate import Plate

Test = Callable[..., str | None]


def is_integer(value: Any) -> bool:
    """Whether a value is an integer and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def are_integers(value: Any) -> bool:
    """Whether a value is a tuple of integers."""
    return isinstance(value, tuple) and all(map(is_integer, value))


def flag(value: Any, *args: Expr, **attrs: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "true or false"


def text(value: Any, *args: Expr, **attrs: Any) -> str | None:
    """A string."""
    return None if isinstance(value, str) else "a string"


def between(least: int, most: int) -> Test:
    """An integer from `least` to `most`."""

    def test(value: Any, *args: Expr, **attrs: Any) -> str | None:
        return None if is_integer(value) and least <= value <= most else f"{least} to {most}"

    return test


def positive(value: Any, *args: Expr, **attrs: Any) -> str | None:
    """A positive integer."""
    return None if is_integer(value) and value > 0 else "a positive integer"


def pair(value: Any, *args: Expr, **attrs: Any) -> str | None:
    """Two positive integers."""
    holds = are_integers(value) and len(value) == 2 and min(value) > 0
    return None if holds else "two positive integers"


def shape(value: Any, *args: Expr, **attrs: Any) -> str | None:
    """A shape."""
    return None if are_integers(value) and min(value, default=0) >= 0 else "a shape"


def axis(value: Any, x: Expr, *rest: Expr, **attrs: Any) -> str | None:
    """An axis of the first argument, counted from the end."""
    holds = is_integer(value) and -x.ndim <= value < 0
    return None if holds else f"an axis from -{x.ndim} to -1"


def axes(value: Any, x: Expr, **attrs: Any) -> str | None:
    """Axes of the argument, counted from the end and increasing."""
    holds = are_integers(value) and list(value) == sorted(set(value) & set(range(-x.ndim, 0)))
    return None if holds else f"increasing axes from -{x.ndim} to -1"


def over(value: Any, *args: Expr, **attrs: Any) -> str | None:
    """Different plates of the arguments."""
    plates = {plate for arg in args for plate in arg.plates}
    holds = isinstance(value, tuple) and len(set(value)) == len(value) and set(value) <= plates
    return None if holds else "plates of the arguments"


def plates(value: Any, *args: Expr, **attrs: Any) -> str | None:
    """Different plates."""
    holds = isinstance(value, tuple) and all(isinstance(plate, Plate) for plate in value)
    return None if holds and len(set(value)) == len(value) else "plates"
