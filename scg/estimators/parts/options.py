"""Options of estimators, checked where they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import EstimatorError


def at_least(owner: str, value: Any, least: int, word: str = "samples") -> int:
    """An integer option of at least `least`, or an EstimatorError."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise EstimatorError(f"{owner}: {word} must be an integer ≥ {least}, got {value!r}")
    return int(value)


def among(owner: str, value: Any, word: str, *choices: str) -> str:
    """A named choice, or an EstimatorError."""
    if value not in choices:
        known = " or ".join(f'"{choice}"' for choice in choices)
        raise EstimatorError(f"{owner}: {word} must be {known}, got {value!r}")
    return value
