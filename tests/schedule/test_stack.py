"""Products that share a factor become one; what may not be joined stays apart."""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.engine.table.buffers import aligned, place
from scg.engine.walk.executable import Executable
from scg.ops import elementwise
from scg.schedule.entries import Gemm, Uses
from scg.schedule.stack import groups

pytest.importorskip("numba")

BATCH = scg.Plate("batch")


def leaves():
    graph = scg.Graph("stack")
    x = graph.data("x", shape=(4,), plates=BATCH)
    w, v = (graph.data(name, shape=(4, 4)) for name in "wv")
    return x, w, v


def products(outputs, batch=3):
    """Return the matrix products of outputs, which agree with the interpreter."""
    engine, oracle = Executable(outputs), Interpreter(outputs)
    rng = np.random.default_rng(0)
    shapes = {"x": (batch, 4), "w": (4, 4), "v": (4, 4)}
    values = {name: rng.normal(size=s) for name, s in shapes.items()}
    results = [
        one.run({leaf: values[leaf.attrs["name"]] for leaf in one.leaves}, {BATCH: batch})
        for one in (engine, oracle)
    ]
    for key, value in results[1].items():
        np.testing.assert_allclose(results[0][key], value, rtol=1e-12, atol=1e-12)
    return [entry for entry in engine.schedule.entries if isinstance(entry, Gemm)], engine


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_rows_times_one_matrix_are_one_product_through_several_layers(batch):
    x, w, v = leaves()
    a, b, c = elementwise.exp(x), elementwise.tanh(x), x * x
    rows = [elementwise.tanh(one @ w) for one in (a, b, c)]
    last = [elementwise.exp(one @ v) for one in rows]
    gemms, engine = products({"out": last[0] + last[1] * last[2]}, batch)
    assert [len(gemm.below) for gemm in gemms] == [2, 2]
    plan = engine.plan({BATCH: batch})
    for group in groups(engine.schedule.entries):
        steps = {plan.offsets[one] - plan.offsets[group[0]] for one in group}
        assert steps == {0, 32 * batch, 64 * batch}


def test_a_product_of_a_product_waits_for_it():
    x, w, _ = leaves()
    first = elementwise.tanh(elementwise.exp(x) @ w)
    second = elementwise.tanh(first @ w)
    gemms, _ = products({"out": first * second})
    assert [len(gemm.below) for gemm in gemms] == [0, 0]


def test_what_leaves_the_arena_stays_where_it_is():
    x, w, _ = leaves()
    a, b = elementwise.exp(x), elementwise.tanh(x)
    gemms, _ = products({"a": a @ w, "b": elementwise.exp(b @ w)})
    assert all(not gemm.below for gemm in gemms)
    gemms, _ = products({"out": (x @ w) * (b @ w)})
    assert all(not gemm.below for gemm in gemms)


def test_an_array_has_one_place():
    x, w, v = leaves()
    a, b, c = elementwise.exp(x), elementwise.tanh(x), x * x
    gemms, _ = products({"out": (a @ w) * (b @ w) * (c @ v) * (b @ v)})
    assert sorted(len(gemm.below) for gemm in gemms) == [0, 0, 1]


def test_columns_do_not_follow_each_other():
    x, _, _ = leaves()
    a, b = elementwise.exp(x), elementwise.tanh(x)
    gram = [
        scg.ops.linalg.contract(one, x, left=(0,), right=(1,), out=(0, 1), over=(BATCH,))
        for one in (a, b)
    ]
    gemms, _ = products({"out": gram[0] * gram[1]})
    assert all(not gemm.below for gemm in gemms)


def test_arrays_that_live_at_one_time_do_not_overlap():
    rng = np.random.default_rng(0)
    for _ in range(200):
        names = [f"a{i}" for i in range(12)]
        lengths = {name: int(rng.integers(0, 300)) for name in names}
        together = [("a2", "a5", "a7"), ("a1", "a9")]
        for group in together:
            lengths |= dict.fromkeys(group, lengths[group[0]])
        order = [
            Uses(tuple(rng.choice(names[: i + 1], 2).tolist()) if i else (), (name,))
            for i, name in enumerate(names)
        ]
        offsets, end = place(order, {"a3"}, lengths, together)
        assert "a3" not in offsets
        for group in together:
            at = [offsets[name] for name in group]
            assert np.diff(at).tolist() == [lengths[group[0]]] * (len(group) - 1)
        mine = {name: group for group in together for name in group}
        born = {
            name: min(
                i for i, use in enumerate(order) if {*use.written} & {*mine.get(name, (name,))}
            )
            for name in offsets
        }
        died = {
            name: max(
                i
                for i, use in enumerate(order)
                if {*use.written, *use.read} & {*mine.get(name, (name,))}
            )
            for name in offsets
        }
        for a in offsets:
            assert offsets[a] + lengths[a] <= end
            for b in offsets:
                alive = a < b and born[a] <= died[b] and born[b] <= died[a]
                if alive and lengths[a] and lengths[b]:
                    apart = offsets[a] + lengths[a] <= offsets[b]
                    assert apart or offsets[b] + lengths[b] <= offsets[a], (a, b)


def test_a_length_is_rounded_up():
    assert [aligned(n) for n in (0, 1, 64, 65)] == [64, 64, 64, 128]
