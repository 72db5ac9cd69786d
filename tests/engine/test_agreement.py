"""Random graphs from the tables of ops and distributions: both backends on one noise.

``benchmarks/agreement.py`` runs hundreds; to compile their kernels takes too long for a test.
"""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import scg
from scg.engine.program import Program
from scg.ir.walk import topological
from tests.crosscheck import test_random_graphs as random_graphs

pytest.importorskip("numba")

RECIPES = random_graphs.recipes(random_graphs.FUNCTIONS, random_graphs.ANY, 6)
REDUCE = st.sampled_from(("mean", "sum"))

#: Relative to the largest entry, or to 1. In double precision quadrature in special functions is
#: good to 1e-11, and a slope may enlarge that. In single precision each of some hundred operations
#: rounds by 6e-8, in an order and with products fused that differ: 1e-6 in sum, and ten times that.
TOLERANCE = {"float64": 1e-8, "float32": 1e-5}


def difference(one, two):
    """Return the largest difference, relative to the largest entry or 1."""
    one, two = np.asarray(one, float), np.asarray(two, float)
    if not np.array_equal(np.isnan(one), np.isnan(two)):
        return np.inf
    scale = max(1.0, np.max(np.abs(one), where=np.isfinite(one), initial=0.0))
    same = (one == two) | np.isnan(one)
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(one - two)), initial=0.0)) / scale


def results(steps, *args, **options):
    """Return the worst difference between the results of two steps."""
    one, two = (step(*args, **options) for step in steps)
    pairs = [(one.cost, two.cost), *((one.grads[n], two.grads[n]) for n in one.grads)]
    return max(difference(a, b) for a, b in pairs)


def rounding_decides(step, params, noise, **given):
    """Whether the first hard draw or comparison that differs has arguments that merely round.

    It falls on either side of a threshold, and all that follows from it differs rightly.
    """
    values, sizes, _ = step.checked(params, given.get("data"), given.get("state"))
    program = step.program
    made = [e for e in topological(program.outputs.values()) if e.args and not e.op.continuous]
    computed = {
        (i, k): x
        for i, decision in enumerate(made)
        for k, x in enumerate((decision, *decision.args))
        if x.args
    }
    one, two = (
        Program(computed, program.dtype, backend).run(values, noise, sizes)
        for backend in ("numpy", "numba")
    )
    for i, decision in enumerate(made):
        if not np.array_equal(one[i, 0], two[i, 0]):
            keys = [(i, k) for k in range(1, len(decision.args) + 1) if (i, k) in computed]
            worst = max((difference(one[key], two[key]) for key in keys), default=0.0)
            return 0.0 < worst <= TOLERANCE[str(program.dtype)]
    return False


def compare(recipe, reduce, dtype="float64", seeds=3):
    """Compare both backends on a random graph.

    Returns
    -------
    worst : float
        The largest difference of a cost or gradient.
    decided : int
        Number of seeds left out of it, on which rounding decides a draw.
    fallbacks : list of str
        Ops in Python.
    """
    graph, _ = random_graphs.declare(recipe, reduce)
    steps = [
        scg.compile(graph, scg.ScoreFunction(), backend=backend, dtype=dtype)
        for backend in ("numpy", "numba")
    ]
    worst, decided = 0.0, 0
    params, data = random_graphs.PARAMS, random_graphs.DATA
    for seed in range(seeds):
        found = results(steps, params, seed=seed, data=data)
        if found > TOLERANCE[dtype]:
            noise = steps[0].noise(seed=seed, data=data)
            if rounding_decides(steps[0], params, noise, data=data):
                decided += 1
                continue
        worst = max(worst, found)
    return worst, decided, steps[1].program.engine().schedule.fallbacks


@pytest.mark.parametrize("dtype", TOLERANCE)
@settings(max_examples=4, derandomize=True, database=None, phases=[Phase.generate])
@given(recipe=RECIPES, reduce=REDUCE)
@pytest.mark.filterwarnings("ignore::scg.StopWarning")
def test_random_graphs_agree(recipe, reduce, dtype):
    worst, decided, fallbacks = compare(recipe, reduce, dtype)
    assert worst <= TOLERANCE[dtype]
    assert (decided, fallbacks) == (0, [])


def test_a_comparison_that_rounding_decides_is_told_from_a_wrong_one():
    """Where exp(x) rounds up in kernels, it exceeds what NumPy rounds down to."""
    g = scg.Graph("near")
    batch = scg.Plate("batch", reduce="sum")
    x, y = (g.data(name, plates=batch) for name in "xy")
    w = g.parameter("w", 1.0)
    above = np.exp(x) > y
    g.cost("loss", w * np.where(above, 1.0, 0.0))
    points = np.linspace(-1.0, 1.0, 4001).astype(np.float32)
    steps = [scg.compile(g, backend=b, dtype="float32") for b in ("numpy", "numba")]
    params = g.init(seed=0)

    def given(shift):
        return {"x": points, "y": np.exp(points) * np.float32(shift)}

    assert results(steps, params, seed=0, data=given(1.0)) > TOLERANCE["float32"]
    assert rounding_decides(steps[0], params, {}, data=given(1.0))
    assert results(steps, params, seed=0, data=given(1.001)) == 0.0
    assert not rounding_decides(steps[0], params, {}, data=given(1.001))
