"""MuProp: a first-order Taylor expansion of the cost as a control variate."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.parts.options import among, true_baseline
from scg.estimators.parts.signal import learning_signal
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, control_variate
from scg.ir.expr import Expr
from scg.ops.gradient import stop
from scg.ops.linalg import dot


class MuProp(Estimator):
    """Score function minus a Taylor expansion of the cost, whose gradient is added back.

    (f(x) − a (f(x̄) + f′(x̄)ᵀ(x − x̄)) − b) ∇θ log p(x; θ) + a f′(x̄)ᵀ ∇θ μ(θ), with the Taylor
    point x̄, the mean μ given the *sampled* parents (with x̄ in its place it is biased), a the
    `scale` and b the baseline: two evaluations, one of them in a deterministic pass. Use it for
    costs that are smooth and nearly linear in the sample; where they bend much,
    :class:`LeaveOneOut` is better. :class:`StraightThrough` is its second part alone, at another
    point, and biased.

    Parameters
    ----------
    mean_field : {"single", "rollout"}
        Where the expansion is taken: in one pass with all nodes at their means, shared by all; or
        at the node's own mean given its sampled parents, in one pass a node.
    scale : float
        a, in the paper 1.
    baseline : Baseline, optional
        Subtracted from the residual learning signal.
    variance_normalization : bool
        Divide the residual signal by max(1, σ), σ a moving average of its standard deviation;
        biased.
    allow_biased : bool
        Do not warn where variance normalization makes the estimator biased.

    References
    ----------
    Gu et al. (2016).
    """

    orders = ANY_ORDER
    evaluations = "2"
    formula = "(f(x) − a (f(x̄) + f′(x̄)ᵀ(x − x̄)) − b) ∇θ log p(x; θ) + a f′(x̄)ᵀ ∇θ μ(θ)"
    symbols = {  # noqa: RUF012
        "x̄": "the point of the expansion, by default the node's mean in the mean-field pass"
    }
    cites = ("gu2016",)

    def __init__(
        self,
        mean_field: str = "single",
        scale: float = 1.0,
        baseline: Baseline | None = None,
        *,
        variance_normalization: bool = False,
        allow_biased: bool = False,
    ):
        self.mean_field = among("MuProp", mean_field, "mean_field", "single", "rollout")
        self.scale = scale
        self.baseline = true_baseline("MuProp", baseline)
        self.variance_normalization = variance_normalization
        self.allow_biased = allow_biased

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        """Whether the signal is not normalised."""
        return not self.variance_normalization

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """Means along the pass, a slope, a fixed support, and what options require."""
        return (
            "mean field",
            "differentiable costs",
            "fixed support",
            *(("whole signal",) if self.variance_normalization else ()),
            *(self.baseline.requires if self.baseline else ()),
        )

    def where(self) -> dict[str, Any]:
        return {"a": self.scale, "b": self.baseline or 0}

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Subtract the Taylor expansion and add back the gradient of its mean."""
        if self.mean_field == "single":
            replay = downstream.mean_field
        else:
            replay = downstream.at(dist.mean(), below="mean")
        slope = stop(self.scale * replay.slope)
        taylor = self.scale * replay.cost + dot(slope, draw.value - replay.point)
        a = learning_signal(
            self.baseline, taylor, self.variance_normalization, dist, draw, downstream, memory
        )
        assert a is not None
        return control_variate(draw, a, correction=dot(slope, dist.mean()))
