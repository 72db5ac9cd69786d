"""Every row of the vocabulary: value, derivatives, single precision, and plates as loops."""

import itertools

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.ir.op import Op
from scg.ir.plate import ordered
from scg.ir.walk import topological
from scg.ops import elementwise, gradient, linalg, reductions, shape
from scg.run.finish import finish
from scg.testing import check_gradient

from .vocabulary import ROWS

assert len({row.name for row in ROWS}) == len(ROWS), "two rows of one name"


def floating(value) -> bool:
    return np.asarray(value).dtype.kind == "f"


def declared(row, plates=None, graph=None):
    """Data nodes for a row's arguments, each on its plates, and the expression on them."""
    graph = graph or scg.Graph(row.name)
    nodes = [
        graph.data(f"x{i}", np.shape(arg), plates=on, kind="float" if floating(arg) else "int")
        for i, (arg, on) in enumerate(zip(row.args, plates or [()] * len(row.args), strict=True))
    ]
    return nodes, row.fn(*nodes)


def with_gradients(row, nodes, y):
    """Value and, where there are some, derivatives of a weighted sum of all elements."""
    outputs = {"value": y}
    floats = [i for i, arg in enumerate(row.args) if floating(arg)]
    if y.kind == "float" and floats:
        weights = np.linspace(0.5, 1.5, y.size).reshape(y.shape)
        slopes = gradients(linalg.dot(y, weights), [nodes[i] for i in floats])
        outputs |= {i: g for i, g in zip(floats, slopes, strict=True)}
    return outputs


def run(program, args, sizes):
    values = {f"x{i}": arg for i, arg in enumerate(args)}
    return {key: value[0] for key, value in program.run(values, None, sizes).items()}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_value(row):
    _, y = declared(row)
    expected = row.reference(*row.args)
    for raw in (False, True):  # as it is declared, and simplified
        program = scg.engine.program.Program({"y": y}) if raw else finish({"y": y})
        value = run(program, row.args, {})["y"]
        np.testing.assert_allclose(value, expected, rtol=row.rtol, atol=1e-15)
        assert value.shape == np.shape(expected) == y.shape
    kinds = {"f": "float", "i": "int", "b": "bool"}
    assert y.kind == kinds[np.asarray(expected).dtype.kind]
    np.testing.assert_allclose(row.fn(*row.args), expected, rtol=row.rtol, atol=1e-15)


@pytest.mark.parametrize("row", [row for row in ROWS if any(map(floating, row.args))], ids=str)
def test_derivatives(row):
    if row.order and declared(row)[1].kind == "float":
        check_gradient(row.fn, *row.args, order=row.order, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_single_precision(row):
    nodes, y = declared(row)
    outputs = with_gradients(row, nodes, y)
    double = run(finish(outputs), row.args, {})
    args = [arg.astype(np.float32) if floating(arg) else arg for arg in row.args]
    for key, value in run(finish(outputs, "float32"), args, {}).items():
        if outputs[key].kind == "float":
            assert value.dtype == np.float32, key
        scale = max(1.0, np.max(np.abs(double[key]), initial=0.0))
        np.testing.assert_allclose(value, double[key], rtol=0, atol=row.single * scale)


def varied(row, arg, lead, rng):
    """Other values of an argument, in its domain, for every element of some plates."""
    if not floating(arg):
        return rng.integers(0, row.below, (*lead, *np.shape(arg)))
    return np.asarray(arg) * (1 - 0.05 * rng.random((*lead, *np.shape(arg))))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_plates_are_loops(row):
    """On all mixtures of plates an op computes, and differentiates, what a Python loop does."""
    alone_nodes, alone_y = declared(row)
    alone = finish(with_gradients(row, alone_nodes, alone_y))
    p, q = scg.Plate("p"), scg.Plate("q")
    rng = np.random.default_rng(0)
    for plates in itertools.product([(), (p,), (q,), (p, q)], repeat=len(row.args)):
        if not any(plates):
            continue
        nodes, y = declared(row, plates)
        every = ordered(plate for on in plates for plate in on)
        assert y.plates == every
        program = finish(with_gradients(row, nodes, y))
        for sizes in ({p: 3, q: 2}, {p: 1, q: 2}):
            args = [
                varied(row, arg, [sizes[plate] for plate in on], rng)
                for arg, on in zip(row.args, plates, strict=True)
            ]
            together = run(program, args, sizes)
            expected = {key: np.zeros_like(value) for key, value in together.items()}
            for index in np.ndindex(*(sizes[plate] for plate in every)):
                at = dict(zip(every, index, strict=True))
                here = [tuple(at[plate] for plate in on) for on in plates]
                one = run(alone, [arg[i] for arg, i in zip(args, here, strict=True)], {})
                expected["value"][index] = one.pop("value")
                for i, g in one.items():  # what is shared gets the sum
                    expected[i][here[i]] += g
            for key, value in together.items():
                np.testing.assert_allclose(
                    value, expected[key], rtol=1e-11, atol=1e-12, err_msg=f"{key} on {plates}"
                )


def test_every_core_op_has_a_row():
    used = set()
    for row in ROWS:
        nodes, y = declared(row)
        outputs = with_gradients(row, nodes, y).values()
        used |= {expr.op for expr in topological(outputs)}
    for module in (elementwise, reductions, linalg, shape, gradient):
        for name, op in vars(module).items():
            assert not isinstance(op, Op) or op in used, f"{module.__name__}.{name} has no row"


def test_plates_of_fixed_length_need_no_sizes():
    g = scg.Graph("fixed")
    x = g.data("x", (2,), plates=scg.Plate("p", length=3))
    y = np.tanh(reductions.expand(x, (scg.Plate("q", length=2),), (2,)))
    values = np.arange(6.0).reshape(3, 2)
    out = finish({"y": y}).run({"x": values}, None, {})["y"]
    np.testing.assert_array_equal(out, np.tanh(values)[None, :, None] * np.ones((1, 3, 2, 2)))
