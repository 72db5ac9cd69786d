"""Windows of steps: the same estimates as the plain step, in memory of order √T."""

import tracemalloc
import warnings

import numpy as np
import pytest

import scg

from .recurrent import Recurrent, gap, pairs

#: Graphs of `recurrent.py` that have masks, means, two scans, one in reverse, and a discount.
CASES = [
    (0, "score, network"),
    (1, "leave-one-out"),
    (2, "mixed"),
    (3, "LAX"),
    (4, "MuProp"),
    (5, "reparameterization"),
    (7, "Gumbel-softmax"),
    (10, "straight-through"),
]


@pytest.mark.parametrize(("seed", "row"), CASES)
def test_windows_estimate_what_the_plain_step_estimates(seed, row):
    case = Recurrent(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = case.estimators(row)
        plain = scg.compile(case.graph, chosen, backend="numpy")
        steps = [
            scg.compile(case.graph, chosen, backend="numpy", checkpoint=k) for k in (True, 1, 5)
        ]
    params, state = case.graph.init(seed=0), plain.init(seed=1)
    for length in (1, 3, 17):
        data = case.data(length)
        found = plain(params, seed=(3, length), runs=2, data=data, state=state)
        for step in steps:  # which draw the noise of a window when they come to it
            own = step(params, seed=(3, length), runs=2, data=data, state=state)
            assert max(gap(*pair) for pair in pairs(own, found)) < 1e-12


def test_compiled_windows():
    case = Recurrent(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = case.estimators("mixed")
        plain = scg.compile(case.graph, chosen, backend="numpy")
        step = scg.compile(case.graph, chosen, backend="numba", checkpoint=4)
    params = case.graph.init(seed=0)
    for length in (3, 8, 13):
        data = case.data(length)
        noise = plain.noise(seed=5, data=data)
        found = plain(params, noise=noise, data=data)
        for own in (step(params, noise=noise, data=data), step(params, seed=5, data=data)):
            assert all(np.isfinite(grad).all() for grad in own.grads.values())
            assert max(gap(*pair) for pair in pairs(own, found)) < 1e-12
        bound = step.bind(params, data=data, runs=3)(7)
        several = plain(params, seed=7, runs=3, data=data)
        assert max(gap(*pair) for pair in pairs(bound, several)) < 1e-12


def filtered(length=None, kind: type = scg.Normal):
    """A filter of bits or numbers, whose cost also looks back at all steps."""
    g, t = scg.Graph("filter"), scg.Time("t", length=length)
    x = g.data("x", plates=t)
    a, b = g.parameter("a", 0.3), g.parameter("b", [0.1, -0.2])

    def cell(h, x):
        dist = scg.Normal(a * h + b, 0.5) if kind is scg.Normal else kind(logits=a * h + b)
        z = g.sample("z", dist)
        g.cost("miss", np.sum((z - x) ** 2) + 0.1 * np.sum(h * z))
        new = np.tanh(a * h + 0.5 * z + x)
        return new, new

    last, hs = g.scan(cell, init=np.zeros(2), xs=x, over=t)
    middle = scg.plate_mean(hs, t)
    g.cost("spread", np.sum((hs - middle) ** 2))  # a mean over the steps that each step reads
    g.cost("end", np.sum(last**2))
    return g


OPTIONS = [
    {"order": 2},
    {"data_grads": ("x",)},
    {"truncate": scg.ARTBP(mean=3)},
    {"truncate": scg.RTRL()},
    {"truncate": scg.UORO()},
    {"dtype": "float32"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_options_go_together_with_windows(options):
    g = filtered(length=11 if "order" in options else None)
    plain, step = (scg.compile(g, backend="numpy", checkpoint=k, **options) for k in (False, True))
    params, data = g.init(seed=0), {"x": np.sin(np.arange(11.0))}
    found, own = (one(params, seed=2, data=data) for one in (plain, step))
    near = {"rel": 1e-5, "abs": 1e-5} if "dtype" in options else {"rel": 1e-12, "abs": 1e-12}
    assert own.cost == pytest.approx(found.cost, **near)
    for kind in ("grads", "data_grads"):
        for name, grad in getattr(found, kind).items():
            assert getattr(own, kind)[name] == pytest.approx(grad, **near)
    if "order" in options:
        assert own.hessian["a"]["b"] == pytest.approx(found.hessian["a"]["b"], rel=1e-11)
        vector = {"a": 1.0, "b": [0.0, 2.0]}
        a, b = (one.hvp(params, vector, seed=2, data=data)["b"] for one in (plain, step))
        assert b == pytest.approx(a, rel=1e-11)


def test_windows_of_a_stream_and_of_recorded_values():
    g, xs = filtered(kind=scg.Bernoulli), np.cos(np.arange(7.0))
    params = g.init(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for options in (
            {"truncate": scg.Truncated(2), "stream": True},
            {"given": ("z",)},
        ):
            data = {"x": xs} | ({"z": np.ones((7, 2))} if "given" in options else {})
            found, own = (
                scg.compile(g, scg.ScoreFunction(), backend="numpy", checkpoint=k, **options)(
                    params, seed=1, data=data
                )
                for k in (False, 3)
            )
            assert own.grads["b"] == pytest.approx(found.grads["b"], rel=1e-12)
            assert own.carry.keys() == found.carry.keys()
            for name, value in found.carry.items():
                assert own.carry[name] == pytest.approx(value, rel=1e-12)


def test_fit_learns_the_same():
    g = filtered(kind=scg.Bernoulli)
    options = {"seed": 0, "epochs": 3, "optimizer": scg.optim.Adam(1e-2)}
    data = {"x": np.cos(np.arange(9.0))}
    plain, own = (
        scg.fit(scg.compile(g, scg.LeaveOneOut(samples=2), checkpoint=k), data=data, **options)
        for k in (False, 4)
    )
    for name, value in plain.params.items():
        assert own.params[name] == pytest.approx(value, rel=1e-9)


def chain(checkpoint, backend):
    g, t = scg.Graph("chain"), scg.Time("t")
    x, w = g.data("x", plates=t), g.parameter("w", np.full((8, 8), 0.1))

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=h @ w))
        g.cost("c", np.sum((z - x) ** 2))
        return np.tanh(h @ w + z)

    g.scan(cell, init=np.zeros(8), xs=x, over=t)
    step = scg.compile(g, scg.ScoreFunction(), backend=backend, checkpoint=checkpoint)
    params = g.init(seed=0)
    step(params, seed=0, x=np.zeros(3))  # compiles

    def forget():
        """Drop the tables of all lengths, so that a call makes them anew."""
        program = step.program
        program._samplers.clear()
        for engine in program._engines.values():
            for _, one in getattr(engine, "parts", [("", engine)]):
                one.__dict__.get("_plans", {}).clear()

    def once(data):
        forget()
        tracemalloc.start()
        step.bind(params, data=data)(1)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    def peak(length):
        """Bytes that a call allocates at most, beside the data.

        The smallest of three, because Python's own tables of strings grow now and then.
        """
        data = {"x": np.zeros(length)}
        return min(once(data) for _ in range(3 if backend == "numba" else 1))

    return peak


@pytest.mark.parametrize(("backend", "short"), [("numba", 1600), ("numpy", 36)])
def test_memory_grows_with_the_square_root_of_the_length(backend, short):
    plain, windows = chain(False, backend), chain(True, backend)
    small, large = plain(short), plain(16 * short)
    assert 12 < large / small < 17  # the measure sees what the plain step keeps
    few, many = windows(short), windows(16 * short)
    assert many / few < 4.6  # √16 = 4
    assert many < large / 4


def test_memory_of_a_fixed_window_is_that_of_its_carries():
    peak = chain(40, "numba")
    more = peak(40 * 200 + 1) - peak(40 * 100 + 1)
    assert 0 < more < 100 * 1500  # a carry of 8 numbers a window; a window's arrays take 10 kB


def test_a_hundred_thousand_steps():
    g, t = scg.Graph("long"), scg.Time("t", length=100_000, reduce="mean")
    a = g.parameter("a", 0.5)

    def cell(h):
        z = g.sample("z", scg.Normal(a * h, 1.0))
        g.cost("c", z**2)
        return z

    g.scan(cell, init=0.0, over=t)
    step = scg.compile(g, scg.Reparameterization(), backend="numba", checkpoint=True)
    tracemalloc.start()
    peaks = []
    for _ in range(3):  # the first one makes the tables; Python's own grow now and then
        tracemalloc.reset_peak()
        out = step({"a": 0.5}, seed=0)
        peaks.append(tracemalloc.get_traced_memory()[1] - tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert min(peaks) < 100_000 * 8 / 2  # half of one array of the steps
    assert abs(out.cost - 1 / (1 - 0.25)) < 0.05  # the stationary variance; 8 standard errors
    assert abs(out.grads["a"] - 2 * 0.5 / (1 - 0.25) ** 2) < 0.15


# --- scans in scans -------------------------------------------------------------------------------
def nested(inside):
    """Steps of parts: the inner scan begins at the outer carry, or at each step anew."""
    g, t, s = scg.Graph("nested"), scg.Time("t"), scg.Time("s")
    batch = scg.Plate("batch", reduce="mean")
    x = g.data("x", shape=(2,), plates=(batch, t, s))
    there = g.data("there", plates=(batch, t, s), kind="int")
    w, v = g.parameter("w", np.full((2, 2), 0.2)), g.parameter("v", [0.3, -0.4])

    def outer(h, x, there):
        def inner(k, x):
            z = g.sample("z", scg.Bernoulli(logits=k @ w + x + v))
            g.cost("own", np.sum((z - k * v[0]) ** 2 * x) + np.sum(v * z))
            return np.tanh(z @ w + 0.5 * k * v), z * k

        begin = h if inside else v * 2.0
        last, seen = g.scan(inner, init=begin, xs=x, over=s, mask=there, reverse=True)
        last = last if inside else np.tanh(last + h)
        e = g.sample("e", scg.Normal(np.sum(last * v) + scg.plate_sum(np.sum(seen), s), 1.0))
        g.cost("step", e**2 + np.sum(h * last))
        return np.tanh(last + 0.3 * h + e * v), e

    last, es = g.scan(outer, init=np.full(2, 0.1), xs=(x, there), over=t)
    g.cost("end", np.sum(last**2))
    g.cost("mean", scg.plate_mean(es, t) ** 2)
    rng = np.random.default_rng(0)
    shape = (5, 3, 2)  # by the order in which the plates were made: t, s, batch
    return g, {"x": rng.normal(size=(*shape, 2)), "there": rng.integers(0, 2, shape)}


@pytest.mark.parametrize(
    ("inside", "estimator"),
    [
        (False, scg.ScoreFunction(scg.baselines.MovingAverage(0.9))),
        (False, scg.LeaveOneOut(samples=2)),
        (True, scg.StraightThrough(allow_biased=True)),
        (True, scg.MuProp()),
    ],
    ids=str,
)
def test_windows_of_scans_around_scans(inside, estimator):
    g, data = nested(inside)
    # Where scores count, the plain step of a carry that both scans change runs unrolled.
    whole = 5 if inside else False
    plain, step = (
        scg.compile(g, {"z": estimator}, backend="numpy", checkpoint=k) for k in (whole, 2)
    )
    params, state = g.init(seed=0), plain.init(seed=1)
    found, own = (one(params, seed=3, runs=2, data=data, state=state) for one in (plain, step))
    assert max(gap(*pair) for pair in pairs(own, found)) < 1e-12
    if isinstance(estimator, scg.StraightThrough):
        rolled = scg.compile(g, {"z": estimator}, backend="numpy")
        assert rolled.rolled is not None
        again = rolled(params, seed=3, runs=2, data=data, state=state)
        assert max(gap(*pair) for pair in pairs(own, again)) < 1e-12


@pytest.mark.parametrize("attends", [False, True])
def test_windows_of_scans_side_by_side(attends):
    g, s, t = scg.Graph("translator"), scg.Time("s"), scg.Time("t")
    x, y = (g.data(name, shape=(2,), plates=p) for name, p in (("x", s), ("y", t)))
    w, b = g.parameter("w", np.full((2, 2), 0.3)), g.parameter("b", [0.1, -0.2])

    def encoder(h, x):
        e = g.sample("e", scg.Bernoulli(logits=h @ w + x))
        g.cost("own", np.sum((e - h * b) ** 2))
        new = np.tanh(h @ w + e + x)
        return new, new * x

    def decoder(h, y):
        z = g.sample("z", scg.Bernoulli(logits=h @ w + b))
        seen = scg.plate_sum(hs * (z + h), s) if attends else h
        g.cost("fit", np.sum((z - y) ** 2 + b * z * seen))
        return np.tanh(h @ w + z)

    last, hs = g.scan(encoder, init=np.zeros(2), xs=x, over=s)
    end, _ = g.scan(decoder, init=last, xs=y, over=t)
    g.cost("end", np.sum(end * b))
    chosen = scg.ScoreFunction(scg.baselines.MovingAverage(0.9))
    plain, step = (scg.compile(g, chosen, backend="numpy", checkpoint=k) for k in (False, 3))
    params, state = g.init(seed=0), plain.init(seed=1)
    data = {"x": np.sin(np.arange(14.0)).reshape(7, 2), "y": np.ones((5, 2))}
    found, own = (one(params, seed=3, runs=2, data=data, state=state) for one in (plain, step))
    assert max(gap(*pair) for pair in pairs(own, found)) < 1e-12
    assert "in windows of 3 steps of 't' and 's': 2 sweeps" in str(step.explain())


@pytest.mark.parametrize("mixed", [False, True])
def test_a_scan_of_each_step_that_mixes_steps(mixed):
    g, t, s = scg.Graph("mixed"), scg.Time("t"), scg.Time("s", length=2)
    x, a = g.data("x", plates=t), g.parameter("a", 0.5)
    y, _ = g.scan(
        lambda k: np.tanh(a * k + (scg.plate_mean(k * a, t) if mixed else 0.1)), init=x, over=s
    )
    g.cost("c", g.scan(lambda h, y: a * h + y, init=0.0, xs=y, over=t)[0])
    plain, data = scg.compile(g, backend="numpy"), {"x": np.array([0.1, 0.2, 0.5])}
    found = plain({"a": 0.5}, seed=0, data=data).grads["a"]
    if mixed:
        with pytest.raises(
            scg.EstimatorError, match=r"checkpoint: .* needs all steps of 't' at once"
        ):
            scg.compile(g, backend="numpy", checkpoint=2)
    else:
        own = scg.compile(g, backend="numpy", checkpoint=2)({"a": 0.5}, seed=0, data=data)
        assert own.grads["a"] == pytest.approx(found, rel=1e-12)


# --- what it says ---------------------------------------------------------------------------------
def test_explain_profile_and_stages_say_it():
    step = scg.compile(filtered(), backend="numba", checkpoint=True)
    told = "in windows of √T steps of 't': 3 sweeps (forward, forward, in reverse)"
    assert told in str(step.explain()) and step.explain().to_dict()["windows"] == told
    sweeps = step.stages["sweeps"]
    assert str(sweeps).count("forward") == 4 and "operations" in str(sweeps)
    engine = step.program.engine()  # keeps no carries for which no later sweep asks
    assert engine.kept and not engine.kept & {*sweeps.passes[-1].carries}
    data = {"x": np.zeros(9)}
    profile = step.profile(step.graph.init(seed=0), data=data, rounds=1)
    assert profile.total > 0 and "in sweep 2" in str(profile) and "in sweep 2" in str(step.program)
    assert {n for _, n, row in profile.rows if row.kernel == "loop"} == {6}  # 2 in each window
    assert "def " in step.source
    with pytest.raises(scg.CallError, match="a schedule for each sweep"):
        step.draw(level="schedule")
    fewer = scg.compile(filtered(), backend="numpy", checkpoint=7).explain()
    assert "in windows of 7 steps of 't'" in str(fewer)
    assert scg.compile(filtered(), backend="numpy").explain().windows == ""


def test_a_scan_that_no_cost_reads_takes_no_sweep():
    g, t = scg.Graph("idle"), scg.Time("t")
    x, a = g.data("x", plates=t), g.parameter("a", 2.0)
    g.scan(lambda h, x: a * h + x, init=0.0, xs=x, over=t)
    g.cost("c", a**2)
    step = scg.compile(g, backend="numpy", checkpoint=True)
    assert step({"a": 2.0}, seed=0, x=[1.0, 2.0]).grads["a"] == 4.0
    assert "no sweep" in str(step.explain())


# --- what it refuses ------------------------------------------------------------------------------
@pytest.mark.parametrize("wrong", [0, -3, 1.5, "all", None])
def test_windows_have_a_number_of_steps(wrong):
    with pytest.raises(scg.DeclarationError, match=r"a number of steps, or True.*got"):
        scg.compile(filtered(), checkpoint=wrong)


def test_graphs_that_windows_do_not_fit():
    g = scg.Graph("still")
    g.cost("c", g.parameter("a", 1.0) ** 2)
    with pytest.raises(scg.EstimatorError, match="'still' has no scan"):
        scg.compile(g, checkpoint=True)
    with pytest.raises(scg.EstimatorError, match="check_finite=True"):
        scg.compile(filtered(), checkpoint=True, check_finite=True)
    with pytest.raises(scg.EstimatorError, match=r"single steps \('z' by RAM\); scg.ScoreFunction"):
        scg.compile(filtered(kind=scg.Bernoulli), scg.RAM(), checkpoint=True)
    g, s, t = scg.Graph("crossed"), scg.Time("s"), scg.Time("t")
    a = g.parameter("a", 0.5)
    for over, other in ((s, t), (t, s)):
        start = g.data(f"x{other.name}", plates=other)
        g.cost(f"c{over.name}", g.scan(lambda h: a * h, init=start, over=over)[0])
    with pytest.raises(scg.EstimatorError, match=r"each scan of graph 'crossed' lies in another"):
        scg.compile(g, checkpoint=True)


def test_what_needs_all_steps_at_once():
    g, t = scg.Graph("peak"), scg.Time("t")
    x, a = g.data("x", plates=t), g.parameter("a", 0.5)
    _, hs = g.scan(lambda h, x: (np.tanh(a * h + x),) * 2, init=0.0, xs=x, over=t)
    g.cost("peak", scg.plate_logsumexp(hs, t))
    assert scg.compile(g, backend="numpy")({"a": 0.5}, seed=0, x=[0.1, 0.2]).cost > 0
    with pytest.raises(scg.EstimatorError, match=r"checkpoint: node .*peak.* all steps of 't'"):
        scg.compile(g, checkpoint=True)
