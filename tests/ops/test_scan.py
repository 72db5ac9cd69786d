"""Scans against the same loops unrolled, with first and second derivatives."""

import numpy as np
import pytest

import scg
from scg.compiler.analyse import continuous_in
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter
from scg.explain.work import work
from scg.graph.declaration.digest import digests
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops import along
from scg.ops.body import Body
from scg.ops.border import place
from scg.ops.recurrence import Recurrence, rolled
from scg.ops.reductions import plate_sum
from scg.ops.scan import scan, scan_op

from .loops import closed, compared, example


@pytest.mark.parametrize("length", [1, 2, 3, 17])
@pytest.mark.parametrize("seed", range(6))
def test_a_scan_is_its_loop_unrolled(seed, length):
    for name, found, expected in compared(Interpreter, example(seed, length)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("seed", range(30))
def test_second_derivatives(seed):
    for name, found, expected in compared(Interpreter, example(seed, 1 + seed % 3, order=2)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11, err_msg=name)


# --- by hand --------------------------------------------------------------------------------------
T, B, FIVE = Plate("t"), Plate("b"), Plate("five", length=5)
RNG = np.random.default_rng(0)


def computed(outputs, values, length=4):
    engine = Interpreter(outputs)
    named = {x: values[x.attrs["name"]] for x in engine.leaves if "name" in x.attrs}
    return engine.run(named, {T: length, B: 3})


def leaves(**nodes):
    """Data of a graph by (shape, plates), and values."""
    g = scg.Graph("by hand")
    made = [g.data(name, shape=shape, plates=plates) for name, (shape, plates) in nodes.items()]
    sizes = {T: 4, B: 3}
    return made, {x.name: RNG.normal(size=(*(sizes[p] for p in x.plates), *x.shape)) for x in made}


def test_running_sums_and_shifts_with_their_derivatives():
    (x, w), values = leaves(x=((2,), (T, B)), w=((2,), (T, B)))
    made = {
        "up": along.running_sum(x, T),
        "down": along.running_sum(x, T, reverse=True),
        "before": along.shifted(x, T),
        "after": along.shifted(x, T, reverse=True),
    }
    slopes = {
        f"slope of {name}": gradients(plate_sum(np.sum(y * w), (T, B)), [x])[0]
        for name, y in made.items()
    }
    out = computed({**made, **slopes}, values)
    x, w, none = values["x"], values["w"], np.zeros((1, 3, 2))
    expected = {
        "up": x.cumsum(0),
        "down": x[::-1].cumsum(0)[::-1],
        "before": np.concatenate([none, x[:-1]]),
        "after": np.concatenate([x[1:], none]),
        "slope of up": w[::-1].cumsum(0)[::-1],
        "slope of down": w.cumsum(0),
        "slope of before": np.concatenate([w[1:], none]),
        "slope of after": np.concatenate([none, w[:-1]]),
    }
    for name, array in expected.items():
        np.testing.assert_allclose(out[name], array, rtol=1e-14, err_msg=name)


def test_a_recurrence_is_rolled_and_the_rest_is_computed_at_once():
    (x, start, matrix), values = leaves(x=((3,), (T, B)), start=((3,), ()), matrix=((3, 3), ()))
    leaf = place(x.graph, start, (T, B))
    z = np.tanh(leaf @ matrix + x)
    new = z + 0.5 * leaf * np.sin(x @ matrix)
    cost = np.sum(z * z @ matrix) + np.sum(new)
    found, last = rolled([cost, leaf], Recurrence((leaf,), (start,), (new,), T))
    loops = [e for e in topological(found) if e.op is scan_op]
    assert all(e.attrs["body"].steps == loops[0].attrs["body"].steps for e in loops)
    inside = [e.op.name for e in topological(loops[0].op.loop.inside(loops[0]))]
    assert inside.count("contract") == 1  # z² @ matrix and x @ matrix lie outside
    out = computed({"cost": found[0], "before": found[1], "last": last[0]}, values)
    h = np.broadcast_to(values["start"], (3, 3))
    for t in range(4):
        z = np.tanh(h @ values["matrix"] + values["x"][t])
        after = z + 0.5 * h * np.sin(values["x"][t] @ values["matrix"])
        total = np.sum(z * z @ values["matrix"], -1) + after.sum(-1)
        np.testing.assert_allclose(out["before"][t], h, rtol=1e-13)
        np.testing.assert_allclose(out["cost"][t], total, rtol=1e-12)
        h = after
    np.testing.assert_allclose(out["last"], h, rtol=1e-13)


def test_products_of_what_is_joined_to_a_carry_lie_outside():
    (x, start, matrix), values = leaves(x=((2,), (T, B)), start=((3,), ()), matrix=((5, 3), ()))
    h, s = place(x.graph, start), place(x.graph, x, (B,))
    body, constants = closed((h,), (s,), (np.tanh(np.concatenate([s, h]) @ matrix),))
    (last,), _ = scan(body, (start,), (x,), constants, T)
    inside = last.attrs["body"]
    assert [arg.shape for arg in (*inside.steps, *inside.constants)] == [(3,), (3, 3)]
    h = np.broadcast_to(values["start"], (3, 3))
    for row in values["x"]:
        h = np.tanh(np.concatenate([row, h], axis=-1) @ values["matrix"])
    np.testing.assert_allclose(computed({"last": last}, values)["last"], h, rtol=1e-12)


def inner_loop(h, x, y):
    """h + Σ over b of a recurrence of x along b that begins with h, and that recurrence."""
    c, s = place(h.graph, h), place(y.graph, y, ())
    new = np.tanh(c * s + x)
    body, constants = closed((c,), (s,), (new,), (new,))
    (last,), (every,) = scan(body, (h,), (y,), constants, B)
    return last + plate_sum(every, B), every


def test_loops_in_loops_and_loops_over_their_results():
    (x, y, start), values = leaves(x=((), T), y=((), B), start=((), ()))
    h, s = place(x.graph, start), place(x.graph, x, ())
    new, every = inner_loop(h, s, y)
    body, constants = closed((h,), (s,), (new,), (every,))
    (last,), (stacked,) = scan(body, (start,), (x,), constants, T)
    assert stacked.plates == (T, B)
    # once more, backwards over what the loop has stacked
    again = along.running_sum(np.sin(stacked), T, reverse=True)
    total = plate_sum(again * stacked, (T, B)) + last
    slopes = dict(zip("xys", gradients(total, [x, y, start]), strict=True))
    (bent,) = gradients(slopes["s"] * slopes["s"], [start])
    out = computed({"total": total, "bent": bent, **slopes}, values)

    def by_hand(x, y, start):
        h, rows = start, []
        for t in range(4):
            c, row = h, []
            for b in range(3):
                c = np.tanh(c * y[b] + x[t])
                row.append(c)
            rows.append(row)
            h = c + sum(row)
        rows = np.array(rows)
        return np.sum(np.cumsum(np.sin(rows)[::-1], axis=0)[::-1] * rows) + h

    x, y, start = values["x"], values["y"], values["start"]
    np.testing.assert_allclose(out["total"], by_hand(x, y, start), rtol=1e-12)

    def slope(f, at, h=1e-5):
        return (f(at + h) - f(at - h)) / (2 * h)

    for t in range(4):
        unit = np.eye(4)[t]
        expected = slope(lambda e, u=unit: by_hand(x + e * u, y, start), 0.0)
        np.testing.assert_allclose(out["x"][t], expected, rtol=1e-7, atol=1e-8)
    for b in range(3):
        unit = np.eye(3)[b]
        expected = slope(lambda e, u=unit: by_hand(x, y + e * u, start), 0.0)
        np.testing.assert_allclose(out["y"][b], expected, rtol=1e-7, atol=1e-8)
    squared = slope(lambda e: slope(lambda f: by_hand(x, y, f), start + e, 1e-3) ** 2, 0.0, 1e-3)
    np.testing.assert_allclose(out["s"], slope(lambda f: by_hand(x, y, f), start), rtol=1e-7)
    np.testing.assert_allclose(out["bent"], squared, rtol=1e-3)


def test_paths_are_continuous_where_those_of_the_body_are():
    (x, y, start), _ = leaves(x=((), T), y=((), T), start=((), ()))
    h, r = place(x.graph, start), place(x.graph, start)
    s, q = (place(x.graph, arg, ()) for arg in (x, y))
    new = (h + np.tanh(s), r + np.where(h > 0.0, 1.0, 0.0) * q)
    body, constants = closed((h, r), (s, q), new, ())
    last, _ = scan(body, (start, start), (x, y), constants, T)
    names = [arg.name for arg in last[0].args]
    h_of, r_of = ({name for i, name in enumerate(names) if continuous_in(end, i)} for end in last)
    assert h_of == {"start", "x", "y"}  # y has no path to h, which is no jump
    assert "x" not in r_of and "y" in r_of


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda h, s: (np.stack([h, h]), h), r"begins as floats .*, but a step returns"),
        (lambda h, s: (h > s, h), "a step returns bools"),
        (lambda h, s: (h.graph.data("other", shape=()), h), "reads node 'other'"),
    ],
)
def test_wrong_bodies_are_refused(change, says):
    (x, start), _ = leaves(x=((), T), start=((), ()))
    h, s = place(x.graph, start), place(x.graph, x, ())
    new, output = change(h, s)
    with pytest.raises(scg.DeclarationError, match=says):
        scan(Body((h,), (s,), (), (new,), (output,)), (start,), (x,), (), T)


def test_arguments_are_on_the_plate_or_not():
    (x, start), _ = leaves(x=((), T), start=((), ()))
    h, s = place(x.graph, start), place(x.graph, start)
    body = Body((h,), (s,), (), (h + s,), ())
    with pytest.raises(scg.DeclarationError, match=r"'start' of shape .. is not on this plate"):
        scan(body, (start,), (start,), (), T)
    with pytest.raises(scg.DeclarationError, match=r"'x' of shape .. on t is on this plate"):
        scan(body, (x,), (x,), (), T)
    with pytest.raises(scg.DeclarationError, match="1 per-step inputs, got 0"):
        scan(body, (start,), (), (), T)
    with pytest.raises(scg.DeclarationError, match="is not on plate 'b'"):
        along.running_sum(x, B)


def test_no_steps_are_refused():
    (x,), _ = leaves(x=((), T))
    with pytest.raises(scg.CallError, match="a scan over 't' has no steps"):
        computed({"sums": along.running_sum(x, T)}, {"x": np.zeros(0)}, 0)


def test_digests_and_work_look_into_bodies():
    def graph(function):
        g = scg.Graph("digest")
        start, x = g.parameter("start", 0.5), g.data("x", plates=FIVE)
        h, s = place(g, start), place(g, x, ())
        body, constants = closed((h,), (s,), (function(h * s),))
        (last,), _ = scan(body, (start,), (x,), constants, FIVE)
        g.cost("c", last)
        return last, digests(g)["c"]

    (one, first), (_, again), (_, other) = map(graph, (np.sin, np.sin, np.cos))
    assert first == again != other
    assert work(topological([one])) == 5 * 2  # a product and a sine in each of five steps


def test_a_loop_reads_the_outputs_of_a_loop_of_constants():
    g, t = scg.Graph("constants"), scg.Time("t", length=3)
    a = g.parameter("a", 0.3)
    _, counts = g.scan(lambda h: (h + 1.0, h), init=0.0, over=t)

    def cell(h, k):
        g.cost("c", (h + a * k) ** 2)
        return h + a

    g.scan(cell, init=0.0, xs=counts, over=t)  # the cost of step k is (2 k a)²
    out = scg.compile(g, backend="numpy")({"a": 0.3}, seed=0)
    assert out.grads["a"] == pytest.approx(8 * 0.3 * (1 + 4))
