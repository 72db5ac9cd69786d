"""The toy of stochastic triples (Arya et al. 2022, figure 1), with a forward-mode implementation.

The authors' code is Julia. This is their algorithm in NumPy: a triple is a value, its derivative,
and one alternative with the rate of the jump to it. The sum of two triples keeps one alternative.
"""

import numpy as np
from common import of_samples, of_step, row

import scg

P, N = 0.6, 10


def forward(samples, rng):
    """Derivatives of X = a c Z: a = p (1 − p), b ~ Bin(n, p), c = 2 b + 3 Bern(p), Z ~ N(b, a)."""
    a, slope = P * (1 - P), 1 - 2 * P
    b, d = rng.binomial(N, P, samples).astype(float), rng.binomial(1, P, samples).astype(float)
    e = rng.normal(size=samples)
    rates = np.stack([(N - b) / (1 - P), (1 - d) / (1 - P)])  # of b + 1, and of d + 1
    total = np.sum(rates, axis=0)
    first = rng.uniform(size=samples) * total < rates[0]  # which alternative is kept

    def value(b, d):
        return a * (2 * b + 3 * d) * (b + a * e)

    jump = np.where(first, value(b + 1, d), value(b, d + 1)) - value(b, d)
    c = 2 * b + 3 * d
    return slope * c * (b + a * e) + a * c * slope * e + np.where(total > 0, total * jump, 0.0)


def step():
    """The step of scg, in which each node has its own jump."""
    g = scg.Graph("toy")
    p = g.parameter("p", P)
    a = p * (1.0 - p)
    b = g.sample("b", scg.Binomial(N, probs=p))
    c = 2.0 * b + 3.0 * g.sample("d", scg.Bernoulli(probs=p))
    g.cost("X", a * c * g.sample("e", scg.Normal(b, a)))
    discrete = dict.fromkeys("bd", scg.StochasticTriple())
    return scg.compile(g, {**discrete, "e": scg.Reparameterization()}, backend="numpy")


def compare(samples):
    """One row; E X = p (1 − p) (20 p + 210 p²)."""
    theirs = of_samples(forward(samples, np.random.default_rng(0)))
    ours = of_step(step(), {"p": P}, ["p"], samples)
    exact = (1 - 2 * P) * (20 * P + 210 * P**2) + P * (1 - P) * (20 + 420 * P)
    note = "the peer keeps one jump in all, scg one a node"
    yield row("stochastic triples, toy", "NumPy, the paper's algorithm", theirs, ours, exact, note)
