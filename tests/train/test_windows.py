"""Streams: windows of a sequence without end, between which a step carries its state."""

import itertools

import numpy as np
import pytest

import scg


def _gap(a, b):
    return np.max(np.abs(np.subtract(a, b))) / (1.0 + np.max(np.abs(b)))


def bits(many=False):
    """Bits that the carry and the costs read, with parameters in all of them."""
    g, t = scg.Graph("bits"), scg.Time("t")
    x = g.data("x", plates=(t, scg.Plate("batch", reduce="mean")) if many else t)
    theta, w = g.parameter("theta", 0.4), g.parameter("w", [-0.7, 0.2])

    def cell(carry, x):
        h, before, age = carry["h"], carry["z"], carry["age"]
        z = g.sample("z", scg.Bernoulli(logits=theta * h[0] + x))
        y = g.sample("y", scg.Bernoulli(logits=w[0] * z + h[1] * before))
        g.cost("fit", (z - 0.3 * h[0]) ** 2 + w[0] * y * age)
        g.cost("before", h[0] * theta + h[1] * h[0])
        return {"h": np.tanh(h + y - theta * z + w * x), "z": z > 0.5, "age": 0.5 * age + 1.0}

    init = {"h": np.ones(2) * g.parameter("start", 0.8), "z": False, "age": 1.0}
    g.scan(cell, init=init, xs=x, over=t, discount=0.9)
    return g


def walk():
    """A recurrence without noise of its own."""
    g, t = scg.Graph("walk"), scg.Time("t")
    a, x = g.parameter("a", 0.6), g.data("x", plates=t)

    def cell(h, x):
        g.cost("c", (h - x) ** 2)
        return np.tanh(a * h + x)

    g.scan(cell, init=a * 0.5, xs=x, over=t)
    return g


def in_windows(step, params, noise, data, cuts):
    """The sums of costs and gradients over consecutive windows."""
    carry, cost, at = None, 0.0, 0
    grads = {name: 0.0 for name in params}
    for length in cuts:
        part = slice(at, at + length)
        own = {name: u[:, part] if "first" not in name else u for name, u in noise.items()}
        data_now = {name: x[part] for name, x in data.items()}
        out = step(params, noise=own, data=data_now, carry=carry)
        carry, at, cost = out.carry, at + length, cost + out.cost
        grads = {name: grads[name] + g for name, g in out.grads.items()}
    return cost, grads


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("many", [False, True])
def test_windows_of_rtrl_add_up_to_backpropagation_through_all_steps(backend, many):
    """Scores meet the costs of later windows, too: their trace is carried."""
    g = bits(many)
    params, estimator = g.init(seed=0), scg.ScoreFunction(scg.baselines.Constant(0.3))
    data = {"x": np.random.default_rng(1).normal(size=(6, 3) if many else 6)}
    whole = scg.compile(g, estimator, backend="numpy")
    step = scg.compile(g, estimator, backend=backend, truncate=scg.RTRL(), stream=True)
    noise = whole.noise(seed=1, data=data)
    wanted = whole(params, noise=noise, data=data)
    for cuts in ([6], [1] * 6, [3, 1, 2]):
        cost, grads = in_windows(step, params, noise, data, cuts)
        assert cost == pytest.approx(wanted.cost, rel=1e-12)
        assert max(_gap(grads[name], wanted.grads[name]) for name in params) < 1e-12


@pytest.mark.parametrize("estimator", [scg.LeaveOneOut(samples=3), scg.MuProp()], ids=str)
def test_windows_of_estimators_with_signals_are_unbiased_together(estimator):
    """Their baselines see one window; the mean over all noise is the gradient all the same."""
    g, t = scg.Graph("short"), scg.Time("t")
    theta, x = g.parameter("theta", 0.4), g.data("x", plates=t)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=theta * h + x))
        g.cost("c", (z - 0.3 * h) ** 2 + theta * h)
        return np.tanh(h - theta * z + x)

    g.scan(cell, init=0.8, xs=x, over=t)
    data = {"x": np.array([0.3, -0.6])}
    step = scg.compile(g, estimator, backend="numpy", truncate=scg.RTRL(), stream=True)
    truth = scg.exact(g, {"theta": 0.4}, data).grads["theta"]
    one = {"x": data["x"][:1]}
    shape = step.noise(seed=0, data=one)["z/u"].shape
    samples = shape[1] if len(shape) == 3 else 1
    mean = 0.0
    for first, second in itertools.product(itertools.product([0, 1], repeat=samples), repeat=2):
        chance, carry, h, grad = 1.0, None, 0.8, 0.0
        for z, x in zip(map(np.array, (first, second)), data["x"], strict=True):
            p = 1 / (1 + np.exp(-(0.4 * h + x)))
            chance *= np.prod(np.where(z, p, 1 - p))
            h = np.tanh(h - 0.4 * z + x)
            noise = {"z/u": np.where(z, 1e-9, 1 - 1e-9).reshape(shape)}
            out = step({"theta": 0.4}, noise=noise, data={"x": [x]}, carry=carry)
            carry, grad = out.carry, grad + out.grads["theta"]
        mean += chance * grad
    assert mean == pytest.approx(truth, abs=1e-10)


@pytest.mark.parametrize("masked", [False, True])
def test_a_stochastic_initial_state_and_classes_in_the_carry(masked):
    """The initial node has effect in the first window alone; later samples of it have no trace."""
    g, t = scg.Graph("start"), scg.Time("t")
    theta, x = g.parameter("theta", [0.4, -0.3]), g.data("x", plates=t)
    there = g.data("there", plates=t, kind="int") if masked else None
    first = g.sample("first", scg.Categorical(logits=theta))

    def cell(z, x):
        now = g.sample("z", scg.Categorical(logits=theta * x + theta[z]))
        g.cost("c", (now - 0.3 * x) ** 2 * theta[z])
        return now

    g.scan(cell, init=first, xs=x, over=t, mask=there)
    data = {"x": np.array([0.7, -1.2, 0.4])}
    if masked:
        data["there"] = np.array([1, 0, 1])
    params = g.init(seed=0)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=scg.RTRL(), stream=True)
    truth = scg.exact(g, params, data).grads["theta"]
    mean = 0.0
    for start, *later in itertools.product([0, 1], repeat=5):  # first, three of z, a later first
        *zs, again = later
        chance, carry, grad, z = _chance([0.4, -0.3], start), None, 0.0, start
        chance *= _chance([0.4, -0.3], again)
        for k, (part, of) in enumerate(((slice(0, 2), zs[:2]), (slice(2, 3), zs[2:]))):
            window = {name: value[part] for name, value in data.items()}
            for i, now in enumerate(of):
                shift = [0.4, -0.3][z]
                logits = np.array([0.4, -0.3]) * window["x"][i] + shift
                chance *= _chance(logits, now)
                z = now if not masked or window["there"][i] else z
            noise = {"first/u": [[again if k else start]], "z/u": [[[value] for value in of]]}
            noise = {n: np.where(np.array(u) == 0, 1e-9, 1 - 1e-9) for n, u in noise.items()}
            out = step(params, noise=noise, data=window, carry=carry)
            carry, grad = out.carry, grad + out.grads["theta"]
        mean = mean + chance * grad
    assert np.max(np.abs(mean - truth)) < 1e-10
    assert carry["cell/0"].dtype == np.int64


def _chance(logits, value):
    p = np.exp(logits) / np.sum(np.exp(logits))
    return p[value]


def test_all_signs_of_uoro_in_windows():
    g, data = walk(), {"x": np.array([0.4, -0.9, 0.3])}
    wanted = scg.compile(g, backend="numpy")({"a": 0.6}, seed=0, data=data).grads["a"]
    step = scg.compile(g, backend="numpy", truncate=scg.UORO(), stream=True)
    found = []
    for signs in itertools.product([0.25, 0.75], repeat=4):
        noise = {"cell#signs at first": np.full((1, 1), signs[0])}
        noise["cell#signs"] = np.reshape(signs[1:], (1, 3, 1))
        found.append(in_windows(step, {"a": 0.6}, noise, data, [2, 1])[1]["a"])
    assert np.mean(found) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("how", [scg.ARTBP(mean=2.5), scg.ARTBP(mean=1.6, tail=3.5)], ids=str)
def test_all_segments_of_random_truncation(how):
    """Windows are the segments: with the chance of each segmentation the mean is the gradient."""
    g, data = walk(), {"x": np.array([0.4, -0.9, 0.3, 0.8])}
    wanted = scg.compile(g, backend="numpy")({"a": 0.6}, seed=0, data=data).grads["a"]
    step = scg.compile(g, backend="numpy", truncate=how, stream=True)
    assert not step.program.noise and step.plan.unbiased
    mean = total = 0.0
    for cut in itertools.product([0, 1], repeat=3):
        cuts, chance = [1], 1.0
        for c in cut:
            hazard = how._chance(cuts[-1])
            chance *= hazard if c else 1 - hazard
            cuts = [*cuts, 1] if c else [*cuts[:-1], cuts[-1] + 1]
        total += chance
        mean += chance * in_windows(step, {"a": 0.6}, {}, data, cuts)[1]["a"]
    assert total == pytest.approx(1.0)
    assert mean == pytest.approx(wanted, abs=1e-10)


def test_lengths_of_segments():
    rng = np.random.default_rng(0)
    lengths = np.array([scg.ARTBP(mean=4.0).segment(rng) for _ in range(20_000)])
    assert np.mean(lengths) == pytest.approx(4.0, abs=5 * 3.5 / 20_000**0.5)
    assert np.mean(lengths == 1) == pytest.approx(0.25, abs=5 * 0.44 / 20_000**0.5)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_fit_carries_the_state_and_a_resumed_run_repeats_the_bits(tmp_path, backend):
    g = bits()
    step = scg.compile(g, scg.ScoreFunction(), backend=backend, truncate=scg.UORO(), stream=True)
    data = {"x": np.random.default_rng(1).normal(size=23)}
    options = {"seed": 5, "optimizer": scg.optim.Adam(1e-2), "stream": True, "window": 4}
    whole = scg.fit(step, data=data, epochs=3, **options)
    path = tmp_path / "stream.safetensors"
    scg.fit(step, data=data, epochs=2, checkpoint=path, **options)
    again = scg.fit(step, data=data, epochs=3, checkpoint=path, resume=True, **options)
    assert whole.now.count == 18  # six windows a pass, the last of three steps
    assert whole.now.carry.keys() == again.now.carry.keys()
    for name in whole.params:
        assert np.array_equal(whole.params[name], again.params[name])
    for name, value in whole.now.carry.items():
        assert np.array_equal(value, again.now.carry[name])
    with pytest.raises(scg.CheckpointError, match="batch size"):
        scg.fit(step, data=data, epochs=4, checkpoint=path, resume=True, **{**options, "window": 5})


def double(batch, seed):
    batch["x"] *= 2.0  # of an array of its own: the second epoch meets what the first one met
    return batch


def test_a_loop_of_calls_is_what_fit_does():
    g, data = walk(), {"x": 0.5 * np.sin(np.arange(10.0))}
    step = scg.compile(g, backend="numpy", truncate=scg.RTRL(), stream=True)
    options = {"optimizer": scg.optim.SGD(0.1), "stream": True, "window": 4, "transform": double}
    found = scg.fit(step, data=data, seed=1, epochs=2, **options)
    params = g.init(seed=1)
    for _ in range(2):
        carry = None
        for start in (0, 4, 8):
            window = {"x": 2.0 * data["x"][start : start + 4]}
            out = step(params, seed=0, data=window, carry=carry)
            carry = out.carry
            params = {"a": params["a"] - 0.1 * out.grads["a"]}
    assert found.params["a"] == pytest.approx(params["a"], rel=1e-12)


def test_pieces_and_random_windows():
    g = walk()
    step = scg.compile(g, backend="numpy", truncate=scg.ARTBP(mean=3), stream=True)
    pieces = [{"x": np.arange(5.0 * i, 5.0 * i + 5)} for i in range(4)]
    windows = scg.train.Windows(step, pieces, (0,), None, 6, None)
    joined = np.concatenate([windows[i]["x"] for i in range(6)])
    begun = [windows.begins(5)]
    assert np.array_equal(joined[:20], np.arange(len(joined[:20]), dtype=float))
    whole = scg.train.Windows(step, {"x": np.arange(20.0)}, (0,), None, 6, None)
    assert all(
        np.array_equal(a["x"], b["x"])
        for a, b in zip(
            map(whole.__getitem__, range(6)),
            map(scg.train.Windows(step, pieces, (0,), None, 6, None).__getitem__, range(6)),
            strict=True,
        )
    )
    fixed = scg.compile(g, backend="numpy", truncate=scg.RTRL(), stream=True)
    own = scg.train.Windows(fixed, pieces, (0,), None, None, None)
    assert own.per_epoch == 4 and begun[0] in (True, False)
    seen = [(len(own[i]["x"]), own.begins(i)) for i in range(5)]
    assert seen == [(5, True), (5, False), (5, False), (5, False), (5, True)]
    once = scg.train.Windows(fixed, iter(pieces), (0,), 10, 3, None)
    assert [len(once[i]["x"]) for i in range(2)] == [10, 10]
    with pytest.raises(scg.CallError, match="no further window"):
        once[2]


def test_errors():
    g, data = walk(), {"x": np.zeros(6)}
    with pytest.raises(scg.EstimatorError, match=r"Say how credit passes.*RTRL"):
        scg.compile(g, stream=True)
    plain = scg.Graph("plain")
    plain.cost("c", plain.parameter("a", 0.0) ** 2)
    with pytest.raises(scg.EstimatorError, match="has no scan"):
        scg.compile(plain, stream=True, truncate=scg.RTRL())
    for own in (scg.ScoreFunction, scg.MuProp):
        own = own(variance_normalization=True, allow_biased=True)
        with pytest.raises(scg.EstimatorError, match=r"of node 'z' divides its signal.*Truncated"):
            scg.compile(bits(), own, stream=True, truncate=scg.UORO())
        scg.compile(bits(), own, stream=True, truncate=scg.Truncated(2, allow_biased=True))
    for reverse, words in ((True, "runs in reverse"), (False, "begins with what is made of")):
        h, t = scg.Graph("two"), scg.Time("t")
        x, a = h.data("x", plates=t), h.parameter("a", 0.3)
        last, _ = h.scan(lambda h, x, a=a: a * h + x, init=0.0, xs=x, over=t)
        first = 0.0 if reverse else last
        _, out = h.scan(lambda h, x: (h + x, h), init=first, xs=x, over=t, reverse=reverse)
        h.cost("c", out**2)
        with pytest.raises(scg.EstimatorError, match=f"scan 'scan 2' {words}"):
            scg.compile(h, stream=True, truncate=scg.RTRL())
    step = scg.compile(g, backend="numpy")
    with pytest.raises(scg.CallError, match=r"compile it with stream=True"):
        step({"a": 0.6}, seed=0, data=data, carry={})
    with pytest.raises(scg.CallError, match=r"scg.compile\(g, truncate=scg.UORO\(\), stream=True"):
        scg.fit(step, data=data, seed=0, stream=True)
    with pytest.raises(scg.CallError, match="window= needs stream=True"):
        scg.fit(step, data=data, seed=0, window=3)
    step = scg.compile(g, backend="numpy", truncate=scg.RTRL(), stream=True)
    out = step({"a": 0.6}, seed=0, data=data)
    with pytest.raises(scg.CallError, match=r"expected out.carry.*cell/0"):
        step({"a": 0.6}, seed=0, data=data, carry={"h": 1.0})
    with pytest.raises(scg.CallError, match=r"carry 'cell/0': expected shape \(\)"):
        step({"a": 0.6}, seed=0, data=data, carry={**out.carry, "cell/0": np.zeros(3)})
    counter, t = scg.Graph("counter"), scg.Time("t", length=2)

    def cell(n):
        counter.cost("c", counter.parameter("w", 1.0) * n)
        return n + 1

    counter.scan(cell, init=0, over=t)
    counts = scg.compile(counter, backend="numpy", truncate=scg.RTRL(), stream=True)
    carry = counts({"w": 1.0}, seed=0).carry
    assert counts({"w": 1.0}, seed=0, carry=carry).cost == 2 + 3
    for wrong, words in ((2.5, "declared as integers"), (np.nan, "integers"), ("2", "numbers")):
        with pytest.raises(scg.CallError, match=f"carry 'cell/0': .*{words}"):
            counts({"w": 1.0}, seed=0, carry={**carry, "cell/0": wrong})
    with pytest.raises(scg.CallError, match=r"out.carry: a window continues one run.*has 2"):
        assert step({"a": 0.6}, seed=0, runs=2, data=data).carry
    with pytest.raises(scg.CallError, match="one run, got runs=2"):
        step({"a": 0.6}, seed=0, runs=2, data=data, carry=out.carry)
    with pytest.raises(scg.CallError, match="batch_size= does not go with stream=True"):
        scg.fit(step, data=data, seed=0, stream=True, batch_size=2)
    step = scg.compile(g, backend="numpy", truncate=scg.ARTBP(mean=3), stream=True)
    with pytest.raises(scg.CallError, match="random lengths; leave window out"):
        scg.fit(step, data=data, seed=0, stream=True, window=2)
    with pytest.raises(scg.CallError, match="how many make an epoch"):
        scg.fit(step, data=data, seed=0, stream=True)
    with pytest.raises(scg.EnumerationError, match="loops alone"):
        scg.moments(step, {"a": 0.6}, data)
