"""The leave-one-out gradient of a sigmoid belief network, against PyTorch on the same noise.

784 observed units, two stochastic layers of 200, encoder and decoder: the negative evidence lower
bound, its joint leave-one-out gradient over K paths, written anew in PyTorch from the formula

    mean over batch and k of  [ score_k · (C_k − mean of the other C) + ∂C_k ].
"""

import numpy as np
import pytest

import scg

torch = pytest.importorskip("torch", reason="pip install 'scgrad[bench]' brings PyTorch")

PIXELS, HIDDEN, BATCH, SAMPLES = 784, 200, 7, 3  # all different, so that axes tell themselves apart
SHAPES = {
    "W1": (PIXELS, HIDDEN),
    "c1": (HIDDEN,),
    "W2": (HIDDEN, HIDDEN),
    "c2": (HIDDEN,),
    "V2": (HIDDEN, HIDDEN),
    "d2": (HIDDEN,),
    "V1": (HIDDEN, PIXELS),
    "d1": (PIXELS,),
    "prior": (HIDDEN,),
}


def network():
    g = scg.Graph("sbn")
    t = {name: g.parameter(name, shape=shape) for name, shape in SHAPES.items()}
    x = g.data("x", shape=(PIXELS,), plates=scg.Plate("batch"))
    h1 = g.sample("h1", scg.Bernoulli(logits=x @ t["W1"] + t["c1"]))
    h2 = g.sample("h2", scg.Bernoulli(logits=h1 @ t["W2"] + t["c2"]))
    log_p = (
        scg.Bernoulli(logits=t["prior"]).log_prob(h2)
        + scg.Bernoulli(logits=h2 @ t["V2"] + t["d2"]).log_prob(h1)
        + scg.Bernoulli(logits=h1 @ t["V1"] + t["d1"]).log_prob(x)
    )
    g.cost("bound", h1.log_prob() + h2.log_prob() - log_p)
    return g


def by_axes(uniforms):
    """Bring a noise leaf to (samples, batch, units), whatever order its plates have."""
    uniforms = np.squeeze(uniforms)
    assert sorted(uniforms.shape) == sorted((SAMPLES, BATCH, HIDDEN)), uniforms.shape
    axes = [uniforms.shape.index(size) for size in (SAMPLES, BATCH, HIDDEN)]
    return torch.tensor(np.ascontiguousarray(np.transpose(uniforms, axes)))


def log_prob(value, logits):
    log_one = torch.nn.functional.logsigmoid(logits)
    log_zero = torch.nn.functional.logsigmoid(-logits)
    return (value * log_one + (1 - value) * log_zero).sum(-1)


def gradient_in_torch(params, x, u1, u2):
    t = {n: torch.tensor(v, requires_grad=True) for n, v in params.items()}
    x = torch.tensor(x)
    logits1 = x @ t["W1"] + t["c1"]
    h1 = (u1 < torch.sigmoid(logits1)).double()
    logits2 = h1 @ t["W2"] + t["c2"]
    h2 = (u2 < torch.sigmoid(logits2)).double()
    score = log_prob(h1, logits1) + log_prob(h2, logits2)
    log_p = (
        log_prob(h2, t["prior"])
        + log_prob(h1, h2 @ t["V2"] + t["d2"])
        + log_prob(x, h1 @ t["V1"] + t["d1"])
    )
    cost = score - log_p  # (samples, batch)
    fixed = cost.detach()
    others = (fixed.sum(0, keepdim=True) - fixed) / (SAMPLES - 1)
    (score * (fixed - others) + cost).mean().backward()
    return float(fixed.mean()), {n: v.grad.numpy() for n, v in t.items()}


def test_the_gradient_of_a_large_network_is_that_of_pytorch():
    rng = np.random.default_rng(11)
    params = {n: rng.normal(0, 0.1, shape) for n, shape in SHAPES.items()}
    x = (rng.random((BATCH, PIXELS)) < 0.3).astype(float)
    step = scg.compile(network(), estimator=scg.LeaveOneOut(samples=SAMPLES))
    noise = step.noise(seed=5, runs=1, data={"x": x})
    out = step(params, noise=noise, data={"x": x})
    cost, grads = gradient_in_torch(params, x, by_axes(noise["h1/u"]), by_axes(noise["h2/u"]))
    assert float(out.cost) == pytest.approx(cost, rel=1e-12)
    for name, expected in grads.items():
        scale = max(1.0, float(np.max(np.abs(expected))))
        error = float(np.max(np.abs(out.grads[name] - expected)))
        assert error <= 1e-9 * scale, f"{name}: {error}"
        assert np.max(np.abs(expected)) > 1e-3, f"{name}: a zero gradient compares nothing"
