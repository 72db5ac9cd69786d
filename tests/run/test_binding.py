"""What a call brings is checked: every error names what, what was expected, and what came."""

import re

import numpy as np
import pytest

import scg


def model():
    g = scg.Graph("model")
    batch = scg.Plate("batch")
    x = g.data("x", 2, plates=batch)
    k = g.data("k", kind="int", plates=batch)
    W = g.parameter("W", shape=(2, 3))
    z = g.sample("z", scg.Bernoulli(logits=x @ W))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    g.cost("loss", np.sum(z) * b + W[0][k] ** 2)
    return g, scg.compile(g, scg.ScoreFunction())


G, STEP = model()
PARAMS = {"W": np.ones((2, 3)), "theta": 0.3}
DATA = {"x": np.zeros((4, 2)), "k": np.array([0, 1, 2, 0])}


class Tensor:
    """What NumPy cannot read, as another library says."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("write\ndetach()")

    def __repr__(self):
        return "tensor([1.,\n  2.])"


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


def fails(message):
    return pytest.raises(scg.CallError, match=f"^{re.escape(message)}$")


# --- parameters and data --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "params, message",
    [
        (without(PARAMS, "W"), "parameter 'W' is missing; the graph declares 'W', 'theta'"),
        (PARAMS | {"V": 1.0}, "unknown parameter 'V'; the graph declares 'W', 'theta'"),
        (PARAMS | {"W": np.ones(3)}, "parameter 'W': expected shape (2, 3), got (3,)"),
        (PARAMS | {"theta": [0.3]}, "parameter 'theta': expected shape (), got (1,)"),
        (
            PARAMS | {"theta": "0.3"},
            "parameter 'theta': expected real numbers, got an array of dtype <U3",
        ),
        (
            PARAMS | {"theta": 1j},
            "parameter 'theta': expected real numbers, got an array of dtype complex128",
        ),
        (
            PARAMS | {"theta": None},
            "parameter 'theta': expected real numbers, got an array of dtype object",
        ),
        (
            PARAMS | {"theta": [[1], [1, 2]]},
            "parameter 'theta': expected an array of numbers, got [[1], [1, 2]]: setting an array "
            "element with a sequence. The requested array has an inhomogeneous shape after 1 "
            "dimensions. The detected shape was (2,) + inhomogeneous part.",
        ),
        (
            PARAMS | {"theta": Tensor()},
            "parameter 'theta': expected an array of numbers, got tensor([1., 2.]): write detach()",
        ),
        (
            PARAMS | {"W": np.array([1.0, None])},
            "parameter 'W': expected real numbers, got an array of dtype object; write "
            "x.astype(float)",
        ),
        (3, "parameter: expected a mapping from names to arrays, got int"),
    ],
)
def test_parameters(params, message):
    with fails(message):
        STEP(params, seed=1, data=DATA)


@pytest.mark.parametrize(
    "data, message",
    [
        ({}, "data 'x' is missing; the graph declares 'x', 'k'; write data={'x': ...}"),
        (None, "data 'x' is missing; the graph declares 'x', 'k'; write data={'x': ...}"),
        (DATA | {"y": 1.0}, "unknown data 'y'; the graph declares 'x', 'k'"),
        (DATA | {"x": np.zeros(2)}, "data 'x': expected shape (batch, 2), got (2,)"),
        (DATA | {"x": np.zeros((4, 3))}, "data 'x': expected shape (batch, 2), got (4, 3)"),
        (DATA | {"k": np.zeros((4, 1), int)}, "data 'k': expected shape (batch), got (4, 1)"),
        (
            DATA | {"k": np.zeros(4)},
            "data 'k': declared as integers, got an array of dtype float64",
        ),
        (
            DATA | {"k": np.array([0, 1])},
            "data 'k' has 2 elements on plate 'batch', but data 'x' has 4",
        ),
        ([1.0], "data: expected a mapping from names to arrays, got list"),
    ],
)
def test_data(data, message):
    if isinstance(data, list):
        with pytest.raises((scg.CallError, TypeError, ValueError)):
            STEP(PARAMS, seed=1, data=data)
        return
    with fails(message):
        STEP(PARAMS, seed=1, data=data)


def test_data_by_keyword():
    out = STEP(PARAMS, seed=1, **DATA)
    again = STEP(PARAMS, seed=1, data={"x": DATA["x"]}, k=DATA["k"])
    np.testing.assert_array_equal(out.grads["W"], again.grads["W"])


def test_what_is_close_to_floats_is_taken():
    lists = {"W": [[1, 1, 1], [1, 1, 1]], "theta": np.float32(0.3)}
    out = STEP(lists, seed=1, x=[[0, 0]], k=[True])
    assert out.grads["W"].dtype == np.float64 and out.grads["W"].shape == (2, 3)


def test_plates_of_fixed_length():
    g = scg.Graph("fixed")
    plate = scg.Plate("particles", length=3)
    x = g.data("x", plates=plate)
    g.cost("loss", g.sample("z", scg.Bernoulli(logits=x * g.parameter("w", 1.0))))
    step = scg.compile(g, scg.ScoreFunction())
    step({"w": 1.0}, seed=0, x=np.zeros(3))
    with fails("data 'x' has 2 elements on plate 'particles', but its declared length has 3"):
        step({"w": 1.0}, seed=0, x=np.zeros(2))


def test_a_plate_without_data_has_no_size():
    g = scg.Graph("empty")
    g.cost(
        "loss", g.sample("z", scg.Bernoulli(logits=g.parameter("w", 1.0)), plates=scg.Plate("p"))
    )
    with fails("plate 'p' has no size: no data lie on it. Write scg.Plate('p', length=...)"):
        scg.compile(g, scg.ScoreFunction())({"w": 1.0}, seed=0)


def test_the_size_of_a_plate_may_change_from_call_to_call():
    for n in (1, 4, 2):
        data = {"x": np.zeros((n, 2)), "k": np.zeros(n, int)}
        assert STEP.noise(seed=1, runs=2, data=data)["z/u"].shape == (2, n, 3)
        STEP(PARAMS, seed=1, data=data)


# --- seeds, runs, noise, state --------------------------------------------------------------------
def test_a_call_needs_a_seed_or_noise():
    with fails("a step needs a seed and has no default: step(params, seed=1)"):
        STEP(PARAMS, data=DATA)
    noise = STEP.noise(seed=1, data=DATA)
    with fails("give either seed= or noise=, not both"):
        STEP(PARAMS, data=DATA, seed=1, noise=noise)


@pytest.mark.parametrize("runs", [0, -1, 1.5, True, "3", None])
def test_runs(runs):
    with fails(f"runs must be a positive integer, got {runs!r}"):
        STEP(PARAMS, seed=1, runs=runs, data=DATA)
    usage = "; write step.noise(seed=0, runs=10)"
    with fails(f"step.noise: runs must be a positive integer, got {runs!r}{usage}"):
        STEP.noise(seed=1, runs=runs, data=DATA)


@pytest.mark.parametrize("seed", [0.5, True, "1", [1], -1, (), (1, -2), (1, (2,))])
def test_seeds(seed):
    with pytest.raises(scg.CallError, match=r"^(a|the) seed (is|must)"):
        STEP(PARAMS, seed=seed, data=DATA)


def test_noise():
    noise = STEP.noise(seed=1, runs=2, data=DATA)
    assert {name: array.shape for name, array in noise.items()} == {"z/u": (2, 4, 3), "b/u": (2,)}
    for wrong, message in (
        (
            without(noise, "b/u"),
            "noise 'b/u' is missing; step.noise(seed=...) returns all of it",
        ),
        (noise | {"c/u": 1.0}, "unknown noise 'c/u'; the program uses 'z/u', 'b/u'"),
        (
            noise | {"z/u": noise["z/u"][:, :3]},
            "noise 'z/u': expected shape (runs, 4, 3), got (2, 3, 3)",
        ),
        (3, "noise: expected a mapping from names to arrays, got int"),
        (noise | {"b/u": 0.5}, "noise 'b/u': expected shape (runs), got ()"),
        (
            noise | {"b/u": np.full(3, 0.5)},
            "noise 'b/u' has 3 runs, other leaves have 2; all leaves need the same number",
        ),
        (
            noise | {"b/u": noise["b/u"] + 1j},
            "noise 'b/u': expected real numbers, got an array of dtype complex128",
        ),
        (
            {name: array[:0] for name, array in noise.items()},
            "noise 'z/u' has no runs; step.noise(seed=..., runs=1) has one",
        ),
    ):
        with fails(message):
            STEP(PARAMS, data=DATA, noise=wrong)
    with fails("runs=3, but the noise has 2; leave runs= out"):
        STEP(PARAMS, data=DATA, noise=noise, runs=3)


def test_noise_needs_the_sizes_of_its_plates():
    with fails(
        "noise 'z/u' lies on plate 'batch', whose size comes from data: "
        "step.noise(seed=1, data={...})"
    ):
        STEP.noise(seed=1)


def test_state():
    step = scg.compile(G, scg.ScoreFunction(baseline=scg.baselines.MovingAverage()))
    state = step.init(seed=0)
    for wrong, message in (
        (
            without(state, "b"),
            "state of node 'b' lacks 'average'; start with state = step.init(seed=0)",
        ),
        (
            state | {"b": without(state["b"], "weight")},
            "state of node 'b' lacks 'weight'; start with state = step.init(seed=0)",
        ),
        (
            state | {"b": state["b"] | {"average": np.zeros(2)}},
            "state 'average' of node 'b': expected shape (), got (2,)",
        ),
        (state | {"c": {}}, "state of node 'c': its estimator keeps none; leave it out"),
        (
            state | {"b": state["b"] | {"decay": 1.0}},
            "state of node 'b' has an unknown entry 'decay'; its estimator keeps 'average', "
            "'weight'",
        ),
        (3, "state: expected a mapping from node names, got 3"),
    ):
        with fails(message):
            step(PARAMS, seed=1, data=DATA, state=wrong)


# --- nothing is changed, nothing is shared --------------------------------------------------------
def test_results_are_not_views_of_what_was_given():
    """d/da of a·b is b: were it a view, an update in place would change both."""
    g = scg.Graph("product")
    a, b = g.parameter("a", [1.0, 2.0]), g.parameter("b", [3.0, 4.0])
    g.cost("loss", a @ b)
    step = scg.compile(g)
    params = g.init(seed=0)
    for runs in (1, 3):
        out = step(params, seed=0, runs=runs)
        for name in params:
            assert not any(np.shares_memory(out.grads[name], value) for value in params.values())
            out.grads[name] += 1.0  # and they are writeable
    np.testing.assert_array_equal(params["a"], [1.0, 2.0])


def test_a_call_leaves_its_arguments_alone():
    params = {"W": np.ones((2, 3)), "theta": np.array(0.3)}
    for array in (*params.values(), *DATA.values()):
        array.setflags(write=False)
    noise = STEP.noise(seed=1, runs=2, data=DATA)
    for array in noise.values():
        array.setflags(write=False)
    STEP(params, data=DATA, noise=noise)
    STEP(params, data=DATA, seed=1, runs=5)


@pytest.mark.parametrize("dtype", ["float32", "f4", np.float32, np.dtype(np.float32)])
def test_precisions_may_be_types_of_numpy(dtype):
    g = scg.Graph("one")
    g.cost("c", g.parameter("theta", 2.0) ** 2)
    out = scg.compile(g, dtype=dtype)({"theta": 2.0}, seed=0)
    assert out.grads["theta"].dtype == np.float32


@pytest.mark.parametrize("dtype", [None, int, 3, "half", "float46"])
def test_other_precisions_are_refused(dtype):
    g = scg.Graph("one")
    g.cost("c", g.parameter("theta", 2.0) ** 2)
    with pytest.raises(scg.DeclarationError, match="dtype must be one of 'float64', 'float32'"):
        scg.compile(g, dtype=dtype)


# --- declared since -------------------------------------------------------------------------------
@pytest.mark.parametrize("recurrent", [False, True])
def test_a_cost_that_was_declared_after_compiling_is_not_left_out(recurrent):
    g = scg.Graph("grows")
    w, t = g.parameter("w", 0.5), scg.Time("t", length=2)

    def cell(x):
        b = g.sample("b", scg.Bernoulli(logits=x * w))
        g.cost("c", b * w)
        return x + b

    g.scan(cell, init=1.0, over=t) if recurrent else g.cost("c", w**2)
    step = scg.compile(g, backend="numpy")
    old = step(g.init(seed=0), seed=0).cost
    fast = step.bind(g.init(seed=0))
    g.deterministic("twice", 2.0 * w)
    assert step(g.init(seed=0), seed=0).cost == fast(0).cost == old
    g.cost("later", w)
    params = g.init(seed=0)
    for use in (
        lambda: step(params, seed=0),
        lambda: step.bind(params),
        lambda: fast(0),
        lambda: fast.moments(0),
        lambda: scg.moments(step, params),
        lambda: scg.fit(step, params, seed=0, steps_per_epoch=1),
    ):
        with pytest.raises(scg.CallError, match="cost 'later' of graph 'grows' was declared after"):
            use()
    assert scg.compile(g, backend="numpy")(g.init(seed=0), seed=0).costs["later"] == 0.5
