"""The score-function estimator, with or without a baseline."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.parts.signal import learning_signal
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, control_variate
from scg.ir.expr import Expr


class ScoreFunction(Estimator):
    """Score function (REINFORCE, likelihood ratio) with an optional baseline.

    (f(x) − b) ∇θ log p(x; θ), with b the baseline: one evaluation. It works for any distribution
    and cost, but its variance is high: use it where a second evaluation is too dear, with a
    baseline that keeps a state (``scg.baselines.MovingAverage``, ``Network``); else
    :class:`LeaveOneOut`.

    Parameters
    ----------
    baseline : Baseline, optional
        Subtracted from the learning signal; unbiased as long as it does not depend on the sample.
    variance_normalization : bool
        Divide the learning signal by max(1, σ), σ a moving average of its standard deviation
        (Mnih and Gregor 2014). The gradient is rescaled at random and therefore biased.
    drop_discount : bool
        In a scan with ``discount=γ`` the costs of step s enter with γ^s, and a node at step t is
        credited with Σ_{s≥t} γ^s c_s. With this option the factor γ^t of the node's own step is
        dropped from the signal alone, Σ_{s≥t} γ^{s−t} c_s, as implementations of policy gradients
        do (Thomas 2014). It is the gradient of no objective: biased. Scores are divided by γ^t,
        which must therefore not underflow: 0.9^t does after 828 steps in float32, and after 6,723
        in float64.
    allow_biased : bool
        Do not warn where one of these options makes the estimator biased.

    References
    ----------
    Glynn (1990); Williams (1992); Mnih and Gregor (2014); Thomas (2014).
    """

    orders = ANY_ORDER
    formula = "(f(x) − b) ∇θ log p(x; θ)"
    cites = ("glynn1990", "williams1992", "mnih2014", "thomas2014")

    def __init__(
        self,
        baseline: Baseline | None = None,
        *,
        variance_normalization: bool = False,
        drop_discount: bool = False,
        allow_biased: bool = False,
    ):
        self.baseline = baseline
        self.variance_normalization = variance_normalization
        self.drop_discount = drop_discount
        self.allow_biased = allow_biased

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        """Whether the signal is that of the objective."""
        true = self.baseline is None or self.baseline.unbiased
        return true and not self.variance_normalization and not self.drop_discount

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the baseline requires, a discount to drop, and all of a signal that is divided."""
        own = ("discount",) if self.drop_discount else ()
        own += ("whole signal",) if self.variance_normalization else ()
        return (*own, *(self.baseline.requires if self.baseline else ()))

    def where(self) -> dict[str, Any]:
        return {"b": self.baseline or 0}

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the baseline."""
        a = learning_signal(
            self.baseline, None, self.variance_normalization, dist, draw, downstream, memory
        )
        return None if a is None else control_variate(draw, a)
