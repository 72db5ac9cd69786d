"""Critics: learned value functions of named nodes, as baselines and as bootstraps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from scg.common.arguments import Fraction
from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.baselines.base import Baseline
from scg.estimators.baselines.network import tanh_network, zeros
from scg.estimators.baselines.simple import average_so_far, moving_average
from scg.estimators.protocol import Downstream, Draw, Memory
from scg.ir.expr import Expr
from scg.ops.elementwise import cast, square, where
from scg.ops.gradient import stop


def _names(owner: str, inputs: Sequence[str]) -> tuple[str, ...]:
    if isinstance(inputs, str) or not inputs or not all(isinstance(x, str) for x in inputs):
        raise EstimatorError(
            f"{owner}: inputs must be names of nodes, such as inputs=('state',), got {inputs!r}"
        )
    return tuple(inputs)


class _Value:
    """A moving average plus a tanh network of named nodes, in the user's units of a cost."""

    def __init__(self, inputs: tuple[str, ...], hidden: tuple[int, ...], decay: float):
        self.inputs, self.hidden, self.decay = inputs, hidden, decay

    def of(self, downstream: Downstream, memory: Memory, below: bool = False) -> Expr:
        """The value, as a contribution to the objective."""
        inputs = [stop(cast(downstream.value(name, below))) for name in self.inputs]
        net = tanh_network(inputs, self.hidden, memory, "loss")
        value = average_so_far(self.decay, memory) + net + memory.parameter("offset", (), zeros)
        return value / self.unit(downstream)

    def unit(self, downstream: Downstream) -> Expr:
        """The unit of a cost at its own step, which no discount has made smaller yet."""
        return downstream.unit / downstream.discount

    def learn(self, target: Expr, value: Expr, downstream: Downstream, memory: Memory) -> None:
        """Record the least-squares loss."""
        unit = self.unit(downstream)
        target = stop(target)
        moving_average(target, self.decay, downstream, memory, unit)
        memory.loss(downstream.average(square((target - value) * unit)))


class Critic(Baseline):
    """A value function: a tanh network of named nodes that do not depend on the sample.

    As a baseline it predicts the cost-to-go, V(inputs), by least squares on the learning signal. It
    is unbiased, because the weights are those before the call. Use it in place of :class:`Network`,
    whose inputs are those of the node itself, where the state of a model is known by name.

    With ``trace=λ`` below 1 it is a bootstrap as well: in a scan, values replace a part of later
    costs. Let C_t be the cost-to-go of the node at step t and V_t the value before it. The learning
    signal is C_t − V_t + (1 − λ) Σ_{k≥1} λ^(k−1) (V_{t+k} − C_{t+k}). It is the generalised
    advantage Σ_k (γλ)^k δ_{t+k} with δ_t = c_t + γ V_{t+1} − V_t, and varies less. It is biased
    unless V is the conditional mean of the cost-to-go given inputs that separate earlier steps from
    later costs (Weber et al. 2019), and marked as biased.

    Parameters
    ----------
    inputs : sequence of str
        Names of nodes that live on the node's plates, and do not depend on its sample.
    hidden : tuple of int
        Widths of the hidden layers.
    trace : float
        λ; 1 does not bootstrap.
    where : str, optional
        Name of a node that is false where nothing follows, such as after the end of an episode: the
        value is 0 there.
    decay : float
        Weight of the past in a moving average of the target, to which the network is added.

    Examples
    --------
    >>> import numpy as np, scg
    >>> g, t = scg.Graph("walk"), scg.Time("t", length=5)
    >>> push = g.parameter("push", 0.2)
    >>> def cell(x):
    ...     here = g.deterministic("here", x)
    ...     a = g.sample("a", scg.Bernoulli(logits=push * here))
    ...     g.cost("far", (here + 2 * a - 2.0) ** 2)
    ...     return here + 2 * a - 1
    >>> last = g.scan(cell, init=1.0, over=t)
    >>> critic = scg.Critic(inputs=("here",), hidden=(8,))
    >>> step = scg.compile(g, scg.ScoreFunction(baseline=critic), backend="numpy")
    >>> sorted(step.init(seed=0)["a"])
    ['W0', 'average', 'b0', 'offset', 'out', 'weight']

    References
    ----------
    Schulman et al. (2016); Weber et al. (2019).
    """

    cites = ("schulman2016", "weber2019")

    def __init__(
        self,
        inputs: Sequence[str],
        hidden: tuple[int, ...] = (64,),
        *,
        trace: float = 1.0,
        where: str | None = None,
        decay: Fraction = 0.9,
    ):
        self.inputs = _names("Critic", inputs)
        self.hidden, self.where, self.decay = tuple(hidden), where, decay
        if not 0.0 <= trace <= 1.0:
            raise EstimatorError(f"Critic: trace must be in [0, 1], got {trace!r}")
        self.trace = float(trace)

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        """Whether no cost is replaced by a value."""
        return self.trace == 1.0

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """With a trace below 1 a scan whose steps follow each other."""
        return () if self.unbiased else ("later steps",)

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """V_t − (1 − λ) Σ_k λ^(k−1) (V_{t+k} − C_{t+k})."""
        net = _Value(self.inputs, self.hidden, self.decay)

        def predicted(down: Downstream) -> Expr:
            value = net.of(down, memory)
            return value if self.where is None else where(down.value(self.where), value, 0.0)

        value = predicted(downstream)
        if self.unbiased:
            net.learn(signal, value, downstream, memory)
            return value
        gap = downstream.later(lambda down: predicted(down) - down.cost, self.trace)
        change = stop((1.0 - self.trace) * gap)
        net.learn(signal + change, value, downstream, memory)
        return value - change


class Bootstrap(Baseline):
    """A value function on a separating set: it replaces the costs below the set. Biased.

    The named nodes must cut every path from the node to the costs that they influence. The cost of
    the node is then C − C_S + V(S), with C_S the sum of these costs and V(S) a tanh network of the
    values of the set, which learns C_S by least squares. Where V is the conditional mean of C_S
    given the set, the gradient is unbiased; the compiler cannot know that, and marks it as biased.
    Use it where much noise lies between the set and the costs. In a scan use :class:`Critic` with a
    `trace`, whose sets are the steps.

    Parameters
    ----------
    inputs : sequence of str
        Names of the nodes of the set, which live on the node's plates.
    hidden : tuple of int
        Widths of the hidden layers.
    baseline : Baseline, optional
        A baseline of what is left.
    decay : float
        Weight of the past in a moving average of the target, to which the network is added.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("relay")
    >>> a = g.sample("a", scg.Bernoulli(logits=g.parameter("theta", 0.3)))
    >>> s = g.sample("s", scg.Bernoulli(logits=2.0 * a - 1.0))
    >>> x = g.sample("x", scg.Normal(s, 3.0))
    >>> g.cost("loss", x**2)
    >>> far = scg.ScoreFunction(scg.Bootstrap(("s",), hidden=(4,)), allow_biased=True)
    >>> step = scg.compile(g, {"a": far}, backend="numpy")
    >>> step.plan.unbiased
    False

    References
    ----------
    Weber et al. (2019).
    """

    cites = ("weber2019",)
    unbiased = False

    def __init__(
        self,
        inputs: Sequence[str],
        hidden: tuple[int, ...] = (64,),
        *,
        baseline: Baseline | None = None,
        decay: Fraction = 0.9,
    ):
        self.inputs = _names("Bootstrap", inputs)
        self.hidden, self.baseline, self.decay = tuple(hidden), baseline, decay

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]
        """A node outside of scans, and what the baseline requires."""
        return ("no scan", *(self.baseline.requires if self.baseline else ()))

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """b − (V(S) − C_S)."""
        own = _OwnMemory(memory)
        net = _Value(self.inputs, self.hidden, self.decay)
        below = stop(downstream.beyond(self.inputs))
        value = net.of(downstream, own, below=True)
        net.learn(below, value, downstream, own)
        change = stop(value) - below
        if self.baseline is None:
            return -change
        b = self.baseline.value(stop(signal + change), dist, draw, downstream, memory)
        return stop(b) - change


class _OwnMemory:
    """The memory of a critic beside that of a baseline at the same node."""

    def __init__(self, memory: Memory):
        self.memory = memory

    def parameter(
        self, name: str, shape: tuple[int, ...], init: Callable[..., Any], learn: str = "loss"
    ) -> Expr:
        """A parameter of the critic."""
        return self.memory.parameter(f"value_{name}", shape, init, learn)

    def state(
        self,
        name: str,
        initial: float,
        shape: tuple[int, ...] = (),
        bounds: tuple[float, float] = (-math.inf, math.inf),
    ) -> Expr:
        """A number of the critic."""
        return self.memory.state(f"value_{name}", initial, shape, bounds)

    def update(self, name: str, value: Expr) -> None:
        """Set a number after this call."""
        self.memory.update(f"value_{name}", value)

    def loss(self, value: Expr) -> None:
        """Add a loss."""
        self.memory.loss(value)
