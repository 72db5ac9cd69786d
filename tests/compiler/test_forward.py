"""Forward influence: RTRL is backpropagation on the same noise, UORO has it as the mean."""

import itertools
import warnings

import numpy as np
import pytest

import scg

from ..recurrence.recurrent import Recurrent, gap

ROWS = ("score", "mixed", "leave-one-out", "MuProp", "reparameterization", "score, network")


def small(masked=False, reverse=False):
    """Bits that the carry, its initial value and the costs read, with parameters in all of them."""
    g, t = scg.Graph("small"), scg.Time("t")
    x = g.data("x", plates=t)
    mask = g.data("there", plates=t, kind="int") if masked else None
    theta, w = g.parameter("theta", 0.4), g.parameter("w", [-0.7, 0.2])

    def cell(carry, x):
        h, before, age = carry["h"], carry["z"], carry["age"]
        z = g.sample("z", scg.Bernoulli(logits=theta * h[0] + x))
        y = g.sample("y", scg.Bernoulli(logits=w[0] * z + h[1] * before))
        g.cost("fit", (z - 0.3 * h[0]) ** 2 + w[0] * y * age)
        g.cost("before", h[0] * theta + h[1] * h[0])
        return {"h": np.tanh(h + y - theta * z + w * x), "z": z, "age": 0.5 * age + 1.0}

    init = {"h": np.ones(2) * g.parameter("start", 0.8), "z": 0.0, "age": 1.0}
    last, _ = g.scan(cell, init=init, xs=x, over=t, mask=mask, reverse=reverse, discount=0.9)
    g.cost("end", last["h"][0] ** 2 * w[1])
    data = {"x": [0.3, -0.6, 0.2], "there": [1, 0, 1]}
    return g, data if masked else {"x": data["x"]}


def over_all_signs(step, params, data, seed):
    """The mean gradient over all signs of UORO, with all other noise of a seed."""
    noise = step.noise(seed=seed, runs=1, data=data)
    signs = [name for name in noise if "#signs" in name]
    sizes = [noise[name][0].size for name in signs]
    every = np.array(list(itertools.product([0.25, 0.75], repeat=sum(sizes))))
    parts = np.split(every, np.cumsum(sizes)[:-1], axis=1)
    given = {k: np.broadcast_to(v, (len(every), *v.shape[1:])) for k, v in noise.items()}
    for name, part in zip(signs, parts, strict=True):
        given[name] = part.reshape(len(every), *noise[name].shape[1:])
    rest = {name: value for name, value in noise.items() if name not in signs}
    return step(params, noise=given, data=data), rest


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 7, 9, 12, 13, 15])
def test_rtrl_is_backpropagation_on_the_same_noise(seed):
    """Plates, masks, discounts, sequences in reverse, scans over scans, and all that loops."""
    case = Recurrent(seed)
    chosen = case.estimators(ROWS[seed % 6])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = scg.compile(case.graph, chosen, backend="numpy")
        step = scg.compile(case.graph, chosen, backend="numpy", truncate=scg.RTRL())
    params, state = case.graph.init(seed=0), step.init(seed=1)
    for length in (1, 4):
        data = case.data(length)
        noise = step.noise(seed=3, runs=2, data=data)
        a = step(params, noise=noise, data=data, state=state)
        b = whole(params, noise=noise, data=data, state=state)
        assert a.cost == pytest.approx(b.cost, rel=1e-12)
        assert max(gap(a.grads[name], b.grads[name]) for name in params) < 1e-12
        for node, entries in b.estimator_grads.items():
            for name, grad in entries.items():
                assert gap(a.estimator_grads[node][name], grad) < 1e-12


def test_both_backends_of_a_gated_cell():
    g, t, batch = scg.Graph("gru"), scg.Time("t"), scg.Plate("batch")
    x = g.data("x", shape=(2,), plates=(batch, t))
    gru, out = scg.nn.gru_cell(g, "gru", 3), scg.nn.linear(g, "out", 2)

    def cell(h, x):
        g.observe("seen", scg.Normal(out(h), 1.0), x)
        return gru(x, h)

    g.scan(cell, init=np.zeros(3), xs=x, over=t)
    params = g.init(seed=0)
    data = {"x": np.random.default_rng(0).normal(size=(5, 4, 2))}
    wanted = scg.compile(g, backend="numpy")(params, seed=0, data=data).grads
    for backend in ("numpy", "numba"):
        step = scg.compile(g, backend=backend, truncate=scg.RTRL())
        found = step(params, seed=0, data=data).grads
        assert max(gap(found[name], wanted[name]) for name in params) < 1e-12
    noise = scg.compile(g, truncate=scg.UORO()).noise(seed=2, runs=2, data=data)
    a, b = (
        scg.compile(g, backend=backend, truncate=scg.UORO())(params, noise=noise, data=data).grads
        for backend in ("numpy", "numba")
    )
    assert max(gap(a[name], b[name]) for name in params) < 1e-12
    assert max(gap(a[name], wanted[name]) for name in params) > 1e-2


@pytest.mark.parametrize(
    "options", [{}, {"masked": True}, {"reverse": True}], ids=["plain", "masked", "reverse"]
)
def test_the_mean_over_all_signs_is_exact(options):
    """Also with discrete nodes that are credited by scores, for each of their samples."""
    g, data = small(**options)
    params = g.init(seed=0)
    estimator = scg.ScoreFunction(scg.baselines.Constant(0.3))
    whole = scg.compile(g, estimator, backend="numpy")
    step = scg.compile(g, estimator, backend="numpy", truncate=scg.UORO())
    for seed in range(3):
        out, rest = over_all_signs(step, params, data, seed)
        wanted = whole(params, noise=rest, data=data)
        assert len(step.program.noise) == 4 and out.runs == 2**8
        for name, grad in wanted.grads.items():
            assert out.grads[name] == pytest.approx(grad, abs=1e-10)
        spread = max(np.max(error) for error in out.stderr.values())
        assert spread > 1e-3  # a single run is no backpropagation


def test_elements_of_plates_have_influences_of_their_own():
    """A carry that is shared by a batch is the same in each copy; a batch adds no noise."""
    g, t, batch = scg.Graph("batch"), scg.Time("t", length=2), scg.Plate("batch", length=2)
    a, x = g.parameter("a", 0.3), g.data("x", plates=batch)

    def cell(carry):
        own, shared = carry
        g.cost("c", own**2 + shared * own)
        return np.tanh(own * a + shared + x), shared * a + 0.5

    g.scan(cell, init=(x * a, 0.2), over=t)
    data = {"x": [0.4, -1.2]}
    wanted = scg.compile(g, backend="numpy")({"a": 0.3}, seed=0, data=data).grads["a"]
    exact = scg.compile(g, backend="numpy", truncate=scg.RTRL())
    assert exact({"a": 0.3}, seed=0, data=data).grads["a"] == pytest.approx(wanted, abs=1e-12)
    step = scg.compile(g, backend="numpy", truncate=scg.UORO())
    out, _ = over_all_signs(step, {"a": 0.3}, data, 0)
    assert out.grads["a"] == pytest.approx(wanted, abs=1e-10)


def test_influence_balancing():
    """θ moves the first unit one way at first and the other way in the long run."""
    g, t = scg.Graph("balance"), scg.Time("t", length=100)
    theta = g.parameter("theta", 0.5)
    moves = 0.5 * (np.eye(23) + np.eye(23, k=-1))
    signs = np.where(np.arange(23) < 10, 1.0, -1.0)

    def cell(s):
        new = s @ moves + theta * signs
        g.cost("loss", 0.5 * (new[0] - 1.0) ** 2)
        return new

    g.scan(cell, init=np.ones(23), over=t)
    exact = scg.compile(g, truncate=scg.RTRL())({"theta": 0.5}, seed=0).grads["theta"]
    assert exact == pytest.approx(3571.6306, abs=1e-3)
    out = scg.compile(g, truncate=scg.UORO())({"theta": 0.5}, seed=7, runs=10_000)
    error = out.stderr["theta"]
    assert abs(out.grads["theta"] - exact) < 5 * error  # a false alarm in 2 of 10⁶ seeds
    assert 8_000 < error * 100 < 11_000


def test_verification_and_words():
    g, data = small()
    params = g.init(seed=0)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=scg.RTRL())
    assert str(scg.check(step, params, seed=0, data=data)) == "exact: unbiased"
    assert "credit between steps: RTRL(), unbiased" in str(step.plan)
    assert "takes its derivative in the parameters along" in " ".join(str(step.explain()).split())
    assert "williams1989" in str(scg.cite(step))
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=scg.UORO())
    assert "no bias found" in str(scg.check(step, params, seed=0, data=data, runs=4000))
    assert "tallec2018" in str(scg.cite(step))
    with pytest.raises(scg.EnumerationError, match="runs scans as loops alone"):
        scg.moments(step, params, data)


@pytest.mark.parametrize("how", [scg.RTRL(), scg.UORO()], ids=str)
def test_errors(how):
    g, _ = small()
    with pytest.raises(scg.EstimatorError, match=r"first derivatives.*order=1"):
        scg.compile(g, truncate=how, order=2)
    with pytest.raises(scg.EstimatorError, match="leave data_grads out"):
        scg.compile(g, truncate=how, data_grads=("x",))
    with pytest.raises(scg.EstimatorError, match=r"single steps \('z' by RAM.*ScoreFunction"):
        scg.compile(g, scg.RAM(), backend="numpy", truncate=how)
    plain = scg.Graph("plain")
    plain.cost("c", plain.parameter("a", 0.0) ** 2)
    with pytest.raises(scg.EstimatorError, match="has no scan; declare"):
        scg.compile(plain, truncate=how)


@pytest.mark.parametrize("mixed", ["batch", "t"])
def test_a_carry_that_mixes_elements_is_refused(mixed):
    g, t, batch = scg.Graph("mixed"), scg.Time("t"), scg.Plate("batch")
    a, x = g.parameter("a", 0.3), g.data("x", plates=(batch, t))
    mean = scg.plate_mean(np.tanh(a * x), t)

    def cell(h, x):
        g.cost("c", h**2)
        return np.tanh(a * h + x) + (scg.plate_mean(h, batch) if mixed == "batch" else mean)

    g.scan(cell, init=0.1 * scg.plate_mean(x, t), xs=x, over=t)
    with pytest.raises(scg.EstimatorError, match=f"joins elements of plate '{mixed}'.*ARTBP"):
        scg.compile(g, backend="numpy", truncate=scg.RTRL())


def test_a_loop_of_which_a_result_without_derivative_is_used():
    """A cost of a carry that no parameter moves, beside one that a parameter moves."""
    g, t = scg.Graph("aside"), scg.Time("t", length=3)
    theta = g.parameter("theta", 0.5)

    def cell(carry):
        h, age = carry
        g.cost("c", age * theta)
        return h * theta + age, age * 0.5

    g.scan(cell, init=(1.0, 1.0), over=t)
    assert scg.compile(g, backend="numpy")({"theta": 0.5}, seed=0).grads["theta"] == 1.75
