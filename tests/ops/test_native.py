"""No op is left to Python, and what is not SciPy's own bits agrees with the interpreter.

Kernels take long to compile: here every op is run once, in both precisions where that matters;
``benchmarks/agreement.py --tables`` runs all rows.
"""

import numpy as np
import pytest

import scg
from scg.engine.codegen import symbols
from scg.engine.walk.executable import Executable
from scg.ir.op import OPS

from . import native

pytest.importorskip("numba")


@pytest.mark.parametrize("plates", [native.ALONE, native.MIXED], ids=["alone", "mixed"])
def test_no_op_is_left_to_python(plates):
    outputs, _ = native.program(plates)
    assert native.in_python(outputs) == []


def test_every_op_agrees():
    outputs, values = native.program(native.MIXED)
    native.compare(native.novel(outputs), values, "float64", native.SIZES, 1e-11)


def test_ops_with_a_precision_of_their_own_agree_in_single_precision():
    outputs, values = native.program(native.ALONE)

    def own(name):
        return OPS[name].row is not None or "code" in OPS[name].kernel

    native.compare(native.novel(outputs, own), values, "float32", native.SIZES, 2e-5)


def test_functions_of_scipy_have_the_declared_signature():
    for name, function in symbols.FUNCTIONS.items():
        if function.capsule is not None:
            real = {"f4": "float", "f8": "double"}[function.codes[0]]
            arguments = ", ".join([real] * len(function.codes))
            expected = f"{real} ({arguments}, int __pyx_skip_dispatch)"
            assert symbols.signature(name) == expected, name


def test_an_index_out_of_bounds_is_the_interpreters_error():
    g = scg.Graph("choice")
    batch = scg.Plate("batch")
    k = g.data("k", kind="int", plates=batch)
    g.cost("loss", g.parameter("w", [0.5, -1.0, 2.0])[k] * g.sample("z", scg.Normal(0.0, 1.0)))
    steps = [scg.compile(g, backend=backend) for backend in ("numpy", "numba")]
    for inside in ([0, -3, 2], [1, 1]):
        costs = [step(g.init(seed=0), seed=1, data={"k": np.array(inside)}).cost for step in steps]
        assert costs[0] == pytest.approx(costs[1], rel=1e-12)
    messages = []
    for step in steps:
        for bad in (3, -4):
            with pytest.raises(scg.CallError, match="out of bounds") as error:
                step(g.init(seed=0), seed=1, data={"k": np.array([0, bad])})
            messages.append(str(error.value))
    assert messages[:2] == messages[2:]


def test_singular_and_indefinite_matrices_give_the_interpreters_nan():
    g = scg.Graph("matrices")
    batch = scg.Plate("batch")
    a, b = g.data("a", (2, 2), plates=batch), g.data("b", (2, 1))
    outputs = {
        "cholesky": np.linalg.cholesky(a),
        "inverse": np.linalg.inv(a),
        "solve": np.linalg.solve(a, b),
        "triangular": scg.solve_triangular(a, b),
        "sign": np.linalg.slogdet(a)[0],
        "logdet": np.linalg.slogdet(a)[1],
    }
    good, singular = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, 2.0], [2.0, 4.0]])
    values = {a: np.stack([good, singular, -good, 0 * good]), b: np.ones((2, 1))}
    found = Executable(outputs).run(values, {batch: 4})
    expected = native.Interpreter(outputs).run(values, {batch: 4})
    for key in outputs:
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-12, err_msg=key)


def test_products_without_the_bundled_library_are_loops(monkeypatch):
    monkeypatch.setattr("scg.engine.walk.blas.check", lambda: False)
    g = scg.Graph("products")
    batch = scg.Plate("batch")
    x, w, k = g.data("x", (3,), plates=batch), g.data("w", (3, 2)), g.data("k", (2,), kind="int")
    outputs = {"matrix": x @ w, "integers": k @ k, "mixed": w @ k}
    rng = np.random.default_rng(0)
    values = {x: rng.normal(size=(4, 3)), w: rng.normal(size=(3, 2)), k: np.array([2, -3])}
    engine = Executable(outputs)
    assert engine.schedule.fallbacks == []
    assert "gemm" not in engine.source
    expected = native.Interpreter(outputs).run(values, {batch: 4})
    for key, value in engine.run(values, {batch: 4}).items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-13, err_msg=key)
