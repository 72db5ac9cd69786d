"""Recorded values: scored as data, weighted by importance ratios, and marked where biased."""

import itertools
import warnings

import numpy as np
import pytest

import scg

STEPS = 3
LAWS = np.array([[0.3, 0.7], [0.45, 0.55], [0.6, 0.4]])  #: of the behaviour, at each step
X = {"x": [0.3, 1.2, 0.5]}
PRODUCT = {"a": scg.Recorded(ratios="product")}


def corridor(masked=False):
    """A walker whose actions also lead to a bit below them, and costs of three kinds."""
    g, t = scg.Graph("corridor"), scg.Time("t")
    preferences = g.parameter("preferences", np.arange(6.0).reshape(3, 2) / 7)
    bonus = g.parameter("bonus", 0.3)
    mask = g.data("there", plates=t, kind="int") if masked else None

    def cell(s, x):
        a = g.sample("a", scg.Categorical(logits=preferences[s]))
        b = g.sample("b", scg.Bernoulli(logits=0.3 + bonus * a))
        after = np.minimum(np.maximum(s + 2 * a - 1, 0), 2)
        g.cost("c", (after - x + bonus * b) ** 2)
        return after

    last, _ = g.scan(cell, init=1, xs=g.data("x", plates=t), over=t, mask=mask)
    g.cost("end", 0.7 * last * bonus)
    return g


def behaved(step, params, data, there=(1,) * STEPS):
    """The mean of gradient and cost over recorded actions and all other noise, exactly."""
    found, cost = {}, 0.0
    for actions in itertools.product((0, 1), repeat=STEPS):
        logs = np.log([LAWS[t][a] for t, a in enumerate(actions)])
        weight = np.exp(logs.sum())
        given = {**data, "a": np.array(actions), "a_log_prob": logs}
        m = scg.moments(step, params, data={k: given[k] for k in step.data_nodes})
        found = {k: found.get(k, 0.0) + weight * v for k, v in m.mean.items()}
        cost += weight * m.cost
    return found, cost


def bias(step, g, data=X):
    params = g.init(seed=0)
    truth = scg.exact(g, params, data)
    found, cost = behaved(step, params, data)
    return max(np.max(np.abs(found[k] - truth.grads[k])) for k in found), abs(cost - truth.cost)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [
        None,
        {"a": scg.ScoreFunction(scg.baselines.Constant(0.7)), "b": scg.ScoreFunction()},
        {"a": scg.ScoreFunction(scg.baselines.Network(hidden=(3,))), "b": scg.ScoreFunction()},
    ],
    ids=["automatic", "constant", "network"],
)
def test_products_of_ratios_are_unbiased(estimator, masked):
    g = corridor(masked)
    data = X | ({"there": [1, 0, 1]} if masked else {})
    step = scg.compile(g, estimator, given=PRODUCT, backend="numpy")
    assert step.any_length
    assert step.plan.unbiased
    assert max(bias(step, g, data)) < 1e-10


@pytest.mark.parametrize(
    "weights",
    [
        scg.Recorded(allow_biased=True),
        scg.Recorded(ratios="step", allow_biased=True),
        scg.Recorded(ratios="product", clip=1.1, allow_biased=True),
    ],
    ids=str,
)
def test_other_weights_are_biased_and_marked(weights):
    g = corridor()
    step = scg.compile(g, given={"a": weights}, backend="numpy")
    assert bias(step, g)[0] > 0.02
    assert not step.plan.unbiased
    assert "BIASED" in str(step.plan)
    why = step.explain()
    assert "BIASED" in str(why)
    assert ("ρ(‹a›)" in str(why.derivation.lines)) is (weights.ratios is not None)
    assert ("\\rho(" in why.to_latex()) is (weights.ratios is not None)
    recorded = {**X, "a": [1, 0, 1], "a_log_prob": [-0.5] * STEPS}
    data = {k: recorded[k] for k in step.data_nodes}
    assert not step(g.init(seed=0), seed=0, data=data).unbiased
    with pytest.warns(scg.BiasWarning, match="weighted by Recorded"):
        scg.compile(g, given={"a": scg.Recorded(weights.ratios, weights.clip)}, backend="numpy")


def test_values_of_the_present_parameters_need_no_ratio():
    """A step on recorded samples has the gradient of the step that sampled them."""
    g = corridor()
    params = g.init(seed=0)
    same = scg.ScoreFunction(scg.baselines.Constant(0.4))
    live = scg.compile(g, same, backend="numpy")
    for ratios in None, "step", "product":
        weights = {"a": scg.Recorded(ratios, allow_biased=True)}
        step = scg.compile(g, same, given=weights, backend="numpy")
        for seed in range(5):
            drawn = g.simulate(params, nodes=["a", "b"], seed=seed, data=X)
            data = {**X, "a": drawn["a"][0].astype(int)}
            if ratios is not None:
                states = np.minimum(np.maximum(1 + np.cumsum(2 * data["a"] - 1), 0), 2)
                rows = params["preferences"][np.concatenate([[1], states[:-1]])]
                logs = rows - np.log(np.exp(rows).sum(1, keepdims=True))
                data["a_log_prob"] = logs[np.arange(STEPS), data["a"]]
            one, other = live(params, seed=seed, data=X), step(params, seed=seed, data=data)
            np.testing.assert_allclose(one.cost, other.cost, atol=1e-14)
            for name, grad in one.grads.items():
                np.testing.assert_allclose(grad, other.grads[name], atol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_unrolled_step_is_the_same(backend):
    g = corridor(masked=True)
    estimator = {"a": scg.ScoreFunction(scg.baselines.Constant(0.7)), "b": scg.ScoreFunction()}
    step = scg.compile(g, estimator, given=PRODUCT, backend=backend, order=2)
    params = g.init(seed=0)
    data = {**X, "there": [1, 0, 1], "a": [1, 0, 0], "a_log_prob": [-0.4, -3.0, -0.9]}
    plate = g.scans["cell"].plate
    unrolled = step.unrolled({plate: STEPS})
    noise = step.noise(seed=3, runs=4, data=data)
    one, other = (s(params, noise=noise, data=data) for s in (step, unrolled))
    np.testing.assert_allclose(one.cost, other.cost, atol=1e-12)
    for a, row in one.hessian.items():
        np.testing.assert_allclose(one.grads[a], other.grads[a], atol=1e-12)
        for b, block in row.items():
            np.testing.assert_allclose(block, other.hessian[a][b], atol=1e-12)


@pytest.mark.parametrize("pad", [np.nan, np.inf, -3.0])
@pytest.mark.parametrize("ratios", ["product", "step"])
def test_what_pads_recorded_values_does_not_count(ratios, pad):
    g, t = scg.Graph("padded"), scg.Time("t")
    w = g.parameter("w", [0.3, -0.4])

    def cell(h):
        a = g.sample("a", scg.Gamma(np.exp(w[0] * h), 1.0))
        new = np.tanh(h * w[1] + a**2)
        g.cost("c", new**2)
        return new

    g.scan(cell, init=0.2, over=t, mask=g.data("there", plates=t, kind="int"))
    weighted = {"a": scg.Recorded(ratios, allow_biased=True)}
    step = scg.compile(g, given=weighted, order=2, backend="numpy")
    params = g.init(seed=0)
    short = {"there": [1, 1], "a": [0.4, 0.9], "a_log_prob": [-0.5, -0.7]}
    long = {"there": [1, 0, 1], "a": [0.4, pad, 0.9], "a_log_prob": [-0.5, pad, -0.7]}
    wanted, found = (step(params, seed=0, data=data) for data in (short, long))
    assert found.cost == pytest.approx(wanted.cost, rel=1e-12)
    np.testing.assert_allclose(found.grads["w"], wanted.grads["w"], rtol=1e-12)
    np.testing.assert_allclose(found.hessian["w"]["w"], wanted.hessian["w"]["w"], rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_pads_recorded_deterministic_values_does_not_count(backend):
    """Rewards that were not paid are NaN, and rows that were not read are in no table."""
    g, t = scg.Graph("live"), scg.Time("t")
    theta, w = g.parameter("theta", [0.1, -0.4]), g.parameter("w", [0.3, 0.2, 0.5])

    def cell(h):
        a = g.sample("a", scg.Categorical(logits=theta * h))
        paid, row = g.deterministic("paid", 2.0 * a), g.deterministic("row", a + 0)
        g.cost("c", paid * w[0] * h + np.log(paid + 2.0) + w[row] * h)
        return np.tanh(h + paid * w[1])

    g.scan(cell, init=0.3, over=t, mask=g.data("there", plates=t, kind="int"))
    nodes = {"a": scg.Recorded(allow_biased=True), "paid": scg.Recorded(), "row": scg.Recorded()}
    step = scg.compile(g, given=nodes, backend=backend)
    params = g.init(seed=0)
    short = {"there": [1, 1], "a": [1, 0], "paid": [0.5, 2.0], "row": [2, 1]}
    long = {"there": [1, 0, 1], "a": [1, 7, 0], "paid": [0.5, np.nan, 2.0], "row": [2, 99, 1]}
    wanted = step(params, seed=0, data=short)
    for found in (s(params, seed=0, data=long) for s in (step, step.unrolled({t: 3}))):
        assert found.cost == pytest.approx(wanted.cost, rel=1e-12)
        for name, grad in wanted.grads.items():
            np.testing.assert_allclose(found.grads[name], grad, rtol=1e-12)
    with pytest.raises(scg.CallError, match="recorded 'paid' must be real, got nan"):
        step(params, seed=0, data={**long, "there": [1, 1, 1], "a": [1, 1, 0]})


def plain():
    """Nodes without a scan: a pathwise one above the recorded one, costs mixed over a plate."""
    g, batch = scg.Graph("plain"), scg.Plate("batch", length=2)
    theta, phi = g.parameter("theta", 0.4), g.parameter("phi", [0.2, -0.5])
    top = g.sample("top", scg.Bernoulli(logits=theta), plates=batch)
    a = g.sample("a", scg.Categorical(logits=np.stack([phi[0] * top, phi[1], theta])), plates=batch)
    low = g.sample("low", scg.Bernoulli(logits=phi[0] * a), plates=batch)
    g.cost("mixed", scg.plate_mean(a + low, batch) ** 2)
    g.cost("own", scg.plate_mean((a - top) ** 2 * theta, batch))
    return g


@pytest.mark.parametrize("low", [None, scg.RAM(), scg.LeaveOneOut(3), scg.DisARM()], ids=str)
def test_without_scans_and_with_any_estimator_below(low):
    g = plain()
    params, q = g.init(seed=0), np.array([0.5, 0.2, 0.3])
    step = scg.compile(g, {} if low is None else {"low": low}, given=PRODUCT, backend="numpy")
    truth = scg.exact(g, params)
    found = dict.fromkeys(truth.grads, 0.0)
    for values in itertools.product(range(3), repeat=2):
        logs = np.log(q[list(values)])
        data = {"a": np.array(values), "a_log_prob": logs}
        m = scg.moments(step, params, data=data, variance=False)
        found = {k: v + np.exp(logs.sum()) * m.mean[k] for k, v in found.items()}
    for name, grad in truth.grads.items():
        np.testing.assert_allclose(found[name], grad, atol=1e-10)


def test_a_recorded_deterministic_node_keeps_its_paths():
    """A live environment: rewards are data, and actions are credited with those to come."""
    calls = []
    g, t = scg.Graph("live"), scg.Time("t")
    theta = g.parameter("theta", [0.1, -0.4])
    world = scg.op(lambda s, a: calls.append(0) or s + a, name="world")

    def cell(s):
        a = g.sample("a", scg.Categorical(logits=theta * s))
        s = g.deterministic("place", world(s, a))
        g.cost("c", g.deterministic("paid", s**2.0))
        return s

    g.scan(cell, init=1.0, over=t)
    step = scg.compile(
        g,
        given={
            "a": scg.Recorded(allow_biased=True),
            "place": scg.Recorded(),
            "paid": scg.Recorded(),
        },
        backend="numpy",
    )
    place, paid, a = np.array([1.5, 0.5, 2.0]), np.array([3.0, -1.0, 2.0]), np.array([1, 0, 1])
    out = step({"theta": [0.1, -0.4]}, seed=0, a=a, place=place, paid=paid)
    before = np.array([1.0, 1.5, 0.5])
    logits = before[:, None] * np.array([0.1, -0.4])
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    scores = (np.eye(2)[a] - probs) * before[:, None]
    to_go = np.cumsum(paid[::-1])[::-1]
    np.testing.assert_allclose(out.grads["theta"], to_go @ scores, atol=1e-12)
    assert out.cost == paid.sum()
    assert not calls


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        ({"a": scg.MuProp()}, r"node 'a' is recorded.*MuProp.*ScoreFunction"),
        ({"a": scg.LeaveOneOut()}, "node 'a' is recorded.*LeaveOneOut"),
        (
            {"a": scg.ScoreFunction(scg.baselines.SelfCritical())},
            "node 'a' is recorded.*SelfCritical",
        ),
        ({"a": scg.StraightThrough(allow_biased=True)}, "node 'a' is recorded, and has a score"),
        ({"top": scg.RAM()}, "node 'top' leads to recorded values.*RAM"),
        ({"top": scg.Enumeration()}, "node 'top' leads to recorded values.*Enumeration"),
    ],
    ids=str,
)
def test_estimators_that_need_other_values_are_refused(estimator, words):
    with pytest.raises(scg.EstimatorError, match=words):
        scg.compile(plain(), estimator, given=PRODUCT)


def test_fit_learns_from_logged_actions():
    """A bandit whose log came from another policy: mini-batches of recorded actions and rewards."""
    g, batch = scg.Graph("bandit"), scg.Plate("batch")
    theta = g.parameter("theta", np.zeros(3))
    a = g.sample("a", scg.Categorical(logits=theta), plates=batch)
    pay = scg.op(lambda a: 1.0 * a, name="pay", vectorized=True)
    g.cost("loss", -g.deterministic("paid", pay(a)))
    given = {**PRODUCT, "paid": scg.Recorded()}
    step = scg.compile(g, given=given, backend="numpy")
    rng, q = np.random.default_rng(0), np.array([0.6, 0.3, 0.1])
    actions = rng.choice(3, 400, p=q)
    log = {
        "a": actions,
        "a_log_prob": np.log(q[actions]),
        "paid": np.array([0.2, 0.9, 0.5])[actions],
    }
    run = scg.fit(step, data=log, seed=0, epochs=20, batch_size=50, optimizer=scg.optim.Adam(0.05))
    assert np.argmax(run.params["theta"]) == 1
    with pytest.raises(scg.CallError, match="data 'paid' is missing"):
        scg.fit(step, data={k: log[k] for k in ("a", "a_log_prob")}, seed=0, batch_size=50)


def test_recorded_normals_are_scored_and_a_pathwise_node_leads_to_them():
    g = scg.Graph("normals")
    theta, phi = g.parameter("theta", 0.4), g.parameter("phi", -0.3)
    x = g.sample("x", scg.Normal(phi, 1.0))
    a = g.sample("a", scg.Normal(theta * x, 0.8))
    g.cost("c", (a - 1.0) ** 2 + x)
    step = scg.compile(g, given=PRODUCT, backend="numpy")
    assert [type(own).__name__ for own in step.plan.estimators.values()] == [
        "Reparameterization",
        "ScoreFunction",
    ]
    params, noise = g.init(seed=0), step.noise(seed=1)
    x = -0.3 + noise["x/n"].item()
    found = step(params, noise=noise, data={"a": 0.7, "a_log_prob": -1.1}).grads
    logp = -0.5 * ((0.7 - 0.4 * x) / 0.8) ** 2 - np.log(0.8) - 0.5 * np.log(2 * np.pi)
    ratio, cost = np.exp(logp + 1.1), 0.09 + x
    slope = (0.7 - 0.4 * x) / 0.64
    np.testing.assert_allclose(found["theta"], ratio * cost * slope * x, atol=1e-12)
    np.testing.assert_allclose(found["phi"], ratio * (cost * slope * 0.4 + 1.0), atol=1e-12)


def test_errors():
    g = plain()
    g.deterministic("twice", g.parameter("w", 1.0) * 2)
    for given, words in (
        (("aa",), "'aa' is not a stochastic or deterministic node.*did you mean 'a'"),
        ("a", r"write given=\('a',\)"),
        (None, r'^given: expected names, got None; write given=\("action",\)$'),
        ({"a": 1}, r"expected scg.Recorded\(...\) for node 'a'"),
        ({"twice": scg.Recorded(ratios="product")}, "'twice' is deterministic"),
    ):
        with pytest.raises(scg.EstimatorError, match=words):
            scg.compile(g, given=given)
    with pytest.raises(scg.EstimatorError, match="earlier windows"):
        scg.compile(corridor(), given=PRODUCT, stream=True, truncate=scg.RTRL())
    with pytest.raises(scg.EstimatorError, match='ratios must be "product" or "step"'):
        scg.Recorded(ratios="all")
    with pytest.raises(scg.EstimatorError, match="clip"):
        scg.Recorded(clip=2.0)
    step = scg.compile(plain(), given=PRODUCT, backend="numpy")
    with pytest.raises(scg.CallError, match="data 'a' is missing"):
        step(plain().init(seed=0), seed=0)
    with pytest.raises(scg.CallError, match="declared as integers"):
        step(plain().init(seed=0), seed=0, a=[0.5, 1.0], a_log_prob=[0.0, 0.0])
    lacking = {"a": [0, 3], "a_log_prob": [0.0, 0.0]}
    with pytest.raises(scg.CallError, match=r"recorded values of node 'a' must be .*got 3"):
        step(plain().init(seed=0), seed=0, data=lacking)
    with pytest.raises(scg.CallError, match=r"recorded 'a_log_prob' must be .*got -inf"):
        step(plain().init(seed=0), seed=0, data={"a": [0, 1], "a_log_prob": [0.0, -np.inf]})
    with pytest.raises(scg.CallError, match="check: the values of 'a' are recorded"):
        scg.check(step, plain().init(seed=0), seed=0)


def test_a_distribution_without_parameters_needs_no_mark():
    g = scg.Graph("coin")
    coin = g.sample("coin", scg.Bernoulli(probs=0.3))
    g.cost("loss", g.parameter("theta", 2.0) * coin)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step = scg.compile(g, given=("coin",), backend="numpy")
    assert step.plan.unbiased
    assert step({"theta": 2.0}, seed=0, coin=1.0).grads["theta"] == 1.0
