"""Influence balancing: the mean of truncated and of forward gradients against the exact gradient.

    python benchmarks/recurrence/truncation.py results.json [runs]

s' = A s + θ v with A = ½ on the diagonal and above it, from s = 1, and the cost ½ (s₀ − 1)² at each
step. θ moves s₀ one way within some steps and the other way in the long run (Tallec and Ollivier
2017, section 5), so that a short window has a gradient of the wrong sign. For each state size the
file gets the exact gradient at θ = ½, those of windows, and mean, standard error and standard
deviation of `runs` gradients by ARTBP and UORO, and that of RTRL; then the losses of gradient
descent. Seeds are fixed.
``docs/results/influence_balancing.json`` is such a file.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

import scg

#: State size, and the number of its first units that θ moves upwards.
SIZES = {13: 5, 23: 10}
STEPS = 200
TRUNCATIONS = {
    "RTRL": scg.RTRL(),
    "UORO": scg.UORO(),
    "ARTBP(16)": scg.ARTBP(mean=16),
    "ARTBP(16, tail=4)": scg.ARTBP(mean=16, tail=4.0),
    **{f"Truncated({k})": scg.Truncated(k, allow_biased=True) for k in (1, 10, 100)},
}
THETA = {"theta": 0.5}


def declared(size: int, upwards: int, length: int = STEPS) -> scg.Graph:
    """The task."""
    g, t = scg.Graph("influence balancing"), scg.Time("t", length=length)
    theta = g.parameter("theta", 0.5)
    moves = 0.5 * (np.eye(size) + np.eye(size, k=-1))  # s A' as a row
    signs = np.where(np.arange(size) < upwards, 1.0, -1.0)

    def cell(s):
        new = s @ moves + theta * signs
        g.cost("loss", 0.5 * (new[0] - 1.0) ** 2)
        return new

    g.scan(cell, init=np.ones(size), over=t)
    return g


def measured(size: int, runs: int, chunk: int = 2000) -> dict:
    """Gradients at a fixed parameter."""
    g = declared(size, SIZES[size])
    exact = float(scg.compile(g)(THETA, seed=0).grads["theta"])
    found = {"exact": exact}
    for name, truncation in TRUNCATIONS.items():
        step = scg.compile(g, truncate=truncation)
        if name == "RTRL" or not truncation.unbiased:  # without noise
            found[name] = {"mean": float(step(THETA, seed=0).grads["theta"])}
            continue
        total = squares = 0.0
        for i in range(runs // chunk):
            out = step(THETA, seed=(2017, i), runs=chunk)
            mean, error = float(out.grads["theta"]), float(out.stderr["theta"])
            total += chunk * mean
            squares += chunk * ((chunk - 1) * error**2 + mean**2)
        mean = total / runs
        deviation = (squares / runs - mean**2) ** 0.5
        error = deviation / runs**0.5
        found[name] = {"mean": mean, "stderr": error, "deviation": deviation}
        found[name]["z"] = (mean - exact) / error
    return found


def trained(size: int, rate: float = 1e-5, updates: int = 1500, every: int = 25) -> dict:
    """Costs of a step during gradient descent; a curve ends where θ leaves (−1000, 1000)."""
    g, found = declared(size, SIZES[size]), {}
    for name, truncation in {"exact": None, **TRUNCATIONS}.items():
        step = scg.compile(g, truncate=truncation)
        theta, curve = 0.5, []
        for i in range(updates + 1):
            out = step({"theta": theta}, seed=(2017, i))
            if i % every == 0:
                curve.append(float(out.cost) / STEPS)
            theta -= rate * float(out.grads["theta"])
            if not abs(theta) < 1e3:
                break
        found[name] = {"first": curve[0], "last": curve[-1], "theta": theta, "curve": curve}
    return found


if __name__ == "__main__":
    path, runs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    warnings.simplefilter("error")
    results = {
        str(size): {"gradients": measured(size, runs), "descent": trained(size)} for size in SIZES
    }
    path.write_text(json.dumps({"runs": runs, "steps": STEPS, **results}, indent=1) + "\n")
    print(path.read_text())
