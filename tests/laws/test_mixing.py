"""Law 2 where a control variate is differentiated: costs that mix the elements of a plate.

The replay of REBAR and RELAX opens the gradient of all elements at once. So each cost has a term of
its own, on the plates that survive on the way to it, whose box holds the score of all elements that
the cost mixes. Means are exact by quadrature where it is cheap, else they are z-tested.
"""

from statistics import NormalDist

import numpy as np
import pytest

import scg
from scg.errors import CompilerError

from .choices import DISCRETE, SMOOTH, assert_close, assert_unbiased, moments, warm
from .graphs import MIXING, ROWS
from .test_second_order import assert_hessian

RELAXED = {
    "rebar": lambda: scg.REBAR(0.6, 0.7),
    "rebar-independent": lambda: scg.REBAR(0.6, 0.7, coupled=False),
    "relax": lambda: scg.RELAX(hidden=(3,), coupled=True),
    "relax-independent": lambda: scg.RELAX(hidden=(3,)),
    "relax-network": lambda: scg.RELAX(None, hidden=(3,), coupled=True),
    "lax": lambda: scg.LAX(hidden=(3,)),
}
SINGLE = [row for row in MIXING if len(row.build().stochastic) == 1]
FAMILY_WISE, POWER, RUNS = 1e-6, 0.99, 10_000
SAMPLED = [
    ("nested_mixing", "rebar-independent"),
    ("nested_mixing", "relax-independent"),
    ("layers_mixing", "rebar"),
    ("layers_mixing", "rebar-independent"),
    ("layers_mixing", "relax-independent"),
    ("child_of_all", "rebar-independent"),
    ("child_of_all", "relax-independent"),
]
TESTS = sum(v.size for row, _ in SAMPLED for v in ROWS[row].params.values())
THRESHOLD = NormalDist().inv_cdf(1 - FAMILY_WISE / (2 * TESTS))
MARGIN = THRESHOLD + NormalDist().inv_cdf(POWER)


@pytest.mark.parametrize("row", MIXING, ids=str)
def test_exact_hessian_equals_the_oracle(row):
    truth = scg.exact(row.build(), row.params, data=row.data)
    for name, block in row.hessian.items():
        assert_close(truth.hessian[name], block, DISCRETE, f"hessian[{name}]")


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", ["rebar", "relax", "relax-network", "lax"])
@pytest.mark.parametrize("row", ["squared_mean", "mixed_and_own"])
def test_the_mean_is_exact(row, name, order):
    if order == 1:
        assert_unbiased(ROWS[row], scg.compile(ROWS[row].build(), RELAXED[name]()))
    else:
        assert_hessian(ROWS[row], RELAXED[name]())


def test_the_gradient_of_a_squared_mean():
    """A box of each element's score alone gives 0.6768: it credits three elements with each."""
    row = ROWS["squared_mean"]
    m = moments(scg.compile(row.build(), scg.REBAR()), row)
    assert float(m.mean["theta"]) == pytest.approx(0.275769, abs=1e-6)


@pytest.mark.statistical
@pytest.mark.parametrize("row, name", SAMPLED)
def test_no_bias_is_found(row, name, seed):
    row = ROWS[row]
    step = scg.compile(row.build(), RELAXED[name](), backend="numpy")
    state = warm(step.init(seed=0))
    out = step(row.params, seed=(seed, 17), runs=RUNS, data=row.data, state=state)
    for key, truth in row.grads.items():
        z = (out.grads[key] - truth) / out.stderr[key]
        assert np.all(np.abs(z) < THRESHOLD), f"{key}: z = {z}"
        # A factor of 2 in the credit of a cost, for two elements, would have been found.
        assert np.all(MARGIN * out.stderr[key] < max(0.5, np.max(np.abs(truth)))), key


@pytest.mark.parametrize("make", [scg.ScoreFunction, lambda: scg.LeaveOneOut(samples=2)])
@pytest.mark.parametrize("order", [1, 2])
def test_the_mean_is_exact_below_another_estimator(make, order):
    """The term carries the sample plate of a parent, and its box."""
    row = ROWS["child_of_all"]
    estimators = {"a": make(), "b": scg.REBAR(0.6, 0.7)}
    step = scg.compile(row.build(), estimators, order=order)
    assert_unbiased(row, step, SMOOTH) if order == 1 else assert_hessian(row, estimators, SMOOTH)


def test_the_boxes_of_ancestors_are_summed_over_the_plates_that_their_costs_mix():
    """Of a's plates none survives to a cost, though both nodes live on it."""
    step = scg.compile(ROWS["layers_mixing"].build(), scg.REBAR(learn=False))
    every, terms = step.explain().surrogate[:2], step.explain().surrogate[2:]
    assert every == (
        "mean over items [ ⊠(Σ[items] ℓ(a) + ℓ(b)) · each ]",
        "⊠(Σ[items] ℓ(a) + Σ[items] ℓ(b)) · mixed",
    )
    assert terms == (
        "t(a)",
        "sum over items [ ⊠(Σ[items] ℓ(a)) · t(b, each) ]",
        "⊠(Σ[items] ℓ(a)) · t(b, mixed)",
    )


def test_a_network_keeps_the_box_of_its_element():
    step = scg.compile(ROWS["squared_mean"].build(), scg.RELAX(hidden=(3,)))
    assert step.explain().surrogate[1:] == ("t(z, c)", "sum over items [ t(z) ]")


def test_the_control_variate_lowers_the_variance():
    row = ROWS["squared_mean"]
    plain, rebar = (
        moments(scg.compile(row.build(), e), row).variance["theta"]
        for e in (scg.ScoreFunction(), scg.REBAR(0.6))
    )
    assert float(rebar) < 0.25 * float(plain)


# --- the slope of a replay ------------------------------------------------------------------------
@pytest.mark.parametrize("row", SINGLE, ids=str)
def test_a_rollout_of_one_layer_is_the_mean_field(row):
    """A cost that mixes a plate is one cost, also where it is added to each element's own."""
    single, rollout = (scg.compile(row.build(), scg.MuProp(kind)) for kind in ("single", "rollout"))
    noise = single.noise(seed=4, runs=5, data=row.data)
    one, two = (s(row.params, noise=noise, data=row.data).grads for s in (single, rollout))
    assert_close(dict(two), dict(one), DISCRETE, "grads")


# --- what is checked ------------------------------------------------------------------------------
class OncePerPlate(scg.Estimator):
    """A term without the node's plate: it would enter the objective once, not per element."""

    def term(self, dist, draw, downstream, memory):
        constant = scg.plate_sum(dist.logits * 0.0 + draw.value, downstream.plates)
        return constant - scg.stop_gradient(constant)


def test_a_term_lives_on_the_plates_of_its_route():
    with pytest.raises(CompilerError, match=r"OncePerPlate\(\) at node 'z' lives on the plates"):
        scg.compile(ROWS["squared_mean"].build(), OncePerPlate())
