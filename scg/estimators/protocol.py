"""The estimator protocol: how a node is sampled, and what is added to the surrogate for it.

An estimator builds expressions. :meth:`Estimator.draw` samples the node, and :meth:`Estimator.term`
returns a term of value 0 that joins the surrogate. :class:`Downstream` gives access to the costs
that the node influences, :class:`Memory` keeps parameters and numbers from call to call. The base
class samples once and adds no term, which is the score function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from scg.common.arguments import Checked
from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.views import Downstream, Draw, Memory, Replay, Route, Sampler
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.gradient import box, stop
from scg.ops.reductions import sum

# fmt: off
__all__ = [
    "ANY_ORDER", "Downstream", "Draw", "Estimator", "Memory", "Replay", "Route", "Sampler",
    "along", "control_variate", "divided", "score_draw",
]
# fmt: on

#: How credit reaches a node's parameters.
CREDIT = ("score", "pathwise", "both", "weight", "along")


def _is_names(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) for name in value)


#: What a class may set its traits to, and the words for it.
TRAITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        ("unbiased", "allow_biased", "drop_discount", "suggested"),
        (lambda value: isinstance(value, bool), "True or False"),
    ),
    **dict.fromkeys(("requires", "cites"), (_is_names, "a tuple of names")),
    **dict.fromkeys(("evaluations", "formula"), (lambda value: isinstance(value, str), "a string")),
    "symbols": (lambda value: isinstance(value, Mapping), "a mapping"),
    "credit": (CREDIT.__contains__, f"one of {', '.join(map(repr, CREDIT))}"),
    "joint": (lambda value: value in (True, False, "layer"), 'True, False or "layer"'),
    "samples": (lambda value: type(value) is int and value >= 1, "a positive integer"),
    "orders": (lambda value: type(value) in (int, float) and value >= 0, "a number, at least 0"),
}


class Estimator(Checked):
    """A gradient estimator of one stochastic node. Concrete classes are final; constructors store.

    Attributes
    ----------
    unbiased : bool
        Whether the expected gradient is the true one.
    orders : float
        The highest order of derivative that is unbiased.
    evaluations : str
        Evaluations of the costs for a gradient, as a formula in K, the number of samples.
    requires : tuple of str
        Requirements on the distribution and on the paths to the costs, by the names of
        :data:`scg.compiler.requirements.REQUIREMENTS`.
    credit : {"score", "pathwise", "both", "weight", "along"}
        How credit reaches the node's parameters: by its log-probability, through its value,
        through its value and by the density of its noise, through the weights of its plate, or by
        an estimate that its term injects.
    joint : bool or "layer"
        Whether nodes that are given one instance share one sample plate. With "layer" only nodes
        do that do not depend on each other: coupled samples need one distribution on a plate.
    formula : str
        The gradient estimate, in the notation of Mohamed et al. (2020). ``explain`` prints it, the
        page of the estimator typesets it, and tests evaluate it.
    symbols : mapping
        What symbols of the formula mean, where :data:`scg.explain.formulas.COMMON` does not say it.
    cites : tuple of str
        Keys of ``references.bib``.
    drop_discount : bool
        Whether the score at step t of a discounted scan is divided by the discount γ^t.
    suggested : bool
        Whether messages may suggest it; it then needs no arguments.
    """

    unbiased: bool = True
    orders: float = 1
    evaluations: str = "1"
    requires: tuple[str, ...] = ()
    credit: str = "score"
    joint: bool | str = False
    formula: str = ""
    symbols: Mapping[str, str] = {}
    cites: tuple[str, ...] = ()
    samples: int = 1
    allow_biased: bool = False
    drop_discount: bool = False
    suggested: bool = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, (fits, words) in TRAITS.items():
            value = vars(cls).get(name, getattr(Estimator, name))
            if not hasattr(value, "__get__") and not fits(value):  # a property is read later
                raise EstimatorError(f"{cls.__name__}: {name} is {words}, got {value!r}")

    @property
    def opens(self) -> bool:
        """Whether derivatives pass through the value of a sample, which is not stopped."""
        return self.credit in ("pathwise", "both")

    def draws(self, dist: Distribution) -> int:
        """Number of samples on the sample plate of a node."""
        return self.samples

    def where(self) -> dict[str, Any]:
        """Symbols of the formula that options decide: numbers, text, or a baseline."""
        return {"K": self.samples} if "K" in self.formula else {}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Sample the node, with gradients stopped, and with ℓ where a score carries the credit."""
        if self.credit != "score":
            return Draw(stop(dist.sample(noise)))
        return score_draw(dist, noise, noise.plate(self.samples) if self.samples > 1 else None)

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | Mapping[Route, Expr] | None:
        """The term of value 0 that joins the surrogate, one for each route, or None."""
        return None


ANY_ORDER = math.inf


def score_draw(dist: Distribution, noise: Sampler, plate: Plate | None = None) -> Draw:
    """A sample with gradients stopped, whose log-probability carries the credit."""
    own = noise.on(plate) if plate else noise
    x = stop(dist.sample(own))
    logp, elements = sampled_log_prob(dist, x, own)
    return Draw(x, logp=logp, plate=plate, aux={"elements": elements})


def sampled_log_prob(dist: Distribution, x: Expr, noise: Sampler) -> tuple[Expr, Expr]:
    """Log-probability of a sample `x` before it was rounded, whole and elementwise."""
    logp, elements = dist.log_prob(x), dist.log_prob(x, elementwise=True)
    lost = dist.rounding(x, noise)
    return (logp, elements) if lost is None else (logp + sum(lost), elements + lost)


def divided(draw: Draw, weight: Expr) -> Draw:
    """A draw whose score is divided by a weight."""
    if draw.logp is None:
        return draw
    elements = {name: draw.aux[name] / weight for name in ("elements",) if name in draw.aux}
    return draw._replace(logp=draw.logp / weight, aux={**draw.aux, **elements})


def control_variate(draw: Draw, a: Expr, correction: Expr | None = None) -> Expr:
    """The term that subtracts `a` from the learning signal of a score-function sample.

    It is (1 − ⊠(ℓ)) a, of value 0 and derivative −a ∇ℓ, with ℓ the node's log-probability and ⊠ the
    magic box. If `a` is not a scalar, it has a value for each independent element of the event,
    each with its own ℓ. `correction` has the derivative of E[a]; a baseline needs none.
    """
    assert draw.logp is not None
    logp = draw.logp if a.shape == () else draw.aux["elements"]
    term = sum((1.0 - box(logp)) * stop(a))
    return term if correction is None else term + (correction - stop(correction))


def along(g: Expr, theta: Expr) -> Expr:
    """The term of value 0 that injects `g`, an estimate of the derivative with respect to `theta`.

    `g` has the shape of `theta` and the plates of the sample.
    """
    return sum(stop(g) * (theta - stop(theta)))
