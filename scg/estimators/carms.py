"""CARMS: several mutually antithetic draws of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import EstimatorError
from scg.estimators.base import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.estimators.couplings import at_least, copula_named, rarer_first, times, upside_down
from scg.expr import Expr, Plate
from scg.ops.elementwise import cast, greater, log, logical_and, maximum, minimum, where
from scg.ops.gradient import stop
from scg.ops.reductions import plate_sum, sum
from scg.ops.shape import cumsum, getitem, np_expand_dims, one_hot
from scg.ops.statistics import argmax

_MONTE_CARLO = 100  # copies of the draws from which the published code takes the joint law
_SMOOTHING, _CLIP = 1e-3, (0.01, 10.0)


class CARMS(Estimator):
    """Leave-one-out on K draws of classes that a copula keeps apart, with importance weights.

    Parameters
    ----------
    samples : int
        K ≥ 2, the number of draws. Nodes of one layer that are given one instance share them.
    copula : {"dirichlet", "gaussian", "independent"}
        The joint law of the K uniforms; with independent ones it is leave-one-out.
    sampling : {"inverse", "gumbel"}
        Search on the CDF, in a random order of the classes (CARMS-I), or the largest of perturbed
        log-probabilities (CARMS-G), whose joint law is estimated from further draws: biased.
    allow_biased : bool
        Do not warn where ``sampling="gumbel"`` makes the estimator biased.

    Notes
    -----
    1/(K(K−1)) Σ_{i<j} p(x_i) p(x_j)/P(x_i, x_j) (f(x_i) − f(x_j)) (∇ log p(x_i) − ∇ log p(x_j)),
    P being the joint law of two draws; Dimitriev and Zhou (2021). One of C(C−1)/2 orders is
    drawn; each pair of classes is at the two ends of one of them, so that P is nowhere zero. The
    weight is exact. The published code smooths and clips it, which is biased; CARMS-G does so
    here too, as an estimated P may be zero. Two classes give ARMS.
    """

    evaluations = "K"
    requires = ("classes",)
    credit = "along"
    joint = "layer"
    formula = (
        "1/(K (K−1)) Σᵢ<ⱼ (p(xᵢ) p(xⱼ))/P(xᵢ, xⱼ) (f(xᵢ) − f(xⱼ)) ∇θ (log p(xᵢ; θ) − log p(xⱼ; θ))"
    )
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
        if sampling not in ("inverse", "gumbel"):
            raise EstimatorError(f'CARMS: sampling must be "inverse" or "gumbel", got {sampling!r}')
        self.copula = copula
        self.sampling = sampling
        self.allow_biased = allow_biased

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        """Unbiased where the joint law of two draws is known."""
        return self.sampling == "inverse"

    def draw(self, dist: Any, noise: Sampler) -> Draw:
        """Draw K classes, and compute the weights of pairs of different classes."""
        plate = noise.plate(self.samples)
        draw = self._by_order if self.sampling == "inverse" else self._by_gumbel
        index, weights, coupled = draw(dist, noise, plate)
        x = stop(dist.of_index(index))
        chosen = one_hot(index, dist.classes)
        aux = {"chosen": chosen, "weights": weights}
        return Draw(x, plate=plate, coupling=coupled, aux=aux)

    def term(self, dist: Any, draw: Draw, downstream: Downstream, memory: Memory) -> Expr | None:
        """Inject the weighted differences to the other draws along log p of each draw.

        Σ_j w(x_i, x_j) (f_i − f_j) is bilinear in one-hot vectors: two sums over the plate do.
        """
        assert draw.plate is not None
        chosen, weights = draw.aux["chosen"], draw.aux["weights"]
        cost = downstream.cost
        counts = plate_sum(chosen, draw.plate)
        costs = plate_sum(chosen * cost, draw.plate)
        met, met_costs = times(weights, counts), times(weights, costs)
        signal = sum(chosen * (cost * met - met_costs), axis=-1) / (self.samples - 1.0)
        return along(signal, dist.log_prob(draw.value, elementwise=True))

    def _by_order(self, dist: Any, noise: Sampler, plate: Plate) -> tuple[Any, ...]:
        coupling, count = copula_named("CARMS", self.copula), self.samples
        p, batch = dist.probs, dist.batch_shape
        orders, before = _orders(dist.classes)
        first, last = (times(np.eye(dist.classes)[orders[:, end]], p) for end in (0, -1))
        flip = rarer_first(coupling, first, last, count)
        coupled = u = coupling.uniforms(noise, plate, (*batch, 1))

        # The joint law: the mass of rectangles, averaged over the orders.
        low = times(before, np_expand_dims(p, -2))
        high = low + np_expand_dims(p, -2)
        if flip is not None:
            turned = np_expand_dims(flip, -1)
            low, high = where(turned, 1.0 - high, low), where(turned, 1.0 - low, high)

        def mass(a: Any, b: Any) -> Any:
            return coupling.cdf(np_expand_dims(a, -1), np_expand_dims(b, -2), count)

        rectangles = mass(high, high) + mass(low, low) - mass(low, high) - mass(high, low)
        joint = sum(rectangles, axis=-3) / float(len(orders))

        # The draws: search on the CDF in the order chosen.
        table = np.eye(dist.classes)[orders]
        if len(orders) > 1:
            place = noise.uniform((*batch, 1), "order") * float(len(orders))
            steps = np.arange(len(orders))
            picked = cast(logical_and(greater(place, steps), place <= steps + 1.0))
            table = sum(np_expand_dims(np_expand_dims(picked, -1), -1) * table, axis=-3)
            flip = None if flip is None else greater(sum(picked * cast(flip), -1, True), 0.5)
        else:
            table = table[0]
        u = u if flip is None else upside_down(u, flip)
        below = getitem(cumsum(times(table, p)), (..., slice(0, dist.classes - 1)))
        place = one_hot(sum(where(greater(u, below), 1, 0), axis=-1), dist.classes)
        index = argmax(sum(table * np_expand_dims(place, -1), axis=-2), axis=-1)
        return index, _ratio(p, joint, 0.0), (coupled, coupling)

    def _by_gumbel(self, dist: Any, noise: Sampler, plate: Plate) -> tuple[Any, ...]:
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
    """p_c p_d / P(c, d), zero for a class with itself, where there is no difference to weigh."""
    both = np_expand_dims(p, -1) * np_expand_dims(p, -2)
    if smoothing:
        ratio = minimum(maximum((both + smoothing) / (joint + smoothing), _CLIP[0]), _CLIP[1])
    else:
        ratio = both / where(greater(joint, 0.0), joint, 1.0)
    return (1.0 - np.eye(p.shape[-1])) * ratio


def _orders(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The orders, one for each pair of classes at its ends, the later class first.

    Also, for each order, which classes [c, d] have d before c.
    """
    orders = []
    for first in range(1, classes):
        cycle = [(first + k) % classes for k in range(1, classes)]
        for last in range(first):
            cut = cycle.index(last) + 1
            orders.append([first, *cycle[cut:], *cycle[:cut]])
    table = np.array(orders or [[0]])
    rank = np.argsort(table, axis=1)
    return table, (rank[:, None, :] < rank[:, :, None]) * 1.0
