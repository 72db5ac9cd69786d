"""log Z of a Boltzmann machine and the gradient of log p, by brute force over both sides."""

import itertools

import numpy as np

import scg

VISIBLE, HIDDEN = 8, 5


def compare():
    """log Z, and the largest error of ∇ log p, relative to the sums over all configurations."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=VISIBLE), rng.normal(size=HIDDEN)
    w = rng.normal(size=(VISIBLE, HIDDEN))
    v, h = (np.array(list(itertools.product((0.0, 1.0), repeat=n))) for n in (VISIBLE, HIDDEN))
    energy = (v @ a)[:, None] + h @ b + v @ w @ h.T
    top = np.max(energy)
    log_z = top + np.log(np.sum(np.exp(energy - top)))
    p = np.exp(energy - log_z)
    x = v[37]
    unit = 1 / (1 + np.exp(-(b + x @ w)))
    truth = {
        "a": x - p.sum(1) @ v,
        "b": unit - p.sum(0) @ h,
        "w": np.outer(x, unit) - v.T @ p @ h,
    }
    g = scg.Graph("machine")
    units = scg.RBM(*(g.parameter(n, value) for n, value in (("a", a), ("b", b), ("w", w))))
    g.cost("loss", -units.log_prob(x))
    out = scg.compile(g, backend="numpy")({"a": a, "b": b, "w": w}, seed=0)
    found = float(scg.RBM(a, b, w).log_normalizer)
    gap = max(float(np.max(np.abs(out.grads[n] + value))) for n, value in truth.items())
    return {"log_z": float(log_z), "scg": found, "error": abs(found - log_z), "gradient": gap}
