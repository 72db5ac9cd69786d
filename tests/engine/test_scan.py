"""Scans in the compiled engine against the same loops unrolled in the interpreter."""

import itertools

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.compiler.simplify import simplify
from scg.engine.codegen import native
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.ir.plate import Plate
from scg.ops.border import place
from scg.ops.reductions import plate_sum
from scg.ops.scan import scan
from scg.ops.steps import at_step, only_step
from tests.ops.loops import closed, compared, example
from tests.ops.test_scan import B, T, inner_loop

pytest.importorskip("numba")


def agree(found, expected, rtol=1e-12):
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=rtol, atol=rtol, err_msg=str(key))


@pytest.mark.parametrize(("seed", "order"), [(0, 2), (3, 1)])
def test_a_scan_is_its_loop_unrolled(seed, order):
    for name, found, expected in compared(Executable, example(seed, 3, order)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11, err_msg=name)


def recurrent():
    """A recurrence of matrices with a loop in its body, and derivatives of its cost."""
    g = scg.Graph("recurrent")
    matrix = g.parameter("matrix", 0.3 * np.random.default_rng(0).normal(size=(4, 4)))
    start = g.parameter("start", np.zeros(4))
    x, y = g.data("x", shape=(4,), plates=T), g.data("y", plates=B)
    h, s = place(g, start), place(g, x, ())
    inner, _ = inner_loop(np.sum(h), s[0], y)
    new = np.tanh(h @ matrix + s + 0.1 * inner)
    body, constants = closed((h,), (s,), (new,), (new,))
    (last,), (every,) = scan(body, (start,), (x,), constants, T)
    cost = plate_sum(np.sum(every * every), T) + np.sum(last)
    outputs = [cost, every, *gradients(cost, [matrix, start, x, y])]
    return dict(enumerate(simplify(outputs))), g.init(seed=0)


def test_the_number_of_steps_changes_without_compiling(monkeypatch):
    outputs, params = recurrent()
    engine, oracle = Executable(outputs), Interpreter(outputs)
    text = str(engine)
    assert "loop      [b]" in text and "loop      [t in reverse]" in text
    assert "0 in NumPy" in text

    def never(*_):
        raise AssertionError("a kernel is compiled")

    monkeypatch.setattr(native, "compiled", never)
    rng = np.random.default_rng(1)
    for steps in (1, 2, 3, 17, 2, 1000):
        values = {**params, "x": rng.normal(size=(steps, 4)), "y": rng.normal(size=3)}
        sizes = {T: steps, B: 3}
        named = {leaf: values[leaf.attrs["name"]] for leaf in engine.leaves}
        agree(engine.run(named, sizes), oracle.run(named, sizes), 1e-11)
        for _ in range(2):  # buffers of an earlier call are used again
            agree(engine.run(named, sizes), oracle.run(named, sizes), 1e-11)
    with pytest.raises(scg.CallError, match="no steps"):
        engine.run({**named, engine_leaf(engine, "x"): np.zeros((0, 4))}, {T: 0, B: 3})


def engine_leaf(engine, name):
    return next(leaf for leaf in engine.leaves if leaf.attrs["name"] == name)


def test_a_hundred_thousand_steps_run():
    g = scg.Graph("long")
    start, x, decay = g.parameter("start", 0.5), g.data("x", plates=T), g.parameter("decay", 0.9)
    h, s = place(g, start), place(g, x, ())
    new = decay * h + np.sin(s)
    body, constants = closed((h,), (s,), (new,), (new,))
    _, (every,) = scan(body, (start,), (x,), constants, T)
    cost = plate_sum(every * every, T)
    outputs = dict(enumerate(simplify([cost, every, *gradients(cost, [decay, start])])))
    engine = Executable(outputs)
    given = np.random.default_rng(0).normal(size=100_000)
    named = {leaf: {"start": 0.5, "decay": 0.9, "x": given}[leaf.name] for leaf in engine.leaves}
    out = engine.run(named, {T: 100_000})
    state, slope, total, rate = 0.5, 0.0, 0.0, 0.0
    for t, value in enumerate(np.sin(given).tolist()):
        state, slope = 0.9 * state + value, state + 0.9 * slope
        total, rate = total + state**2, rate + 2 * state * slope
        assert abs(out[1][t] - state) < 1e-12
    np.testing.assert_allclose([out[0], out[2]], [total, rate], rtol=1e-10)
    sizes = [engine.plan({T: n}).frame().arena.nbytes for n in (1_000, 2_000, 4_000)]
    assert abs((sizes[2] - sizes[1]) - 2 * (sizes[1] - sizes[0])) < 1_000


def test_an_index_out_of_bounds_in_a_step_is_named():
    g = scg.Graph("index")
    table, k = g.parameter("table", [1.0, 2.0, 3.0]), g.data("k", plates=T, kind="int")
    h, at = place(g, np.sum(table)), place(g, k, ())
    new = np.take(table, at) * h
    body, constants = closed((h,), (at,), (new * h,))
    (last,), _ = scan(body, (np.sum(table),), (k,), constants, T)
    engine = Executable({"last": last})
    values = {"table": np.array([1.0, 2.0, 3.0]), "k": np.array([0, 2, 3])}
    with pytest.raises(scg.CallError, match=r"3 in .* chooses"):
        engine.run({leaf: values[leaf.name] for leaf in engine.leaves}, {T: 3})


def test_a_users_op_in_a_step_runs_in_python():
    g = scg.Graph("user")
    cube = scg.op(lambda x: x**3, vjp=lambda g, out, x: (3 * g * x * x,), vectorized=True)
    start, x = g.parameter("start", 0.5), g.data("x", plates=T)
    h, s = place(g, start), place(g, x, ())
    body, constants = closed((h,), (s,), (cube(h) + s,))
    (last,), _ = scan(body, (start,), (x,), constants, T)
    outputs = {0: last, **dict(enumerate(gradients(last, [start, x]), 1))}
    engine = Executable(outputs)
    assert engine.schedule.fallbacks == ["scan"]  # the loop backwards has no such op
    values = {"start": np.array(0.5), "x": np.array([0.1, -0.2, 0.3])}
    named = {leaf: values[leaf.name] for leaf in engine.leaves}
    agree(engine.run(named, {T: 3}), Interpreter(outputs).run(named, {T: 3}))


def test_elements_along_a_plate_are_taken_and_put_in_kernels():
    fixed, g, outputs, values = Plate("fixed", length=3), scg.Graph("steps"), {}, {}
    for name, kind, plate in (("x", "float", T), ("k", "int", T), ("f", "float", fixed)):
        leaf = g.data(name, shape=(2,), plates=(plate, B), kind=kind)
        shape = (*({T: 4, B: 3, fixed: 3}[p] for p in leaf.plates), 2)
        values[name] = np.random.default_rng(0).integers(-9, 9, size=shape)
        for x, index in itertools.product((leaf, leaf > 0), (0, 1, -1, -2)):
            one = outputs[name, x.kind, index] = at_step(x, plate=plate, index=index)
            outputs[name, x.kind, index, 1] = only_step(one, plate=plate, index=-1 - index)
    engine, oracle = Executable(outputs), Interpreter(outputs)
    assert engine.schedule.fallbacks == []
    found, expected = (
        e.run({x: values[x.name] for x in e.leaves if "name" in x.attrs}, {T: 4, B: 3})
        for e in (engine, oracle)
    )
    for key, value in expected.items():
        assert np.array_equal(found[key], value), key


def test_a_body_with_large_products_runs_apart_from_the_team():
    g = scg.Graph("large")
    start, matrix = g.parameter("start", np.ones(128)), g.parameter("matrix", np.eye(128) * 0.5)
    x = g.data("x", shape=(128,), plates=(T, B))
    h, s = place(g, start), place(g, x, (B,))
    body, constants = closed((h,), (s,), (np.tanh(h @ matrix + s),), (h,))
    _, (every,) = scan(body, (start,), (x,), constants, T)
    cost = plate_sum(np.sum(every * every), (T, B))
    outputs = dict(enumerate(simplify([cost, *gradients(cost, [matrix, start])])))
    values = {**g.init(seed=0), "x": np.random.default_rng(1).normal(size=(2, 80, 128))}
    engine, oracle = Executable(outputs), Interpreter(outputs)
    named, sizes = {leaf: values[leaf.name] for leaf in engine.leaves}, {T: 2, B: 80}
    assert [stage.apart for stage in engine.plan(sizes).stages].count(True) == 2
    agree(engine.run(named, sizes), oracle.run(named, sizes))


def test_python_computes_a_loop_of_which_no_result_needs_some_carries():
    """These have no first values: what would compute them is left out."""
    g, move = scg.Graph("unread"), scg.op(lambda h, x: 0.9 * h + x, name="move")
    start, x = g.parameter("start", 0.3), g.data("x", plates=T)
    h, total, s = place(g, start), place(g, start), place(g, x, ())
    moved = move(h, s)
    body, constants = closed((h, total), (s,), (moved, total + moved), (moved,))
    _, (every,) = scan(body, (start, 2.0 * start), (x,), constants, T)
    outputs = {0: every}
    given = {start: np.array(0.3), x: np.array([0.5, -1.0])}
    found = Executable(outputs).run(given, {T: 2})
    agree(found, Interpreter(outputs).run(given, {T: 2}))
