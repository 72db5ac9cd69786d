"""Functions of vectors in kernels: the bits of the interpreter, also at the ends of loops."""

import numpy as np
import pytest

import scg
from scg.ops.special import digamma, gammaln

pytest.importorskip("numba")

from scg.engine.codegen import native, symbols
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable


def points(count):
    rng = np.random.default_rng(3)
    ends = [0.0, -0.0, 1.0, 2.0, 3.0, -1.0, -2.5, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1e308]
    near = rng.uniform(-6, 12, count), np.arange(-20, 20) / 2, 1 + 10 ** rng.uniform(-9, 0, count)
    wide = 10 ** rng.uniform(-320, 308, count)
    return rng.permutation(np.concatenate([ends, *near, wide, -wide]))


@pytest.fixture(scope="module")
def outputs():
    x = scg.Graph("gamma").data("x", shape=(), plates=scg.Plate("points"))
    return x, {"gammaln": gammaln(x), "digamma": digamma(x), "both": gammaln(x + 1) * digamma(x)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lanes_have_the_bits_of_the_interpreter(outputs, dtype):
    x, wanted = outputs
    engines = Executable(wanted, dtype), Interpreter(wanted, dtype)
    with np.errstate(over="ignore"):
        given = points(3000).astype(dtype)
    for v in (given, np.abs(given), given[:1], given[:2], given[:13], given[:0]):
        one, two = (each.run({x: v}, {x.plates[0]: len(v)}) for each in engines)
        for key in ("gammaln", "digamma"):
            np.testing.assert_array_equal(one[key], two[key], err_msg=key)


@pytest.mark.parametrize("code", ["f4", "f8"])
def test_loops_call_vectors(code):
    source = f"""def kernel(table):
    a, b = word(table, 0), word(table, 1)
    for i in range(word(table, 2)):
        x = load_{code}(a, i, 1, 1)
        store_{code}(b, i, {code}(log_gamma(f8(x))) * exp_{code}(x), 0, 1)
"""
    head, _, _ = native.compiled(source).partition(b"\0")
    lanes = [symbols.FUNCTIONS[s.decode()[len(symbols.PREFIX) :]].lanes for s in head.split()[1:]]
    assert 1 in lanes and max(lanes) > 1 and len(lanes) < 1 + len(symbols.WIDTHS)
