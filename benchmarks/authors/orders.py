"""REBAR for Plackett-Luce orders, with the code of Gadetsky et al. (2020)."""

from pathlib import Path

import numpy as np
from common import importing, of_samples, of_step, row

import scg

LOGITS, EPS = np.array([0.3, -0.2, 0.5, 0.0]), 0.05


def target():
    """The authors' target: a matrix near 1/d, a little larger on the diagonal."""
    d = len(LOGITS)
    return np.full((d, d), 1.0 / d - EPS / (d - 1)) + np.eye(d) * (EPS + EPS / (d - 1))


def graph():
    """The squared distance of the permutation matrix from the target."""
    g = scg.Graph("orders")
    x = g.sample("x", scg.PlackettLuce(g.parameter("t", LOGITS)))
    g.cost("loss", np.sum((x - target()) ** 2))
    return g


def compare(folder, samples):
    """Rows of the score function and of REBAR at η = 1, τ = 1."""
    import torch

    torch.set_default_dtype(torch.float64)
    torch.distributions.Distribution.set_default_validate_args(False)  # which their class fails
    g = graph()
    exact = scg.exact(g, {"t": LOGITS}).grads["t"]
    goal = torch.as_tensor(target())

    def cost(x):
        return ((x - goal) ** 2).sum((-2, -1))

    with importing(Path(folder)) as load:
        authors, critics, utils = load("estimators"), load("critics"), load("utils")
        torch.manual_seed(0)
        logits = torch.tensor(np.tile(LOGITS, (samples, 1)), requires_grad=True)
        z = authors.to_z(logits)
        b = authors.to_b(z)
        f = cost(utils.make_permutation_matrix(b))
        rebar = scg.REBAR(temperature=1.0, learn=False, coupled=False)
        for name, theirs, mine in (
            ("score function", authors.reinforce, scg.ScoreFunction()),
            ("REBAR", authors.relax, rebar),
        ):
            found = theirs(fb=f, b=b, logits=logits, z=z, c=critics.REBARCritic(cost))
            ours = of_step(scg.compile(g, mine, backend="numpy"), {"t": LOGITS}, ["t"], samples)
            yield row(f"orders, {name}", "authors", of_samples(found.detach().numpy()), ours, exact)
    torch.distributions.Distribution.set_default_validate_args(True)
    torch.set_default_dtype(torch.float32)
