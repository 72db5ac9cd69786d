"""The parts of a surrogate's gradient add up to it, on noise."""

import numpy as np
import pytest

import scg
from scg.compiler.entries import Part, entries
from scg.run.finish import finish


def mixed():
    """Two plates, a mixing cost, a stop, a shared parameter, a pathwise node below a binary one."""
    g = scg.Graph("mixed")
    batch = scg.Plate("batch", length=3, reduce="mean")
    x = g.data("x", plates=batch)
    w = g.parameter("w", [0.3, -0.6])
    s = g.parameter("s", 0.8, constraint=scg.positive)
    b = g.sample("b", scg.Bernoulli(logits=w * x))
    z = g.sample("z", scg.Normal(np.sum(b * w) + x, s))
    k = g.sample("k", scg.OneHotCategorical(logits=np.stack([w[0], z, w[1] * x])))
    g.cost("own", z**2 + scg.stop_gradient(b[0]) * w[0])
    g.cost("mix", scg.plate_logsumexp(z * b[1], batch) * s)
    g.cost("last", (k @ np.array([1.0, -2.0, 0.5])) * w[1] * x)
    return g, {"x": np.array([0.4, -1.0, 0.7])}


PLANS = {
    "score": scg.ScoreFunction(),
    "automatic": None,
    "loo": scg.LeaveOneOut(samples=3),
    "pathwise below": {"z": scg.Reparameterization(), "k": scg.Enumeration()},
    "muprop": {"b": scg.MuProp(), "z": scg.ScoreFunction(), "k": scg.ScoreFunction()},
    "relaxed": {"b": scg.StraightThrough(allow_biased=True), "k": scg.Enumeration()},
    "coupled": {"b": scg.DisARM(), "k": scg.UnorderedSet(samples=2)},
    "weak": {"b": scg.ARM(), "z": scg.Reparameterization(), "k": scg.RAM()},
}


@pytest.mark.filterwarnings("ignore::scg.StopWarning")
@pytest.mark.parametrize("plan", PLANS)
def test_parts_add_up_to_the_gradient(plan):
    g, data = mixed()
    step = scg.compile(g, PLANS[plan])
    values, sizes, _ = step.checked(g.init(seed=0), data, None)
    found, _ = entries(step.surrogate)
    outputs = {(part, name): e for part, own in found.items() for name, e in own.items()}
    program = finish(outputs)
    noise = step.program.draw_noise(7, range(5), sizes)
    whole = step.outcomes(values, noise, sizes, 5)
    out = program.run(values, {name: noise[name] for name in program.noise}, sizes)
    for name in g.parameters:
        parts = sum(value for (_, own), value in out.items() if own == name)
        np.testing.assert_allclose(
            np.broadcast_to(parts, whole["grads", name].shape), whole["grads", name], atol=1e-12
        )


def test_a_part_says_where_its_parameters_enter():
    """w enters at b, where both costs credit it, and in the cost itself; the term is b's alone."""
    g = scg.Graph("toy")
    w = g.parameter("w", 0.4)
    b = g.sample("b", scg.Bernoulli(logits=w))
    g.cost("loss", b * w)
    g.cost("far", w**2)
    found, _ = entries(scg.compile(g, scg.LeaveOneOut(samples=2)).surrogate)
    assert set(found) == {
        Part("loss", False, "b"),
        Part("loss", False, None),
        Part("far", False, None),
        Part("b", True, "b"),
    }
