"""Smoothed costs: the gradient that steps with perturbed parameters estimate, by other means.

The cost smoothed by an independent perturbation a window is E[Σᵢ Lᵢ(θ + ε₁, …, θ + εᵢ)]. Its
gradient is the mean of the model's own gradient at perturbed parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.run.step import Step
from scg.seeds.noise import extended, generator
from scg.verify.windowed import Windows, mean_of_sums

Moments = tuple[np.ndarray, np.ndarray]


def smoothed(
    step: Step, other: Step, params: Mapping[str, Any], windows: Windows, seed: Any, runs: int
) -> tuple[Moments, Moments]:
    """Mean and standard error of a step's gradients, and of another's at perturbed parameters.

    `other` takes its state and the influence of parameters from window to window.
    """
    rng = generator(extended(seed, 1), "check:perturbations")
    sigma = step.plan.truncation.sigma  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    numbers = step.graph.unconstrained(params)

    def moved() -> Mapping[str, Any]:
        shifts = {k: sigma * rng.standard_normal(np.shape(x)) for k, x in numbers.items()}
        return step.graph.constrained({k: x + shifts[k] for k, x in numbers.items()})

    own = mean_of_sums(step, lambda: params, lambda: windows, extended(seed, 0), runs)
    return own, mean_of_sums(other, moved, lambda: windows, extended(seed, 1), runs)
