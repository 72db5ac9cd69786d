"""Law 5: the Hessian of every estimator, baselines and all, is exactly unbiased."""

from functools import partial

import numpy as np
import pytest

import scg

from .choices import CHOICES, DISCRETE, SMOOTH, assert_close, assert_unbiased, compiled
from .graphs import MIXED, PATHWISE, ROWS, STOPS
from .oracle import Cost, Model, Theta, gradient, hessian
from .verdicts import verdict

TWICE = [
    ROWS[name]
    for name in (
        "two_costs_one_node",
        "chain_two_costs",
        "deterministic_path",
        "parameter_both_ways",
        "uninfluenced_cost",
        "one_hot_chain",
        "global_parent",
        "subsampled_plate",
        "batch_statistic",
        "layers_on_plate",
        "squared_mean",
        "mixed_and_own",
    )
]
DIAMOND = ROWS["diamond"]
REACHED = ("score", "loo2", "muprop", "enumeration")


def assert_hessian(row, choice, tolerance=DISCRETE):
    """The mean of the Hessian estimate is the Hessian, and the gradient stays the gradient."""
    step = compiled(row, choice, order=2)
    m = assert_unbiased(row, step, tolerance)
    assert set(m.hessian) == set(row.params)
    for name, block in row.hessian.items():
        # The oracle's second derivative is good to about 1e-11, relative to its size.
        assert_close(m.hessian[name], block, tolerance, f"hessian[{name}]")


@pytest.mark.parametrize("row", [*TWICE, DIAMOND, *STOPS], ids=str)
def test_exact_hessian_equals_the_oracle(row):
    truth = scg.exact(row.build(), row.params, data=row.data)
    for name, block in row.hessian.items():
        assert_close(truth.hessian[name], block, DISCRETE, f"hessian[{name}]")


@pytest.mark.statistical
@pytest.mark.parametrize("row", [*TWICE, DIAMOND, *STOPS], ids=str)
def test_hessian_of_one_estimator_for_all_nodes(row, kept, seed):
    """Exact, sampled or refused, as the gradients of the matrix are."""

    def found(name, drawn):
        try:
            return verdict(row, name, seed, order=2, drawn=drawn)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error

    names = CHOICES if row in TWICE else REACHED
    kept(f"{row}-twice", {name: partial(found, name) for name in names})


@pytest.mark.parametrize("first", ["score+moving", "loo2", "muprop-rollout", "enumeration"])
@pytest.mark.parametrize("second", ["score+selfcritical", "loo2", "muprop", "enumeration"])
def test_hessian_of_pairs(first, second):
    assert_hessian(ROWS["chain_two_costs"], {"a": first, "b": second})


def test_hessian_of_a_pathwise_node():
    assert_hessian(PATHWISE, "path", SMOOTH)


@pytest.mark.parametrize("second", ["score+constant", "muprop", "enumeration"])
def test_hessian_below_a_pathwise_node(second):
    """The score of b, credited through a pathwise parent: mixed second derivatives."""
    row = next(row for row in MIXED if row.name == "normal_then_bernoulli")
    assert_hessian(row, {"x": "path", "b": second}, SMOOTH)


@pytest.mark.parametrize("a, b", [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
def test_one_run_differentiates_the_surrogate_of_the_law(a, b):
    """With ⊠(ℓ) written as exp(ℓ(t) − ℓ(t.still)), the surrogate is an ordinary function.

    Terms with their ancestors' box have mean zero at every order without it as well, so that only
    a single run tells whether the box is there (it matters for the variance).
    """
    row = ROWS["chain_two_costs"]
    node_a, node_b = row.model.conditionals
    first, second = row.model.costs
    v = {"a": np.array(a), "b": np.array(b)}

    def box(t, *nodes):
        return np.prod(
            [
                n.probability(t, v, v[n.name]) / n.probability(Theta(t.still), v, v[n.name])
                for n in nodes
            ]
        )

    def surrogate(t, _):
        return (
            box(t, node_a) * first.value(t, v)
            + box(t, node_a, node_b) * second.value(t, v)
            + (1 - box(t, node_a)) * 2.0
            + box(t, node_a) * (1 - box(t, node_b)) * 2.0
        )

    law = Model([], [Cost(surrogate)])
    step = compiled(row, "score+constant", order=2)
    noise = {"a/u": np.array([0.999 - 0.998 * a]), "b/u": np.array([0.999 - 0.998 * b])}
    out = step(row.params, noise=noise)
    assert_close(out.grads, gradient(law, row.params), DISCRETE, "grads")
    for name, block in hessian(law, row.params).items():
        assert_close(out.hessian[name], block, DISCRETE, f"hessian[{name}]")


def test_the_hessian_of_one_call_has_the_shapes_of_both_parameters():
    row = ROWS["chain_two_costs"]
    step = scg.compile(row.build(), estimator=scg.LeaveOneOut(samples=2), order=2)
    out = step(row.params, seed=4, runs=3)
    for a, left in row.params.items():
        for b, right in row.params.items():
            assert out.hessian[a][b].shape == left.shape + right.shape
    np.testing.assert_allclose(
        out.hessian["tb"]["k"], np.moveaxis(out.hessian["k"]["tb"], 0, -1), atol=1e-12
    )
