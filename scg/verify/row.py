"""Row: what a comparison measures of one estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One estimator in a comparison.

    Attributes
    ----------
    estimator : str
        What was compiled.
    unbiased : bool
        What the estimator claims.
    runs, evaluations : int
        Runs, and evaluations of the costs in one run.
    mean, stderr : dict
        Mean gradient and its standard error, with the keys and shapes of the parameters.
    z : float
        The deviation from the reference in standard errors, where it is largest; NaN without a
        reference.
    variance, variance_stderr : float
        Variance of a single-run gradient, summed over all components, and its standard error.
    seconds : float
        Median time of one run.
    """

    estimator: str
    unbiased: bool
    runs: int
    evaluations: int
    mean: dict[str, np.ndarray]
    stderr: dict[str, np.ndarray]
    z: float
    variance: float
    variance_stderr: float
    seconds: float

    @property
    def work(self) -> float:
        """Variance × time: the seconds that it takes to reach variance 1."""
        return self.variance * self.seconds

    def marked(self, name: str) -> str:
        """The name, with a mark if the estimator is biased."""
        return name if self.unbiased else f"{name} (BIASED)"
