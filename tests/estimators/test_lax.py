"""LAX: a network of a continuous draw, or of the latent of a discrete one."""

import numpy as np
import pytest

import scg

from . import relaxed_models as models
from .graphs import params_of
from .relaxed_models import derivative, logistic, sigmoid
from .test_relax import network, trained


def normal():
    g = scg.Graph("normal")
    z = g.sample("z", scg.Normal(g.parameter("m", [0.3, -0.2]), np.exp(g.parameter("s", -0.4))))
    g.cost("loss", np.sin(z[0]) * z[1] ** 2)
    return g


def test_the_mean_is_exact_for_a_normal_draw():
    g = normal()
    step = scg.compile(g, scg.LAX(hidden=(3,)))
    m = scg.moments(step, params_of(g), state=trained(step))
    path = scg.moments(scg.compile(g, scg.Reparameterization()), params_of(g))
    for name, value in path.mean.items():
        np.testing.assert_allclose(m.mean[name], value, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("make", [models.narrow, models.binary])
def test_the_mean_is_exact_for_binary_values(make):
    g = make()
    step = scg.compile(g, scg.LAX(hidden=(3,)))
    m = scg.moments(step, params_of(g), state=trained(step))
    for name, value in scg.exact(g, params_of(g)).grads.items():
        np.testing.assert_allclose(m.mean[name], value, atol=1e-7, err_msg=name)


@pytest.mark.statistical
@pytest.mark.parametrize(
    "make, data", [(models.classes, None), (models.layers, None), (models.plated, models.BATCH)]
)
def test_no_bias_is_found(make, data, seed):
    """z-tests: 11 components at 6.5 standard errors fail by chance less than once in 10⁸ runs."""
    g = make()
    step = scg.compile(g, scg.LAX(hidden=(3,)))
    out = step(params_of(g), seed=(seed, 3), runs=20_000, data=data, state=trained(step))
    for name, value in scg.exact(g, params_of(g), data=data).grads.items():
        error = np.maximum(out.stderr[name], 1e-12)
        assert np.all(np.abs(out.grads[name] - value) < 6.5 * error), name
        assert np.all(9 * error < 0.4), "a bias of 0.4 would be found 99 times in 100"


def test_a_normal_draw_on_the_same_noise():
    g, runs = normal(), 20
    step = scg.compile(g, scg.LAX(hidden=(4,)))
    state, p = trained(step), params_of(g)
    noise = step.noise(seed=3, runs=runs)
    (name,) = noise
    out, total = step(p, noise=noise, state=state), {"m": 0.0, "s": 0.0}
    for e in noise[name]:
        scale = np.exp(p["s"])
        z = p["m"] + scale * e
        left = np.sin(z[0]) * z[1] ** 2 - network(state["z"], [z])
        slope = derivative(lambda z: network(state["z"], [z]), z)
        total["m"] = total["m"] + left * e / scale + slope
        total["s"] = total["s"] + left * np.sum(e**2 - 1) + np.sum(slope * e) * scale
    for key, value in total.items():
        np.testing.assert_allclose(out.grads[key], value / runs, atol=1e-10, err_msg=key)


def test_binary_values_on_the_same_noise():
    """The score is that of the logistic latent: 1 − 2 σ(logits − z) with the other sign."""
    g, runs = models.binary(), 20
    step = scg.compile(g, scg.LAX(hidden=(4,)))
    state, a = trained(step), params_of(g)["a"]
    noise = step.noise(seed=3, runs=runs)
    out, total = step({"a": a}, noise=noise, state=state), 0.0
    for u in noise["b/u"]:
        e = logistic(u)
        z = a + e
        left = models.middle((z > 0) * 1.0) - network(state["b"], [z])
        total = total + left * (2 * sigmoid(e) - 1)
        total = total + derivative(lambda z: network(state["b"], [z]), z)
    np.testing.assert_allclose(out.grads["a"], total / runs, atol=1e-10)


def test_own_gradients_are_differences_of_the_squared_norm():
    g = normal()
    step = scg.compile(g, scg.LAX(hidden=(3,)))
    noise, state = step.noise(seed=12, runs=1), trained(step)

    def norm(own):
        out = step(params_of(g), noise=noise, state={"z": own})
        return sum(float(np.sum(v**2)) for v in out.grads.values())

    found = step(params_of(g), noise=noise, state=state).estimator_grads["z"]
    assert set(found) == {"W0", "b0", "out", "offset"}
    for name, value in found.items():
        for i in np.ndindex(value.shape):
            moved = [np.array(state["z"][name]) for _ in range(2)]
            moved[0][i] += 1e-5
            moved[1][i] -= 1e-5
            up, down = (norm({**state["z"], name: array}) for array in moved)
            assert value[i] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6), (name, i)


def test_relax_has_the_lower_variance_for_binary_values():
    """At zero networks RELAX without the cost is the score function of the draw, not of z."""
    g = models.binary()
    lax, relax = (
        scg.moments(scg.compile(g, e), params_of(g)).variance["a"]
        for e in (scg.LAX(), scg.RELAX(None, coupled=True))
    )
    assert np.sum(relax) < np.sum(lax)


def test_what_has_no_density_of_a_latent_is_refused():
    g = scg.Graph("count")
    n = g.sample("n", scg.Poisson(rate=g.parameter("rate", 1.0)))
    g.cost("loss", (n - 0.3) ** 2)
    with pytest.raises(scg.EstimatorError, match="neither a reparameterization nor a latent"):
        scg.compile(g, scg.LAX())
