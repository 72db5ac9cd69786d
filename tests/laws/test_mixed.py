"""Law 6: discrete and continuous nodes in one graph, against Gauss-Hermite quadrature."""

import pytest

import scg

from .choices import SMOOTH, assert_unbiased, compiled
from .graphs import ROWS

# Estimators of a, x, b in a → x → b; with two draws or two values of a, x is drawn twice.
TRIPLES = [
    ("score", "path", "score"),
    ("score+selfcritical", "path", "score+constant"),
    ("score+moving", "path", "loo2"),
    ("muprop", "path", "muprop"),
    ("muprop-rollout", "path", "muprop-rollout"),
    ("score+network", "path", "enumeration"),
    ("score", "score", "score"),
    ("muprop", "muprop", "score+network"),
    ("muprop-rollout", "score+selfcritical", "enumeration"),
    ("enumeration", "path", "enumeration"),
    ("loo2", "path", "muprop"),
]
BELOW = [
    ("path", "score"),
    ("path", "score+selfcritical"),
    ("path", "score+network"),
    ("path", "loo2"),
    ("path", "muprop"),
    ("path", "muprop-rollout"),
    ("path", "enumeration"),
    ("score+moving", "score"),
    ("score+selfcritical", "muprop"),
    ("score+network", "enumeration"),
    ("muprop", "enumeration"),
    ("muprop-rollout", "muprop"),
    ("loo2", "enumeration"),
]
ABOVE = [
    ("score", "path"),
    ("score+moving", "path"),
    ("score+selfcritical", "path"),
    ("score+network", "path"),
    ("muprop", "path"),
    ("muprop-rollout", "path"),
    ("muprop-half", "path"),
    ("loo2", "path"),
    ("enumeration", "path"),
    ("score", "score+constant"),
    ("muprop", "muprop"),
    ("enumeration", "score"),
]


def check(row, estimators):
    row = ROWS[row]
    assert_unbiased(row, compiled(row, estimators), SMOOTH)


@pytest.mark.parametrize("a, x, b", TRIPLES)
def test_bernoulli_normal_bernoulli(a, x, b):
    check("mixed", {"a": a, "x": x, "b": b})


@pytest.mark.parametrize("x, b", BELOW)
def test_normal_then_bernoulli(x, b):
    check("normal_then_bernoulli", {"x": x, "b": b})


@pytest.mark.parametrize("b, x", ABOVE)
def test_bernoulli_then_normal(b, x):
    check("bernoulli_then_normal", {"b": b, "x": x})


def test_the_automatic_plan_reparameterizes_and_enumerates():
    row = ROWS["mixed"]
    step = scg.compile(row.build())
    m = assert_unbiased(row, step, SMOOTH)
    # The score of x would add variance to what the pathwise derivative needs.
    score = {"a": scg.Enumeration(), "x": scg.ScoreFunction(), "b": scg.Enumeration()}
    worse = scg.moments(scg.compile(row.build(), estimator=score), row.params, data=row.data)
    assert m.variance["m"] < worse.variance["m"]
    assert m.variance["s"] < worse.variance["s"]
