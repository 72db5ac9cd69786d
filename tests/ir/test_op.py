"""Constants: copied once, interned by content."""

import tracemalloc

import numpy as np
import pytest

import scg
from scg.ir.op import constant


@pytest.mark.parametrize("n", [3, 1000])
def test_constants_are_interned_by_content(n):
    g = scg.Graph()
    values = np.arange(float(n))
    assert constant(g, values) is constant(g, values.copy())
    assert constant(g, values) is not constant(g, values + 1)
    assert constant(g, values) is not constant(g, values.astype(int))
    assert constant(g, values) is not constant(g, values.reshape(1, n))


def test_a_change_of_an_array_does_not_change_the_graph():
    g, weights, start = scg.Graph(), np.ones(3), np.ones(3)
    theta = g.parameter("theta", start)
    g.cost("loss", np.sum(theta * weights))
    weights[0] = start[0] = 100.0
    assert scg.compile(g, backend="numpy")(g.init(seed=0), seed=0).cost == 3.0


def _peak(declare):
    tracemalloc.start()
    kept = declare(scg.Graph())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return kept, peak


def test_a_large_constant_is_copied_once():
    factor = np.eye(1500)
    mean = np.zeros(1500)
    _, peak = _peak(
        lambda g: g.sample("z", scg.MultivariateNormal(mean, scale_tril=factor)),
    )
    assert peak < 1.3 * factor.nbytes


def test_a_factor_as_parameter_is_copied_once():
    factor = np.eye(1500)
    _, peak = _peak(lambda g: g.parameter("L", factor, constraint=scg.lower_cholesky))
    assert peak < 1.3 * factor.nbytes
