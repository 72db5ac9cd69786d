"""Recorded values: a node's values come with the data of a call, and are scored, not sampled."""

from __future__ import annotations

import math

from scg.common.arguments import Checked, kind
from scg.errors import EstimatorError
from scg.estimators.parts.options import among
from scg.estimators.protocol import Draw
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, minimum, where
from scg.ops.gradient import stop


@kind('recorded values such as scg.Recorded(ratios="product")')
class Recorded(Checked):
    """How the recorded values of a node are weighted: an option of ``scg.compile(given=…)``.

    Values that an older policy chose, or any other distribution q, have other probabilities than
    those of the node, p. The ratio of a value x is ρ = p(x) / q(x); a call then takes log q(x) as
    data, too, by the name of the node with "_log_prob".

    Parameters
    ----------
    ratios : {None, "product", "step"}
        With "product" each cost is multiplied by the ratios of all recorded values that influence
        it: the cost of step s by Π_{τ ≤ s} ρ_τ. Costs and gradients are unbiased, at a variance
        that grows with the number of factors. With "step" only the score of each value is
        multiplied, by its own ratio, as off-policy actor-critic methods do: biased, because earlier
        and later values still come from q. Without ratios the estimate is right only for values
        that were sampled at the present parameters.
    clip : float, optional
        The largest ratio; larger ones count as it. Biased.
    allow_biased : bool
        Do not warn where the weights are biased.

    Examples
    --------
    Values of a coin with the probability 1/2, for a model in which it is another:

    >>> import numpy as np, scg
    >>> g, batch = scg.Graph("coin"), scg.Plate("batch")
    >>> law = scg.Bernoulli(logits=g.parameter("theta", 1.0))
    >>> g.cost("loss", g.sample("b", law, plates=batch) * 3.0)
    >>> step = scg.compile(g, given={"b": scg.Recorded(ratios="product")}, backend="numpy")
    >>> coins = {"b": [0.0, 1.0], "b_log_prob": np.log([0.5, 0.5])}
    >>> out = step({"theta": 1.0}, seed=0, data=coins)
    >>> abs(out.cost - 3.0 / (1.0 + np.exp(-1.0))) < 1e-12  # 3 times the probability of 1
    np.True_

    References
    ----------
    Precup, Sutton and Singh (2000); Degris, White and Sutton (2012).
    """

    cites = ("precup2000", "degris2012")

    def __init__(
        self, ratios: str | None = None, clip: float | None = None, *, allow_biased: bool = False
    ):
        if ratios is not None:
            among("Recorded", ratios, "ratios", "product", "step")
        if clip is not None and (ratios is None or not clip > 0):
            raise EstimatorError(
                f"Recorded: clip is the largest ratio, a positive number beside ratios=, got "
                f"{clip!r} with ratios={ratios!r}"
            )
        self.ratios, self.clip, self.allow_biased = ratios, clip, allow_biased

    @property
    def unbiased(self) -> bool:
        """Whether costs have the mean that they have under the node's own distribution."""
        return self.ratios == "product" and self.clip is None

    def draw(
        self, logp: Expr, elements: Expr, value: Expr, behaviour: Expr | None, present: Expr | None
    ) -> Draw:
        """The value with its score and, with a product of ratios, the logarithm of that ratio.

        Parameters
        ----------
        logp, elements : Expr
            Log-probability of the value under the node's distribution, whole and by element.
        value : Expr
            The recorded value.
        behaviour : Expr or None
            Its log-probability when it was recorded.
        present : Expr or None
            False at padded steps, whose ratio is 1.
        """
        if behaviour is None:
            return Draw(value, logp, aux={"elements": elements})
        ratio = stop(logp) - behaviour
        if self.clip is not None:
            ratio = minimum(ratio, math.log(self.clip))
        if present is not None:
            ratio = where(present, ratio, 0.0)
        if self.ratios == "product":
            return Draw(value, logp, ratio=ratio, aux={"elements": elements})
        weight = exp(ratio)
        return Draw(value, weight * logp, aux={"elements": weight * elements})
