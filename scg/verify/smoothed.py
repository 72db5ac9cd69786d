"""Smoothed costs: the gradient that steps with perturbed parameters estimate, by other means.

The cost smoothed by an independent perturbation a window is E[Σᵢ Lᵢ(θ + ε₁, …, θ + εᵢ)]. Its
gradient is the mean of the model's own gradient at perturbed parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.errors import CallError
from scg.run.step import Step
from scg.seeds.noise import generator
from scg.verify.sampling import flat

Moments = tuple[np.ndarray, np.ndarray]


def smoothed(
    step: Step, other: Step, params: Mapping[str, Any], data: Any, seed: Any, runs: int
) -> tuple[Moments, Moments]:
    """Mean and standard error of a step's gradients, and of another's at perturbed parameters.

    `other` takes its state and the influence of parameters from window to window.
    """
    windows = [data] if data is None or isinstance(data, Mapping) else list(data)
    streams = step.surrogate.first.window is not None
    if len(windows) != 1 and not streams:
        raise CallError("check: several windows need a step that was compiled with stream=True")
    base = tuple(seed) if isinstance(seed, tuple) else (seed,)
    rng = generator((*base, 1), "check:perturbations")
    sigma = step.plan.truncation.sigma  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
    numbers = step.graph.unconstrained(params)

    def moved() -> Mapping[str, Any]:
        shifts = {k: sigma * rng.standard_normal(np.shape(x)) for k, x in numbers.items()}
        return step.graph.constrained({k: x + shifts[k] for k, x in numbers.items()})

    own, against = [], []
    for run in range(runs):
        for found, which, perturbed in ((own, step, False), (against, other, True)):
            carry, total = None, 0.0
            for i, window in enumerate(windows):
                at = moved() if perturbed else params
                key = (*base, int(perturbed), run, i)
                out = which(at, seed=key, data=window, carry=carry)
                carry = (out.carry or None) if len(windows) > 1 else None
                total = total + flat(out.grads)
            found.append(total)
    (a, da), (b, db) = (
        (np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / runs**0.5)
        for found in (own, against)
    )
    return (a, da), (b, db)
