"""Means and variances of gradient estimates, with their standard errors, side by side."""

import importlib
import sys
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np

import scg

BATCHES = 20


@contextmanager
def importing(folder):
    """The modules of a folder of somebody else's code, by name; they are gone afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(folder) in (getattr(sys.modules[name], "__file__", None) or ""):
                del sys.modules[name]


def of_samples(samples):
    """Mean, its standard errors, total variance and its standard error, of rows of estimates."""
    samples = np.asarray(samples, dtype=float).reshape(len(samples), -1)
    parts = np.array_split(samples, BATCHES)
    variances = [float(np.sum(np.var(part, axis=0, ddof=1))) for part in parts]
    return {
        "mean": np.mean(samples, axis=0).tolist(),
        "stderr": (np.std(samples, axis=0, ddof=1) / np.sqrt(len(samples))).tolist(),
        "variance": float(np.mean(variances)),
        "variance_stderr": float(np.std(variances, ddof=1) / np.sqrt(BATCHES)),
        "samples": len(samples),
    }


def of_step(step, params, names, samples, sign=1.0):
    """The same of a step of scg, whose runs are the samples."""
    means, errors, parts = [], [], []
    for seed in range(BATCHES):
        out = step(params, seed=seed, runs=samples // BATCHES)
        means.append(np.concatenate([np.ravel(out.grads[n]) for n in names]))
        errors.append(np.concatenate([np.ravel(out.stderr[n]) for n in names]))
        parts.append(float(np.sum(errors[-1] ** 2)) * (samples // BATCHES))
    return {
        "mean": (sign * np.mean(means, axis=0)).tolist(),
        "stderr": (np.sqrt(np.mean(np.square(errors), axis=0) / BATCHES)).tolist(),
        "variance": float(np.mean(parts)),
        "variance_stderr": float(np.std(parts, ddof=1) / np.sqrt(BATCHES)),
        "samples": samples,
    }


def row(what, peer, theirs, ours, exact, note=""):
    """One comparison: both estimates, their z-scores against the exact gradient and each other."""

    def z(found, other, errors):
        scale = np.maximum(np.asarray(errors), 1e-12)
        return float(np.max(np.abs(np.asarray(found) - np.asarray(other)) / scale))

    both = np.hypot(theirs["variance_stderr"], ours["variance_stderr"])
    return {
        "what": what,
        "peer": peer,
        "exact": np.ravel(exact).tolist(),
        "theirs": theirs,
        "scg": ours,
        "z_theirs": z(theirs["mean"], np.ravel(exact), theirs["stderr"]),
        "z_scg": z(ours["mean"], np.ravel(exact), ours["stderr"]),
        "z_variance": (ours["variance"] - theirs["variance"]) / max(float(both), 1e-12),
        "note": note,
    }


def versions(*packages):
    """Versions of packages, by name."""
    return {"scg": scg.__version__, "numpy": np.__version__} | {p: version(p) for p in packages}
