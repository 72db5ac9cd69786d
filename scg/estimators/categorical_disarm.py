"""DisARM for classes: a class as a sequence of binary choices, drawn twice antithetically."""

from __future__ import annotations

from functools import cache

import numpy as np

from scg.distributions.bernoulli import Bernoulli
from scg.distributions.protocols import Classes
from scg.estimators.parts.couplings import antithetic, times
from scg.estimators.parts.options import among
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import equal, greater, maximum, where
from scg.ops.gather import one_hot
from scg.ops.gradient import stop
from scg.ops.powers import ratio
from scg.ops.reductions import logsumexp, plate_sum
from scg.ops.select import argsort, take_along_axis
from scg.ops.shape import np_expand_dims
from scg.ops.statistics import argmax


class CategoricalDisARM(Estimator):
    """Two samples of classes whose binary choices are antithetic pairs.

    1/2 (f(z) − f(z̃)) Σ_n g_n ∇θ φ_n(θ), with the choices n of a tree of classes, their logits φ_n
    and values b_n, b̃_n in the two samples. A choice is active in a sample if the path to the class
    meets it. g_n = (b_n − b̃_n) σ(|φ_n|) where it is active in both; where it is active in one, b_n
    − σ(φ_n) or −(b̃_n − σ(φ_n)), because the other sample's cost does not depend on it and is a
    baseline. Two evaluations. Use it for classes and any cost; :class:`CARMS` has more samples. Two
    classes give :class:`DisARM`.

    Parameters
    ----------
    construction : {"stick", "tree"}
        Break a stick, the classes in ascending order of probability (DisARM-SB), or walk down a
        balanced tree (DisARM-Tree).

    References
    ----------
    Dong, Mnih and Tucker (2021).
    """

    evaluations = "2"
    requires = ("classes",)
    credit = "along"
    joint = "layer"
    samples = 2
    formula = (
        "1/2 (f(z) − f(z̃)) Σₙ (aₙ ãₙ (bₙ − b̃ₙ) σ(|φₙ|) + aₙ (1 − ãₙ) (bₙ − σ(φₙ))"
        " − ãₙ (1 − aₙ) (b̃ₙ − σ(φₙ))) ∇θ φₙ(θ)"
    )
    symbols = {  # noqa: RUF012
        "z": "the sample",
        "z̃": "the other sample of the pair",
        "φ": "the logits of the binary choices",
        "b": "the choices in the first sample",
        "b̃": "those in the second",
        "a": "1 where a choice is on the way to the first sample",
        "ã": "the same for the second",
    }
    cites = ("dong2021",)

    def __init__(self, construction: str = "stick"):
        self.construction = among("CategoricalDisARM", construction, "construction", *_SPLITS)

    def draw(self, dist: Classes, noise: Sampler) -> Draw:
        """Make all choices with a pair u, 1 − u; the class is the one that agrees with them."""
        ones, zeros = _SPLITS[self.construction](dist.classes)
        p, logp, order = dist.probs, dist.finite_log_probs, None
        if self.construction == "stick":
            order = stop(argsort(logp))
            p, logp = take_along_axis(p, order), take_along_axis(logp, order)
        choices = Bernoulli(logits=_mass(ones, logp) - _mass(zeros, logp))
        plate = noise.plate(2)
        u = antithetic(noise, plate, (*dist.batch_shape, dist.classes - 1))
        b = where(greater(ratio(times(ones, p), times(ones + zeros, p)), u), 1.0, 0.0)
        against = times(ones.T, 1.0 - b) + times(zeros.T, b)
        place = argmax(where(equal(against, 0.0), 1.0, 0.0), axis=-1)
        path = one_hot(place, dist.classes)
        back = path if order is None else take_along_axis(path, argsort(order))
        aux = {"choices": choices, "active": times(ones + zeros, path), "values": times(ones, path)}
        return Draw(stop(dist.of_index(argmax(back, axis=-1))), plate=plate, aux=aux)

    def term(self, dist: Classes, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the difference to the twin along log p of the active choices of each sample."""
        choices, active = draw.aux["choices"], draw.aux["active"]
        twin = plate_sum(active, draw.samples) - active
        weight = where(greater(twin, 0.5), maximum(choices.probs, 1.0 - choices.probs), 1.0)
        signal = active * weight * (downstream.cost - downstream.others(draw.samples))
        return along(signal, choices.log_prob(stop(draw.aux["values"]), elementwise=True))


def _mass(members: np.ndarray, logp: Expr) -> Expr:
    """Log-probability of each set of classes, given as rows of zeros and ones."""
    with np.errstate(divide="ignore"):
        return logsumexp(np_expand_dims(logp, -2) + np.log(members), axis=-1)


@cache
def _stick(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Choice n takes class n (1) or leaves the later ones (0)."""
    every = np.eye(classes)[:-1]
    return every, np.triu(np.ones((classes, classes)), 1)[:-1]


@cache
def _tree(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Choice n halves a range of classes: the upper half (1) or the lower one (0)."""
    ones, zeros, ranges = [], [], [range(classes)]
    while ranges:
        members = ranges.pop(0)
        if len(members) < 2:
            continue
        lower, upper = members[: len(members) // 2], members[len(members) // 2 :]
        zeros.append(np.isin(np.arange(classes), lower) * 1.0)
        ones.append(np.isin(np.arange(classes), upper) * 1.0)
        ranges += [lower, upper]
    return np.array(ones), np.array(zeros)


_SPLITS = {"stick": _stick, "tree": _tree}
