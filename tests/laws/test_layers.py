"""Law 4: MuProp in layers: unbiased, its exact variance, and a program linear in the depth."""

import pytest

import scg

from . import oracle_moments
from .choices import CHOICES, DISCRETE, assert_close, moments
from .graphs import ROWS, THREE_LAYERS
from .graphs_special import chain

FORMS = [
    ("single", 1.0, False),
    ("rollout", 1.0, True),
    ("single", 0.5, False),
    ("rollout", 0.7, True),
]
LAYERED = [n for n in ("chain_two_costs", "parameter_both_ways", "vector_layers", "one_hot_chain")]


@pytest.mark.parametrize("row", ["three_layers", *LAYERED])
@pytest.mark.parametrize("mean_field, scale, rollout", FORMS)
def test_exact_variance_of_muprop(row, mean_field, scale, rollout):
    """Both forms against the paper's formula, written anew over plain callables."""
    row = ROWS[row]
    estimator = scg.MuProp(mean_field=mean_field, scale=scale)
    m = moments(scg.compile(row.build(), estimator=estimator), row)
    mean, variance = oracle_moments.muprop_moments(row.model, row.params, rollout, scale)
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")


def test_the_two_forms_differ():
    single, rollout = (
        moments(
            scg.compile(THREE_LAYERS.build(), estimator=scg.MuProp(mean_field=form)), THREE_LAYERS
        )
        for form in ("single", "rollout")
    )
    assert abs(single.variance["V"][0] - rollout.variance["V"][0]) > 1e-6


@pytest.mark.parametrize("name", ["score", "score+moving", "loo2", "muprop"])
def test_the_program_grows_linearly_with_depth(name):
    sizes = []
    for length in (20, 40):
        graph, _ = chain(length)
        sizes.append(len(scg.compile(graph, estimator=CHOICES[name](graph)).program))
    assert sizes[1] <= 2.3 * sizes[0], sizes
    assert sizes[1] >= 1.5 * sizes[0], f"{sizes}: does the program count its operations?"
