"""Law 2 where a control variate is differentiated: costs that mix the elements of a plate.

The replay of REBAR and RELAX opens the gradient of all elements at once. So each cost has a term of
its own, on the plates that survive on the way to it, whose box holds the score of all elements that
the cost mixes. The matrix holds all means to the truth; here is what else the terms must be.
"""

import numpy as np
import pytest

import scg
from scg.errors import CompilerError
from scg.run.curvature import assemble

from .choices import DISCRETE, SMOOTH, assert_close, compiled, warm
from .graphs import MIXING, ROWS
from .oracle import Theta
from .test_second_order import assert_hessian

SINGLE = [row for row in MIXING if len(row.build().stochastic) == 1]


@pytest.mark.parametrize("row", MIXING, ids=str)
def test_exact_hessian_equals_the_oracle(row):
    truth = scg.exact(row.build(), row.params, data=row.data)
    for name, block in row.hessian.items():
        assert_close(truth.hessian[name], block, DISCRETE, f"hessian[{name}]")


def integrated(step, row, points):
    """Mean outputs: a product of Gauss rules between the thresholds of a root's uniforms.

    The nodes of a rule are clustered at the ends of its interval, where quantiles are singular.
    """
    values, sizes, _ = step.checked(row.params, row.data, warm(step.init(seed=0)))
    ((name, leaf),) = step.program.noise.items()
    t, w = np.polynomial.legendre.leggauss(points)
    t, w = t * (15 - 10 * t**2 + 3 * t**4) / 8, w * 15 / 8 * (1 - t**2) ** 2
    rules = []
    for element in row.model.conditionals:
        p = float(element.mean(Theta(row.params), {}))
        nodes = [p * (1 + t) / 2, p + (1 - p) * (1 + t) / 2]
        rules.append((np.concatenate(nodes), np.concatenate([p * w / 2, (1 - p) * w / 2])))
    u, weights = (
        np.stack(np.meshgrid(*part, indexing="ij"), axis=-1).reshape(-1, len(rules))
        for part in zip(*rules, strict=True)
    )
    noise = {name: u.reshape(-1, *(sizes[plate] for plate in leaf.plates))}
    out = step.outcomes(values, noise, sizes, len(u))
    weight = np.prod(weights, axis=1)
    return {key: np.tensordot(weight, value, axes=1) for key, value in out.items()}


@pytest.mark.parametrize("name", ["rebar", "relax-coupled", "relax-network", "lax"])
@pytest.mark.parametrize("row", ["squared_mean", "mixed_and_own"])
def test_gradient_and_hessian_are_exact(row, name):
    row = ROWS[row]
    step = compiled(row, name, order=2)
    mean = integrated(step, row, 16)
    assert_close({key: mean["grads", key] for key in row.grads}, row.grads, SMOOTH, "grads")
    found = assemble(step.layout.second, mean)
    for key, block in row.hessian.items():
        assert_close(found[key], block, SMOOTH, f"hessian[{key}]")


def test_the_gradient_on_two_plates_is_exact():
    row = ROWS["nested_mixing"]
    mean = integrated(compiled(row, "rebar"), row, 8)
    assert_close({key: mean["grads", key] for key in row.grads}, row.grads, 1e-4, "grads")


def test_the_gradient_of_a_squared_mean():
    """A box of each element's score alone gives 0.6768: it credits three elements with each."""
    row = ROWS["squared_mean"]
    mean = integrated(scg.compile(row.build(), scg.REBAR(), backend="numpy"), row, 16)
    assert float(mean["grads", "theta"]) == pytest.approx(0.275769, abs=1e-6)


def test_the_hessian_is_exact_below_another_estimator():
    """The term carries the box of a parent."""
    assert_hessian(ROWS["child_of_all"], {"a": "score", "b": "rebar"}, SMOOTH)


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
        scg.compile(row.build(), e, backend="numpy")(
            row.params, seed=3, runs=4000, data=row.data
        ).stderr["theta"]
        for e in (scg.ScoreFunction(), scg.REBAR(0.6))
    )
    assert float(rebar) < 0.5 * float(plain)


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


class Returning(scg.Estimator):
    """What its methods return."""

    def __init__(self, drawn=None, added=None):
        self.drawn, self.added = drawn, added

    def draw(self, dist, noise):
        draw = super().draw(dist, noise)
        return self.drawn(draw) if self.drawn else draw

    def term(self, dist, draw, downstream, memory):
        return self.added(draw) if self.added else None


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Returning(drawn=lambda draw: draw.value), "must be a Draw of a node, got node"),
        (Returning(drawn=lambda draw: None), "must be a Draw of a node, got None"),
        (
            Returning(drawn=lambda draw: draw._replace(value=1.0)),
            "must be a Draw of a node, got Draw",
        ),
        (Returning(added=lambda draw: 0.0), "must be a node of shape .* got 0.0"),
        (Returning(added=lambda draw: 0.0 * draw.value + np.zeros(3)), r"got node .* \(3,\) on"),
        (Returning(added=lambda draw: draw.value), "does not have the value 0"),
    ],
)
def test_what_the_methods_of_an_estimator_return(estimator, message):
    g = scg.Graph("plain")
    z = g.sample("z", scg.Normal(g.parameter("m", 0.4), 1.0), plates=scg.Plate("p", length=2))
    g.cost("c", z**2)
    with pytest.raises(CompilerError, match=rf"'z'.*{message}|{message}.*'z'"):
        scg.compile(g, estimator)


def test_a_term_lives_on_the_plates_of_its_route():
    with pytest.raises(CompilerError, match=r"OncePerPlate\(\) at node 'z' lives on plates"):
        scg.compile(ROWS["squared_mean"].build(), OncePerPlate())
