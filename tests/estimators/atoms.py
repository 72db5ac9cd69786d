"""The exact law of K uniforms under the Dirichlet copula: atoms for what only comparisons see.

u_i = (1 − d_i)^(K−1) with d uniform on the simplex. A box of d has the probability that inclusion
and exclusion of its corners gives, and a point inside it is found on the line between the corners.
"""

from __future__ import annotations

import itertools

import numpy as np


def atoms(thresholds, count):
    """Noise (one row of K − 1 sticks an atom) and probability of every box that `u` can fall in.

    Parameters
    ----------
    thresholds : array
        The values between 0 and 1 with which each of the K uniforms is compared.
    """
    ends = np.unique(np.concatenate([[0.0], thresholds, [1.0]]))
    edges = 1 - ends[::-1] ** (1 / (count - 1))  # of d, ascending
    noise, weights = [], []
    for cells in itertools.product(range(len(edges) - 1), repeat=count):
        low, high = edges[list(cells)], edges[np.array(cells) + 1]
        if not low.sum() < 1 < high.sum():
            continue
        weights.append(
            sum(
                (-1) ** sum(corner) * max(0.0, 1 - np.where(corner, high, low).sum()) ** (count - 1)
                for corner in itertools.product((0, 1), repeat=count)
            )
        )
        share = (1 - low.sum()) / (high.sum() - low.sum())
        noise.append(sticks(low + share * (high - low)))
    assert abs(sum(weights) - 1) < 1e-12
    return np.array(noise), np.array(weights)


def sticks(d):
    """The uniforms from which the point d of the simplex is broken."""
    count, rest, found = len(d), 1.0, []
    for k in range(1, count):
        found.append((1 - d[k - 1] / rest) ** (count - k))
        rest -= d[k - 1]
    return found


def product(*groups):
    """All pairs of rows of two independent groups of atoms, and their weights."""
    (a, v), (b, w) = groups
    i, j = np.divmod(np.arange(len(a) * len(b)), len(b))
    return a[i], b[j], v[i] * w[j]


def moments(step, params, noise, weights, name, data=None):
    """Exact mean and variance of a gradient over given atoms of the noise."""
    values, sizes, _ = step.checked(params, data, None)
    out = step.outcomes(values, noise, sizes, len(weights))["grads", name]
    mean = np.tensordot(weights, out, 1)
    return mean, np.tensordot(weights, out**2, 1) - mean**2
