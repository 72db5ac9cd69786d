"""Law 9: three hundred dependent nodes with three hundred costs, and no recursion on depth."""

import contextlib
import sys
import time

import numpy as np
import pytest

import scg

from .choices import assert_close
from .graphs_special import chain
from .oracle import sigmoid

LENGTH = 300
FRAMES = 250  # fewer frames than nodes: one frame a node would not fit


@contextlib.contextmanager
def shallow_stack():
    """Let nothing recurse deeper than `FRAMES` from here."""
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + FRAMES)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def by_hand(uniforms, params):
    """Cost and gradient from the draws, path by path: score function, or leave-one-out if K > 1."""
    paths = uniforms.shape[1]
    w, c, k = (float(params[name]) for name in "wck")
    before = np.full(paths, 0.5)
    cost = np.zeros((LENGTH, paths))
    scores = np.zeros((LENGTH, 2, paths))
    direct = np.zeros(paths)
    for i in range(LENGTH):
        p = sigmoid(w * before + c)
        x = (uniforms[i] < p).astype(float)
        scores[i] = (x - p) * before, x - p
        cost[i] = np.exp(k * x) * (1 + i % 3) / LENGTH
        direct += x * cost[i]
        before = x
    to_go = np.cumsum(cost[::-1], axis=0)[::-1]
    if paths > 1:
        to_go = to_go - (to_go.sum(axis=1, keepdims=True) - to_go) / (paths - 1)
    grads = np.einsum("ijk,ik->j", scores, to_go) / paths
    return cost.sum(axis=0).mean(), {"w": grads[0], "c": grads[1], "k": direct.mean()}


@pytest.mark.parametrize(
    "estimator, paths", [(scg.ScoreFunction(), 1), (scg.LeaveOneOut(samples=4), 4), (None, 4)]
)
def test_a_chain_of_300(estimator, paths):
    scg.compile(chain(2)[0], estimator=estimator)  # imports and caches, with the stack they need
    with shallow_stack():
        graph, params = chain(LENGTH)
        start = time.perf_counter()
        step = scg.compile(graph, estimator=estimator)
        assert time.perf_counter() - start < 60
        noise = step.noise(seed=7, runs=1)
        out = step(params, noise=noise)
        step.explain()
    enumerated = {f"x{i}" for i in range(LENGTH)} - {leaf.split("/")[0] for leaf in noise}
    if estimator is not None:
        assert not enumerated
        uniforms = np.array([np.ravel(noise[f"x{i}/u"]) for i in range(LENGTH)])
        assert uniforms.shape == (LENGTH, paths)
        cost, grads = by_hand(uniforms, params)
        assert float(out.cost) == pytest.approx(cost, abs=1e-12)
        assert_close(out.grads, {n: np.asarray(g) for n, g in grads.items()}, 1e-10, "grads")
    else:
        assert len(enumerated) <= 10, "the automatic plan enumerates within a budget of paths"


def test_muprop_through_300_layers():
    """The mean-field pass is one pass: the chain compiles within the same limits."""
    graph, params = chain(LENGTH)
    start = time.perf_counter()
    step = scg.compile(graph, estimator=scg.MuProp())
    assert time.perf_counter() - start < 60
    noise = step.noise(seed=8, runs=1)
    uniforms = np.array([np.ravel(noise[f"x{i}/u"]) for i in range(LENGTH)])
    cost, _ = by_hand(uniforms, params)
    assert float(step(params, noise=noise).cost) == pytest.approx(cost, abs=1e-12)


def test_a_longer_chain_costs_proportionally_longer():
    sizes = {
        n: len(scg.compile(chain(n)[0], estimator=scg.LeaveOneOut(samples=2)).program)
        for n in (50, 200)
    }
    assert sizes[200] <= 4.4 * sizes[50], sizes
