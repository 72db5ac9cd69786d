"""Gumbel-softmax: the relaxed and the straight-through form, and the temperature's three ways."""

import numpy as np
import pytest

import scg

from . import relaxed_models as models
from .graphs import params_of
from .relaxed_models import derivative, logistic, sigmoid, softmax

TAU = 0.6
BIAS = 1e-3
FORMS = pytest.mark.parametrize("hard", [False, True])


def make(hard=False, temperature=TAU, **options):
    return scg.GumbelSoftmax(temperature, hard, allow_biased=True, **options)


def run(g, estimator, seed=5, runs=40, data=None):
    step = scg.compile(g, estimator)
    noise = step.noise(seed=seed, runs=runs, data=data)
    return step(params_of(g), noise=noise, data=data), noise


@FORMS
def test_two_layers_on_the_same_noise(hard):
    """Hard draws above make hard parents; relaxed ones make relaxed parents."""
    g = models.layers()
    out, noise = run(g, make(hard))
    p, expected = params_of(g), {name: 0.0 for name in params_of(g)}
    for u_h, u_k in zip(noise["h/u"], noise["k/u"], strict=True):
        draw = {}

        def surrogate(theta, u_h=u_h, u_k=u_k, draw=draw):
            soft = sigmoid((theta["a"] + logistic(u_h)) / TAU)
            h = draw.setdefault("h", np.real(soft > 0.5) * 1.0) + soft - draw.setdefault("sh", soft)
            h = h if hard else soft
            lk = h @ theta["w"] + theta["c"]
            soft = sigmoid((lk + logistic(u_k)) / TAU)
            k = draw.setdefault("k", np.real(soft > 0.5) * 1.0) + soft - draw.setdefault("sk", soft)
            k = k if hard else soft
            return models.end(h, k) + models.middle(h)

        surrogate(p)
        for name in p:
            expected[name] = expected[name] + derivative(
                lambda value, name=name: surrogate({**p, name: value}), p[name]
            )
    for name, value in expected.items():
        np.testing.assert_allclose(out.grads[name], value / len(noise["h/u"]), atol=1e-10)


@FORMS
def test_classes_on_the_same_noise(hard):
    g = models.classes()
    out, noise = run(g, make(hard))
    a = params_of(g)["a"]
    total = 0.0
    for u, v in zip(noise["x/u"], noise["x/g"], strict=True):
        x = models.class_index(a, u)
        gumbel = models.class_given(a, x, v) - models.log_softmax(a)
        soft = softmax((models.log_softmax(a) + gumbel) / TAU)
        at = x if hard else soft
        slope = derivative(models.taste, at)
        jacobian = derivative(
            lambda logits, gumbel=gumbel, slope=slope: np.sum(
                slope * softmax((models.log_softmax(logits) + gumbel) / TAU)
            ),
            a,
        )
        total = total + jacobian
    np.testing.assert_allclose(out.grads["a"], total / len(noise["x/u"]), atol=1e-10)


@FORMS
@pytest.mark.parametrize(
    "make_graph, data", [(models.narrow, None), (models.plated, models.SINGLE)]
)
def test_the_bias_is_there_and_found(hard, make_graph, data):
    g = make_graph()
    step = scg.compile(g, make(hard))
    m, truth = scg.moments(step, params_of(g), data=data), scg.exact(g, params_of(g), data=data)
    assert not step.plan.unbiased
    top = next(iter(truth.grads))
    assert m.error < BIAS / 10 < BIAS < np.abs(m.mean[top] - truth.grads[top])
    if hard:  # the model itself is not another
        assert m.cost == pytest.approx(truth.cost, abs=1e-10)
    else:
        assert abs(m.cost - truth.cost) > BIAS


def test_low_temperatures_have_less_bias_and_more_variance():
    g = models.binary()
    truth = scg.exact(g, params_of(g)).grads["a"]
    found = [
        scg.moments(scg.compile(g, make(temperature=t)), params_of(g)) for t in (1.0, 0.5, 0.25)
    ]
    bias = [np.sum(np.abs(m.mean["a"] - truth)) for m in found]
    spread = [np.sum(m.variance["a"]) for m in found]
    assert bias[0] > bias[1] > bias[2]
    assert spread[0] < spread[1] < spread[2]


@pytest.mark.statistical
def test_the_relaxed_draw_has_the_concrete_law(seed):
    """Moments of the relaxed draw against those of the Concrete law of the library."""
    g = models.classes()
    out, _ = run(g, make(), seed=seed, runs=20_000)
    h = scg.Graph("concrete")
    y = h.sample("y", scg.RelaxedOneHotCategorical(TAU, logits=h.parameter("a", [0.2, -0.5, 0.9])))
    h.cost("loss", models.taste(y))
    other = scg.compile(h, scg.Reparameterization())(params_of(h), seed=(seed, 1), runs=20_000)
    z = (out.grads["a"] - other.grads["a"]) / np.hypot(out.stderr["a"], other.stderr["a"])
    # By chance below 1e-10; a bias of 9.4 standard errors is found 99 times in 100.
    assert np.all(np.abs(z) < 7.0), z


def test_a_schedule_counts_calls():
    g = models.binary()
    step = scg.compile(g, make(temperature=lambda n: np.maximum(0.5, np.exp(-0.3 * n))))
    state = step.init(seed=0)
    noise = step.noise(seed=1, runs=3)
    for n in range(4):
        fixed = scg.compile(g, make(temperature=float(max(0.5, np.exp(-0.3 * n)))))
        out = step(params_of(g), noise=noise, state=state)
        np.testing.assert_allclose(
            out.grads["a"], fixed(params_of(g), noise=noise).grads["a"], atol=1e-12
        )
        assert state["b"] == {"calls": n}
        state = out.state


@FORMS
def test_a_learned_temperature_follows_the_relaxed_objective(hard):
    """Its gradient is that of the relaxed cost; of the straight-through one only as a surrogate."""
    g = models.binary()
    step = scg.compile(g, make(hard, learn=True))
    noise = step.noise(seed=2, runs=5)
    at = {"b": {"temperature": np.array(0.7)}}
    out = step(params_of(g), noise=noise, state=at)
    (own,) = out.estimator_grads["b"].values()

    def cost(t):
        return float(step(params_of(g), noise=noise, state={"b": {"temperature": t}}).cost)

    difference = (cost(0.7 + 1e-5) - cost(0.7 - 1e-5)) / 2e-5
    assert own == pytest.approx(difference, abs=1e-8) or hard
    assert (abs(difference) < 1e-9) == hard
    same = scg.compile(g, make(hard, 0.7))(params_of(g), noise=noise)
    np.testing.assert_allclose(out.grads["a"], same.grads["a"], atol=1e-12)


def test_a_step_past_zero_does_no_harm():
    g = models.binary()
    step = scg.compile(g, make(learn=True))
    out = step(params_of(g), seed=1, runs=4, state={"b": {"temperature": np.array(-0.02)}})
    assert np.all(np.isfinite(out.grads["a"]))
    assert np.isfinite(out.cost)


@pytest.mark.parametrize("temperature", [0.0, -1.0, "hot", None])
def test_wrong_temperatures_are_refused(temperature):
    with pytest.raises(scg.EstimatorError, match="temperature must be a positive number"):
        scg.GumbelSoftmax(temperature)


def test_a_schedule_is_not_learned():
    with pytest.raises(scg.EstimatorError, match="scheduled or learned"):
        scg.GumbelSoftmax(lambda n: 1.0, learn=True)


def test_what_has_no_relaxation_is_refused():
    g = scg.Graph("count")
    n = g.sample("n", scg.Poisson(rate=g.parameter("rate", 1.0)))
    g.cost("loss", (n - 0.3) ** 2)
    with pytest.raises(scg.EstimatorError, match="Poisson has no relaxation"):
        scg.compile(g, make())
