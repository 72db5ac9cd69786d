"""A score misses what a support contributes that moves with learned parameters: it is refused."""

import numpy as np
import pytest

import scg
from scg.compiler.angles import invariances

MOVING = {
    "uniform": lambda t: scg.Uniform(0.0, 1.0 + scg.softplus(t)),
    "pareto": lambda t: scg.Pareto(np.exp(t), 3.0),
    "mixture": lambda t: scg.Mixture(
        [scg.Uniform(t, t + 1.0), scg.Uniform(0.0, 1.0)], logits=np.zeros(2)
    ),
    "independent": lambda t: scg.Independent(scg.Uniform(t + np.zeros(2), 5.0)),
}
MISSED = "moves with learned parameters"


def graph(law, cost=np.tanh, stopped=False):
    g = scg.Graph("moving")
    t = g.parameter("t", 0.3)
    x = g.sample("x", law(scg.stop_gradient(t) if stopped else t))
    g.cost("loss", np.sum(cost(x)) * t)
    return g


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("estimator", [scg.ScoreFunction(), scg.LeaveOneOut()])
def test_a_score_is_refused_where_the_support_moves(name, estimator):
    with pytest.raises(scg.EstimatorError, match=MISSED):
        scg.compile(graph(MOVING[name]), {"x": estimator})


def test_the_automatic_choice_is_refused_too_and_names_what_fits():
    g = graph(MOVING["uniform"], lambda x: np.where(x > 0.5, 1.0, 0.0))
    with pytest.raises(scg.EstimatorError, match=r"Try MeasureValued\(\)"):
        scg.compile(g)
    with pytest.raises(scg.EstimatorError, match="No unbiased estimator fits"):
        scg.compile(graph(MOVING["mixture"]))


@pytest.mark.parametrize("name", ["uniform", "pareto", "mixture"])
def test_a_support_that_is_not_learned_may_depend_on_parameters(name):
    step = scg.compile(graph(MOVING[name], stopped=True), scg.ScoreFunction())
    assert step(step.graph.init(seed=0), seed=1).unbiased


@pytest.mark.parametrize("estimator", [scg.MuProp(), scg.DoubleCV(), scg.LAX()])
def test_a_control_variate_of_an_angle_is_not_periodic(estimator):
    g = graph(lambda t: scg.VonMises(t, 0.5), np.cos)
    with pytest.raises(scg.EstimatorError, match=MISSED):
        scg.compile(g, estimator)


def test_a_score_of_an_angle_is_unbiased_for_periodic_costs():
    g = graph(lambda t: scg.VonMises(t, 0.5), np.cos)
    score, path = (
        scg.moments(scg.compile(g, estimator), {"t": 0.3}).mean["t"]
        for estimator in (scg.ScoreFunction(), scg.Reparameterization())
    )
    assert score == pytest.approx(path, abs=1e-6)


ANGLES = {
    "tanh": (np.tanh, False),
    "cosine": (np.cos, True),
    "shifted": (lambda x: np.sin(x - 0.3) * np.cos(2.0 * (0.5 - x)), True),
    "half": (lambda x: np.cos(0.5 * x), False),
    "square of half": (lambda x: np.sin(x * 0.5) ** 2, True),
    "square of a cosine's angle": (lambda x: np.cos(x**2), False),
    "one and a half": (lambda x: np.cos(x + 0.5 * x), False),
    "twice": (lambda x: np.sin(x + x), True),
    "itself": (lambda x: x, False),
    "density": (lambda x: scg.VonMises(0.2, 1.5).log_prob(x), True),
    "direction of a normal": (lambda x: scg.Normal(x, 1.0).log_prob(0.3), False),
}


@pytest.mark.parametrize("name", ANGLES)
def test_a_score_of_an_angle_asks_for_periodic_uses(name):
    cost, periodic = ANGLES[name]
    g = graph(lambda t: scg.VonMises(t, 0.5), cost)
    if not periodic:
        with pytest.raises(scg.EstimatorError, match=MISSED):
            scg.compile(g, scg.ScoreFunction())
        return
    score, path = (
        scg.moments(scg.compile(g, estimator), {"t": 0.3}).mean["t"]
        for estimator in (scg.ScoreFunction(), scg.Reparameterization())
    )
    assert score == pytest.approx(path, abs=1e-6)


def test_angles_may_follow_each_other():
    """A walk on the circle: the mean direction of an angle is another one."""
    g = scg.Graph("walk")
    t = g.parameter("t", 0.3)
    x = g.sample("x", scg.VonMises(t, 2.0))
    y = g.sample("y", scg.VonMises(x + 0.1, 3.0))
    g.cost("loss", np.cos(y - 1.0))
    scg.compile(g, scg.ScoreFunction())
    g.cost("end", y)
    with pytest.raises(scg.EstimatorError, match=MISSED):
        scg.compile(g, scg.ScoreFunction())


def test_a_long_walk_of_angles_is_not_swept_for_each(monkeypatch):
    sweeps = []

    def counted(influence):
        sweeps.append(influence)
        return invariances(influence)

    monkeypatch.setattr("scg.compiler.assignment.invariances", counted)
    g = scg.Graph("walk")
    x = g.parameter("t", 0.3)
    for i in range(30):
        x = g.sample(f"x{i}", scg.VonMises(x + 0.1, 2.0))
    g.cost("loss", np.cos(x))
    scg.compile(g, scg.ScoreFunction())
    assert len(sweeps) <= 2  # for the plan, and for the rules between passes
