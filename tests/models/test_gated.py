"""The gated classifier: sparse gates of six kinds, and labels told apart."""

import numpy as np
import pytest

import scg
from scg.data import load_digits
from scg.models import gated


def test_the_costs_are_those_of_plain_numpy():
    g = gated(np.array([0.2, 0.9, 0.5]), width=4, gater=2, classes=3, target=0.2, penalty=2.0)
    rng = np.random.default_rng(3)
    params = {name: rng.normal(size=value.shape) for name, value in g.init(seed=0).items()}
    data = {"x": rng.random((5, 3)), "labels": np.array([0, 2, 1, 1, 0])}
    drawn = g.simulate(
        params, nodes=["gate", "cross_entropy", "sparsity"], seed=1, runs=1, data=data
    )
    x = data["x"] - [0.2, 0.9, 0.5]
    hidden = np.maximum(x @ params["main/W"] + params["main/b"], 0)
    inner = np.tanh(x @ params["gater/W"] + params["gater/b"])
    scores = inner @ params["gates/W"] + params["gates/b"] + np.log(0.25)
    logits = (hidden * drawn["gate"][0]) @ params["output/W"] + params["output/b"]
    logp = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
    np.testing.assert_allclose(
        drawn["cross_entropy"][0], -logp[np.arange(5), data["labels"]], atol=1e-12
    )
    activity = np.mean(1 / (1 + np.exp(-scores)), axis=0)
    assert drawn["sparsity"][0] == pytest.approx(2.0 * np.sum((activity - 0.2) ** 2), abs=1e-12)


@pytest.mark.parametrize(
    ("unit", "estimator"),
    [
        ("binary", scg.ScoreFunction(baseline=scg.baselines.PerUnit())),
        ("binary", scg.StraightThrough("logits", allow_biased=True)),
        ("smooth", scg.ScoreFunction()),
        ("binary", scg.GradientPredictor(allow_biased=True)),
        ("noisy rectifier", scg.Reparameterization()),
        ("rectifier", None),
        ("noisy sigmoid", None),
        ("sigmoid", None),
    ],
    ids=[
        *("unbiased", "straight-through", "smooth", "predicted"),
        *("noisy rectifier", "rectifier", "noisy sigmoid", "sigmoid"),
    ],
)
def test_it_learns_with_most_gates_off(unit, estimator):
    digits = load_digits()
    g = gated(digits.train.mean(axis=0), width=32, gater=8, unit=unit, target=0.2)
    data = {"x": digits.train, "labels": digits.train_labels}
    run = scg.fit(
        scg.compile(g, estimator),
        data=data,
        seed=0,
        batch_size=50,
        epochs=8,
        optimizer=scg.optim.Adam(1e-2),
    )
    held_out = {"x": digits.test, "labels": digits.test_labels}
    drawn = g.simulate(run.params, nodes=["scores", "activity"], seed=0, runs=20, data=held_out)
    right = drawn["scores"].mean(axis=0).argmax(axis=-1) == digits.test_labels
    assert right.mean() > 0.6
    assert 0.02 < drawn["activity"].mean() < 0.5


def test_the_unit_is_checked():
    with pytest.raises(scg.DeclarationError, match="unit must be one of binary, smooth"):
        gated(np.zeros(2), unit="hard")
