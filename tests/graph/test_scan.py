"""Scans: what a declared recurrence means, against models that are unrolled by hand."""

import json

import networkx as nx
import numpy as np
import pytest

import scg

from ..recurrence.recurrent import Recurrent

T, B = 3, 2


def data(seed=0, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def same(g, hand, values, other=None):
    """The exact cost and gradient of a graph with scans are those of a model written by hand."""
    params = g.init(seed=0)
    a = scg.exact(g, params, values)
    b = scg.exact(hand, params, values if other is None else other)
    assert a.cost == pytest.approx(b.cost, rel=1e-12)
    for name, grad in b.grads.items():
        np.testing.assert_allclose(a.grads[name], grad, atol=1e-12)
        assert np.any(grad != 0)
    return a


def test_a_chain_with_data_a_plate_and_a_last_state():
    t, batch = scg.Time("t"), scg.Plate("batch", reduce="mean")
    g = scg.Graph("chain")
    theta, w = g.parameter("theta", 0.4), g.parameter("w", [0.3, -0.7])
    x = g.data("x", plates=(batch, t))

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=w[0] * h + x + theta))
        g.cost("fit", (z - w[1] * h) ** 2)
        return np.tanh(h + z)

    last, outputs = g.scan(cell, init=0.5, xs=x, over=t)
    g.cost("end", last * theta)
    assert outputs is None and last.plates == (batch,)

    hand, plate = scg.Graph("hand"), scg.Plate("batch", reduce="mean")
    theta, w = hand.parameter("theta", 0.4), hand.parameter("w", [0.3, -0.7])
    x = hand.data("x", shape=(T,), plates=plate)
    h = 0.5
    for k in range(T):
        z = hand.sample(f"z{k}", scg.Bernoulli(logits=w[0] * h + x[k] + theta))
        hand.cost(f"fit{k}", (z - w[1] * h) ** 2)
        h = np.tanh(h + z)
    hand.cost("end", h * theta)
    values = data(1, T, B)
    found = same(g, hand, {"x": values}, {"x": values.T})
    assert set(found.costs) == {"fit", "end"}
    assert g.stochastic["z"].plates == (t, batch)


def test_a_reverse_scan_reads_the_output_of_another():
    t = scg.Time("t", length=T)
    g = scg.Graph("both")
    theta, w = g.parameter("theta", 0.4), g.parameter("w", [0.3, -0.7])

    def forward(h):
        z = g.sample("z", scg.Bernoulli(logits=w[0] * h + theta))
        return h + z, {"z": z, "h": h}

    def backward(state, seen):
        s, n = state
        y = g.sample("y", scg.Bernoulli(logits=w[1] * s + seen["z"]))
        g.cost("c", (y - seen["h"]) ** 2 * theta)
        return (0.5 * s + y, n + 1)

    _, seen = g.scan(forward, init=0.1, over=t)
    (s, n), _ = g.scan(backward, init=(-0.2, 0.0), xs=(seen,), over=t, reverse=True)
    g.cost("end", s * n)

    hand = scg.Graph("hand")
    theta, w = hand.parameter("theta", 0.4), hand.parameter("w", [0.3, -0.7])
    h, zs, hs = 0.1, [], []
    for k in range(T):
        zs.append(hand.sample(f"z{k}", scg.Bernoulli(logits=w[0] * h + theta)))
        hs.append(h)
        h = h + zs[k]
    s = -0.2
    for k in reversed(range(T)):
        y = hand.sample(f"y{k}", scg.Bernoulli(logits=w[1] * s + zs[k]))
        hand.cost(f"c{k}", (y - hs[k]) ** 2 * theta)
        s = 0.5 * s + y
    hand.cost("end", s * T)
    same(g, hand, {})


def test_padded_steps_leave_the_carry_alone_and_draw_no_credit():
    t, batch = scg.Time("t"), scg.Plate("batch", reduce="sum")
    g = scg.Graph("ragged")
    theta, w = g.parameter("theta", 0.4), g.parameter("w", [0.3, -0.7])
    x = g.data("x", plates=(batch, t))
    there = g.data("there", plates=(batch, t), kind="int")

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=w[0] * h + x + theta))
        g.cost("fit", (z - w[1] * h) ** 2 + theta)
        g.observe("y", scg.Normal(h + z, 1.0), x)
        return np.tanh(h + z), z * theta

    last, zs = g.scan(cell, init=0.5, xs=x, over=t, mask=there)
    g.cost("end", last * theta)
    g.cost("all", zs)
    lengths = [1, 3]
    values = data(2, T, B)
    ones = (np.arange(T)[:, None] < lengths).astype(int)

    hand = scg.Graph("hand")
    theta, w = hand.parameter("theta", 0.4), hand.parameter("w", [0.3, -0.7])
    for b, n in enumerate(lengths):
        h = 0.5
        for k in range(n):
            x = values[k, b]
            z = hand.sample(f"z{b}{k}", scg.Bernoulli(logits=w[0] * h + x + theta))
            hand.cost(f"fit{b}{k}", (z - w[1] * h) ** 2 + theta)
            hand.observe(f"y{b}{k}", scg.Normal(h + z, 1.0), x)
            hand.cost(f"all{b}{k}", z * theta)
            h = np.tanh(h + z)
        hand.cost(f"end{b}", h * theta)
    same(g, hand, {"x": values, "there": ones}, {})
    # what stands in padding does not matter, to any run
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    params = g.init(seed=0)
    junk = np.where(ones, values, 9.0)
    a = step(params, seed=1, runs=3, x=values, there=ones)
    b = step(params, seed=1, runs=3, x=junk, there=ones)
    for name in params:
        np.testing.assert_array_equal(a.grads[name], b.grads[name])


def test_a_stochastic_start_a_parameter_inside_and_a_plate_inside():
    t, particles = scg.Time("t", length=2), scg.Plate("k", length=2, reduce="sum")
    g = scg.Graph("start")
    start = g.sample("start", scg.Bernoulli(logits=g.parameter("theta", 0.4)))

    def cell(h):
        w = g.parameter("w", [0.3, -0.7])
        z = g.sample("z", scg.Bernoulli(logits=w[0] * h), plates=particles)
        g.deterministic("square", z**2 + h)
        g.cost("fit", (z - w[1] * h) ** 2)
        return h + scg.plate_mean(z, particles)

    g.scan(cell, init=start, over=t)

    hand, plate = scg.Graph("hand"), scg.Plate("k", length=2, reduce="sum")
    h = hand.sample("start", scg.Bernoulli(logits=hand.parameter("theta", 0.4)))
    w = hand.parameter("w", [0.3, -0.7])
    for k in range(2):
        z = hand.sample(f"z{k}", scg.Bernoulli(logits=w[0] * h), plates=plate)
        hand.cost(f"fit{k}", (z - w[1] * h) ** 2)
        h = h + scg.plate_mean(z, plate)
    same(g, hand, {})
    drawn = g.simulate(g.init(seed=0), nodes=["z", "square", "fit"], seed=0, runs=5)
    assert drawn["z"].shape == drawn["square"].shape == drawn["fit"].shape == (5, 2, 2)


def test_discounted_costs():
    t = scg.Time("t", length=T)
    g = scg.Graph("discounted")
    theta = g.parameter("theta", 0.4)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=theta * h))
        g.cost("c", (z - 0.3) ** 2 * h)
        return h + z

    g.scan(cell, init=1.0, over=t, discount=0.9)
    hand = scg.Graph("hand")
    theta, h = hand.parameter("theta", 0.4), 1.0
    for k in range(T):
        z = hand.sample(f"z{k}", scg.Bernoulli(logits=theta * h))
        hand.cost(f"c{k}", 0.9**k * (z - 0.3) ** 2 * h)
        h = h + z
    same(g, hand, {})


def test_a_scan_inside_a_scan():
    t, s = scg.Time("t", length=2), scg.Time("s", length=2)
    g = scg.Graph("nested")
    theta = g.parameter("theta", 0.4)

    def outer(h):
        def inner(e):
            z = g.sample("z", scg.Bernoulli(logits=theta * e))
            g.cost("c", (z - 0.3) ** 2 * h * theta)
            return e + z

        e, _ = g.scan(inner, init=h, over=s)
        return np.tanh(e)

    g.scan(outer, init=1.0, over=t)
    hand = scg.Graph("hand")
    theta, h = hand.parameter("theta", 0.4), 1.0
    for k in range(2):
        e = h
        for j in range(2):
            z = hand.sample(f"z{k}{j}", scg.Bernoulli(logits=theta * e))
            hand.cost(f"c{k}{j}", (z - 0.3) ** 2 * h * theta)
            e = e + z
        h = np.tanh(e)
    same(g, hand, {})


def test_unrolled_graphs_are_ordinary_and_share_noise_and_memory():
    t = scg.Time("t")
    g = scg.Graph("walk")
    mu = g.parameter("mu", 0.3)
    y = g.data("y", plates=t)

    def cell(x, y):
        z = g.sample("z", scg.Normal(x + mu, 1.0))
        g.observe("y given z", scg.Normal(z, 0.5), y)
        return z

    g.scan(cell, init=0.0, xs=y, over=t)
    u = g.unroll(t=T)
    assert list(u.stochastic) == ["z[0]", "z[1]", "z[2]"]
    assert not u.scans and u.data_nodes["y"].plates[0].length == T
    values, params = data(3, T), {"mu": 0.3}
    baseline = scg.ScoreFunction(scg.baselines.MovingAverage(0.9))
    rolled, plain = (scg.compile(graph, {"z": baseline}, backend="numpy") for graph in (g, u))
    noise = rolled.noise(seed=1, runs=2, data={"y": values})
    assert noise["z/n"].shape == (2, T)
    a = rolled(params, seed=1, runs=2, y=values)
    b = plain(params, seed=1, runs=2, y=values)
    assert a.grads["mu"] == pytest.approx(b.grads["mu"], rel=1e-12) and set(b.costs) > {
        "y given z[0]"
    }
    assert a.costs["y given z"] == pytest.approx(sum(b.costs.values()), rel=1e-12)
    np.testing.assert_allclose(a.state["z"]["average"], b.state["z"]["average"], rtol=1e-12)
    drawn = g.simulate(params, nodes=["z"], seed=1, runs=2, data={"y": values})["z"]
    np.testing.assert_allclose(drawn, np.cumsum(noise["z/n"] + 0.3, axis=1), rtol=1e-12)
    held = g.simulate(params, nodes=["y given z"], do={"z": [1, 2, 3]}, seed=1, data={"y": values})
    wanted = 2 * (np.array([1, 2, 3]) - values) ** 2 + np.log(0.5) + 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(held["y given z"][0], wanted)


def test_declarations_as_text():
    t, batch = scg.Time("t"), scg.Plate("batch", reduce="mean")
    g = scg.Graph("text")
    x = g.data("x", plates=(batch, t))
    theta = g.parameter("theta", 0.4)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=theta * h + x))
        g.cost("c", (z - h) ** 2)
        return h + z

    last, _ = g.scan(cell, init=0.5, xs=x, over=t, mask=x > -1)
    g.cost("end", last**2)
    text = g.to_json()
    again = scg.Graph.from_json(text)
    assert again.to_json() == text and again.plates[0].name == "t"
    values = data(4, T, B)
    a, b = (scg.exact(graph, {"theta": 0.4}, {"x": values}) for graph in (g, again))
    assert a.cost == b.cost and a.grads == b.grads
    broken = text.replace('"news": ["', '"news": ["theta", "')
    with pytest.raises(scg.DeclarationError, match=r"one new value for each carry"):
        scg.Graph.from_json(broken)


def test_training_a_graph_with_a_scan_on_lengths_that_change():
    t = scg.Time("t")
    g = scg.Graph("drift")
    mu = g.parameter("mu", 0.0)
    y = g.data("y", plates=t)

    def cell(x, y):
        now = g.sample("x", scg.Normal(x + mu, 0.1))
        g.observe("seen", scg.Normal(now, 0.1), y)
        return now

    g.scan(cell, init=0.0, xs=y, over=t)
    step = scg.compile(g, backend="numpy")
    params = {"mu": np.zeros(())}
    for k in range(60):
        n = 2 + k % 3
        out = step(params, seed=k, y=np.arange(1.0, n + 1))
        params = {"mu": params["mu"] - 2e-4 * out.grads["mu"]}
    assert params["mu"] == pytest.approx(1.0, abs=0.1)


def test_json_of_scans_in_scans_and_of_nodes_that_no_carry_leads_to():
    g, t, s = scg.Graph("nested"), scg.Time("t"), scg.Time("s")
    y, theta = g.data("y", plates=(t, s)), g.parameter("theta", 0.3)

    def outer(h, y):
        def inner(k, y):
            z = g.sample("z", scg.Bernoulli(logits=theta))  # its home is not seen from its args
            g.cost("c", (z - k * h - y) ** 2)
            return np.tanh(k + z * theta)

        k, _ = g.scan(inner, init=h, xs=y, over=s, discount=0.5)
        return 0.5 * h + k * theta

    g.scan(outer, init=0.2, xs=y, over=t)
    text = g.to_json()
    again = scg.Graph.from_json(text)
    assert again.to_json() == text
    for each in (g, again):
        assert each.homes[each.stochastic["z"]] == {"inner", "outer"}
    dropped = scg.ScoreFunction(drop_discount=True, allow_biased=True)
    values = {"y": data(1, 2, 2)}
    steps = [scg.compile(each, dropped, backend="numpy") for each in (g, again)]
    a, b = (step({"theta": 0.3}, seed=0, data=values).grads["theta"] for step in steps)
    assert a == b
    for other in ('"in": ["theta"]', '"in": ["inner", "other"]'):
        with pytest.raises(scg.DeclarationError, match="'z' is in no cell of a scan"):
            scg.Graph.from_json(text.replace('"in": ["inner", "outer"]', other))


# --- errors ---------------------------------------------------------------------------------------
def refused(match, cell, error=scg.DeclarationError, **options):
    g, t = scg.Graph("g"), scg.Time("t", length=2)
    with pytest.raises(error, match=match) as found:
        g.scan(lambda *a: cell(g, *a), **{"init": 0.0, "over": t, **options})
    assert "\n" not in str(found.value)


def test_a_carry_keeps_its_form_shape_and_kind():
    refused("the carry changes from shape \\(\\) .* to shape \\(2,\\)", lambda g, h: h + np.ones(2))
    refused("the carry changes .* kind int to .* kind float", lambda g, h: h + 0.5, init=0)
    refused("must return the next carry, of the form of init", lambda g, h: (h, h, h))
    refused("must return the next carry", lambda g, h: h[0], init=(0.0, 0.0))


def test_a_cell_that_fails_leaves_the_graph_as_it_was():
    """So that it can be declared again, layers that it was the first to call included."""
    g, t = scg.Graph("g"), scg.Time("t", length=2)
    start, layer = g.parameter("start", [0.3]), scg.nn.linear(g, "layer", 1)
    before = {name: value for name, value in vars(g).items() if name not in ("table", "origin")}
    before = {n: dict(v) if isinstance(v, dict) else v for n, v in before.items()}

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=layer(h)))
        g.observe("seen", scg.Normal(z[0], 1.0), g.data("x"))
        if fails:
            raise ZeroDivisionError
        return np.ones(2) if changes else h + z

    def inner():
        return g.scan(lambda h: g.scan(cell, init=h, over=t)[0], init=start, over=outer)

    outer = scg.Time("outer", length=2)
    fails = changes = True
    with pytest.raises(ZeroDivisionError):
        inner()
    assert vars(g).items() >= before.items()
    fails = False
    with pytest.raises(scg.DeclarationError, match="the carry changes"):
        inner()
    assert vars(g).items() >= before.items()
    changes = False
    g.scan(cell, init=start, over=t)
    g.cost("more", np.sum(start))
    assert set(g.parameters) == {"start", "layer/W", "layer/b"} and list(g.scans) == ["cell"]
    out = scg.compile(g, backend="numpy")(g.init(seed=0), seed=0, x=1.0)
    assert set(out.costs) == {"seen", "more"}


def test_costs_are_one_number_a_step():
    def cell(g, h):
        g.cost("c", h * np.ones(3))
        return h

    refused("cost 'c' has event shape \\(3,\\), expected a scalar", cell)


def test_what_a_scan_is_given_is_checked_before_its_cell_runs():
    g, t = scg.Graph("g"), scg.Time("t", length=2)
    x = g.data("x", plates=t)
    for match, cell, options in (
        (r"init is node 'x' .* on t.*enters by xs", lambda h: h, {"init": x}),
        (r"called as cell\(carry, x1\).*but takes \(h\)", lambda h: h, {"init": 0.0, "xs": x}),
        ("discount is .*expected a finite", lambda h: h, {"init": 0.0, "discount": [0.5]}),
        ("discount is .*expected a finite", lambda h: h, {"init": 0.0, "discount": np.nan}),
    ):
        with pytest.raises(scg.DeclarationError, match=match):
            g.scan(cell, over=t, **options)
    with pytest.raises(scg.DeclarationError, match=r"that of a scan around it.*scg.Time"):
        g.scan(lambda h: g.scan(lambda k: k + 1.0, init=h, over=t)[0], init=0.0, over=t)


def test_a_cell_sees_one_step():
    g, t = scg.Graph("g"), scg.Time("t", length=2)
    x = g.data("x", plates=t)
    with pytest.raises(scg.DeclarationError, match=r"reduces plate 't', but a cell sees one step"):
        g.scan(lambda h, x: h + scg.plate_sum(h * x, t), init=0.0, xs=x, over=t)


def test_nodes_stay_inside_unless_they_are_outputs():
    g, t = scg.Graph("g"), scg.Time("t", length=2)
    kept = []

    def cell(h):
        kept.append(g.sample("z", scg.Bernoulli(logits=h)))
        return h + kept[0], kept[0]

    _, zs = g.scan(cell, init=0.0, over=t)
    g.cost("fine", zs)
    with pytest.raises(scg.DeclarationError, match=r"'z' of scan 'cell' outside.*as an output"):
        g.cost("wrong", kept[0])
    assert list(g.costs) == ["fine"]


def test_xs_and_masks_lie_on_the_plate():
    g, t, s = scg.Graph("g"), scg.Time("t", length=2), scg.Time("s", length=2)
    x = g.data("x", plates=s)
    for options in ({"xs": x}, {"mask": x > 0}):
        with pytest.raises(scg.DeclarationError, match=r"must be on plate 't'"):
            g.scan(lambda h, *_: h, init=0.0, over=t, **options)
    with pytest.raises(scg.DeclarationError, match="declare it with plates=t, or let the cell"):
        g.scan(lambda h, x: h, init=0.0, xs=np.ones(2), over=t)
    for over in (scg.Plate("p", length=2), "t"):
        with pytest.raises(
            scg.DeclarationError, match=r"over must be an ordered plate such as scg"
        ):
            g.scan(lambda h: h, init=0.0, over=over)


@pytest.mark.parametrize("goal", ["last", "all"])
def test_derivatives_do_not_skip_earlier_steps(goal):
    """Else the derivative of a linear cell, in which no carry stands, was that of one step."""
    g, t = scg.Graph("g"), scg.Time("t", length=2)
    x, w = g.data("x", plates=t), g.parameter("w", 0.5)

    def cell(h, x):
        new = 0.5 * h + x
        g.cost("own", scg.grad(new**2, x) * w)  # within its step
        return new, (new, scg.stop_gradient(h) + 3.0 * x)

    last, (hs, alone) = g.scan(cell, init=0.0, xs=x, over=t)
    with pytest.raises(scg.DeclarationError, match="path leads through the carry of scan 'cell'"):
        scg.grad(last if goal == "last" else scg.plate_sum(hs, t), x)
    g.cost("c", scg.grad(np.sum(scg.plate_sum(alone, t)), x) * w)
    assert scg.compile(g, backend="numpy")({"w": 0.5}, seed=0, x=[1.0, 2.0]).costs["c"] == 3.0


def test_lengths_of_calls():
    g, t = scg.Graph("g"), scg.Time("t")
    x, y = g.data("x", plates=t), g.data("y", plates=t)
    last, _ = g.scan(lambda h, x, y: h + x * y, init=g.parameter("a", 0.0), xs=(x, y), over=t)
    g.cost("c", last)
    step = scg.compile(g, backend="numpy")
    with pytest.raises(scg.CallError, match=r"data 'y' has 3 elements on plate 't', but data 'x'"):
        step({"a": 0.0}, seed=0, x=np.ones(2), y=np.ones(3))
    with pytest.raises(
        scg.CallError, match=r"plate 't' has no elements, but scan .* needs at least one step"
    ):
        step({"a": 0.0}, seed=0, x=np.ones(0), y=np.ones(0))
    with pytest.raises(scg.DeclarationError, match=r"give the number of steps: g.unroll\(t=7\)"):
        g.unroll()
    g, t = scg.Graph("g"), scg.Time("t")
    g.cost("c", g.scan(lambda h: 0.5 * h, init=g.parameter("a", 0.0), over=t)[0])
    with pytest.raises(
        scg.CallError, match=r"no data lie on it. Write scg.Time\('t', length=...\)"
    ):
        scg.compile(g, backend="numpy")({"a": 0.0}, seed=0)


def test_exact_moments_and_attributions_take_the_noise_by_step():
    g, t = scg.Graph("moments"), scg.Time("t", length=T)
    theta = g.parameter("theta", 0.4)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=theta * h))
        g.cost("c", (z - 0.3) ** 2 * h)
        return h + z

    g.scan(cell, init=1.0, over=t)
    step, params = scg.compile(g, scg.LeaveOneOut(samples=2), backend="numpy"), {"theta": 0.4}
    assert str(scg.check(step, params, seed=0)) == "exact: unbiased"
    found = scg.moments(step, params)
    shares = found.by_node()
    assert list(shares) == ["z[0]", "z[1]", "z[2]"]
    assert sum(shares.values()) == pytest.approx(float(found.variance["theta"]), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d.pop("scans"), "is the carry of no scan"),
        (lambda d: d["scans"]["cell"].update(reverse=True), "expected carry 0 of the scan"),
        (lambda d: d["scans"]["cell"].update(reverse="yes"), "true or false"),
        (lambda d: d["scans"].update(other=d["scans"]["cell"]), "expected carry 0 of the scan"),
        (lambda d: d["plates"]["t"].pop("ordered"), "expected an ordered plate"),
        (lambda d: d["scans"]["cell"].update(carries=3), "carries: expected names"),
    ],
)
def test_texts_that_are_no_scans(change, match):
    g, t = scg.Graph("g"), scg.Time("t")

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=h + x))
        g.cost("c", z * h)
        return h + z

    g.scan(cell, init=0.0, xs=g.data("x", plates=t), over=t)
    declaration = json.loads(g.to_json())
    change(declaration)
    with pytest.raises(scg.DeclarationError, match=match):
        scg.Graph.from_json(declaration)


@pytest.mark.parametrize("seed", range(0, 40, 3))
def test_edges_in_time_are_those_of_the_unrolled_graph(seed):
    g = Recurrent(seed).graph
    unrolled = g.unroll(**{made.plate.name: 3 for made in g.scans.values()})
    steps, pairs = unrolled.steps, {}
    for source, goal in unrolled.to_networkx().edges:
        if source in steps and goal in steps and steps[source].at and steps[goal].at:
            same = steps[source].at == steps[goal].at
            pairs.setdefault((steps[source].node, steps[goal].node), set()).add(same)
    found = g.to_networkx()
    for edge, ways in pairs.items():
        at = found.edges[edge]
        assert ({True} if at["within"] else set()) | ({False} if at["next"] else set()) == ways
    inside = {step.node for step in steps.values()}
    assert {(a, b) for a, b in found.edges if {a, b} <= inside} == pairs.keys()
    within = [(a, b) for a, b, there in found.edges(data="within") if there]
    assert nx.is_directed_acyclic_graph(nx.DiGraph(within))


def test_a_carry_alone_leads_to_the_next_step_of_its_plate():
    g, t = scg.Graph("walk"), scg.Time("days")
    first = g.sample("first", scg.Normal(g.parameter("m", 0.1), 1.0))

    def cell(h):
        z = g.sample("z", scg.Normal(0.5 * h, 1.0))
        g.cost("now", z**2)
        g.cost("before", h**2)
        return z + h

    g.cost("last", g.scan(cell, init=first, over=t)[0])
    edges = g.to_networkx().edges
    both, next_day = {"within": True, "next": ("days",)}, {"within": False, "next": ("days",)}
    assert edges["z", "now"] == {"within": True, "next": ()}
    assert edges["z", "z"] == edges["z", "before"] == next_day
    assert edges["z", "last"] == edges["first", "z"] == both
