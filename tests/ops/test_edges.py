"""Values and derivatives at the edges: infinities, zeros, ties, and branches that are not taken."""

import mpmath as mp
import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.ops import elementwise, gradient, powers, quantiles, special
from scg.run.finish import finish

INF = np.inf


def evaluate(fn, *args):
    """Value, first derivatives and mixed second derivatives of a scalar function of scalars."""
    g = scg.Graph("edge")
    nodes = [g.parameter(f"x{i}", np.zeros(np.shape(arg))) for i, arg in enumerate(args)]
    y = fn(*nodes)
    first = gradients(np.sum(y), nodes)
    second = {
        (i, j): h
        for i, slope in enumerate(first)
        for j, h in enumerate(gradients(np.sum(slope), nodes))
    }
    outputs = {"value": y, **dict(enumerate(first)), **second}
    out = finish(outputs).run({f"x{i}": np.asarray(x) for i, x in enumerate(args)}, None, {})
    return {key: value[0] for key, value in out.items()}


# --- reductions -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "x", [[-INF, 0.3, -INF, 1.0], [800.0, -800.0, 799.0, 0.0], [-1e5, -1e5, -1e5, -1e5]]
)
def test_logsumexp_and_softmax_at_extremes(x):
    x = np.array(x)
    with mp.workdps(50):
        exact = mp.log(mp.fsum(mp.exp(mp.mpf(float(v))) for v in x))
        weights = [float(mp.exp(mp.mpf(float(v)) - exact)) for v in x]
    out = evaluate(scg.logsumexp, x)
    np.testing.assert_allclose(out["value"], float(exact), rtol=1e-15)
    rounding = 1e-15 + np.spacing(np.max(np.abs(x[x > -INF])))  # of x - logsumexp(x), an exponent
    np.testing.assert_allclose(out[0], weights, rtol=rounding)
    np.testing.assert_allclose(evaluate(scg.softmax, x)["value"], weights, rtol=rounding)


def test_logsumexp_of_nothing_possible():
    """As in SciPy: the value is -inf; nothing changes it, so that its derivative is zero."""
    out = evaluate(scg.logsumexp, np.array([-INF, -INF]))
    assert out["value"] == -INF and not out[0].any() and not out[0, 0].any()
    assert evaluate(scg.logsumexp, np.array([INF, 0.0]))["value"] == INF
    with np.errstate(all="raise"):  # nor does NumPy complain on arrays
        assert scg.logsumexp(np.array([-INF, -INF])) == -INF


def test_ties_of_a_maximum_share_the_derivative():
    np.testing.assert_array_equal(evaluate(np.max, np.array([1.0, 2.0, 2.0]))[0], [0, 0.5, 0.5])
    for fn in (np.maximum, np.minimum):
        out = evaluate(fn, 0.7, 0.7)
        assert out[0] == out[1] == 0.5
    for fn, weights in ((np.sort, [1, 2, 6]), (lambda x: -np.sort(-x), [1, 6, 2])):
        out = evaluate(lambda x, fn=fn, w=weights: np.sum(fn(x) * w), np.array([2.0, 1.0, 2.0]))
        np.testing.assert_array_equal(out[0], [4, 1, 4] if weights[1] == 2 else [3.5, 2, 3.5])


@pytest.mark.parametrize(
    "fn, slope, curvature",
    [
        (lambda x: np.maximum(x, 0.0) + np.minimum(x, 0.0), 1, 0),
        (lambda x: np.maximum(0.0, x) + np.minimum(0.0, x), 1, 0),
        (lambda x: np.maximum(x, 0.0) ** 2 + np.minimum(0.0, x) ** 2, 0, 2),
        (lambda x: np.maximum(x, 0.0) ** 3 + np.minimum(x, 0.0) ** 3, 0, 0),
        (lambda x: np.maximum(x, 0.0) * np.minimum(0.0, x), 0, 0),
        (lambda x: np.clip(x, 0.0, 1.0) + np.clip(x, -1.0, 0.0), 1, 0),
        (lambda x: scg.relu(x) - scg.relu(-x), 1, 0),
        (lambda x: scg.relu(x) ** 2 + scg.relu(-x) ** 2, 0, 2),
        (lambda x: np.max(np.stack([x, 0.0 * x])) + np.min(np.stack([x, 0.0 * x])), 1, 0),
        (lambda x: np.sum(np.sort(np.stack([x, 0.0 * x]))), 1, 0),
        (lambda x: np.sort(np.stack([x, x * 0.0]))[0] - np.sort(np.stack([-x, x * 0]))[0], 1, 0),
        (lambda x: np.abs(x) ** 2, 0, 2),
        (lambda x: np.abs(x) * np.abs(x), 0, 2),
        (lambda x: x * np.abs(x), 0, 0),
        (lambda x: np.cos(np.abs(x)), 0, -1),
        (lambda x: scg.leaky_relu(x, 0.2) + scg.leaky_relu(-x, 0.2) - 0.8 * np.abs(x), 0, 0),
        (lambda x: scg.leaky_relu(x, 1.0), 1, 0),
        (scg.elu, 1, 0.5),  # of one-sided curvatures 0 and 1
        (lambda x: scg.elu(x) * scg.elu(-x), 0, -2),
        (lambda x: scg.Logistic(0.0, 1.0).log_prob(x), 0, -0.5),
        (lambda x: scg.StudentT(3.0, 0.0, 1.0).log_prob(x), 0, -4 / 3),
        (lambda x: scg.RelaxedBernoulli(1.0, logits=0.0).log_prob(scg.sigmoid(x)) - x, -1, 0.0),
        (lambda x: scg.Logistic(x, 1.0).kl(scg.Logistic(0.0, 1.0)), 0, 1 / 3),
        (lambda x: scg.Laplace(x, 1.0).kl(scg.Laplace(0.0, 1.0)), 0, 1),
    ],
)
def test_a_smooth_function_has_its_derivatives_at_a_tie_of_its_pieces(fn, slope, curvature):
    out = evaluate(fn, 0.0)
    np.testing.assert_allclose([out[0], out[0, 0]], [slope, curvature], atol=1e-12)


def test_equal_scales_are_a_tie_inside_the_divergence_of_logistic_laws():
    slopes = [
        evaluate(lambda s: scg.Logistic(0.3, s).kl(scg.Logistic(-0.2, 1.1)), 1.1 + d)[0]
        for d in (-1e-7, 0.0, 1e-7)
    ]
    np.testing.assert_allclose(slopes[1], (slopes[0] + slopes[2]) / 2, rtol=1e-10)


# --- powers, x log y ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "x, power, value, slope, curvature",
    [
        (0.0, 2, 0.0, 0.0, 2.0),
        (0.0, 3, 0.0, 0.0, 0.0),
        (0.0, 1, 0.0, 1.0, 0.0),
        (0.0, 0, 1.0, 0.0, 0.0),
        (0.0, 0.5, 0.0, INF, -INF),
        (-2.0, 3, -8.0, 12.0, -12.0),
        (-2.0, -1, -0.5, -0.25, -0.25),
        (-2.0, 0.0, 1.0, 0.0, 0.0),
        (2.0, -2.0, 0.25, -0.25, 0.375),
    ],
)
def test_constant_powers(x, power, value, slope, curvature):
    out = evaluate(lambda a: a**power, x)
    np.testing.assert_allclose([out["value"], out[0], out[0, 0]], [value, slope, curvature])


def test_power_at_zero_in_both_arguments():
    out = evaluate(np.power, 0.0, 0.0)  # 0 · 0^-1 is 0, not NaN
    assert [out["value"], out[0], out[1]] == [1, 0, 0]
    out = evaluate(np.power, 0.0, 2.0)
    assert [out["value"], out[0], out[1], out[0, 1]] == [0, 0, 0, 0]
    out = evaluate(np.power, 1.7, 0.0)
    np.testing.assert_allclose(
        [out["value"], out[0], out[1], out[0, 1]], [1, 0, np.log(1.7), 1 / 1.7]
    )


@pytest.mark.parametrize("fn, y", [(powers.xlogy, 0.0), (powers.xlog1py, -1.0)])
def test_zero_times_log_zero(fn, y):
    out = evaluate(fn, 0.0, y)
    assert out["value"] == 0.0 and out[1] == 0.0
    assert out[0] == out[1, 1] == 0.0 and out[1, 0] == INF  # 1 / y; in x there is no slope
    assert fn(0.0, y) == 0.0
    assert evaluate(fn, 2.0, y)["value"] == -INF


def test_x_log_y_has_all_second_derivatives_at_zero():
    """d²/dx dy of x log y is 1 / y, also where x is 0, and from both sides."""
    out = evaluate(powers.xlogy, 0.0, 0.4)
    np.testing.assert_allclose([out[0], out[1], out[0, 1], out[1, 0]], [np.log(0.4), 0, 2.5, 2.5])
    out = evaluate(powers.xlog1py, 0.0, -0.6)
    np.testing.assert_allclose([out[0, 1], out[1, 0], out[1, 1]], [2.5, 2.5, 0], atol=1e-15)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_matrix_without_a_result_leaves_the_others_alone(backend):
    """What uses only the good one of two matrices has no derivative in the singular one."""
    good, singular = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, 2.0], [2.0, 4.0]])
    g = scg.Graph("batch")
    both, one = g.parameter("both", np.stack([good, singular])), g.parameter("one", good)
    functions = (
        np.linalg.inv,
        lambda a: np.linalg.solve(a, np.ones((2, 1))),
        lambda a: scg.solve_triangular(a * np.triu(np.ones((2, 2))), np.ones((2, 1)), lower=False),
        np.linalg.cholesky,
        lambda a: np.linalg.slogdet(a)[1],
    )
    for k, function in enumerate(functions):
        for name, a in (("both", both), ("one", one[None])):
            g.cost(f"{name} {k}", np.sum(np.reshape(function(a)[0], (-1,)) * 1.7))
    with np.errstate(all="ignore"):
        out = scg.compile(g, backend=backend)(g.init(seed=0), seed=0)
    np.testing.assert_allclose(out.grads["both"][0], out.grads["one"], rtol=1e-13)
    assert not out.grads["both"][1].any()


# --- branches that are not taken ------------------------------------------------------------------
def test_where_keeps_an_infinite_branch_out_of_the_value():
    out = evaluate(lambda a: np.where(a > 0.0, a, -INF), 1.5)
    assert out["value"] == 1.5 and out[0] == 1.0


def test_where_cannot_undo_the_derivative_of_its_branch():
    """0 · ∞ inside the branch not taken is NaN, as in every reverse mode; guard the argument."""
    poisoned = evaluate(lambda a: np.where(a > 0.0, np.sqrt(a), 0.0), 0.0)
    guarded = evaluate(lambda a: np.where(a > 0, np.sqrt(np.where(a > 0, a, 1.0)), 0.0), 0.0)
    assert poisoned["value"] == guarded["value"] == 0.0
    assert np.isnan(poisoned[0])
    assert guarded[0] == 0.0 and guarded[0, 0] == 0.0


def test_unused_branches_inside_the_vocabulary_do_not_poison():
    for fn, args in (
        (scg.relu, (0.0,)),
        (lambda a, b: a**b, (0.0, 2.0)),
        (lambda a: a**0, (0.0,)),
        (lambda a: np.abs(a), (0.0,)),
        (scg.softplus, (-800.0,)),
        (scg.sigmoid, (800.0,)),
        (scg.sigmoid, (-800.0,)),
        (scg.sigmoid, (-INF,)),
        (np.tanh, (INF,)),
    ):
        out = evaluate(fn, *args)
        assert all(np.all(np.isfinite(value)) for value in out.values()), (fn, out)


def test_what_is_impossible_counts_for_nothing():
    """0 · ∞ is 0, in values and in derivatives; anything else is as it was."""
    for value, weight, product, slope in (
        (-INF, 0.0, 0.0, 0.0),
        (np.nan, 0.0, 0.0, 0.0),
        (-INF, 0.5, -INF, -INF),
        (3.0, 0.0, 0.0, 3.0),
        (3.0, 0.5, 1.5, 3.0),
    ):
        out = evaluate(lambda w, value=value: w * elementwise.possible(value + 0.0 * w, w), weight)
        assert (out["value"], out[0]) == (product, slope)


def test_log_zero_passes_no_credit_on_where_none_arrives():
    """w log p for a probability p of 0: no NaN for w = 0, an infinite derivative for w > 0."""
    for fn, at in ((powers.xlogy, 0.0), (powers.xlog1py, -1.0)):
        out = evaluate(lambda w, p, fn=fn: w * elementwise.possible(fn(1.0, p), w), 0.0, at)
        assert (out["value"], out[0], out[1]) == (0.0, 0.0, 0.0)
        out = evaluate(lambda w, p, fn=fn: w * fn(1.0, p), 0.5, at)
        assert (out["value"], out[1]) == (-INF, INF)
    assert evaluate(powers.ratio, 0.0, 0.0)["value"] == 0.0
    assert evaluate(powers.ratio, 1.0, 0.0)["value"] == INF


def test_marks_on_derivatives():
    """stop: none; box: value 1, derivative of the box; graft: value and derivative of two nodes."""
    out = evaluate(lambda a: scg.stop_gradient(a) * a, 0.7)
    assert (out["value"], out[0], out[0, 0]) == (0.7**2, 0.7, 0.0)
    out = evaluate(lambda a: gradient.box(3.0 * a) * np.exp(a), 0.7)
    np.testing.assert_allclose(
        [out["value"], out[0], out[0, 0]], np.exp(0.7) * np.array([1, 4, 16])
    )
    out = evaluate(lambda a: gradient.graft(np.exp(a), a**3), 0.7)
    np.testing.assert_allclose([out["value"], out[0]], [np.exp(0.7), 3 * 0.7**2])


def test_erasing_a_graft_keeps_its_plates():
    """Five elements of 0.7 sum to 3.5, though the value alone is on no plate."""
    g = scg.Graph("graft")
    p = scg.Plate("p", length=5)
    a, x = g.parameter("a", 0.7), g.data("x", plates=p)
    y = scg.plate_sum(gradient.graft(a, 2.0 * a * x), p)
    out = finish({"y": y, "dy": gradients(y, [a])[0]}).run(
        {"a": 0.7, "x": np.arange(5.0)}, None, {}
    )
    np.testing.assert_allclose([out["y"][0], out["dy"][0]], [3.5, 20.0])


# --- elementary functions at extremes -------------------------------------------------------------
@pytest.mark.parametrize("x", [-800.0, -40.0, -1e-12, 0.0, 1e-12, 40.0, 800.0])
def test_logistic_functions_at_extremes(x):
    with mp.workdps(400):
        p = 1 / (1 + mp.exp(-mp.mpf(x)))
        log_q = mp.log1p(mp.exp(mp.mpf(x)))
    for fn, value, slope in (
        (scg.sigmoid, p, p * (1 - p)),
        (scg.softplus, log_q, p),
    ):
        out = evaluate(fn, x)
        np.testing.assert_allclose(out["value"], float(value), rtol=1e-15)
        np.testing.assert_allclose(out[0], float(slope), rtol=1e-14)


def test_booleans_become_floats_of_full_precision():
    g = scg.Graph("booleans")
    x = g.data("x", 2)
    run = finish({"exp": np.exp(x > 0.0), "mean": np.mean(x > 0.0), "tanh": np.tanh(x > 0.0)}).run
    out = run({"x": np.array([1.0, -1.0])}, None, {})
    np.testing.assert_allclose(out["exp"][0], [np.e, 1.0], rtol=1e-15)
    np.testing.assert_allclose(out["tanh"][0], [np.tanh(1.0), 0.0], rtol=1e-15)
    assert out["mean"][0] == 0.5


# --- indices --------------------------------------------------------------------------------------
def test_negative_indices_get_their_derivative():
    g = scg.Graph("indices")
    x, k = g.parameter("x", np.zeros(3)), g.data("k", 2, kind="int")
    (slope,) = gradients(np.sum(x[k] ** 2), [x])
    values = {"x": np.array([0.5, -1.0, 2.0]), "k": np.array([-1, 0])}
    out = finish({"g": slope}).run(values, None, {})["g"][0]
    np.testing.assert_array_equal(out, [1.0, 0.0, 4.0])


def test_an_index_out_of_range_is_an_error_where_it_is_known():
    g = scg.Graph("indices")
    x, k = g.parameter("x", np.zeros(3)), g.data("k", kind="int")
    for index in ([3], [0, -4]):
        with pytest.raises(scg.DeclarationError, match="out of range"):
            x[index]
    with pytest.raises(scg.CallError, match="out of bounds: 3"):
        finish({"y": x[k]}).run({"x": np.zeros(3), "k": np.array(3)}, None, {})


def test_the_density_of_a_gamma_law_at_zero():
    out = evaluate(lambda x: special.gamma_density(2.0, x), 1e-300)
    assert out["value"] == pytest.approx(1e-300, rel=1e-12)


def test_a_derivative_that_no_kernel_knows_is_an_error():
    """Rather than a number: the kernels know three orders, of the beta quantile two."""
    for function, known in (
        (lambda a: special.gammainc(a, 0.7), 3),
        (lambda a: special.log_gammaincinv(a, 0.7), 3),
        (lambda k: special.log_i0e(k, order=0), 3),
        (lambda k: special.von_mises_cdf(k, 0.7, order=0), 3),
        (lambda a: quantiles.logit_betaincinv(a, 2.0, 0.7), 2),
    ):
        y = x = scg.Graph().parameter("x", 1.3)
        y = function(y)
        for _ in range(known):
            (y,) = gradients(y, [x])
        with pytest.raises(scg.UnsupportedError, match="no derivative of order"):
            gradients(y, [x])
