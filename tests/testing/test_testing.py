"""The public checks catch what they are for, and say where to look."""

import numpy as np
import pytest

import scg
from scg.estimators.protocol import Draw, control_variate, score_draw
from scg.ir.op import OPS, Op
from scg.ops.elementwise import elementwise
from scg.ops.gradient import stop
from scg.testing import check_estimator, check_gradient


@pytest.fixture
def broken():
    """Declare ops for one test."""
    before = dict(OPS)
    yield elementwise
    for name in set(OPS) - set(before):
        del OPS[name]


# --- derivatives ----------------------------------------------------------------------------------
@pytest.mark.parametrize("order", [1, 2, 3])
def test_right_derivatives_pass(order):
    check_gradient(lambda x, y: np.exp(x @ y) * np.tanh(x), [0.3, -0.4], [0.5, 0.1], order=order)
    check_gradient(lambda x, k: x[k] ** 3, [0.3, -0.4, 2.0], np.array([0, 2, 2]), order=order)
    check_gradient(lambda x: x * 0.0 + 1.0, 0.3, order=order)
    check_gradient(lambda x, y: y * 2.0, [0.3], 1e4, order=order)


def test_a_wrong_first_derivative(broken):
    wrong = broken("wrong", np.sin, lambda g, y, a: g * np.sqrt(1.0 - y**2))  # |cos|
    check_gradient(wrong, 1.0)
    with pytest.raises(AssertionError) as error:
        check_gradient(lambda x, y: wrong(x)[1] * y, [1.0, 2.0], 0.5)
    assert str(error.value) == (
        "check_gradient: the derivative of order 1 in argument 0, entry (1,) is 0.208073418274 by "
        "the VJPs and -0.208073418274 by finite differences. Look at the VJPs of multiply, slice, "
        "wrong; if the function has a kink near this point, check it elsewhere"
    )


def test_a_wrong_second_derivative(broken):
    """A stop in a VJP leaves the first order as it is."""
    wrong = broken("wrong", np.square, lambda g, y, a: g * 2.0 * stop(a))
    check_gradient(wrong, 0.7, order=1)
    with pytest.raises(AssertionError, match=r"derivative of order 2 in argument 0 is 0 by"):
        check_gradient(wrong, 0.7)


def test_a_wrong_value(broken):
    wrong = broken("wrong", lambda a: np.sin(a) + 1e-6, lambda g, y, a: g * np.cos(a))
    with pytest.raises(AssertionError, match=r"the value, entry \(0,\) is .* on nodes and .* on a"):
        check_gradient(lambda x: wrong(x) if isinstance(x, scg.ir.expr.Expr) else np.sin(x), [0.3])
    with pytest.raises(AssertionError, match=r"returns shape \(2,\) on nodes and \(\) on arrays"):
        check_gradient(lambda x: x if isinstance(x, scg.ir.expr.Expr) else 0.3, [0.3, 0.4])


def test_an_undefined_derivative_is_no_number(broken):
    broken_at = broken("wrong", np.abs, lambda g, y, a: g * a / y)
    with pytest.raises(AssertionError, match="is nan by the VJPs"):
        check_gradient(lambda x: broken_at(x) ** 3, 0.0)


def test_functions_that_do_not_return_nodes():
    with pytest.raises(AssertionError, match="the function returned ndarray on nodes, not a node"):
        check_gradient(np.exp, np.array([1, 2]))


def test_an_op_that_forgets_its_plates(broken):
    """Differences run on a plate of points: a rule that sums over it is found, too."""
    greedy = Op("greedy", lambda x: x - np.mean(x), lambda x: x, (lambda g, y, x: g * 0.0,))
    assert greedy.name in OPS
    with pytest.raises(AssertionError, match="derivative of order 1"):
        check_gradient(lambda x: greedy(x) if isinstance(x, scg.ir.expr.Expr) else x * 0.0, 0.3)


# --- estimators -----------------------------------------------------------------------------------
EVERY = ["units", "chain", "plate", "one-hot", "categories", "normals"]


@pytest.mark.parametrize(
    "estimator, graphs",
    [
        (scg.ScoreFunction(), EVERY),
        (scg.ScoreFunction(baseline=scg.baselines.MovingAverage(0.9)), EVERY),
        (scg.LeaveOneOut(samples=2), EVERY),
        (scg.MuProp(), [name for name in EVERY if name != "categories"]),
        (scg.Enumeration(), EVERY[:-1]),
        (scg.Reparameterization(), ["normals"]),
        (scg.StraightThrough(), [name for name in EVERY if name != "categories"]),
        (scg.ScoreFunction(variance_normalization=True), EVERY),
        (None, EVERY),
    ],
    ids=str,
)
def test_estimators_of_the_library_obey(estimator, graphs):
    assert check_estimator(estimator) == graphs


class Wrong(scg.ScoreFunction):
    """A score function that is broken on purpose."""

    def __init__(self):
        super().__init__()

    unbiased = True
    requires = ()


class SelfBaseline(Wrong):
    """A baseline that depends on the draw."""

    def term(self, dist, draw, downstream, memory):
        return control_variate(draw, 0.5 * downstream.cost)


class NoCorrection(Wrong):
    """A control variate without the gradient of its mean."""

    def term(self, dist, draw, downstream, memory):
        return control_variate(draw, np.sum(1.0 * draw.value))


class WrongLaw(Wrong):
    """A draw that is not the node's."""

    def draw(self, dist, noise):
        drawn = score_draw(dist, noise)
        return drawn._replace(value=drawn.value * 0.9 if dist.kind == "float" else drawn.value)


class OrderOne(Wrong):
    """The score is stopped: right at first order, and claimed at every order."""

    def draw(self, dist, noise):
        x = stop(dist.sample(noise))
        logp = dist.log_prob(x)
        first = scg.grad(logp, list(dist.parameters.values()))
        linear = sum(
            np.sum(stop(g) * (p - stop(p)))
            for g, p in zip(first, dist.parameters.values(), strict=True)
        )
        return Draw(x, logp=linear)


class Modest(Wrong):
    """Unbiased, and says that it is not."""

    unbiased = False


@pytest.mark.parametrize(
    "estimator, message",
    [
        (
            SelfBaseline(),
            r"on the graph 'units': the mean gradient in 'theta' is .* does a baseline",
        ),
        (
            NoCorrection(),
            r"the mean gradient in 'theta' is .* lacks a control variate the gradient",
        ),
        (WrongLaw(), r"the mean cost is .* The value law is broken: .* follow the node's distri"),
        (OrderOne(), r"the mean second derivative in 'theta' and 'theta' is .* say orders = 1$"),
        (Modest(), r"says unbiased = False, but no bias shows on units, chain, .*Say unbiased = T"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_broken_estimators_are_found(estimator, message):
    with pytest.raises(AssertionError, match=message):
        check_estimator(estimator)


def test_an_estimator_that_fits_nowhere():
    class Demanding(Wrong):
        requires = ("finite support", "reparameterized distribution")

    with pytest.raises(AssertionError, match=r"no built-in graph fits .*graph=...\n  units: node"):
        check_estimator(Demanding())


def test_a_graph_of_ones_own():
    g = scg.Graph("own")
    b = g.sample(
        "b", scg.Bernoulli(logits=g.parameter("theta", 0.4)), plates=scg.Plate("p", length=2)
    )
    g.cost("loss", np.exp(b))
    assert check_estimator(scg.LeaveOneOut(samples=3), g) == ["own"]
    assert check_estimator({"b": scg.MuProp()}, g, {"theta": -1.0}) == ["own"]
    with pytest.raises(scg.EstimatorError, match="has no reparameterization"):
        check_estimator(scg.Reparameterization(), g)
    with pytest.raises(AssertionError, match="on the graph 'own'"):
        check_estimator(SelfBaseline(), g)


def test_an_unknown_requirement_is_named():
    class Misspelt(SelfBaseline):
        requires = ("mode below",)

    g = scg.Graph("toy")
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4))))
    with pytest.raises(
        scg.EstimatorError,
        match=r"Misspelt requires 'mode below', which is not a requirement.*'mean f",
    ):
        scg.compile(g, estimator=Misspelt())
