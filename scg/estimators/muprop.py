"""MuProp: a first-order Taylor expansion of the cost as a control variate."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.baselines.base import Baseline
from scg.estimators.parts.signal import learning_signal
from scg.estimators.protocol import (
    ANY_ORDER,
    Downstream,
    Draw,
    Estimator,
    Memory,
    control_variate,
)
from scg.ir.expr import Expr
from scg.ops.gradient import stop
from scg.ops.linalg import dot


class MuProp(Estimator):
    """Score function minus a Taylor expansion of the cost, whose gradient is added back.

    Parameters
    ----------
    mean_field : {"single", "rollout"}
        Where the expansion is taken: in one deterministic pass with every node at its mean, shared
        by all nodes; or at the node's own mean given the *sampled* parents, one pass a node.
    scale : float
        Factor of the control variate; 1 is the paper's.
    baseline : Baseline, optional
        Subtracted from the residual learning signal.
    variance_normalization : bool
        Divide the residual signal by max(1, σ); biased.
    allow_biased : bool
        Do not warn where variance normalization makes the estimator biased.

    Notes
    -----
    (f(x) − f(x̄) − f′(x̄)ᵀ(x − x̄)) ∇θ log p(x; θ) + f′(x̄)ᵀ ∇θ μ(θ); Gu et al. (2016, eq. 6). The
    correction uses the mean μ given the sampled parents; with the mean-field mean it is biased.
    """

    orders = ANY_ORDER
    evaluations = "2"
    formula = "(f(x) − a (f(x̄) + f′(x̄)ᵀ(x − x̄)) − b) ∇θ log p(x; θ) + a f′(x̄)ᵀ ∇θ μ(θ)"
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
        if mean_field not in ("single", "rollout"):
            raise EstimatorError(
                f'MuProp: mean_field must be "single" or "rollout", got {mean_field!r}'
            )
        self.mean_field = mean_field
        self.scale = scale
        self.baseline = baseline
        self.variance_normalization = variance_normalization
        self.allow_biased = allow_biased

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        """Unbiased unless the signal is normalised."""
        return not self.variance_normalization

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """Means all along the pass, and a cost that has a slope."""
        return (
            "mean field",
            "differentiable costs",
            *(self.baseline.requires if self.baseline else ()),
        )

    def where(self) -> dict[str, Any]:
        """Return the symbols of the formula that options decide."""
        return {"a": self.scale, "b": self.baseline or 0}

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
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
