"""A hidden Markov model by sampled states, by the forward algorithm as a scan, and summed."""

import numpy as np
import pytest

import scg

K, NOISE = 3, 0.6
ENDS = [4, 3]  # sequences of different lengths
RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 1.0, size=(4, len(ENDS)))
THERE = (np.arange(4)[:, None] < ENDS).astype(int)
MOVES, MEANS = RNG.normal(size=(K + 1, K)), np.arange(K) + 0.3  # the last row is that of the start


def markov(kind):
    g, t, batch = scg.Graph(kind), scg.Time("t"), scg.Plate("batch", reduce="mean")
    x = g.data("x", plates=(batch, t))
    there = g.data("there", plates=(batch, t), kind="int")
    moves, means = g.parameter("moves", MOVES), g.parameter("means", MEANS)

    def forward(known, x):
        moved = scg.logsumexp(known[:, None] + scg.log_softmax(moves, axis=1), axis=0)
        now = moved - ((x - means) / NOISE) ** 2 / 2 - np.log(NOISE * np.sqrt(2 * np.pi))
        return np.concatenate([now, [-1e9]])

    def sampled(z, x, q=None):
        prior = scg.Categorical(logits=moves[z])
        now = g.sample("z", prior if q is None else scg.Categorical(logits=q[z]))
        if q is not None:
            g.cost("kl", now.log_prob() - prior.log_prob(now))
        g.observe("x given z", scg.Normal(means[now], NOISE), x)
        return now

    if kind == "forward":
        start = np.where(np.arange(K + 1) < K, -1e9, 0.0)
        g.cost("loss", -scg.logsumexp(g.scan(forward, init=start, xs=x, over=t, mask=there)[0]))
    elif kind == "prior":
        g.scan(sampled, init=K, xs=x, over=t, mask=there)
    else:
        free = g.parameter("q", posterior())
        row = g.data("row", plates=(batch, t), kind="int")
        g.scan(sampled, init=K, xs=(x, free[row]), over=t, mask=there)
    return g


def posterior():
    """Logits of p(z_t | z_{t-1}, x) for each step and sequence, by the backward recursion."""
    rows = np.zeros((4, len(ENDS), K + 1, K))
    log = MOVES - np.log(np.exp(MOVES).sum(1, keepdims=True))
    for n, end in enumerate(ENDS):
        later = np.zeros(K)
        for t in reversed(range(end)):
            rows[t, n] = log - ((X[t, n] - MEANS) / NOISE) ** 2 / 2 + later
            later = np.log(np.exp(rows[t, n, :K]).sum(1))
    return rows.reshape(-1, K + 1, K)


def given(g):
    data = {"x": X, "there": THERE, "row": np.arange(X.size).reshape(X.shape)}
    return {name: x for name, x in data.items() if name in g.roles}


@pytest.fixture(scope="module")
def exact():
    g = markov("forward")
    return scg.compile(g, backend="numpy")(g.init(seed=0), seed=0, data=given(g))


def test_the_scan_is_the_forward_algorithm(exact):
    chains = [scg.HiddenMarkov(end, MOVES[K], MOVES[:K], scg.Normal(MEANS, NOISE)) for end in ENDS]
    logs = [d.log_prob(X[:end, n]) for n, (d, end) in enumerate(zip(chains, ENDS, strict=True))]
    assert exact.cost == pytest.approx(-np.mean(logs), abs=1e-12)


def test_at_the_posterior_the_bound_is_the_likelihood_for_every_draw(exact):
    g = markov("q")
    step, params = scg.compile(g, scg.LeaveOneOut(samples=2), backend="numpy"), g.init(seed=0)
    costs = [step(params, seed=seed, data=given(g)).cost for seed in range(10)]
    assert costs == pytest.approx([exact.cost] * 10, abs=1e-12)


def test_at_the_posterior_the_bound_has_the_gradient_of_the_likelihood(exact):
    g = markov("q")
    truth = scg.exact(g, g.init(seed=0), given(g))
    assert truth.grads["q"] == pytest.approx(0.0, abs=1e-12)  # nothing to learn
    for name, grad in exact.grads.items():
        assert truth.grads[name] == pytest.approx(grad, abs=1e-12)


def test_the_prior_has_a_larger_cost(exact):
    g = markov("prior")
    assert scg.exact(g, g.init(seed=0), given(g)).cost > exact.cost + 1.0
