"""Perturbed parameters: evolution strategies and the smoothed cost, SPSA and sums over signs."""

import itertools

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.estimators.parts.perturbations import orthogonal

V = np.array([0.7, -1.2, 0.4])
SIGMA = 0.3
QUIET = {"allow_biased": True}
SQUARE = np.array([[1.0, 0.4, -0.3], [0.0, -0.7, 0.2], [0.5, 0.1, 0.9]])


def cubic(x):
    """Its mean under N(μ, σ²) is known: E x³ = μ³ + 3 μ σ²."""
    return x[0] ** 3 - 2.0 * x[0] * x[1] ** 2 + 0.5 * x[1]


def smoothed(m, s):
    return m[0] ** 3 + 3 * m[0] * s**2 - 2.0 * m[0] * (m[1] ** 2 + s**2) + 0.5 * m[1]


def slopes(m, s):
    in_m = [3 * m[0] ** 2 + 3 * s**2 - 2.0 * (m[1] ** 2 + s**2), -4.0 * m[0] * m[1] + 0.5]
    return np.array(in_m), 6 * m[0] * s - 4.0 * m[0] * s


def black_box(cost):
    """A cost without a derivative."""
    return scg.op(cost, vjp=None)


def normal(cost=cubic, size=2):
    g = scg.Graph("normal")
    w = g.sample("w", scg.Normal(g.parameter("m", V[:size]), g.parameter("s", SIGMA)))
    g.cost("loss", cost(w))
    return g


def test_antithetic_pairs_have_the_gradient_of_the_smoothed_cost():
    g = normal()
    step, params = scg.compile(g, scg.EvolutionStrategy(), backend="numpy"), g.init(seed=0)
    m = scg.moments(step, params, variance=False)
    in_m, in_s = slopes(V[:2], SIGMA)
    assert m.cost == pytest.approx(smoothed(V[:2], SIGMA), abs=1e-9)
    np.testing.assert_allclose(m.mean["m"], in_m, atol=1e-8)
    np.testing.assert_allclose(m.mean["s"], in_s, atol=1e-8)
    assert scg.check(step, params, seed=0)


def test_an_even_cost_has_no_variance_in_the_mean_and_the_second_order_is_right():
    g = scg.Graph()
    w = g.sample("w", scg.Normal(g.parameter("m", 0.0), 0.5))
    g.cost("loss", w**2)
    step = scg.compile(g, scg.EvolutionStrategy(), order=2, backend="numpy")
    m = scg.moments(step, g.init(seed=0))
    assert m.mean["m"] == pytest.approx(0.0, abs=1e-12) == m.variance["m"]
    assert m.hessian["m"]["m"] == pytest.approx(2.0, abs=1e-8)


@pytest.mark.parametrize(
    "estimator", [scg.EvolutionStrategy(6), scg.OrthogonalEvolution(4), scg.OrthogonalEvolution(6)],
    ids=["three pairs", "orthogonal", "more directions than dimensions"],
)  # fmt: skip
def test_no_bias_is_found(estimator, seed):
    """z-test: 9 comparisons at |z| < 6.5, a false alarm in 1e-9.

    A bias of 9 errors is found with probability 0.99: 0.2, for gradients of 1.3 and 3.9 in m.
    """
    g = normal()
    out = scg.compile(g, estimator)(g.init(seed=0), seed=seed, runs=200_000)
    in_m, in_s = slopes(V[:2], SIGMA)
    for name, truth in (("m", in_m), ("s", in_s)):
        assert np.all(np.abs(out.grads[name] - truth) < 6.5 * out.stderr[name])
        assert np.max(out.stderr[name]) < 0.03


def test_a_black_box_needs_no_derivative():
    g, same = normal(black_box(lambda x: cubic(np.moveaxis(x, -1, 0)))), normal()
    ours, its = (
        scg.compile(h, scg.OrthogonalEvolution(4), backend="numpy")(h.init(seed=0), seed=0, runs=9)
        for h in (g, same)
    )
    np.testing.assert_allclose(ours.grads["m"], its.grads["m"], rtol=1e-12)


def test_directions_are_orthogonal_and_keep_their_lengths():
    g = scg.Graph()
    rows = g.data("rows", shape=(3, 4))
    given = np.random.default_rng(0).normal(size=(3, 4))
    given[2] = given[0] + 1e-9 * given[2]  # nearly in the span of the others
    found = Interpreter({"q": orthogonal(rows)}).run({rows: given}, {})["q"]
    gram = found @ found.T
    lengths = np.sum(given**2, axis=1)
    np.testing.assert_allclose(gram, np.diag(lengths), atol=1e-12 * lengths.max())
    np.testing.assert_allclose(found[0], given[0], rtol=1e-14)


def test_a_direction_alone_is_normal(seed):
    """Second moments of the third direction in three dimensions, and fourth ones; |z| < 6.5."""
    g = scg.Graph()
    w = g.sample("w", scg.Normal(np.zeros(3), g.parameter("s", 1.0)))
    weights = np.array([0.6, -0.8, 0.3])
    g.cost("fourth", (w @ weights) ** 4)
    out = scg.compile(g, scg.OrthogonalEvolution(6))(g.init(seed=0), seed=seed, runs=20_000)
    truth = 3 * np.sum(weights**2) ** 2
    assert abs(out.grads["s"] - 4 * truth) < 6.5 * out.stderr["s"]
    assert abs(out.cost - truth) < 0.1 * truth


def test_orthogonal_directions_lower_the_variance():
    """A linear cost in eight dimensions, eight pairs: exact but for the lengths."""
    g = scg.Graph()
    w = g.sample("w", scg.Normal(g.parameter("m", np.zeros(8)), 1.0))
    g.cost("loss", np.sum(w * np.cos(np.arange(8.0))))
    found = {}
    for cls in (scg.EvolutionStrategy, scg.OrthogonalEvolution):
        out = scg.compile(g, cls(16))(g.init(seed=0), seed=0, runs=4000)
        found[cls] = np.sum(out.stderr["m"] ** 2)
    assert found[scg.OrthogonalEvolution] < 0.3 * found[scg.EvolutionStrategy]


# --- signs ----------------------------------------------------------------------------------------
def point(cost, estimator, **options):
    g = scg.Graph("point")
    w = g.sample("w", scg.Delta(g.parameter("v", V)))
    g.cost("loss", cost(w))
    return scg.compile(g, estimator, **options), g.init(seed=0)


def sharp(x):
    return np.exp(0.8 * x[0] - 0.5 * x[1]) * np.sin(x[2]) + x[0] * x[1] ** 3


def over_signs(f, c):
    """Mean of Spall's estimate, and of the costs, over all signs."""
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    values = np.array([f(V + c * s) for s in signs])
    return values.mean(), np.mean(values[:, None] * signs, axis=0) / c


@pytest.mark.parametrize("samples", [2, 4])
def test_signs_enumerated(samples):
    c = 0.3
    step, params = point(sharp, scg.SPSA(c, samples, **QUIET), backend="numpy")
    m = scg.moments(step, params)
    cost, slope = over_signs(sharp, c)
    assert m.cost == pytest.approx(cost, abs=1e-12)
    np.testing.assert_allclose(m.mean["v"], slope, atol=1e-10)


def test_a_quadratic_cost_is_exact():
    def quadratic(x):
        return x @ SQUARE @ x + x @ np.array([0.3, -0.1, 2.0])

    step, params = point(quadratic, scg.SPSA(0.5, **QUIET), backend="numpy")
    m = scg.moments(step, params, variance=False)
    truth = (SQUARE + SQUARE.T) @ V + np.array([0.3, -0.1, 2.0])
    np.testing.assert_allclose(m.mean["v"], truth, atol=1e-10)


def test_the_bias_is_quadratic_in_the_step():
    off = []
    for c in (0.2, 0.1, 0.05):
        step, params = point(sharp, scg.SPSA(c, **QUIET), backend="numpy")
        exact = point(sharp, scg.Reparameterization(), backend="numpy")[0](params, seed=0)
        found = scg.moments(step, params, variance=False).mean["v"]
        off.append(np.abs(found - exact.grads["v"]).max())
    np.testing.assert_allclose(np.divide(off[:-1], off[1:]), 4.0, rtol=0.05)
    assert off[0] > 1e-3


def test_check_compares_signs_with_the_path():
    """A score does not fit a point mass; the compiler's choice does."""
    for c, found in ((0.6, False), (1e-3, True)):
        step, params = point(sharp, scg.SPSA(c, **QUIET), backend="numpy")
        result = scg.check(step, params, seed=0)
        assert bool(result) is found and "SPSA at 'w' is biased by design" in str(result)


@pytest.mark.parametrize("estimator", [scg.EvolutionStrategy(), scg.OrthogonalEvolution()])
def test_an_empty_event(estimator):
    g = scg.Graph()
    w = g.sample("w", scg.Normal(g.parameter("m", np.zeros(0)), 1.0))
    g.cost("loss", np.sum(w) + 2.0)
    assert scg.compile(g, estimator, backend="numpy")(g.init(seed=0), seed=0).cost == 2.0


@pytest.mark.parametrize("estimator", [
    scg.OrthogonalEvolution(4), scg.SPSA(0.1, 4, **QUIET),
], ids=lambda e: type(e).__name__)  # fmt: skip
def test_backends_agree_on_plates(estimator):
    g, plate = scg.Graph(), scg.Plate("batch", reduce="mean")
    x = g.data("x", shape=2, plates=plate)
    v = g.parameter("v", V[:2])
    spsa = isinstance(estimator, scg.SPSA)
    w = g.sample("w", scg.Delta(v * x) if spsa else scg.Normal(v * x, 0.4))
    g.cost("loss", np.sum(np.floor(3.0 * w)) ** 2 + cubic(w))
    data = np.random.default_rng(0).normal(size=(5, 2))
    ours, its = (
        scg.compile(g, estimator, backend=b)(g.init(seed=0), seed=4, runs=7, x=data)
        for b in ("numba", "numpy")
    )
    np.testing.assert_allclose(ours.grads["v"], its.grads["v"], rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scg.EvolutionStrategy(3), "samples must be even"),
        (lambda: scg.OrthogonalEvolution(0), "samples must be"),
        (lambda: scg.SPSA(0.0), "step must be a positive number"),
        (lambda: scg.SPSA(0.1, 5), "samples must be even"),
        (lambda: point(sharp, scg.EvolutionStrategy()), "is not a normal distribution"),
        (lambda: scg.compile(normal(), scg.SPSA(**QUIET)), "is not a point mass"),
    ],
)
def test_errors(make, message):
    with pytest.raises(scg.EstimatorError, match=message):
        make()


@pytest.mark.parametrize("c", [0.5, 1.5])
def test_signs_have_the_gradient_of_no_smoothed_cost(c):
    """In one parameter they have that of an average over an interval; in two the mean rotates."""
    step, params = point(lambda v: v[0] ** 3 * v[1], scg.SPSA(c, **QUIET), backend="numpy")
    x, y = V[:2]
    found = scg.moments(step, params).mean["v"]
    wanted = [3 * x**2 * y + c**2 * y, x**3 + 3 * c**2 * x, 0.0]
    np.testing.assert_allclose(
        found, wanted, atol=1e-10
    )  # d/dy of the first is not d/dx of the second

    g = scg.Graph("one")
    w = g.sample("w", scg.Delta(g.parameter("v", 0.4)))
    g.cost("loss", np.exp(w))
    found = scg.moments(scg.compile(g, scg.SPSA(c, **QUIET), backend="numpy"), {"v": 0.4}).mean["v"]
    assert found == pytest.approx((np.exp(0.4 + c) - np.exp(0.4 - c)) / (2 * c), abs=1e-10)
