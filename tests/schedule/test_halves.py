"""Factors and triangular systems by halves: equal to LAPACK's, and NaN where there are none."""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.ops.decompositions import _cholesky, _solve_triangular
from scg.schedule import halves

rng = np.random.default_rng(5)
PLATE = scg.Plate("several")


def test_halves_agree_with_lapack(monkeypatch):
    """Also next to a matrix without a factor, and to a singular one; both triangles count."""
    monkeypatch.setattr(halves, "LARGE", 4)
    g = scg.Graph("matrices")
    a, b = g.data("a", shape=(7, 7), plates=PLATE), g.data("b", shape=(7, 2))
    outputs = {"factor": _cholesky(a)} | {
        (lower, transposed): _solve_triangular(a, b, lower=lower, transposed=transposed)
        for lower in (True, False)
        for transposed in (True, False)
    }
    x = rng.normal(size=(5, 7, 7))
    values = x @ np.swapaxes(x, -1, -2) + 7 * np.eye(7) + np.triu(x, 1) - np.tril(x, -1)
    for k, where in enumerate((1, 5)):  # in either half
        values[1 + k, where, where] = 0.0
        values[3 + k, where, where] = -9.0
    leaves, sizes = {a: values, b: rng.normal(size=(7, 2))}, {PLATE: 5}
    engine = Executable(outputs, np.float64)
    found, expected = (x.run(leaves, sizes) for x in (engine, Interpreter(outputs, np.float64)))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, err_msg=str(name))
        assert np.isnan(value[1]).all()


@pytest.mark.parametrize("n", [halves.LARGE - 1, halves.LARGE])
def test_only_large_matrices_are_halved(n):
    g = scg.Graph("one")
    lines = str(scg.schedule.schedule.Schedule({"factor": _cholesky(g.data("a", shape=(n, n)))}))
    assert ("contract" in lines) == (n >= halves.LARGE)
