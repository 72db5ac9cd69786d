"""Contraction against einsum: random patterns of labels, with plates in either argument."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scg
from scg.compiler.differentiate import gradients
from scg.ir.plate import ordered
from scg.ops.linalg import contract
from scg.run.finish import finish

LENGTHS = {0: 2, 1: 3, 2: 1, 3: 4}
PLATE_LENGTHS = (3, 1)


def spelled(labels, plates, every):
    """Subscripts of an array: its plates, then its labels, as letters."""
    return "".join("XY"[every.index(p)] for p in plates) + "".join("abcd"[x] for x in labels)


@st.composite
def patterns(draw):
    """Labels of both arguments and of the result, and the plates of both arguments."""
    labels = st.lists(st.sampled_from(sorted(LENGTHS)), max_size=3, unique=True)
    left, right = draw(labels), draw(labels)
    either = sorted({*left, *right})
    out = draw(st.lists(st.sampled_from(either), max_size=4, unique=True)) if either else []
    on = st.lists(st.sampled_from([0, 1]), max_size=2, unique=True)
    return tuple(left), tuple(right), tuple(out), draw(on), draw(on), draw(on)


@settings(max_examples=150)
@given(patterns())
def test_random_patterns_equal_einsum(pattern):
    left, right, out, on_a, on_b, gone = pattern
    g = scg.Graph("contract")
    every = [scg.Plate("x"), scg.Plate("y")]
    sizes = dict(zip(every, PLATE_LENGTHS, strict=True))
    rng = np.random.default_rng(0)
    nodes, values, letters = [], {}, []
    for name, labels, on in (("a", left, on_a), ("b", right, on_b)):
        plates = ordered(every[i] for i in on)
        shape = tuple(LENGTHS[x] for x in labels)
        nodes.append(g.data(name, shape, plates=plates))
        values[name] = rng.normal(size=(*(sizes[p] for p in plates), *shape))
        letters.append(spelled(labels, plates, every))
    over = tuple(every[i] for i in gone if any(every[i] in node.plates for node in nodes))
    y = contract(*nodes, left=left, right=right, out=out, over=over)
    kept = ordered(p for node in nodes for p in node.plates if p not in over)
    assert y.plates == kept
    result = f"{letters[0]},{letters[1]}->{spelled(out, kept, every)}"
    expected = np.einsum(result, values["a"], values["b"])
    found = finish({"y": y}).run(values, None, sizes)["y"][0]
    np.testing.assert_allclose(found, expected, atol=1e-12)

    # Linear in each argument, so that <b, dy/db> is y; where einsum sums a lone axis a VJP raises.
    lone = [x for x in {*left, *right} - {*out} if (x in left) != (x in right)]
    if lone:
        with pytest.raises(scg.DeclarationError, match="an axis summed in one argument only"):
            gradients(np.sum(y), nodes)
        return
    weight = rng.normal(size=y.shape)
    outputs = dict(zip("ab", gradients(np.sum(y * weight), nodes), strict=True))
    slopes = finish(outputs).run(values, None, sizes)
    total = np.sum(expected * weight)
    for name, slope in slopes.items():
        assert slope[0].shape == values[name].shape
        np.testing.assert_allclose(np.sum(slope[0] * values[name]), total, atol=1e-11)


def test_every_cotangent_is_einsum_too():
    """d/da of <g, y> contracts g with b; three plate patterns by hand."""
    g = scg.Graph("vjp")
    p = scg.Plate("p")
    rng = np.random.default_rng(1)
    W, x = rng.normal(size=(3, 2)), rng.normal(size=(5, 3))
    nodes = g.data("x", 3, plates=p), g.parameter("W", np.zeros((3, 2)))
    y = np.tanh(nodes[0] @ nodes[1])
    gx, gW = gradients(np.sum(y), nodes)
    out = finish({"x": gx, "W": gW}).run({"x": x, "W": W}, None, {p: 5})
    slope = 1 - np.tanh(x @ W) ** 2
    np.testing.assert_allclose(out["x"][0], np.einsum("po,io->pi", slope, W), rtol=1e-12)
    np.testing.assert_allclose(out["W"][0], np.einsum("pi,po->io", x, slope), rtol=1e-12)
    assert gx.plates == (p,) and gW.plates == ()
    assert gW.op is contract and gW.attrs["over"] == (p,)  # one product, no sum of outer products


def test_integers_are_counted_and_booleans_refused():
    g = scg.Graph("counts")
    k = g.data("k", 3, kind="int")
    out = finish({"k": k @ k, "b": (k > 0) @ np.where(k > 1, 1, 0)})
    out = out.run({"k": np.array([1, 2, 3])}, None, {})
    assert out["k"][0] == 14.0 and out["b"][0] == 2.0
    assert out["k"].dtype == out["b"].dtype == np.float64
    b = k > 0
    sums = [np.matmul, np.dot, np.outer, lambda a, b: np.einsum("i,i", a, b)]
    for product in (*sums, lambda a, b: np.einsum("i->", b)):  # NumPy's have the values 0 and 1
        with pytest.raises(
            scg.DeclarationError, match=r"booleans.*Write np\.where\(condition, 1, 0\)"
        ):
            product(np.array([True, False, True]), b)
