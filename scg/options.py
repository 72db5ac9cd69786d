"""Options of estimators and baselines, checked by the annotations of their parameters."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.errors import EstimatorError, did_you_mean

Fraction = float  #: The annotation of numbers from 0 up to, but not, 1.


class Checked:
    """Base of classes whose constructors only store: a wrong option is an error that names it."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__init__" in vars(cls):
            cls.__init__ = _checked(cls.__init__)

    def __repr__(self) -> str:
        options = sorted(vars(self).items())
        given = ", ".join(f"{k}={v!r}" for k, v in options if v is not None and v is not False)
        return f"{type(self).__name__}({given})"


def _checked(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)
    known = dict(list(signature.parameters.items())[1:])

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        owner = type(self).__name__
        for name in options:
            if name not in known:
                takes = ", ".join(known)
                hint = did_you_mean(name, known)
                raise EstimatorError(f"{owner} has no option {name!r}{hint}; it takes {takes}")
        try:
            given = signature.bind(self, *args, **options).arguments
        except TypeError as error:
            words = ", ".join(str(p).partition(":")[0] for p in known.values())
            raise EstimatorError(f"{owner}: {error}; write {owner}({words})") from None
        for name, parameter in known.items():
            wanted, fits = _KINDS.get(str(parameter.annotation), ("", None))
            if name in given and fits and not fits(given[name]):
                raise EstimatorError(f"{owner}: {name} must be {wanted}, got {_said(given[name])}")
        init(self, *args, **options)

    return checked


def _said(value: Any) -> str:
    """Describe a value; a class mostly lacks its brackets."""
    if isinstance(value, type):
        return f"the class {value.__name__}; write {value.__name__}()"
    return repr(value)


def _number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _widths(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in value
    )


def _baseline(value: Any) -> bool:
    from scg.estimators.baselines.base import Baseline

    return value is None or isinstance(value, Baseline)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "bool": ("True or False", lambda value: isinstance(value, (bool, np.bool_))),
    "float": ("a number", _number),
    "float | None": ("a number, or None", lambda value: value is None or _number(value)),
    "Fraction": ("a number in [0, 1)", lambda value: _number(value) and 0 <= value < 1),
    "str": ("a string", lambda value: isinstance(value, str)),
    "tuple[int, ...]": ("positive integers such as (10,)", _widths),
    "Baseline | None": ("a baseline such as scg.baselines.MovingAverage()", _baseline),
}
