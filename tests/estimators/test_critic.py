"""Critics: baselines of named nodes, bootstraps along a scan and on separating sets."""

import itertools

import numpy as np
import pytest

import scg

GAMMA, STEPS, STATES = 0.7, 3, 3
PREFERENCES = np.arange(6.0).reshape(3, 2) / 3


def corridor(discount=GAMMA, masked=False, reverse=False):
    """A walker that knows its state and the step, each as an integer."""
    g, t = scg.Graph("corridor"), scg.Time("t", length=STEPS)
    preferences = g.parameter("preferences", PREFERENCES)
    mask = g.data("there", plates=t, kind="int") if masked else None

    def cell(carry, x):
        s, n = carry
        place = STATES * n + s
        g.deterministic("here", np.equal(place, np.arange(STATES * STEPS)) * 1.0)
        a = g.sample("a", scg.Categorical(logits=preferences[s]))
        after = g.deterministic("after", np.minimum(np.maximum(s + 2 * a - 1, 0), 2))
        g.cost("c", (after - 0.3) ** 2 + x * s)
        return after, n + 1

    xs = g.data("x", plates=t)
    options = {"mask": mask, "discount": discount, "reverse": reverse}
    last, _ = g.scan(cell, init=(1, 0), xs=xs, over=t, **options)
    g.cost("end", 0.5 * last[0])
    data = {"x": [0.3, -0.2, 0.4]} | ({"there": [1, 0, 1]} if masked else {})
    return g, data


def values(x, discount):
    """The cost-to-go in each state before each step, in its own units, at the first parameters."""
    probs = np.exp(PREFERENCES) / np.exp(PREFERENCES).sum(1, keepdims=True)
    v = 0.5 * np.arange(STATES) / discount**STEPS  # the last cost has no discount
    table = np.zeros((STEPS, STATES))
    for n in reversed(range(STEPS)):
        now = np.zeros(STATES)
        for s, a in itertools.product(range(STATES), (0, 1)):
            after = min(max(s + 2 * a - 1, 0), 2)
            now[s] += probs[s, a] * ((after - 0.3) ** 2 + x[n] * s + discount * v[after])
        table[n] = v = now
    return table.ravel()


def weights(step, scale=1.0):
    """A state of the critic that is far from its start."""
    rng = np.random.default_rng(5)
    state = step.init(seed=0)
    return {
        node: {
            name: np.abs(scale * rng.normal(size=np.shape(value)))
            if name in ("weight", "value_weight")
            else scale * rng.normal(size=np.shape(value))
            for name, value in own.items()
        }
        for node, own in state.items()
    }


def bias(step, g, data, state):
    params = g.init(seed=0)
    mean = scg.moments(step, params, data=data, state=state, variance=False).mean
    truth = scg.exact(g, params, data).grads
    return max(np.max(np.abs(mean[name] - truth[name])) for name in truth)


def of_critic(trace, **options):
    critic = scg.Critic(("here",), trace=trace, **options)
    return scg.ScoreFunction(critic, allow_biased=True)


@pytest.mark.parametrize(
    "options",
    [{}, {"discount": None}, {"masked": True}, {"reverse": True}],
    ids=["discount", "plain", "padded", "reverse"],
)
def test_a_critic_is_unbiased(options):
    g, data = corridor(**options)
    step = scg.compile(g, scg.ScoreFunction(scg.Critic(("here",), hidden=(3,))), backend="numpy")
    assert step.any_length
    assert step.plan.unbiased
    assert bias(step, g, data, weights(step)) < 1e-10


@pytest.mark.parametrize("trace", [0.0, 0.6])
def test_a_bootstrap_is_biased_unless_the_value_is_the_conditional_mean(trace):
    g, data = corridor()
    step = scg.compile(g, of_critic(trace, hidden=()), backend="numpy")
    assert not step.plan.unbiased
    assert bias(step, g, data, weights(step)) > 0.02
    state = step.init(seed=0)["a"] | {"out": values(data["x"], GAMMA)}
    assert bias(step, g, data, {"a": state}) < 1e-10
    with pytest.warns(scg.BiasWarning, match="ScoreFunction is a biased estimator"):
        scg.compile(g, scg.ScoreFunction(scg.Critic(("here",), trace=trace)), backend="numpy")


@pytest.mark.parametrize("trace", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("padded", [(1, 1, 1), (1, 0, 1)], ids=["whole", "padded"])
def test_the_signal_is_the_generalised_advantage(trace, padded):
    """Schulman et al. (2016), eq. 16, in NumPy, on sampled walks."""
    g, data = corridor(masked=True)
    data["there"] = list(padded)
    step = scg.compile(g, of_critic(trace, hidden=()), backend="numpy")
    params, state = g.init(seed=0), weights(step)
    probs = np.exp(PREFERENCES) / np.exp(PREFERENCES).sum(1, keepdims=True)
    own = state["a"]
    centre = own["average"] / max(own["weight"], 0.1)

    def value(s, n):
        return centre + own["offset"] + own["out"][STATES * n + s]

    for seed in range(8):
        actions = g.simulate(params, nodes=["a"], seed=seed, data=data)["a"][0].astype(int)
        s, n, walk = 1, 0, []
        for a, x, there in zip(actions, data["x"], padded, strict=True):
            if there:
                after = min(max(s + 2 * a - 1, 0), 2)
                walk.append((s, n, a, (after - 0.3) ** 2 + x * s))
                s, n = after, n + 1
        ends = [value(s, n) for s, n, *_ in walk[1:]] + [0.5 * s / GAMMA ** len(walk)]
        deltas = [c + GAMMA * v - value(s, n) for (s, n, _, c), v in zip(walk, ends, strict=True)]
        expected = np.zeros((3, 2))
        for t, (s, n, a, _) in enumerate(walk):
            advantage = sum((GAMMA * trace) ** k * d for k, d in enumerate(deltas[t:]))
            expected[s] += GAMMA**n * advantage * (np.eye(2)[a] - probs[s])
        found = step(params, seed=seed, data=data, state=state).grads["preferences"]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_loop_is_the_unrolled_graph(backend, reverse):
    g, data = corridor(masked=True, reverse=reverse)
    step = scg.compile(g, of_critic(0.6, hidden=(2,)), backend=backend)
    params, state = g.init(seed=0), weights(step)
    noise = step.noise(seed=3, runs=4, data=data)
    unrolled = step.unrolled({g.scans["cell"].plate: STEPS})
    one, other = (s(params, noise=noise, data=data, state=state) for s in (step, unrolled))
    np.testing.assert_allclose(one.grads["preferences"], other.grads["preferences"], atol=1e-12)
    for name, grad in one.estimator_grads["a"].items():
        np.testing.assert_allclose(grad, other.estimator_grads["a"][name], atol=1e-12)
    for name, new in one.state["a"].items():
        np.testing.assert_allclose(new, other.state["a"][name], atol=1e-12)


def test_a_critic_of_recorded_actions():
    g, data = corridor(discount=None)
    weighted = {"a": scg.Recorded(ratios="product")}
    step = scg.compile(
        g, scg.ScoreFunction(scg.Critic(("here",), hidden=(3,))), given=weighted, backend="numpy"
    )
    state, params, found = weights(step), g.init(seed=0), 0.0
    for actions in itertools.product((0, 1), repeat=STEPS):
        logs = np.log(np.where(actions, 0.3, 0.7))
        recorded = {**data, "a": np.array(actions), "a_log_prob": logs}
        grads = step(params, seed=0, data=recorded, state=state).grads
        found = found + np.exp(logs.sum()) * grads["preferences"]
    truth = scg.exact(g, params, data).grads["preferences"]
    np.testing.assert_allclose(found, truth, atol=1e-10)
    with pytest.raises(scg.EstimatorError, match=r"'a' is recorded.*ratios"):
        scg.compile(g, of_critic(0.5), given=weighted)


def test_it_learns_the_cost_to_go():
    g, data = corridor()
    step = scg.compile(g, of_critic(0.8, hidden=()), backend="numpy")
    run = scg.fit(
        step,
        data=data,
        seed=0,
        epochs=1,
        steps_per_epoch=700,
        optimizer=scg.optim.SGD(0.0),
        own_optimizer=scg.optim.Adam(0.03),
    )
    state = run.state["a"]
    centre = state["average"] / max(state["weight"], 0.1)
    learned = centre + state["offset"] + state["out"]
    truth = values(data["x"], GAMMA)
    reached = [1, 3, 5, 6, 7, 8]  # the states of each step
    assert np.max(np.abs(learned - truth)[reached]) < 0.25 * np.ptp(truth[reached])


# --- separating sets ------------------------------------------------------------------------------
def relay():
    """Two bits, a pair that separates them from far costs, and a cost of their own."""
    g, batch = scg.Graph("relay"), scg.Plate("batch", length=2)
    theta = g.parameter("theta", [0.3, -0.6])
    a = g.sample("a", scg.Bernoulli(logits=theta), plates=batch)
    s = g.sample("s", scg.Bernoulli(logits=2.0 * a[0] - 1.0))
    r = g.deterministic("r", a[0] * a[1])
    x = g.sample("x", scg.Bernoulli(logits=s - r))
    y = g.sample("y", scg.Bernoulli(logits=2 * x - s))
    g.cost("near", (np.sum(a) - 0.7) ** 2)
    g.cost("far", 3.0 * x * y - s + r)
    return g


def far_value(s, r):
    def p(v):
        return 1.0 / (1.0 + np.exp(-v))

    return 3.0 * p(s - r) * p(2 - s) - s + r


class Exact(scg.baselines.Baseline):
    """A bootstrap with the true conditional mean."""

    unbiased, requires = False, ("no scan",)

    def value(self, signal, dist, draw, downstream, memory):
        s, r = (downstream.value(name, below=True) for name in ("s", "r"))
        true = sum(
            np.equal(s, i) * np.equal(r, j) * far_value(i, j) for i in (0, 1) for j in (0, 1)
        )
        return downstream.beyond(("s", "r")) - true / downstream.unit


@pytest.mark.parametrize("baseline", [None, scg.baselines.Constant(0.4)], ids=str)
def test_a_bootstrap_on_a_separating_set(baseline):
    g = relay()
    bootstrap = scg.Bootstrap(("s", "r"), hidden=(3,), baseline=baseline)
    far = scg.ScoreFunction(bootstrap, allow_biased=True)
    others = dict.fromkeys(("s", "x", "y"), scg.ScoreFunction())
    step = scg.compile(g, {"a": far, **others}, backend="numpy")
    assert not step.plan.unbiased
    assert bias(step, g, {}, weights(step, 3.0)) > 0.02
    exact = scg.compile(
        g, {"a": scg.ScoreFunction(Exact(), allow_biased=True), **others}, backend="numpy"
    )
    assert bias(exact, g, {}, None) < 1e-10
    plain = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    params = g.init(seed=0)
    less, more = (scg.moments(s, params).variance["theta"].sum() for s in (exact, plain))
    assert less < more


def test_errors():
    g, _ = corridor()
    for critic, words in (
        (scg.Critic(("after",)), "'after', which depends on the node's own sample"),
        (scg.Critic(("her",)), "'her', which is not a node at its step.*did you mean 'here'"),
        (scg.Bootstrap(("after",)), r"it is in a scan; write scg.Critic"),
    ):
        with pytest.raises(scg.EstimatorError, match=words):
            scg.compile(g, scg.ScoreFunction(critic, allow_biased=True), backend="numpy")
    with pytest.raises(scg.EstimatorError, match=r"of node 'a' bootstraps .* Write trace=1.0"):
        scg.compile(g, of_critic(0.5), stream=True, truncate=scg.RTRL(), backend="numpy")
    g = relay()
    for critic, words in (
        (scg.Bootstrap(("s",)), r"does not separate the node from it"),
        (scg.Critic(("s",)), "depends on the node's own sample"),
        (scg.Critic(("theta",), trace=0.5), "is in no scan"),
    ):
        with pytest.raises(scg.EstimatorError, match=words):
            scg.compile(g, {"a": scg.ScoreFunction(critic, allow_biased=True)}, backend="numpy")
    for wrong in "here", (), (1,):
        with pytest.raises(scg.EstimatorError, match="inputs must be names"):
            scg.Critic(wrong)
    with pytest.raises(scg.EstimatorError, match=r"trace must be in \[0, 1\]"):
        scg.Critic(("here",), trace=1.5)
    with pytest.raises(scg.EstimatorError, match=r"MuProp: .* is biased"):
        scg.MuProp(baseline=scg.Critic(("here",), trace=0.5))
