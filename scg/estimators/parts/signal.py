"""The learning signal: what multiplies the score, after baseline and normalization."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.baselines.base import Baseline
from scg.estimators.protocol import Downstream, Draw, Memory
from scg.ir.expr import Expr
from scg.ops.elementwise import maximum, sqrt, square
from scg.ops.gradient import stop
from scg.ops.reductions import mean


def learning_signal(
    baseline: Baseline | None,
    control: Expr | None,
    normalize: bool,
    dist: Distribution,
    draw: Draw,
    downstream: Downstream,
    memory: Memory,
) -> Expr | None:
    """Control variate that yields the requested learning signal, or None.

    `control` is subtracted from the cost first; then the baseline's value, which learns the rest.
    `normalize` divides the signal by max(1, σ), σ² a moving average over earlier calls.
    """
    signal = stop(downstream.cost if control is None else downstream.cost - control)
    a = control
    if baseline is not None:
        b = stop(baseline.value(signal, dist, draw, downstream, memory))
        a = b if a is None else a + b
        signal = signal - b
    if normalize:
        decay = 0.9
        units = signal * downstream.unit
        variance = memory.state("variance", 1.0)
        memory.update(
            "variance", decay * variance + (1 - decay) * downstream.average(mean(square(units)))
        )
        a = downstream.cost - signal / maximum(1.0, sqrt(variance))
    return a
