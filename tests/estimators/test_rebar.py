"""REBAR: exact means by quadrature, the published formula in NumPy, and what learns."""

import numpy as np
import pytest

import scg

from . import relaxed_models as models
from .graphs import params_of
from .relaxed_models import derivative, log_softmax, logistic, sigmoid, softmax

TAU, ETA = 0.6, 0.7
STATE = {"temperature": np.array(TAU), "eta": np.array(ETA)}
COUPLED = pytest.mark.parametrize("coupled", [True, False])


def control_state(step, temperature=TAU, eta=ETA):
    own = {"temperature": np.array(temperature), "eta": np.array(eta)}
    return {node: own for node in step.init(seed=0)}


def assert_unbiased(g, estimator):
    m, truth = scg.moments(scg.compile(g, estimator), params_of(g)), scg.exact(g, params_of(g))
    assert m.cost == pytest.approx(truth.cost, abs=1e-10)
    for name, value in truth.grads.items():
        np.testing.assert_allclose(m.mean[name], value, atol=1e-10, err_msg=name)
    return m


# --- unbiased -------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [models.binary, models.narrow])
def test_the_mean_is_exact(make):
    m = assert_unbiased(make(), scg.REBAR(TAU, ETA, learn=False))
    assert any(np.any(v > 0) for v in m.variance.values())


def test_the_mean_is_exact_with_independent_noise():
    g = scg.Graph("one")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    g.cost("loss", np.exp(1.1 * b) + (b - 0.3) ** 3)
    assert_unbiased(g, scg.REBAR(TAU, ETA, coupled=False))


@pytest.mark.parametrize("below", [scg.ScoreFunction(), scg.MuProp(), scg.Enumeration(), scg.RAM()])
def test_the_mean_is_exact_above_other_estimators(below):
    g = models.narrow()
    assert_unbiased(g, {"h": scg.REBAR(TAU), "k": below})
    assert_unbiased(g, {"h": below, "k": scg.REBAR(TAU)})


@pytest.mark.parametrize("below", [scg.Reparameterization(), scg.ScoreFunction()])
def test_the_mean_is_exact_above_a_normal_draw(below):
    g = scg.Graph("mixed")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    z = g.sample("z", scg.Normal(g.parameter("m", 0.3) * b, 0.8))
    g.cost("loss", np.sin(z + b) + b * z**2)
    m = scg.moments(scg.compile(g, {"b": scg.REBAR(TAU), "z": below}), params_of(g))
    p = sigmoid(0.4)

    def value(a, loc):  # E sin(loc + b + 0.8 n) = exp(-0.32) sin(loc + b)
        q = sigmoid(a)
        return q * (np.exp(-0.32) * np.sin(1 + loc) + loc**2 + 0.64)

    assert m.mean["a"] == pytest.approx(p * (1 - p) * value(40.0, 0.3), abs=1e-8)
    assert m.mean["m"] == pytest.approx(
        derivative(lambda loc: value(0.4, loc), np.array(0.3)), abs=1e-8
    )


def test_the_hessian_is_exact():
    g = models.narrow()
    step = scg.compile(g, scg.REBAR(TAU, ETA), order=2)
    m, truth = scg.moments(step, params_of(g)), scg.exact(g, params_of(g)).hessian
    for one, row in truth.items():
        for two, value in row.items():
            np.testing.assert_allclose(m.hessian[one][two], value, atol=1e-9, err_msg=one + two)


@pytest.mark.statistical
@COUPLED
def test_no_bias_is_found_in_layers_plates_and_classes(coupled, seed):
    """z-tests; 19 components at 6.5 standard errors fail by chance once in 10⁸ runs of all."""
    for make, data in ((models.layers, {}), (models.plated, models.BATCH), (models.classes, {})):
        g = make()
        out = scg.compile(g, scg.REBAR(TAU, ETA, coupled=coupled))(
            params_of(g), seed=(seed, int(coupled)), runs=20_000, data=data
        )
        for name, value in scg.exact(g, params_of(g), data).grads.items():
            error = np.maximum(out.stderr[name], 1e-12)
            assert np.all(np.abs(out.grads[name] - value) < 6.5 * error), name
            assert np.all(9 * error < 0.2), "a bias of 0.2 would be found 99 times in 100"


# --- the published formula ------------------------------------------------------------------------
@COUPLED
def test_two_layers_on_the_same_noise(coupled):
    g, runs = models.layers(), 25
    step = scg.compile(g, scg.REBAR(coupled=coupled))
    noise, p = step.noise(seed=3, runs=runs), params_of(g)
    out = step(p, noise=noise, state=control_state(step))
    total = {key: 0.0 for key in p}
    for r in range(runs):
        e_h, e_k = logistic(noise["h/u"][r]), logistic(noise["k/u"][r])
        h = (p["a"] + e_h > 0) * 1.0
        lk = h @ p["w"] + p["c"]
        k = (lk + e_k > 0) * 1.0

        def odds(node, logits, b, e, r=r):
            v = noise[f"{node}/v"][r] if not coupled else None
            return models.binary_odds(logits, b, logits + e) if coupled else (1 - v) / v

        def relaxed_h(z, e_k=e_k):
            y = sigmoid(z / TAU)
            below = sigmoid((y @ p["w"] + p["c"] + e_k) / TAU)
            return models.end(y, below) + models.middle(y)

        def relaxed_k(z, h=h):
            return models.end(h, sigmoid(z / TAU))

        def rebar(cost, control, logits, b, e, v):
            logits = np.asarray(logits)
            slope = derivative(lambda x: control(x + e), logits)
            given = derivative(lambda x: control(models.binary_given(x, b, v)), logits)
            left = cost - ETA * control(models.binary_given(logits, b, v))
            return left * (b - sigmoid(logits)) + ETA * (slope - given)

        g_h = rebar(
            models.end(h, k) + models.middle(h),
            relaxed_h,
            p["a"],
            h,
            e_h,
            odds("h", p["a"], h, e_h),
        )
        g_k = rebar(models.end(h, k), relaxed_k, lk, k, e_k, odds("k", lk, k, e_k))
        total = {"a": total["a"] + g_h, "w": total["w"] + g_k * h, "c": total["c"] + g_k}
    for key, value in total.items():
        np.testing.assert_allclose(out.grads[key], value / runs, atol=1e-10, err_msg=key)


@COUPLED
def test_classes_on_the_same_noise(coupled):
    g, runs = models.classes(), 25
    step = scg.compile(g, scg.REBAR(coupled=coupled))
    noise, a = step.noise(seed=9, runs=runs), params_of(g)["a"]
    out, total = step({"a": a}, noise=noise, state=control_state(step)), 0.0
    for r in range(runs):
        x = models.class_index(a, noise["x/u"][r])
        z = models.class_given(a, x, noise["x/g"][r])
        gumbel = z - log_softmax(a)
        if coupled:  # v_b = exp(−exp(−z_b)), v_k = exp(−p_k (exp(−z_k) − exp(−z_b)))
            first = np.exp(-z[x == 1])
            v = np.where(x == 1, np.exp(-first), np.exp(-softmax(a) * (np.exp(-z) - first)))
        else:
            v = noise["x/v"][r]

        def control(z):
            return models.taste(softmax(z / TAU))

        def given(logits, x=x, v=v):
            return control(models.class_given(logits, x, v))

        slope = derivative(lambda logits, e=gumbel: control(log_softmax(logits) + e), a)
        left = models.taste(x) - ETA * given(a)
        total = total + left * (x - softmax(a)) + ETA * (slope - derivative(given, a))
    np.testing.assert_allclose(out.grads["a"], total / runs, atol=1e-10)


# --- learning -------------------------------------------------------------------------------------
@COUPLED
@pytest.mark.parametrize(
    "make, data", [(models.layers, None), (models.plated, models.BATCH), (models.classes, None)]
)
def test_own_gradients_are_differences_of_the_squared_norm(coupled, make, data):
    g = make()
    step = scg.compile(g, scg.REBAR(coupled=coupled))
    noise = step.noise(seed=3, runs=1, data=data)
    state = control_state(step)

    def norm(node, name, value):
        moved = {**state, node: {**state[node], name: np.array(value)}}
        out = step(params_of(g), noise=noise, data=data, state=moved)
        return sum(float(np.sum(v**2)) for v in out.grads.values())

    own = step(params_of(g), noise=noise, data=data, state=state).estimator_grads
    assert set(own) == set(state)
    for node, entries in own.items():
        assert set(entries) == {"eta", "temperature"}
        for name, value in entries.items():
            at = float(state[node][name])
            difference = (norm(node, name, at + 1e-5) - norm(node, name, at - 1e-5)) / 2e-5
            assert value == pytest.approx(difference, rel=1e-6, abs=1e-7), (node, name)
            assert abs(value) > 1e-6


@COUPLED
def test_the_scale_learns_its_closed_form_optimum(coupled):
    """The variance is a parabola in η, so three moments give its minimum, and one slope, too."""
    g = models.binary() if coupled else scg.Graph("one")
    if not coupled:
        b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
        g.cost("loss", np.exp(1.1 * b) + (b - 0.3) ** 3)
    step = scg.compile(g, scg.REBAR(coupled=coupled))

    def at(eta):
        return scg.moments(step, params_of(g), state=control_state(step, eta=eta))

    found = [at(eta) for eta in (0.0, 1.0, 2.0)]
    low, middle, high = (sum(np.sum(v) for v in m.variance.values()) for m in found)
    curvature = low - 2 * middle + high
    best = 1.0 - (high - low) / (2 * curvature)
    assert -found[0].estimator_grads["b"]["eta"] / curvature == pytest.approx(best, rel=1e-4)
    assert sum(np.sum(v) for v in at(best).variance.values()) < min(low, middle, high)


def test_without_learning_nothing_is_kept():
    g = models.binary()
    step = scg.compile(g, scg.REBAR(TAU, ETA, learn=False))
    assert step.init(seed=0) == {}
    learned = scg.compile(g, scg.REBAR())
    noise = step.noise(seed=1, runs=3)
    out = learned(params_of(g), noise=noise, state=control_state(learned))
    np.testing.assert_allclose(
        out.grads["a"], step(params_of(g), noise=noise).grads["a"], atol=1e-12
    )


def test_scale_zero_is_the_score_function():
    g = models.layers()
    step, plain = scg.compile(g, scg.REBAR(scale=0.0)), scg.compile(g, scg.ScoreFunction())
    noise = step.noise(seed=2, runs=8)
    one = step(params_of(g), noise=noise).grads
    two = plain(params_of(g), noise={name: noise[name] for name in plain.program.noise}).grads
    for name, value in two.items():
        np.testing.assert_allclose(one[name], value, atol=1e-12)


def test_it_has_a_lower_variance_than_the_score_function():
    g = models.binary()
    rebar, score = (
        scg.moments(scg.compile(g, e), params_of(g)) for e in (scg.REBAR(), scg.ScoreFunction())
    )
    assert np.sum(rebar.variance["a"]) < np.sum(score.variance["a"])


def test_below_it_no_other_gradient_moves():
    """A replay is open in the node's value alone: parameters below see their own estimator."""
    g = models.narrow()
    noise = scg.compile(g, {"h": scg.REBAR(), "k": scg.ScoreFunction()}).noise(seed=1, runs=4)
    grads = []
    for h in (scg.REBAR(), scg.ScoreFunction()):
        step = scg.compile(g, {"h": h, "k": scg.ScoreFunction()})
        own = {name: noise[name] for name in step.program.noise}
        grads.append(step(params_of(g), noise=own).grads)
    for name in ("w", "c", "s"):
        np.testing.assert_allclose(grads[0][name], grads[1][name], atol=1e-12)
    assert np.abs(grads[0]["a"] - grads[1]["a"]) > 1e-3


# --- what it refuses ------------------------------------------------------------------------------
def test_a_jump_on_the_way_is_refused():
    g = scg.Graph("jump")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    g.cost("loss", scg.where(b > 0.5, 2.0, 1.0) + b)
    with pytest.raises(scg.EstimatorError, match="not continuous"):
        scg.compile(g, scg.REBAR())


def test_a_draw_without_relaxation_below_is_refused():
    g = scg.Graph("count")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", 0.4)))
    n = g.sample("n", scg.Poisson(rate=np.exp(b)))
    g.cost("loss", n * b)
    with pytest.raises(scg.EstimatorError, match=r"'n' below it \(Poisson\) has no relaxation"):
        scg.compile(g, {"b": scg.REBAR(), "n": scg.ScoreFunction()})
