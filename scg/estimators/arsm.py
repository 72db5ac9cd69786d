"""ARSM: augment, REINFORCE, swap, merge."""

from __future__ import annotations

import numpy as np

from scg.distributions.protocols import Classes
from scg.estimators.parts.couplings import times
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, greater, where
from scg.ops.gradient import stop
from scg.ops.powers import power
from scg.ops.shape import np_stack
from scg.ops.statistics import argmin


class ARSM(Estimator):
    """All swaps of two entries of a Dirichlet vector, each of which chooses the classes anew.

    Σ_c Σ_j (f(z(c, j)) − 1/C Σ_m f(z(m, j))) (1/C − π_j) ∇θ φ_c(θ), with C classes, their logits φ,
    π ~ Dirichlet(1, ..., 1) and z(c, j) = argmin_i π_i exp(−φ_i) after π_c and π_j were exchanged:
    1 + C(C−1)/2 evaluations. Use it for few classes; :class:`CARMS` and :class:`CategoricalDisARM`
    need fewer evaluations. Every swapped sample has the node's distribution, so that all lie on one
    sample plate. The variables of an event swap together. Two classes give ARM.

    References
    ----------
    Yin, Yue and Zhou (2019).
    """

    evaluations = "1 + C(C−1)/2"
    requires = ("classes",)
    credit = "along"
    formula = "Σ_c Σⱼ (f(z(c, j)) − 1/C Σₘ f(z(m, j))) (1/C − πⱼ) ∇θ φ_c(θ)"
    symbols = {  # noqa: RUF012
        "c": "a class",
        "j": "another class",
        "m": "a class",
        "C": "the number of classes",
        "π": "a uniform Dirichlet vector",
        "φ": "the logits",
        "z": "the sample after two entries of π were exchanged",
    }
    cites = ("yin2019arsm",)

    def draws(self, dist: Classes) -> int:
        """Number of swaps, that of no entries included."""
        classes = len(dist.coordinate_values())
        return 1 + classes * (classes - 1) // 2

    def draw(self, dist: Classes, noise: Sampler) -> Draw:
        """Draw a point of the simplex by breaking a stick, then a class for each swap."""
        classes, rest, parts = dist.classes, 1.0, []
        for k in range(1, classes):
            u = noise.uniform(dist.batch_shape, "u" if k == 1 else f"u{k}")
            kept = power(u, 1.0 / (classes - k))
            parts.append(rest * (1.0 - kept))
            rest = rest * kept
        shares = np_stack([*parts, rest], axis=-1)
        swaps, gains = _swaps(classes)
        plate = noise.plate(len(swaps))
        swapped = times(noise.constant(swaps, plate), shares)
        times_until = where(greater(dist.probs, 0.0), swapped * exp(-dist.finite_log_probs), np.inf)
        x = stop(dist.of_index(argmin(times_until, axis=-1)))
        gain = times(noise.constant(gains, plate), 1.0 / classes - shares)
        return Draw(x, plate=plate, aux={"gain": gain})

    def term(self, dist: Classes, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the cost of each sample times its gain along the logits."""
        return along(downstream.cost * draw.aux["gain"], dist.finite_log_probs)


def _swaps(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Permutation matrices of the P swaps, and matrices that map 1/C − π to gains of the logits.

    The estimate is linear in the costs: that of the swap c ⇌ j has the factor
    (1/C − π_j)(e_c − 1/C) and, for c ≠ j, the same with c and j exchanged. Samples have the weight
    1/P, which the gains undo.
    """
    pairs = [(i, j) for i in range(classes) for j in range(i)]
    eye, centred = np.eye(classes), np.eye(classes) - 1.0 / classes
    swaps, gains = [eye], [centred]
    for i, j in pairs:
        order = np.arange(classes)
        order[[i, j]] = j, i
        swaps.append(eye[order])
        gains.append(np.outer(centred[i], eye[j]) + np.outer(centred[j], eye[i]))
    return np.array(swaps), np.array(gains) * (1.0 + len(pairs))
