"""Log-probabilities of values that are not there, and of values that a law cannot take."""

import numpy as np
import pytest

import scg
from scg.ir.walk import topological
from tests.ops.native import compare

from .test_capabilities import LAWS
from .test_native import program

PLATE = scg.Plate("p")
#: Laws whose formula holds on all of the real line, or of the circle.
EVERYWHERE = ("Normal", "Laplace", "Logistic", "Gumbel", "StudentT", "Cauchy", "VonMises")


def on_parameters(graph, law):
    """The law on parameter nodes, and their values by name."""
    values = {name.replace("/", " "): np.asarray(v) for name, v in law.parameters.items()}
    nodes = tuple(graph.parameter(name, value) for name, value in values.items())
    return type(law).rebuild(nodes, law.static), values


def drawn(law, runs=2):
    g = scg.Graph()
    g.sample("x", law)
    return g.simulate({}, nodes=["x"], seed=3, runs=runs)["x"]


def observed(law, mask=None):
    g = scg.Graph()
    on, values = on_parameters(g, law)
    there = None if mask is None else g.data("there", mask, plates=PLATE, kind="int")
    g.observe("o", on, g.data("x", law.shape, plates=PLATE, kind=law.kind), mask=there)
    return scg.compile(g, order=2, backend="numpy"), values


def pads(law):
    return (0, 99, -5) if law.kind == "int" else (0.0, 1.0, 99.0, np.nan, np.inf, -np.inf)


def same(out, wanted):
    np.testing.assert_allclose(out.cost, wanted.cost, rtol=1e-13)
    for name, slope in wanted.grads.items():
        np.testing.assert_allclose(out.grads[name], slope, rtol=1e-12, atol=1e-12)
        for other, curvature in wanted.hessian[name].items():
            scale = np.max(np.abs(curvature), initial=1.0)
            np.testing.assert_allclose(
                out.hessian[name][other], curvature, rtol=1e-11, atol=1e-11 * scale
            )


@pytest.mark.parametrize("name", LAWS)
def test_what_stands_in_place_of_a_value_changes_nothing(name):
    """Cost, gradient and Hessian are those of the two values that are there."""
    law, _ = LAWS[name]
    x = drawn(law)
    step, values = observed(law)
    wanted = step(values, seed=0, x=x)
    step, _ = observed(law, ())
    for pad in pads(law):
        padded = np.concatenate([x, np.full((1, *law.shape), pad, x.dtype)])
        same(step(values, seed=0, x=padded, there=[1, 1, 0]), wanted)


@pytest.mark.parametrize("name", [n for n in LAWS if len(LAWS[n][0].shape) > 0])
def test_elements_of_an_event_that_are_not_there(name):
    law, _ = LAWS[name]
    x = drawn(law, 1)
    elements = law.log_prob(x[0], elementwise=True)
    if not np.ndim(elements):
        return
    if name.startswith("Autoregressive"):
        with pytest.raises(scg.DeclarationError, match=r"observation 'o': .*expected a scalar$"):
            observed(law, elements.shape)
        return
    step, values = observed(law, elements.shape)
    there = np.ones((1, *elements.shape), int)
    there[0, 0] = 0
    slopes = []
    for pad in pads(law):
        x[0, 0] = pad
        out = step(values, seed=0, x=x, there=there)
        np.testing.assert_allclose(out.cost, -np.sum(elements[1:]), rtol=1e-12)
        slopes.append(np.concatenate([np.ravel(g) for g in out.grads.values()]))
    assert np.isfinite(slopes).all()
    np.testing.assert_array_equal(slopes, slopes[:1] * len(slopes))


@pytest.mark.parametrize("name", LAWS)
def test_impossible_values_have_no_slope(name):
    """−∞, and zero derivatives of first and second order in parameters and value."""
    law, _ = LAWS[name]
    if law.kind == "int" or name.split()[0] in (*EVERYWHERE, "MultivariateNormal", "Transformed"):
        return
    g = scg.Graph()
    on, values = on_parameters(g, law)
    g.cost("c", -on.log_prob(g.parameter("at", np.zeros(law.shape))))
    step = scg.compile(g, order=2, backend="numpy")
    for x in (-3.0, -1e30, 1e30, np.inf):
        at = np.full(law.shape, x)
        if np.all(law.support.contains(at)) or (name == "Mixture" and law.support.low < x):
            continue
        assert law.log_prob(at) == -np.inf
        out = step({**values, "at": at}, seed=0)
        assert out.cost == np.inf
        for key, slope in out.grads.items():
            assert not np.any(slope), key
            for curvature in out.hessian[key].values():
                assert not np.any(curvature), key


@pytest.mark.parametrize(
    "law", [scg.Categorical(probs=[0.2, 0.8]), scg.OrderedLogistic(0.2, [1.0])]
)
def test_classes_that_there_are_not(law):
    np.testing.assert_array_equal(law.log_prob([-1, 2, 99], elementwise=True), -np.inf)


def test_probabilities_of_zero_and_one_where_nothing_is():
    """An infinite slope does not count where nothing is there."""
    for make, x in (
        (lambda p: scg.Bernoulli(probs=p), 1.0),
        (lambda p: scg.Binomial(5, probs=p), 5.0),
        (lambda p: scg.Geometric(probs=p), 0.0),
        (lambda p: scg.Categorical(probs=np.stack([1.0 - p, p])), 1),
    ):
        g = scg.Graph()
        p = g.parameter("p", 1.0)
        there = g.data("there", plates=PLATE)
        kind = "int" if isinstance(x, int) else "float"
        g.observe("o", make(p), g.data("x", plates=PLATE, kind=kind), mask=there)
        step = scg.compile(g, order=2, backend="numpy")
        out = step({"p": 1.0}, seed=0, x=[x, 0], there=[1, 0])
        assert abs(out.cost) < 1e-14
        alone = step({"p": 1.0}, seed=0, x=[x], there=[1])
        assert out.grads["p"] == alone.grads["p"] and np.isfinite(out.grads["p"])
        assert out.hessian["p"]["p"] == alone.hessian["p"]["p"]


def test_kernels_agree_on_supports():
    """One program for both backends: values inside, outside, and not there."""
    pytest.importorskip("numba")
    g, outputs, given = scg.Graph(), {}, {}
    there = g.data("there", plates=PLATE, kind="int")
    given[there] = np.array([1, 1, 0])
    for number, name in enumerate(
        ("Gamma", "Beta", "Uniform", "Pareto", "Poisson", "Bernoulli probs")
    ):
        law = LAWS[name][0]
        shapes = enumerate(map(np.shape, law.parameters.values()))
        nodes = tuple(g.data(f"{number} {i}", shape) for i, shape in shapes)
        given |= dict(zip(nodes, map(np.asarray, law.parameters.values()), strict=True))
        x = g.data(f"{number} x", plates=PLATE)
        given[x] = np.array([drawn(law, 1)[0], -3.0, np.nan])
        on = type(law).rebuild(nodes, law.static)
        outputs[name] = value = on.log_prob(x, mask=there)
        weighted = np.where(np.greater(value, -np.inf), value, 0.0)
        slopes = scg.grad(scg.plate_sum(weighted, PLATE), list(nodes))
        outputs |= {(name, i): slope for i, slope in enumerate(slopes)}
    compare(outputs, given, "float64", {PLATE: 3}, 1e-10)


def test_draws_are_not_compared_with_the_support():
    outputs, _ = program({"Gamma": LAWS["Gamma"], "Beta": LAWS["Beta"]})
    assert "within" not in {expr.op.name for expr in topological(outputs.values())}


# --- shapes ---------------------------------------------------------------------------------------
def test_events_are_not_counted_repeatedly():
    g = scg.Graph()
    y = g.data("y", (4, 1))
    law = scg.Normal(g.parameter("m", np.zeros(4)), 1.0)
    with pytest.raises(
        scg.DeclarationError, match=r"node 'y' of shape \(4, 1\).*event of shape \(4,\)"
    ):
        law.log_prob(y)
    with pytest.raises(scg.DeclarationError, match=r"ndarray of shape \(3,\)"):
        scg.Normal(np.zeros(4), 1.0).log_prob(np.zeros(3))
    with pytest.raises(scg.DeclarationError, match=r"kl of Normal: Normal of shape \(4, 1\)"):
        scg.Normal(np.zeros(4), 1.0).kl(scg.Normal(np.zeros((4, 1)), 1.0))
    assert law.log_prob(y, elementwise=True).shape == (4, 4)
    assert scg.Normal(0.0, 1.0).log_prob(y).shape == law.log_prob(0.5 * g.data("z")).shape == ()


@pytest.mark.parametrize(
    "name", ["Mixture", "MultivariateNormal scale_tril", "Autoregressive (3,)"]
)
def test_a_joint_law_takes_one_event(name):
    law, _ = LAWS[name]
    with pytest.raises(scg.DeclarationError, match="is not of the shape"):
        law.log_prob(np.zeros((2, *law.shape)))


def test_masks_that_do_not_fit():
    g = scg.Graph()
    other = g.data("other", plates=scg.Plate("q"))
    x = g.data("x", 4, plates=PLATE)
    law = scg.Normal(g.parameter("m", np.zeros(4)), 1.0)
    with pytest.raises(scg.DeclarationError, match=r"observation 'o': .*mask has shape \(3,\)"):
        g.observe("o", law, x, mask=g.data("there", 3, plates=PLATE))
    with pytest.raises(scg.DeclarationError, match="observation 'o': the mask is node 'other'"):
        g.observe("o", law, x, mask=other)


INFINITE = [n for n in LAWS if LAWS[n][0].kind == "float"]


@pytest.mark.parametrize("name", INFINITE)
@pytest.mark.parametrize("x", [np.inf, -np.inf])
def test_infinite_data_have_no_probability(name, x):
    """A density of 0, as SciPy says, and finite derivatives of what else an event holds."""
    law, _ = LAWS[name]
    event = np.array(drawn(law, 1)[0])
    event[(0,) * event.ndim] = x
    assert law.log_prob(event) == -np.inf
    g = scg.Graph()
    on, values = on_parameters(g, law)
    g.cost("c", -on.log_prob(g.data("x", law.shape)))
    out = scg.compile(g, backend="numpy")(values, seed=0, x=event)
    assert out.cost == np.inf
    for name, slope in out.grads.items():
        assert np.isfinite(slope).all(), name


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_no_support_has_numbers_that_are_not_finite(name, x):
    """Nor counts, so that observed and recorded ones are errors."""
    law, _ = LAWS[name]
    event = np.array(drawn(law, 1)[0], float)
    event[(0,) * event.ndim] = x
    assert "must be" in law.support.complaint(event)


# A Delta gives it the probability 0; in an autoregressive law it is an error that names logits.
@pytest.mark.parametrize("name", [n for n in INFINITE if not n.startswith(("Delta", "Auto"))])
def test_nan_is_not_taken_for_a_number(name):
    """The log-probability of NaN is NaN, as SciPy says, on both backends."""
    law, _ = LAWS[name]
    event = np.array(drawn(law, 1)[0])
    event[(0,) * event.ndim] = np.nan
    assert np.isnan(law.log_prob(event))
    g = scg.Graph()
    on, values = on_parameters(g, law)
    g.cost("c", -on.log_prob(g.data("x", law.shape)))
    for backend in ("numpy", "numba"):
        assert np.isnan(scg.compile(g, backend=backend)(values, seed=0, x=event).cost)
