"""Options of estimators, checked where they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import EstimatorError
from scg.estimators.baselines.base import Baseline


def at_least(owner: str, value: Any, least: int, word: str = "samples") -> int:
    """An integer option of at least `least`, or an EstimatorError."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise EstimatorError(f"{owner}: {word} must be an integer ≥ {least}, got {value!r}")
    return int(value)


def true_baseline(owner: str, baseline: Baseline | None) -> Baseline | None:
    """A baseline that does not depend on the sample, or an EstimatorError."""
    if baseline is not None and not baseline.unbiased:
        raise EstimatorError(
            f"{owner}: {baseline!r} replaces costs by values and is biased, which {owner} does not "
            "support; write scg.ScoreFunction(baseline=…, allow_biased=True)"
        )
    return baseline


def among(owner: str, value: Any, word: str, *choices: str) -> str:
    """A named choice, or an EstimatorError."""
    if value not in choices:
        known = " or ".join(f'"{choice}"' for choice in choices)
        raise EstimatorError(f"{owner}: {word} must be {known}, got {value!r}")
    return value
