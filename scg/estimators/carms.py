"""CARMS: several mutually antithetic draws of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.protocols import Classes
from scg.estimators.parts.class_orders import in_random_order
from scg.estimators.parts.couplings import copula_named, times
from scg.estimators.parts.options import among, at_least
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.elementwise import greater, log, maximum, minimum, where
from scg.ops.gather import one_hot
from scg.ops.gradient import stop
from scg.ops.reductions import plate_sum, sum
from scg.ops.shape import np_expand_dims
from scg.ops.statistics import argmax

_MONTE_CARLO = 100  # copies from which the published code estimates the joint distribution
_SMOOTHING, _CLIP = 1e-3, (0.01, 10.0)


class CARMS(Estimator):
    """Leave-one-out on K samples of classes that a copula keeps apart, with importance weights.

    1/(K(K−1)) Σ_{i<j} p(x_i) p(x_j)/P(x_i, x_j) (f(x_i) − f(x_j)) ∇θ (log p(x_i; θ) − log p(x_j;
    θ)) with P the joint distribution of two samples: K evaluations. Use it for classes and any cost
    where several samples are affordable. Not to be confused with :class:`UnorderedSet`, whose
    samples are distinct. Two classes give :class:`ARMS`.

    Parameters
    ----------
    samples : int
        K ≥ 2. Nodes of one layer that are given one instance share the samples.
    copula : {"dirichlet", "gaussian", "independent"}
        Joint distribution of the K uniforms.
    sampling : {"inverse", "gumbel"}
        Search on the CDF, in one of C(C−1)/2 random orders of the C classes (CARMS-I): each pair of
        classes is at the two ends of an order, so that P is nowhere zero, and the weight is exact.
        Or the largest of perturbed log-probabilities (CARMS-G): P is estimated from further
        samples, smoothed and clipped as in the published code, which is biased.
    allow_biased : bool
        Do not warn where ``sampling="gumbel"`` makes the estimator biased.

    References
    ----------
    Dimitriev and Zhou (2021), *CARMS*.
    """

    evaluations = "K"
    requires = ("classes",)
    credit = "along"
    joint = "layer"
    formula = (
        "1/(K (K−1)) Σᵢ<ⱼ (p(xᵢ) p(xⱼ))/P(xᵢ, xⱼ) (f(xᵢ) − f(xⱼ)) ∇θ (log p(xᵢ; θ) − log p(xⱼ; θ))"
    )
    symbols = {  # noqa: RUF012
        "P": "the joint probability of two of the coupled samples"
    }
    cites = ("dimitriev2021carms",)

    def __init__(
        self,
        samples: int = 4,
        copula: str = "dirichlet",
        sampling: str = "inverse",
        *,
        allow_biased: bool = False,
    ):
        self.samples = at_least("CARMS", samples, 2)
        copula_named("CARMS", copula)
        self.copula = copula
        self.sampling = among("CARMS", sampling, "sampling", "inverse", "gumbel")
        self.allow_biased = allow_biased

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        """Whether the joint distribution of two samples is known."""
        return self.sampling == "inverse"

    def draw(self, dist: Classes, noise: Sampler) -> Draw:
        """Draw K classes, and compute the weights of pairs of different classes."""
        plate = noise.plate(self.samples)
        draw = self._by_order if self.sampling == "inverse" else self._by_gumbel
        index, weights, coupled = draw(dist, noise, plate)
        x = stop(dist.of_index(index))
        chosen = one_hot(index, dist.classes)
        aux = {"chosen": chosen, "weights": weights}
        return Draw(x, plate=plate, coupling=coupled, aux=aux)

    def term(self, dist: Classes, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the weighted differences to the other samples along log p of each sample.

        Σ_j w(x_i, x_j) (f_i − f_j) is bilinear in one-hot vectors: two sums over the plate do.
        """
        chosen, weights = draw.aux["chosen"], draw.aux["weights"]
        cost = downstream.cost
        counts = plate_sum(chosen, draw.samples)
        costs = plate_sum(chosen * cost, draw.samples)
        met, met_costs = times(weights, counts), times(weights, costs)
        signal = sum(chosen * (cost * met - met_costs), axis=-1) / (self.samples - 1.0)
        return along(signal, dist.log_prob(draw.value, elementwise=True))

    def _by_order(self, dist: Classes, noise: Sampler, plate: Plate) -> tuple[Any, ...]:
        coupling = copula_named("CARMS", self.copula)
        index, joint, coupled = in_random_order(dist, coupling, noise, plate)
        return index, _ratio(dist.probs, joint, 0.0), (coupled, coupling)

    def _by_gumbel(self, dist: Classes, noise: Sampler, plate: Plate) -> tuple[Any, ...]:
        coupling, logp = copula_named("CARMS", self.copula), dist.log_probs

        def largest(shape: tuple[int, ...], tag: str) -> Any:
            u = coupling.uniforms(noise, plate, (*shape, dist.classes), tag)
            return argmax(logp - log(-log(u)), axis=-1)

        again = one_hot(largest((_MONTE_CARLO, *dist.batch_shape), "joint"), dist.classes)
        counts = plate_sum(again, plate)
        pairs = np_expand_dims(counts, -1) * np_expand_dims(counts, -2)
        joint = sum(pairs, axis=0) / (_MONTE_CARLO * self.samples * (self.samples - 1.0))
        return largest(dist.batch_shape, "u"), _ratio(dist.probs, joint, _SMOOTHING), None


def _ratio(p: Expr, joint: Expr, smoothing: float) -> Expr:
    """p_c p_d / P(c, d), and 0 for a class with itself, whose difference is 0."""
    both = np_expand_dims(p, -1) * np_expand_dims(p, -2)
    if smoothing:
        ratio = minimum(maximum((both + smoothing) / (joint + smoothing), _CLIP[0]), _CLIP[1])
    else:
        ratio = both / where(greater(joint, 0.0), joint, 1.0)
    return (1.0 - np.eye(p.shape[-1])) * ratio
