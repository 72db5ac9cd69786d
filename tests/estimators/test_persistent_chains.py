"""Persistent chains: their mean against powers of the transition matrix, and against the truth."""

import itertools

import numpy as np
import pytest

import scg

A, B, W = np.array([0.4, -0.9]), np.array([0.3]), np.array([[1.4], [-0.8]])
VALUES = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
QUIET = {"allow_biased": True}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights(a=A, b=B, w=W):
    """Unnormalised probabilities of all visible vectors."""
    return np.exp(VALUES @ a) * np.prod(1 + np.exp(b + VALUES @ w), axis=1)


def slopes():
    """Derivatives of the logarithms of these, by parameter, values first."""
    h = sigmoid(B + VALUES @ W)
    return {"a": VALUES, "b": h, "W": VALUES[:, :, None] * h[:, None, :]}


def transitions():
    """Probabilities of one step of block Gibbs sampling, from row to column."""
    found = np.zeros((4, 4))
    for h in (0.0, 1.0):
        hidden = np.prod(np.where(h, *(sigmoid(s * (B + VALUES @ W)) for s in (1, -1))), axis=1)
        p = sigmoid(A + W[:, 0] * h)
        found += hidden[:, None] * np.prod(np.where(VALUES == 1, p, 1 - p), axis=1)
    return found


def price(x):
    return np.exp(1.1 * x[..., 0] - 0.6 * x[..., 1]) + x[..., 0] * x[..., 1]


def compiled(cost, samples=2, steps=1, **options):
    g = scg.Graph("chains")
    d = scg.RBM(g.parameter("a", A), g.parameter("b", B), g.parameter("W", W))
    g.cost("loss", cost(d, g.sample("x", d)))
    return scg.compile(g, scg.PersistentChains(samples, steps, **QUIET), **options), g.init(seed=0)


def scored(d, x):
    return np.exp(1.1 * x[0] - 0.6 * x[1]) + x[0] * x[1]


def negative(d, x):
    return d.contrast(VALUES[2], x)


def state_at(*chains):
    return {"x": {"chains": VALUES[list(chains)]}}


def mean(p, values):
    return np.tensordot(p, values, 1)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_mean_is_that_of_the_transition_matrix(steps):
    """Exact: from a given place, the gradient is that of the distribution after the steps."""
    p = np.linalg.matrix_power(transitions(), steps)[1]
    step, params = compiled(scored, steps=steps, backend="numpy")
    m = scg.moments(step, params, state=state_at(1, 1), variance=False, limit=1 << 14)
    centred = price(VALUES) - p @ price(VALUES)
    assert m.cost == pytest.approx(p @ price(VALUES), abs=1e-10)
    for name, slope in slopes().items():
        np.testing.assert_allclose(m.mean[name], mean(p * centred, slope), atol=1e-10)

    step, params = compiled(negative, steps=steps, backend="numpy")
    m = scg.moments(step, params, state=state_at(1, 1), variance=False, limit=1 << 14)
    for name, slope in slopes().items():
        np.testing.assert_allclose(m.mean[name], slope[2] - mean(p, slope), atol=1e-10)


def test_the_bias_falls_geometrically():
    """The steps take the distribution to the machine: the second eigenvalue is the rate."""
    t, truth = transitions(), weights() / weights().sum()
    np.testing.assert_allclose(truth @ t, truth, atol=1e-14)
    rate = np.sort(np.abs(np.linalg.eigvals(t)))[-2]
    off = [np.abs(np.linalg.matrix_power(t, k)[1] - truth).max() for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(np.divide(off[1:], off[:-1]), rate, rtol=1e-6)
    assert rate < 0.2 < 5 * off[0]


CALLS, CHAINS, BLOCK = 900, 200, 15


def averages(keep, seed):
    """The gradient of −log Z by chains, its mean over calls and the error from means of blocks."""
    step, params = compiled(negative, samples=CHAINS)
    start = state = state_at(*[1] * CHAINS)
    found = []
    for call in range(CALLS):
        out = step(params, seed=(seed, call), state=state)
        state = out.state if keep else start
        found.append(np.concatenate([out.grads[name].ravel() for name in "abW"]))
    blocks = np.reshape(found[2 * BLOCK :], (-1, BLOCK, 5)).mean(axis=1)
    return blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))


def test_kept_chains_reach_the_truth_and_restarted_ones_do_not(seed):
    """z-test: 15 comparisons at |t| < 8 with 57 degrees of freedom, a false alarm in 1e-9.

    A bias of 11 errors is found with probability 0.99. Errors are below 0.003, and chains that
    restart in each call have a bias of 0.07, which is 20 errors and more.
    """
    p = weights() / weights().sum()
    truth, after_one = (
        np.concatenate([(slope[2] - mean(q, slope)).ravel() for slope in slopes().values()])
        for q in (p, transitions()[1])
    )
    kept, error = averages(True, seed)
    assert np.all(np.abs(kept - truth) < 8 * error), (kept - truth) / error
    assert np.all(error < 0.003), error
    again, error = averages(False, seed)
    assert np.all(np.abs(again - after_one) < 8 * error)
    assert np.max(np.abs(after_one - truth)) > 0.07
    assert np.max(np.abs(again - truth) / error) > 8


def test_chains_go_on_from_the_state_and_resume(tmp_path):
    """An interrupted run goes on from its checkpoint as if it had not been interrupted."""

    def declared():
        g, n = scg.Graph("prior"), 25
        prior = scg.RBM(
            g.parameter("a", shape=n), g.parameter("b", shape=n),
            g.parameter("W", shape=(n, n), init=scg.init.normal(0.1)),
        )  # fmt: skip
        z = g.data("z", shape=n, plates=scg.Plate("batch", reduce="mean"))
        g.cost("loss", -prior.contrast(z, g.sample("chain", prior)))
        return scg.compile(g, scg.PersistentChains(7, 2, **QUIET))

    z = (np.random.default_rng(0).random((40, 25)) < 0.3) * 1.0
    given = {"data": {"z": z}, "seed": 0, "batch_size": 10}
    whole = scg.fit(declared(), epochs=4, **given)
    scg.fit(declared(), epochs=2, checkpoint=tmp_path / "run", **given)
    resumed = scg.fit(declared(), epochs=4, checkpoint=tmp_path / "run", resume=True, **given)
    np.testing.assert_array_equal(whole.state["chain"]["chains"], resumed.state["chain"]["chains"])
    for name in "abW":
        np.testing.assert_array_equal(whole.params[name], resumed.params[name])
    chains = whole.state["chain"]["chains"]
    assert chains.shape == (7, 25) and set(np.unique(chains)) == {0.0, 1.0}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_backends_agree(dtype):
    ours, its = (
        compiled(lambda d, x: scored(d, x) * d.log_weight(x), 5, 3, backend=b, dtype=dtype)
        for b in ("numba", "numpy")
    )
    state = state_at(0, 1, 2, 3, 1)
    noise = ours[0].noise(seed=3)
    out, other = (step(params, noise=noise, state=state) for step, params in (ours, its))
    np.testing.assert_array_equal(out.state["x"]["chains"], other.state["x"]["chains"])
    for name in "abW":
        np.testing.assert_allclose(out.grads[name], other.grads[name], rtol=1e-5)


def test_errors():
    g = scg.Graph("errors")
    plate = scg.Plate("batch", length=2)
    machine = scg.RBM(g.parameter("a", np.zeros(2)), [0.0], [[1.0], [2.0]])
    x = g.sample("x", machine, plates=plate)
    g.cost("loss", x[0])
    with pytest.raises(scg.EstimatorError, match="it lives on plate 'batch'"):
        scg.compile(g, scg.PersistentChains(**QUIET))
    g, time = scg.Graph("scan"), scg.Time("t")
    steps = g.data("steps", plates=time)

    def cell(h, step):
        z = g.sample("z", scg.RBM(g.parameter("a", np.zeros(2)), [0.0], [[1.0], [2.0]]))
        g.cost("loss", z[0] + h * step)
        return h + z[1]

    g.scan(cell, init=0.0, xs=steps, over=time)
    with pytest.raises(scg.EstimatorError, match="it lives on plate 't'"):
        scg.compile(g, scg.PersistentChains(**QUIET))
    g = scg.Graph("bits")
    g.cost("loss", g.sample("x", scg.Bernoulli(logits=g.parameter("t", 0.3))))
    with pytest.raises(scg.EstimatorError, match="no block Gibbs sampler"):
        scg.compile(g, scg.PersistentChains(**QUIET))
    for options in ((1,), (2, 0), (2.5,)):
        with pytest.raises(scg.EstimatorError, match="must be"):
            scg.PersistentChains(*options)
    with pytest.warns(scg.BiasWarning):
        compiled_loudly = scg.RBM(*(np.zeros(2), np.zeros(1), np.zeros((2, 1))))
        g = scg.Graph("loud")
        g.cost("loss", g.sample("x", compiled_loudly)[0] * g.parameter("t", 1.0))
        scg.compile(g, scg.PersistentChains())


def test_a_large_machine_says_what_to_write():
    g, n = scg.Graph("large"), 21
    d = scg.RBM(g.parameter("a", np.zeros(n)), np.zeros(n), np.zeros((n, n)))
    g.cost("loss", np.sum(g.sample("x", d)))
    for estimator in (None, scg.ScoreFunction()):
        with pytest.raises(scg.ScgError, match=r"at most 20 units; .*PersistentChains.*contrast"):
            scg.compile(g, estimator)


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5, np.inf])
def test_a_state_that_is_no_probability_is_refused(value):
    step, params = compiled(scored, backend="numpy")
    state = step.init(seed=0)
    state["x"]["chains"][1, 0] = value
    with pytest.raises(scg.CallError, match=r"numbers from 0 to 1, got .* at index 1, 0"):
        step(params, seed=0, state=state)
    with pytest.raises(scg.CallError, match="numbers from 0 to 1"):
        step.bind(params, state=state)
