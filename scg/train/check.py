"""Checks of numbers that users give to the training loop, and of metrics."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import said
from scg.errors import CallError


def check_number(
    what: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    hint: str = "",
) -> float:
    """A finite number within bounds, as a float."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    number = number or (isinstance(value, np.ndarray) and value.ndim == 0)
    found = float(value) if number else math.nan
    bounds = [f"at least {least:g}"] if least is not None else []
    bounds += [f"above {above:g}"] if above is not None else []
    bounds += [f"below {below:g}"] if below is not None else []
    within = (
        math.isfinite(found)
        and (least is None or found >= least)
        and (above is None or found > above)
        and (below is None or found < below)
    )
    if not within:
        advice = f"; write {hint}" if hint else ""
        raise CallError(
            f"{what} must be a number {' and '.join(bounds)}, got {said(value)}{advice}"
        )
    return found


def check_count(what: str, value: Any, least: int = 1) -> int:
    """An integer that is not too small."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        kind = "a positive integer" if least == 1 else f"an integer, at least {least}"
        raise CallError(f"{what} must be {kind}, got {value!r}")
    return int(value)


def check_numbers(params: Mapping[str, np.ndarray], count: int = 0) -> None:
    """Raise if parameters are NaN after `count` updates; infinite logits are probabilities."""
    for name, value in params.items():
        if np.any(np.isnan(value)):
            raise CallError(
                f"parameter {name!r} is NaN after {count} updates; lower the learning rate or clip "
                "the gradients: clip=scg.optim.ClipNorm(5.0)"
                if count
                else f"parameter {name!r} is NaN; start from numbers"
            )


def measured(callback: Any, found: Any, taken: Iterable[str]) -> dict[str, Any]:
    """The metrics of a callback in the types of JSON."""
    name = _name(callback)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise CallError(
            f"callback {name}: expected a mapping from names to metrics, or None, got {found!r:.80}"
        )
    metrics = {}
    for key, value in found.items():
        if not isinstance(key, str) or key in taken:
            raise CallError(
                f"callback {name}: a metric needs a name of its own (a string), got {key!r}"
            )
        try:
            metrics[key] = _plain(value)
        except TypeError as error:
            raise CallError(
                f"callback {name}: metric {key!r} is {value!r:.80}; a metric consists of numbers, "
                f"words, lists and mappings: write float(...)"
            ) from error
    return metrics


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(type(value).__name__)


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
