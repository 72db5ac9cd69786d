"""What is asked of a node's own distribution is answered for each element of the node's plates."""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter

from . import law
from .test_capabilities import LAWS

SUMMARIES = {
    "mean": "mean",
    "variance": "variance",
    "mode": "mode",
    "entropy": "entropy_elementwise",
}


def answers(own, plain, x):
    """Every quantity of a distribution that is there, by name."""
    found = {name: getattr(own, name)() for name, trait in SUMMARIES.items() if own.supports(trait)}
    found |= {"log_prob": own.log_prob(x), "log_prob of each": own.log_prob(x, elementwise=True)}
    if own.supports("entropy_elementwise"):
        found["entropy of each"] = own.entropy(elementwise=True)
    if own.supports("quantile"):
        found["quantile"] = own.quantile(np.full(own.uniforms, 0.3))
    if own.supports("coordinate_probs"):
        found["probabilities"] = own.coordinate_probs()
    if own.supports("kl_elementwise"):
        found |= {"kl": own.kl(plain), "kl from": plain.kl(own)}
    return found


@pytest.mark.parametrize("name", LAWS)
def test_every_answer_lives_on_the_plates_of_the_node(name):
    plain, _ = LAWS[name]
    x = law.draws(plain, 1)[0]
    g, batch = scg.Graph(), scg.Plate("batch", length=3)
    node = g.sample("node", plain, plates=batch)
    expected = answers(plain, plain, x)
    for key, value in answers(node.dist, plain, x).items():
        assert value.plates == (batch,), key
        assert value.shape == np.shape(expected[key]), key
        computed = Interpreter({"value": value}).run({}, {batch: 3})["value"]
        np.testing.assert_allclose(computed, np.stack([expected[key]] * 3), rtol=1e-12, err_msg=key)


def test_an_entropy_enters_a_summed_objective_once_an_element():
    g, batch = scg.Graph(), scg.Plate("batch", length=4, reduce="sum")
    t = g.parameter("t", 0.3)
    b = g.sample("b", scg.Bernoulli(logits=t), plates=batch)
    g.cost("loss", b.log_prob() + b.dist.entropy())
    truth = scg.exact(g, {"t": 0.3})
    assert truth.cost == pytest.approx(0.0, abs=1e-12)
    assert float(truth.grads["t"]) == pytest.approx(0.0, abs=1e-12)
    m = scg.moments(scg.compile(g, scg.ScoreFunction()), {"t": 0.3})
    assert float(m.mean["t"]) == pytest.approx(0.0, abs=1e-12)


def test_a_distribution_of_a_node_declares_a_node_on_its_plates():
    g, batch = scg.Graph(), scg.Plate("batch", length=4)
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.3)), plates=batch)
    again = g.sample("again", b.dist)
    assert again.plates == (batch,)
    g.cost("loss", (again - 0.2 * b.dist.mean()) ** 3)
    copy = scg.Graph.from_json(g.to_json())
    values = [scg.exact(graph, {"t": 0.3}).grads["t"] for graph in (g, copy)]
    assert values[0] == values[1]


def test_parameters_on_all_plates_are_the_declared_nodes():
    """Nothing is repeated where they live on the node's plates already."""
    g, batch = scg.Graph(), scg.Plate("batch")
    x = g.data("x", plates=batch)
    b = g.sample("b", scg.Bernoulli(logits=x), plates=batch)
    assert b.dist.parameters["logits"] is x
