"""Random graphs from the tables of ops and distributions: both backends on one noise.

``benchmarks/agreement.py`` runs hundreds; to compile their kernels takes too long for a test.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import scg
from tests import test_random_graphs as random_graphs

pytest.importorskip("numba")

RECIPES = random_graphs.recipes(random_graphs.FUNCTIONS, random_graphs.ANY, 6)
REDUCE = st.sampled_from(("mean", "sum"))


def difference(one, two):
    """Return the largest difference, relative to the largest entry or 1."""
    one, two = np.asarray(one, float), np.asarray(two, float)
    if not np.array_equal(np.isnan(one), np.isnan(two)):
        return np.inf
    scale = max(1.0, np.max(np.abs(one), where=np.isfinite(one), initial=0.0))
    same = (one == two) | np.isnan(one)
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(one - two)), initial=0.0)) / scale


def compare(steps, reduce, dtype="float64", seeds=3):
    """Return the worst difference of a graph's costs and gradients, and its ops in Python."""
    graph, _ = random_graphs.declare(steps, reduce)
    slow, fast = (
        scg.compile(graph, scg.ScoreFunction(), backend=backend, dtype=dtype)
        for backend in ("numpy", "numba")
    )
    worst = 0.0
    for seed in range(seeds):
        one, two = (
            step(random_graphs.PARAMS, seed=seed, data=random_graphs.DATA) for step in (slow, fast)
        )
        pairs = [(one.cost, two.cost), *((one.grads[n], two.grads[n]) for n in one.grads)]
        worst = max(worst, *(difference(a, b) for a, b in pairs))
    return worst, fast.program.engine().fallbacks


@settings(max_examples=4, derandomize=True, database=None, phases=[Phase.generate])
@given(RECIPES, REDUCE)
@pytest.mark.filterwarnings("ignore::scg.StopWarning")
def test_random_graphs_agree(steps, reduce):
    worst, fallbacks = compare(steps, reduce)
    assert worst < 1e-8
    assert fallbacks == []
