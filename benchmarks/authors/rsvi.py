"""RSVI: a Dirichlet posterior of counts, with the code of Naesseth et al. (2017)."""

from pathlib import Path

import numpy as np
from common import importing, of_samples, of_step, row
from scipy.special import gammaln, polygamma

import scg

#: Counts of 0 and 1: the authors' code subtracts log x! of each count from its own component
#: alone, which leaves the mean and changes the variance.
ALPHA, PRIOR = np.array([2.3, 1.5, 4.0]), np.array([3.0, 2.0, 5.0])
COUNTS = np.array([1.0, 0.0, 1.0])


def exact():
    """∇ of E log p(x, z) + entropy in closed form: both are functions of ψ."""
    w, total = PRIOR - 1.0 + COUNTS, np.sum(ALPHA)
    return (
        (w - ALPHA + 1.0) * polygamma(1, ALPHA)
        - (np.sum(w) - total + len(ALPHA)) * polygamma(1, total)
    )  # fmt: skip


def step(augment):
    """The step of scg: the entropy is exact, as in the authors' code."""
    g = scg.Graph("dirichlet")
    z = g.sample("z", scg.Dirichlet(g.parameter("alpha", ALPHA)))
    constant = gammaln(np.sum(PRIOR)) - np.sum(gammaln(PRIOR))
    constant += gammaln(1.0 + np.sum(COUNTS)) - np.sum(gammaln(1.0 + COUNTS))
    g.cost("energy", -(np.sum((PRIOR - 1.0 + COUNTS) * np.log(z)) + constant))
    g.cost("entropy", -z.dist.entropy())
    return scg.compile(g, scg.RSVI(augment=augment), backend="numpy")


def compare(folder, samples):
    """Rows for B = 0, 1 and 3 uniforms."""
    with importing(Path(folder) / "dirichlet") as load:
        authors = load("dirichlet_paper")
        for augment in (0, 1, 3):
            np.random.seed(augment)
            found = [
                authors.reparam_gradient(ALPHA, PRIOR, COUNTS, corr=True, B=augment)
                for _ in range(samples // 4)
            ]
            ours = of_step(step(augment), {"alpha": ALPHA}, ["alpha"], samples, sign=-1.0)
            yield row(f"RSVI, B = {augment}", "authors", of_samples(found), ours, exact())
