"""What users write by mistake with ops: one error each, which says what to write."""

import math

import numpy as np
import pytest
import scipy.special as sp

import scg
from scg.errors import CallError, DeclarationError
from scg.run.finish import finish

MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])


@pytest.fixture
def x():
    return scg.Graph("g").parameter("x", [1.0, 2.0, 3.0])


# --- nodes are no numbers, and SciPy's functions are not NumPy's ---------------------------------
@pytest.mark.parametrize(
    "use",
    [float, int, complex, math.exp, math.floor, round, range, [0, 1].__getitem__, "{:.3f}".format],
)
def test_a_node_is_no_number(x, use):
    with pytest.raises(TypeError, match=r"is not a number .* Write NumPy functions on it.*np.exp"):
        use(x[0])


def test_a_node_is_not_written_to(x):
    with pytest.raises(TypeError, match=r"node 'x' .* cannot be written to\. Write np\.where"):
        x[0] = 1.0


@pytest.mark.parametrize(
    "function, write",
    [
        (sp.expit, r"scg\.sigmoid$"),
        (sp.log_expit, r"scg\.log_sigmoid$"),
        (sp.psi, r"scg\.digamma$"),
        (sp.erf, r"scg\.erf$"),
        (sp.gammaln, r"scg\.gammaln$"),
        (sp.expm1, r"np\.expm1$"),
        (lambda x: sp.xlogy(x, x), r"x \* np\.log\(y\)$"),
        (lambda x: sp.jv(0, x), r"scg\.op\(jv\)$"),
        (sp.softmax, "functions of np or scg"),
        (sp.logsumexp, "only functions of np and scg take nodes"),
    ],
)
def test_functions_of_scipy_name_ours(x, function, write):
    with pytest.raises((TypeError, DeclarationError), match=write):
        function(x)


# --- numbers that would silently be others --------------------------------------------------------
def test_masks_are_not_ignored(x):
    g = scg.Graph("masked")
    g.cost("c", np.sum(g.data("a", 3) * g.parameter("w", [1.0, 1.0, 1.0])))
    step, params = scg.compile(g, backend="numpy"), g.init(seed=0)
    wrong = [
        (lambda: x * MASKED, DeclarationError, "a constant is a masked array"),
        (lambda: scg.Graph().parameter("p", MASKED), DeclarationError, "parameter 'p'.* masked"),
        (lambda: step(params, seed=0, a=MASKED), CallError, "data 'a' is a masked array"),
        (lambda: step({"w": MASKED}, seed=0, a=np.ones(3)), CallError, "parameter 'w' is a masked"),
        (lambda: scg.Normal(MASKED, 1.0), DeclarationError, "loc of Normal is a masked array"),
        (lambda: scg.Normal(x, 1.0).log_prob(MASKED), DeclarationError, "a masked array"),
        (lambda: scg.Normal(0.0, np.ones(3)).log_prob(MASKED), DeclarationError, "a masked array"),
        (lambda: scg.sigmoid(MASKED), DeclarationError, "sigmoid is a masked array"),
        (lambda: made(lambda rng, shape: MASKED), CallError, "its initializer is a masked array"),
        (
            lambda: sampled().simulate({}, nodes=["z"], do={"z": MASKED}, seed=0),
            CallError,
            "do: node 'z' is a masked array",
        ),
    ]
    for use, error, match in wrong:
        with pytest.raises(error, match=rf"{match}.*mask= of g\.observe"):
            use()
    unmasked = np.ma.array([1.0, 2.0, 3.0], mask=False)
    assert step(params, seed=0, a=unmasked).cost == 6.0


def made(init):
    g = scg.Graph("made")
    g.parameter("w", shape=3, init=init)
    return g.init(seed=0)


def sampled():
    g = scg.Graph("sampled")
    g.sample("z", scg.Normal(np.zeros(3), 1.0))
    return g


@pytest.mark.parametrize(
    "value",
    [1j * np.ones(3), ["1", "2", "3"], np.array(["2020", "2021", "2022"], "M8[Y]"), None],
    ids=["complex", "text", "dates", "None"],
)
def test_what_is_no_real_number_is_not_read_as_one(value):
    with pytest.raises(CallError, match=r"parameter 'w': .*initializer: expected real numbers"):
        made(lambda rng, shape: value)
    with pytest.raises(DeclarationError, match="parameter 'w': "):
        scg.Graph().parameter("w", value)


@pytest.mark.parametrize(
    "nested",
    [
        lambda x, rows: x @ rows,
        lambda x, rows: x**rows,
        lambda x, rows: np.outer(x, rows),
        lambda x, rows: np.take(x, rows),
        lambda x, rows: scg.one_hot(rows, 3),
        lambda x, rows: x[rows],
        lambda x, rows: scg.Normal(x, 1.0).log_prob(rows),
        lambda x, rows: scg.Normal(x, 1.0).log_prob(x, mask=rows),
    ],
)
def test_rows_of_different_lengths_are_no_array(x, nested):
    with pytest.raises(DeclarationError, match=r": expected an array of numbers, got \[1, \[2\]\]"):
        nested(x, [1, [2]])


@pytest.mark.parametrize("bounds", [slice("a", None), slice(0.5, 2), slice(0, 2, 0)])
def test_a_slice_is_of_integers(x, bounds):
    with pytest.raises(DeclarationError, match=r"slice of node 'x' .* is of integers.*np\.take"):
        x[bounds]
    with pytest.raises(DeclarationError, match=r"slice of node 'x' .* is of integers.*np\.take"):
        x[x[0] :]


def test_unsigned_integers_do_not_wrap(x):
    large = np.array([0, 2**63], np.uint64)
    with pytest.raises(DeclarationError, match="9223372036854775808"):
        x[large]
    g = scg.Graph("wrap")
    g.cost("c", np.sum(g.parameter("w", [1.0, 2.0])[g.data("k", 2, kind="int")]))
    step = scg.compile(g, backend="numpy")
    with pytest.raises(CallError, match="data 'k': 9223372036854775808 does not fit 64 bits"):
        step(g.init(seed=0), seed=0, k=large)
    assert step(g.init(seed=0), seed=0, k=np.array([1, 1], np.uint64)).cost == 4.0


@pytest.mark.parametrize("k", [5, -1, 2.5, [0, 4, 7]])
def test_one_hot_of_what_is_no_class(x, k):
    with pytest.raises(DeclarationError, match=r"scg\.one_hot\(k, depth=5\).*from 0 to 4"):
        scg.one_hot(k, 5)
    assert np.array_equal(scg.one_hot(np.uint8(4), 5), [0, 0, 0, 0, 1])


# --- indices and axes -----------------------------------------------------------------------------
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    "choose", [lambda w, k: w[k], lambda w, k: np.take_along_axis(w, k, 0), np.take]
)
def test_an_index_out_of_bounds_names_both_nodes(backend, choose):
    g = scg.Graph("choice")
    w, k = g.parameter("w", [0.5, -1.0, 2.0]), g.data("label", 2, kind="int")
    g.cost("c", np.sum(choose(w, k)))
    step = scg.compile(g, backend=backend)
    for bad in (3, -4):
        match = rf"out of bounds: {bad} in node 'label'.* of node 'w'.*from 0 to 2.*test_misuse\.py"
        with pytest.raises(CallError, match=match):
            step(g.init(seed=0), seed=0, label=[0, bad])


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [1, [0, -1], [[2, 0], [1, 1]]])
def test_take_is_numpys(axis, indices):
    values = np.arange(12.0).reshape(3, 4) ** 2
    g = scg.Graph("take")
    x, k = g.data("x", (3, 4)), g.data("k", np.shape(indices), kind="int")
    expected = np.take(values, indices, axis)
    for y in (np.take(x, indices, axis=axis), np.take(x, k, axis=axis)):
        found = finish({"y": y}).run({"x": values, "k": np.asarray(indices)}, None, {})["y"][0]
        np.testing.assert_array_equal(found, expected)
        assert y.shape == expected.shape
    with pytest.raises(TypeError, match=r"np\.take on nodes takes \(x, indices, axis\)"):
        np.take(x, indices, mode="clip")


def test_more_axes_than_arrays_can_have(x):
    g = scg.Graph("axes")
    p = scg.Plate("p")
    for use in (
        lambda: g.parameter("a", shape=(1,) * 65),
        lambda: g.parameter("a", np.ones((1,) * 33)),
        lambda: g.data("b", shape=(1,) * 64, plates=p),
        lambda: np.expand_dims(x, tuple(range(1, 70))),
    ):
        with pytest.raises(DeclarationError, match=r"node .* event axes .* 64 axes .*np\.reshape"):
            use()


def test_a_length_or_an_axis_that_nothing_determines(x):
    with pytest.raises(DeclarationError, match=r"reshape: -1 in \(0, -1\) may be any length"):
        x[:0].reshape(0, -1)
    with pytest.raises(DeclarationError, match=r"roll: shift and axis must be equally many"):
        np.roll(x, (1, 2, 3), axis=(0, 0))


# --- a user's op ----------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    "shape, function, vectorized, got",
    [
        ((), lambda z: z, False, r"shape \(\) for arguments of shape \(3,\), got \(3,\)"),
        ((3,), lambda z: z.sum(), False, r"shape \(3,\) .* got \(\)"),
        ((3,), lambda z: z.sum(-1), True, r"shape \(2, 3\) .* got \(2,\)"),
        ((), lambda z: None, False, "got NoneType None"),
        ((), lambda z: "a", False, "got str 'a'"),
        ((2,), lambda z: [1, [2, 3]], False, r"got list \[1, \[2, 3\]\]"),
        ((), lambda z: 10**400, False, "got int 1000"),
    ],
)
def test_an_op_of_another_shape(backend, shape, function, vectorized, got):
    reward = scg.op(function, shape=shape, vectorized=vectorized, name="reward")
    g = scg.Graph("op")
    z = g.sample("z", scg.Normal(np.zeros(3), 1.0), plates=scg.Plate("p", length=2))
    g.cost("c", np.sum(reward(z)) * g.parameter("w", 1.0))
    with pytest.raises(CallError, match=rf"'reward' must return floats of {got}|'reward' .*{got}"):
        scg.compile(g, scg.ScoreFunction(), backend=backend)(g.init(seed=0), seed=0)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(
    "kind, value, vectorized",
    [
        ("int", 1.5, False),
        ("int", math.nan, False),
        ("int", 1e300, False),
        ("bool", 2, False),
        ("float", 1 + 1j, False),
        ("float", "1", False),
        ("float", np.datetime64("2020"), False),
        ("float", np.complex128(1), False),
        ("float", np.ma.masked, False),
        ("float", np.ma.array([1.0, 2.0], mask=[0, 1]), True),
        ("int", np.array([1.5, 2.0]), True),
    ],
)
def test_an_op_of_another_kind(backend, kind, value, vectorized):
    look = scg.op(lambda z: value, kind=kind, vectorized=vectorized, name="look")
    g = scg.Graph("op")
    z = g.sample("z", scg.Normal(0.0, 1.0), plates=scg.Plate("p", length=2))
    g.cost("c", np.where(look(z) > 0, 1.0, 0.0) * g.parameter("w", 1.0))
    with pytest.raises(CallError, match=f"'look' must return {kind}s of shape"):
        scg.compile(g, scg.ScoreFunction(), backend=backend)(g.init(seed=0), seed=0)


@pytest.mark.parametrize("kind, value", [("int", 2.0), ("bool", 1), ("float", True), ("int", True)])
def test_an_op_may_return_equal_numbers_of_another_kind(kind, value):
    g = scg.Graph("op")
    g.cost("c", np.where(scg.op(lambda z: value, kind=kind)(g.parameter("w", 1.0)) >= 1, 1.0, 0.0))
    assert scg.compile(g, backend="numpy")(g.init(seed=0), seed=0).cost == 1.0


def test_an_op_has_no_further_options(x):
    for arg in (x, np.ones(3)):
        with pytest.raises(DeclarationError, match="softplus takes no option 'beta'"):
            scg.softplus(arg, beta=2.0)
        with pytest.raises(DeclarationError, match="gammainc: expected 2 arguments, got 1"):
            scg.gammainc(arg)


def test_an_op_takes_so_many_arguments(x):
    with pytest.raises(DeclarationError, match=r"'f' has 1 arguments here, .* function is called"):
        scg.op(lambda a, b: a, name="f")(x)
    with pytest.raises(
        DeclarationError, match=r"vjp is called with 3, got the function <lambda>\(g"
    ):
        scg.op(lambda a: a, lambda g: g, name="f")(x)


def test_an_op_needs_a_shape():
    with pytest.raises(DeclarationError, match=r"scg\.op: shape is an integer or a tuple"):
        scg.op(lambda z: z, shape=2.5)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("vectorized", [False, True])
def test_an_op_may_not_write_into_its_arguments(backend, vectorized):
    """They may be the caller's arrays, or what other ops read."""
    double = scg.op(lambda x: x.__imul__(2.0), shape=(3,), vectorized=vectorized)
    g = scg.Graph("op")
    x = g.data("x", shape=(3,))
    g.cost("c", np.sum(double(x) + x) * g.parameter("w", 1.0))
    data = np.ones(3)
    with pytest.raises(ValueError, match="read-only"):
        scg.compile(g, backend=backend)(g.init(seed=0), seed=0, x=data)
    np.testing.assert_array_equal(data, 1.0)


@pytest.mark.parametrize(
    "vjp, found",
    [
        (lambda g, out, x, y: (None, g * x), (0.0, 9.0)),  # None stands for zero
        (lambda g, out, x, y: (g * np.ones(3), [0.0, 0.0, 1.0]), (3.0, 1.0)),  # numbers are nodes
        (lambda g, out, x, y: (g * y[:2], g * x), r"of shape \(3,\) for node 'x' .*, got .*\(2,\)"),
        (
            lambda g, out, x, y: g * y,
            "one node, or None, for each of its 2 arguments, got",
        ),
        (lambda g, out, x, y: (g, g, g), "for each of its 2 arguments, got"),
        (lambda g, out, x, y: None, "for each of its 2 arguments, got None"),
        (lambda g, out, x, y: ("a", g), "got str"),
    ],
)
def test_what_the_vjp_of_an_op_returns(vjp, found):
    g = scg.Graph("op")
    x, y = g.parameter("x", [2.0, 3.0, 4.0]), g.parameter("y", np.ones(3))
    g.cost("c", scg.op(np.dot, vjp, name="dot")(x, y))
    if isinstance(found, str):
        with pytest.raises(DeclarationError, match=found):
            scg.compile(g, backend="numpy")
    else:
        grads = scg.compile(g, backend="numpy")(g.init(seed=0), seed=0).grads
        assert tuple(np.sum(grads[name]) for name in "xy") == found
