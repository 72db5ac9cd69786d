"""Law 3: an element is credited with its own costs, and with all where an op mixes the plate."""

import numpy as np
import pytest

import scg

from . import oracle_moments
from .choices import DISCRETE, assert_close, compiled, moments
from .graphs_plates import batch_statistic, layers_on_plate
from .oracle import Cost, Model, bernoulli
from .rows import Row, arrays, cubic, graph_with

SEPARATE = [
    "score",
    "score+constant",
    "score+moving",
    "score+selfcritical",
    "score+network",
    "loo2",
    "muprop",
    "muprop-rollout",
    "muprop+constant",
]


def examples(x, reduce=None) -> Row:
    """One node and one cost for each element, nothing in common but the parameters."""
    x = np.array(x)
    params = arrays(w=0.7, c=-0.3)
    weight = 1.0 if reduce == "sum" else 1 / x.size

    def build():
        g, t = graph_with("examples", params)
        data = g.data("x", plates=scg.Plate("batch", reduce=reduce))
        b = g.sample("b", scg.Bernoulli(logits=t["w"] * data + t["c"]))
        g.cost("each", cubic(data, b) + t["c"] * np.exp(b))
        return g

    names = [f"b[{i}]" for i in range(x.size)]
    model = Model(
        [bernoulli(b, lambda t, v, i=i: t["w"] * x[i] + t["c"]) for i, b in enumerate(names)],
        [
            Cost(lambda t, v, i=i, b=b: weight * (cubic(x[i], v[b]) + t["c"] * np.exp(v[b])), {b})
            for i, b in enumerate(names)
        ],
    )
    return Row("examples", build, params, model, data={"x": x})


@pytest.mark.parametrize("reduce, divisor", [(None, 4.0), ("sum", 1.0)])
@pytest.mark.parametrize("name", SEPARATE)
def test_the_variance_of_two_examples_is_the_sum_of_their_variances(name, reduce, divisor):
    both = examples((0.9, -1.4), reduce)
    step = compiled(both, name)
    together = moments(step, both)
    first, second = (moments(step, both, data={"x": both.data["x"][[i]]}) for i in (0, 1))
    expected = {n: (first.variance[n] + second.variance[n]) / divisor for n in both.params}
    assert_close(together.variance, expected, DISCRETE, "variance")
    assert np.all(together.variance["w"] > 1e-4)


@pytest.mark.parametrize("name", ["score", "loo2", "muprop"])
def test_the_same_for_two_layers_on_the_plate(name):
    both = layers_on_plate((0.9, -0.7), "two")
    step = compiled(both, name)
    together = moments(step, both)
    first, second = (moments(step, both, data={"x": both.data["x"][[i]]}) for i in (0, 1))
    expected = {n: (first.variance[n] + second.variance[n]) / 4 for n in both.params}
    assert_close(together.variance, expected, DISCRETE, "variance")


def test_a_batch_statistic_brings_the_cross_terms():
    row = batch_statistic((0.6, -0.9, 1.4), "statistic")
    m = moments(scg.compile(row.build(), estimator=scg.ScoreFunction()), row)
    mean, variance = oracle_moments.score_moments(row.model, row.params)
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")
    # Credit per element alone has another variance and, above all, another mean.
    apart = Model(
        row.model.conditionals,
        [Cost(c.value, {f"b[{i}]"}) for i, c in enumerate(row.model.costs)],
    )
    wrong_mean, wrong_variance = oracle_moments.score_moments(apart, row.params)
    assert np.all(np.abs(wrong_mean["c"] - mean["c"]) > 1e-2)
    assert np.all(np.abs(wrong_variance["c"] - variance["c"]) > 1e-2)
