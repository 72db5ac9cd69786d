"""MuProp: the published formula in NumPy on the same noise, in both forms of the pass."""

import numpy as np
import pytest

import scg

from . import relaxed_models as models
from .graphs import assert_exact, params_of, plated, two_layers
from .relaxed_models import derivative, sigmoid

FORMS = pytest.mark.parametrize("form", ["single", "rollout"])


@FORMS
def test_two_layers_on_the_same_noise(form):
    """Gu et al. (2016, eqs. 5 and 6): forward, mean-field forward, and one backward pass."""
    g, runs = models.layers(), 25
    step = scg.compile(g, scg.MuProp(mean_field=form))
    noise, p = step.noise(seed=3, runs=runs), params_of(g)
    out, total = step(p, noise=noise), {name: 0.0 for name in p}
    for u_h, u_k in zip(noise["h/u"], noise["k/u"], strict=True):
        h = (u_h < sigmoid(p["a"])) * 1.0
        lk = h @ p["w"] + p["c"]
        k = (u_k < sigmoid(lk)) * 1.0
        mean_h = sigmoid(p["a"])
        above = mean_h if form == "single" else h  # where the pass of k comes from
        mean_k = sigmoid(above @ p["w"] + p["c"])

        def through(x):  # every cost below h, k at its mean
            return models.end(x, sigmoid(x @ p["w"] + p["c"])) + models.middle(x)

        def below(y, above=above):
            return models.end(above, y)

        def muprop(cost, taylor, at, x, logits):
            slope, mean = derivative(taylor, at), sigmoid(logits)
            left = cost - taylor(at) - np.sum(slope * (x - at))
            return left * (x - mean) + slope * mean * (1 - mean)

        end = models.end(h, k)
        by_h = muprop(end + models.middle(h), through, mean_h, h, p["a"])
        by_k = muprop(end, below, mean_k, k, lk)
        total = {"a": total["a"] + by_h, "w": total["w"] + by_k * h, "c": total["c"] + by_k}
    for name, value in total.items():
        np.testing.assert_allclose(out.grads[name], value / runs, atol=1e-10, err_msg=name)


@FORMS
def test_exact_in_layers_and_on_a_plate(form):
    assert_exact(two_layers(), scg.MuProp(mean_field=form))
    g, data = plated()
    assert_exact(g, scg.MuProp(mean_field=form), data)


def test_a_linear_cost_leaves_the_correction_alone():
    """The Taylor expansion is the cost: no variance."""
    g = scg.Graph("linear")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("a", [0.4, -1.2])))
    g.cost("loss", 2.0 * b[0] - 0.7 * b[1] + 0.3)
    m = assert_exact(g, scg.MuProp())
    np.testing.assert_allclose(m.variance["a"], 0.0, atol=1e-15)
