"""Both engines agree on the same noise, for the estimators that replay, pair or remember."""

import numpy as np
import pytest

import scg

from .graphs import params_of, plated

ESTIMATORS = {
    "ram": scg.RAM,
    "local": scg.LocalExpectation,
    "double": lambda: scg.DoubleCV(samples=3),
    "rodeo": lambda: scg.RODEO(samples=3, hidden=4),
    "predictor": lambda: scg.GradientPredictor(allow_biased=True),
    "input": lambda: scg.ScoreFunction(baseline=scg.baselines.OptimalInput()),
    "rebar": scg.REBAR,
    "relax": lambda: scg.RELAX(hidden=(3,)),
    "lax": lambda: scg.LAX(hidden=(3,)),
    "gumbel": lambda: scg.GumbelSoftmax(0.5, learn=True, allow_biased=True),
    "gumbel-hard": lambda: scg.GumbelSoftmax(0.5, hard=True, allow_biased=True),
    "rao": lambda: scg.RaoGumbel(0.5, 3, allow_biased=True),
    "reinmax": lambda: scg.ReinMax(allow_biased=True),
    "gapped": lambda: scg.GappedStraightThrough(allow_biased=True),
    "darn": lambda: scg.DARN(allow_biased=True),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_numba_equals_the_interpreter(name):
    g, data = plated()
    slow, fast = (
        scg.compile(g, ESTIMATORS[name](), backend=backend) for backend in ("numpy", "numba")
    )
    state = {node: {n: v + 0.3 for n, v in own.items()} for node, own in slow.init(seed=0).items()}
    noise = slow.noise(seed=8, runs=6, data=data)
    one, two = (s(params_of(g), noise=noise, data=data, state=state) for s in (slow, fast))
    assert two.cost == pytest.approx(one.cost, abs=1e-12)
    for key, value in one.grads.items():
        np.testing.assert_allclose(two.grads[key], value, atol=1e-11, err_msg=key)
    for node, own in one.estimator_grads.items():
        for key, value in own.items():
            np.testing.assert_allclose(
                two.estimator_grads[node][key], value, atol=1e-9, err_msg=key
            )
