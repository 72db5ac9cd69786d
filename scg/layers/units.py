"""Stochastic units: activations that sample (Bengio, Léonard and Courville 2013)."""

from __future__ import annotations

from scg.distributions.bernoulli import Bernoulli
from scg.distributions.normal import Normal
from scg.face import Graph
from scg.ir.expr import Expr
from scg.ops.activations import log_sigmoid
from scg.ops.elementwise import exp, relu
from scg.ops.gradient import stop


def stochastic_times_smooth(g: Graph, name: str, a: Expr, *, credit: bool = False) -> Expr:
    """Stochastic times smooth unit: b √p with p = σ(a) and b ~ Bernoulli(√p).

    Its mean is p. It is often exactly 0, so that it can switch off what follows.

    Parameters
    ----------
    g : Graph
        The graph that declares the stochastic node.
    name : str
        Name of the node b.
    a : Expr
        Logits.
    credit : bool
        If True, the estimator of b adds the gradient through b. If False, only the smooth factor √p
        is differentiated, as published, and the gradient is biased.

    Notes
    -----
    Bengio, Léonard and Courville (2013).

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("unit")
    >>> h = scg.stochastic_times_smooth(g, "b", g.parameter("a", 0.0))
    >>> g.cost("loss", h)
    >>> round(scg.exact(g, g.init(seed=0)).cost, 12)
    0.5
    """
    root = exp(0.5 * log_sigmoid(g.as_node(a, name)))
    b = g.sample(name, Bernoulli(probs=root if credit else stop(root)))
    return b * root


def noisy_rectifier(g: Graph, name: str, a: Expr, scale: float = 1.0) -> Expr:
    """Noisy rectifier: max(0, a + ε) with ε ~ N(0, scale²).

    Its gradient is pathwise and unbiased.

    Parameters
    ----------
    g : Graph
        The graph that declares the stochastic node.
    name : str
        Name of the node a + ε.
    a : Expr
        Pre-activations.
    scale : float
        Standard deviation of the noise.

    Notes
    -----
    Bengio, Léonard and Courville (2013).

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("unit")
    >>> g.cost("loss", scg.noisy_rectifier(g, "x", g.parameter("a", 0.0)))
    >>> out = scg.compile(g)(g.init(seed=0), seed=1, runs=1000)
    >>> 0.3 < out.cost < 0.5
    True
    """
    return relu(g.sample(name, Normal(loc=a, scale=scale)))
