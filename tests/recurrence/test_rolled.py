"""Loops and unrolled graphs estimate the same: each estimator on three of the random graphs.

``benchmarks/recurrence/rolled.py`` compares all forty, on both backends and at four lengths; the
record says which of the unrolled graphs have too many paths.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import scg

from .recurrent import GRAPHS, ROLLED, ROWS, Recurrent, gaps


def fitting(row, count=3):
    """The first graphs, from one that depends on the row, on which a row fits a node."""
    start = list(ROWS).index(row)
    for seed in range(start, start + GRAPHS):
        case = Recurrent(seed % GRAPHS)
        if count and case.estimators(row) is not None:
            count -= 1
            yield case


@pytest.mark.parametrize("row", ROLLED)
def test_loops_estimate_what_the_unrolled_graph_estimates(row):
    for i, case in enumerate(fitting(row)):
        step, *found = gaps(case, row, (2, 17) if i == 0 else (1, 3)[i % 2 :])
        assert step.rolled is not None, case.seed
        assert found and max(found) < 1e-12, case.seed


def test_recorded_comparisons_agree():
    """All that ``docs/explanation/the_law.md`` says of them: the record is whole, and its bound."""
    path = Path(__file__).parents[2] / "docs/results/recurrence.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    every = {(graph, row) for graph in range(GRAPHS) for row in ROWS}
    same = [r for r in found if "same" in r and False not in r["same"].values()]
    settled = {(r["graph"], r["row"]) for r in same}
    for backend in ("numpy", "numba"):
        own = [r for r in found if r.get("backend") == backend]
        assert {(r["graph"], r["row"]) for r in own} == every
        steps = {(r["graph"], r["row"], n) for r in own for n in r["differences"] | r["left"]}
        for r in own:
            if r["how"] in ("loop", "unrolled"):
                pair = r["graph"], r["row"]
                assert pair in settled or (*pair, "17") in steps, pair
                assert steps.issuperset((*pair, n) for n in "123"), pair
    left = {why for r in found for why in r["left"].values()}
    assert left == {"the unrolled graph has too many paths"}
    assert max(max(r.get("differences", {}).values(), default=0.0) for r in found) < 1e-13


@pytest.mark.parametrize("row", ["REBAR", "DisARM", "RAM", "enumeration", "MuProp, rollout"])
def test_estimators_that_look_at_steps_run_unrolled(row):
    case = next(fitting(row, 1))
    step, *found = gaps(case, row, (1,))
    assert step.rolled is None and max(found) < 1e-12


def test_unrolled_steps_say_who_chose_their_estimators():
    g, t = scg.Graph("apart"), scg.Time("t")
    w = g.parameter("w", 0.3)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=w + h))
        b = g.sample("b", scg.Bernoulli(logits=h))
        g.cost("c", (z - 0.4) ** 2 + b)
        return np.tanh(z + h)

    g.scan(cell, init=0.0, over=t)
    plan = scg.compile(g, {"b": scg.RAM()}, backend="numpy").plan
    reasons = {node.name: reason for node, reason in plan.reasons.items()}
    assert len(reasons) > 2 and plan.steps
    assert {name[0] for name, why in reasons.items() if why == "chosen by the user"} == {"b"}
    assert all(why.startswith("automatic: ") for name, why in reasons.items() if name[0] == "z")
    with pytest.raises(scg.EstimatorError, match=r"node 'z' .* uses CARMS"):
        scg.compile(g, {"z": scg.CARMS()})
    with pytest.raises(scg.EstimatorError, match=r"node 'z': DisARM has no .* order 2"):
        scg.compile(g, {"z": scg.DisARM()}, order=2)


@pytest.mark.parametrize("estimator", [scg.RSVI(), scg.GREP(), None], ids=str)
def test_rejection_samples_in_loops(estimator):
    g, t = scg.Graph("gamma"), scg.Time("t")
    x, a = g.data("x", plates=t), g.parameter("a", 0.3)

    def cell(h, x):
        z = g.sample("z", scg.Gamma(np.exp(a * h) + 1.2, 2.0))
        k = g.sample("k", scg.Bernoulli(logits=z * x))
        g.cost("c", (z - 0.3) ** 2 * x + h * z * k)
        return 0.5 * h + np.tanh(z) + k

    g.scan(cell, init=0.0, xs=x, over=t)
    chosen = {"k": scg.LeaveOneOut(samples=3)} | ({"z": estimator} if estimator else {})
    step = scg.compile(g, chosen)
    assert step.rolled is not None
    for length in (2, 3):
        data = {"x": np.linspace(0.3, 1.0, length)}
        noise = step.noise(seed=1, runs=2, data=data)
        plain = scg.compile(g.unroll(t=length), chosen)({"a": 0.3}, noise=noise, data=data)
        found = step({"a": 0.3}, noise=noise, data=data)
        assert found.grads["a"] == pytest.approx(plain.grads["a"], rel=1e-12)


@pytest.mark.parametrize(
    ("lags", "words"),
    [
        ((0, 1), "0 to 1 after"),
        ((1,), "1 after"),
        ((0, 1, 2), "0 to 2 after"),
        ((2, 3), "2 to 3 after"),
        ((0, 2), None),  # which loops would round up
        ((0, 1, 2, 3, 4), None),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_memories_of_a_few_steps(lags, words, reverse):
    g, t = scg.Graph("memory"), scg.Time("t")
    x, a = g.data("x", plates=t), g.parameter("a", 0.3)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=a * x))
        seen = (z, *h)
        g.cost("c", sum((k + 1) * seen[k] for k in lags) ** 2 * (1.5 + x))
        return seen[:-1]

    g.scan(cell, init=(0.0,) * lags[-1], xs=x, over=t, reverse=reverse)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    assert (step.rolled is not None) is (words is not None)
    if words:
        told = words.replace("after", "before" if reverse else "after")
        assert f"z influences c (steps {told} t)" in str(step.stages["influence"])
        assert f"costs of steps {told} t" in str(step.explain())
    data = {"x": np.linspace(-1.0, 1.0, 8)}
    noise = step.noise(seed=1, runs=3, data=data)
    plain = scg.compile(g.unroll(t=8), scg.ScoreFunction(), backend="numpy")
    found, own = (one({"a": 0.3}, noise=noise, data=data) for one in (plain, step))
    assert own.grads["a"] == pytest.approx(found.grads["a"], rel=1e-12)
    assert own.stderr["a"] == pytest.approx(found.stderr["a"], rel=1e-12)


@pytest.mark.parametrize("deep", [False, True])
def test_inner_scans_that_begin_at_a_constant(deep):
    """Their carries are met before those of the scans around them, which they read."""
    g, plates = scg.Graph("parts"), [scg.Time(name) for name in "rst"[: 2 + deep]]
    x, a = g.data("x", plates=plates), g.parameter("a", 0.3)

    def cell(above, over, *rest):
        def step(h, x):
            if rest:
                return g.scan(
                    cell(h + above, *rest), init=0.2, xs=x, over=rest[0], name=rest[0].name
                )[0]
            z = g.sample("z", scg.Normal(np.tanh(a * h + x + above), 0.5))
            g.cost("c", (z - h) ** 2 * x)
            return np.tanh(z + a * h)

        return step

    g.scan(cell(0.0, *plates), init=0.1, xs=x, over=plates[0])
    step = scg.compile(g, backend="numpy")
    assert step.rolled is not None
    data = {"x": np.random.default_rng(0).normal(size=(3, 2, 2)[: 2 + deep])}
    lengths = dict(zip("rst", data["x"].shape, strict=False))
    plain = scg.compile(g.unroll(**lengths), backend="numpy")
    noise = step.noise(seed=0, data=data)
    found, own = (one({"a": 0.3}, noise=noise, data=data) for one in (plain, step))
    assert own.cost == pytest.approx(found.cost, rel=1e-12)
    assert own.grads["a"] == pytest.approx(found.grads["a"], rel=1e-12)


def test_compiled_loops():
    step, *found = gaps(Recurrent(2), "mixed", (1, 3), backend="numba")
    assert step.rolled is not None and max(found) < 1e-12
    kernels = step.source
    assert len(found) == 2 and kernels == step.source


def test_beyond_the_limit_of_paths_one_error_says_what_fits():
    g, t = scg.Graph("long"), scg.Time("t")
    x = g.data("x", plates=t)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=h + x))
        g.cost("c", z * h)
        return h + z

    g.scan(cell, init=g.parameter("a", 0.0), xs=x, over=t)
    step = scg.compile(g, scg.Enumeration())
    assert step({"a": 0.0}, seed=0, x=np.zeros(5)).cost > 0
    with pytest.raises(scg.EstimatorError, match=r"more than 1024.*fewer nodes.*scg.LeaveOneOut"):
        step({"a": 0.0}, seed=0, x=np.zeros(30))


def test_many_paths_of_nodes_that_no_joint_plate_fits():
    g, t = scg.Graph("points"), scg.Time("t", length=17)
    w = g.parameter("w", 0.3)

    def cell(h):
        z = g.sample("z", scg.Delta(np.tanh(w * h)))
        g.cost("c", (z - 0.5 * h) ** 2)
        return z + h

    g.scan(cell, init=0.5, over=t)
    step = scg.compile(g, scg.SPSA(allow_biased=True), backend="numpy")
    with pytest.raises(scg.EstimatorError, match=r"131072 paths.*Give it to fewer nodes: scg.comp"):
        step({"w": 0.3}, seed=0)


def test_explain_says_why_steps_run_one_by_one(monkeypatch):
    def step(estimator, keep):
        g, t = scg.Graph("lag"), scg.Time("t")
        x, theta = g.data("x", plates=t), g.parameter("theta", 0.3)

        def cell(h, x):
            z = g.sample("z", scg.Bernoulli(logits=theta))
            g.cost("c", (z - 0.5 * h[0 if keep else 1]) ** 2)
            return z + keep * h[0] if keep else z, h[0]

        g.scan(cell, init=(0.0, 0.0), xs=x, over=t)
        return scg.compile(g, estimator, backend="numpy")

    monkeypatch.setattr("scg.passes.MANY_STEPS", 5)
    several = step(scg.RAM(), 0.5)
    for length in (4, 5):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            several({"theta": 0.3}, seed=0, x=np.zeros(length))
        assert [str(w.message).partition(" are")[0] for w in told] == (
            ["graph 'lag': 5 steps of 't'"] if length == 5 else []
        )
    for keep, estimator, why in (
        (0.0, scg.ScoreFunction(), "a loop would credit 'z' with 'c' at steps that it does not"),
        (0.5, scg.RAM(), "an estimator looks at single steps ('z' by RAM)"),
    ):
        made = step(estimator, keep)
        assert not made.any_length and f"compiled for each length; {why}" in str(made.explain())
    made = step(scg.ScoreFunction(), 0.5)
    assert made.any_length and "compiled for each length" not in str(made.explain())


@pytest.mark.parametrize(
    "options",
    [{"truncate": scg.RTRL()}, {"truncate": scg.UORO(), "stream": True}, {"checkpoint": True}],
    ids=str,
)
def test_loops_do_not_give_credit_that_is_stopped(options):
    """A sample influences its own cost; that of a later step only through the stopped carry."""
    g, t = scg.Graph("stopped"), scg.Time("t", length=3)
    theta = g.parameter("theta", 0.3)

    def cell(h):
        before = scg.stop_gradient(h)
        z = g.sample("z", scg.Bernoulli(logits=theta + before))
        g.cost("c", (z - before) ** 2)
        return np.tanh(before + z)

    g.scan(cell, init=0.2, over=t)
    plain = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    truth = scg.exact(g, {"theta": 0.3}).grads["theta"]
    assert scg.moments(plain, {"theta": 0.3}).mean["theta"] == pytest.approx(truth, abs=1e-12)
    assert "through stop_gradient alone" in str(plain.plan)
    with pytest.raises(scg.EstimatorError, match=r"'z' with 'c' .* through stop_gradient alone"):
        scg.compile(g, scg.ScoreFunction(), backend="numpy", **options)
    scg.compile(g, truncate=scg.PES(sigma=0.1), backend="numpy")


def independent(where):
    """Bits that no carry leads to; a cost sees those of its step, of earlier ones, or all."""
    g, t = scg.Graph("bits"), scg.Time("t", length=3)
    theta = g.parameter("theta", 0.3)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=theta))
        if where == "step":
            g.cost("own", (z - 0.2) ** 2 * theta)
        if where == "carry":
            g.cost("later", (z - 0.3 * h) ** 2 + 1.3 * h**3)
        return z + 0.5 * h, z

    _, zs = g.scan(cell, init=0.0, over=t)
    if where == "outside":
        g.cost("all", np.exp(scg.plate_sum(zs, t)))
    return g


@pytest.mark.parametrize("where", ["step", "carry", "outside"])
@pytest.mark.parametrize(
    "estimator",
    [scg.Enumeration(), scg.UnorderedSet(2), scg.SumAndSample(2), scg.Stratified(2)],
    ids=lambda own: type(own).__name__,
)
def test_weights_of_single_steps_stay_at_their_step(estimator, where):
    """Where costs meet samples of several steps, these cannot lie on one plate with its weights."""
    g = independent(where)
    step = scg.compile(g, estimator, backend="numpy")
    assert step.any_length == (where == "step")
    params = {"theta": 0.3}
    truth, out = scg.exact(g, params), step(params, seed=0, runs=2000)
    stderr = out.stderr["theta"]
    assert abs(out.grads["theta"] - truth.grads["theta"]) < 5 * stderr + 1e-12
    assert stderr < 0.1 * abs(truth.grads["theta"])
    if where == "carry":
        with pytest.raises(scg.EstimatorError, match="single steps"):
            scg.compile(g, estimator, truncate=scg.UORO(), backend="numpy")


@pytest.mark.parametrize("where", ["carry", "outside"])
@pytest.mark.parametrize("estimator", [scg.DisARM(), scg.ARM(), scg.ARMS(samples=3)], ids=str)
def test_couplings_of_independent_steps_share_a_plate(estimator, where):
    g = independent(where)
    step, params = scg.compile(g, estimator, backend="numpy"), {"theta": 0.3}
    noise = step.noise(seed=0, runs=20)
    (made,) = g.scans.values()
    rolled, apart = (s(params, noise=noise) for s in (step, step.unrolled({made.plate: 3})))
    assert step.any_length
    assert rolled.grads["theta"] == pytest.approx(apart.grads["theta"], rel=1e-12)
    exact = scg.exact(g, params).grads["theta"]
    assert scg.moments(step, params).mean["theta"] == pytest.approx(exact, rel=1e-10)
