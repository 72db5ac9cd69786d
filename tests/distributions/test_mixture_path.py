"""Pathwise gradients through mixtures: in weights, locations and scales, also of vectors."""

import numpy as np
import pytest
import scipy.special as sp

import scg

WEIGHTS, LOC, LOG_SCALE = np.array([0.3, -0.5]), np.array([-1.0, 1.4]), np.array([0.1, -0.6])


def normals(dims=1, family=scg.Normal):
    g = scg.Graph("mixture")
    w = g.parameter("w", WEIGHTS)
    m = g.parameter("m", np.stack([LOC + 0.5 * d for d in range(dims)], axis=-1))
    s = np.exp(g.parameter("s", np.stack([LOG_SCALE - 0.3 * d for d in range(dims)], axis=-1)))
    parts = [family(m[k] if dims > 1 else m[k, 0], s[k] if dims > 1 else s[k, 0]) for k in (0, 1)]
    return g, g.sample("x", scg.Mixture(parts, logits=w))


def closed(w, m, s, powers):
    """E Π x_d^k_d for normals, with powers up to 3."""
    p = np.exp(w) / np.exp(w).sum()
    s = np.exp(s)
    each = [np.ones_like(m), m, m**2 + s**2, m**3 + 3 * m * s**2]
    return p @ np.prod([each[k][:, d] for d, k in enumerate(powers)], axis=0)


def slopes(function, params, h=1e-5):
    found = {}
    for name, value in params.items():
        found[name] = np.zeros(value.shape)
        for i in np.ndindex(value.shape):
            up, down = (value.copy() for _ in range(2))
            up[i] += h
            down[i] -= h
            args = [{**params, name: v} for v in (up, down)]
            found[name][i] = (function(**args[0]) - function(**args[1])) / (2 * h)
    return found


def rule(count):
    """Uniforms and their shares of a mean by quadrature, more of them near 0 and 1."""
    nodes, shares = np.polynomial.legendre.leggauss(count)
    t = (nodes + 1) / 2
    grid = t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)
    return np.clip(grid, 1e-15, 1 - 1e-15), shares * 70 * (t * (1 - t)) ** 3


GRID, SHARES = rule(300)


def expected(step, params, *keys, dims=1):
    """Mean and mean square of outputs, over the component and its noise by quadrature."""
    w = np.exp(params["w"]) / np.exp(params["w"]).sum()
    grid, shares = (GRID, SHARES) if dims == 1 else rule(60)
    points = np.stack(np.meshgrid(*[grid] * dims), axis=-1).reshape(-1, dims)
    shares = np.prod(np.meshgrid(*[shares] * dims), axis=0).ravel()
    leaves, total = step.noise(seed=0), {key: [0.0, 0.0] for key in keys}
    for k in range(2):
        noise = {name: np.full((len(points), *v.shape[1:]), 0.5) for name, v in leaves.items()}
        noise["x/choice/u"][:] = (0.0 if k == 0 else w[0]) + 0.5 * w[k]
        (own,) = (name for name in leaves if name.startswith(f"x/{k}/"))
        at = sp.ndtri(points) if own.endswith("n") else points
        noise[own][:] = at.reshape(noise[own].shape)
        values, sizes, _ = step.checked(params, None, None)
        out = step.outcomes(values, noise, sizes, len(points))
        for key in keys:
            for power in (1, 2):
                total[key][power - 1] += w[k] * np.tensordot(shares, out[key] ** power, 1)
    return total


def grads(graph, estimator, backend="numpy", dims=1):
    params = graph.init(seed=0)
    keys = [("grads", name) for name in params]
    found = expected(scg.compile(graph, estimator, backend=backend), params, *keys, dims=dims)
    return {key[1]: value for key, value in found.items()}


def test_one_dimension_is_exact_and_better_than_the_score():
    g, x = normals()
    g.cost("loss", x**3 - 0.5 * x)
    truth = slopes(
        lambda w, m, s: closed(w, m, s, [3]) - 0.5 * closed(w, m, s, [1]), g.init(seed=0)
    )
    path, score = (grads(g, e) for e in (scg.Reparameterization(), scg.ScoreFunction()))
    for name, value in truth.items():
        np.testing.assert_allclose(path[name][0], value, atol=1e-7)
        assert np.sum(path[name][1]) < np.sum(score[name][1])
    assert "Reparameterization" in str(scg.compile(g).plan)  # of its own accord


def smooth(x):
    return np.tanh(0.5 * x) + 0.3 / (1.0 + x**2)


@pytest.mark.parametrize("family", [scg.Laplace, scg.Logistic, scg.Gumbel, scg.LogNormal])
def test_other_families(family):
    g, x = normals(family=family)
    g.cost("loss", smooth(x))

    def mean(w, m, s):
        each = [SHARES @ smooth(family(m[k, 0], np.exp(s[k, 0])).quantile(GRID)) for k in (0, 1)]
        return np.exp(w) / np.exp(w).sum() @ each

    path = grads(g, scg.Reparameterization())
    for name, value in slopes(mean, g.init(seed=0)).items():
        np.testing.assert_allclose(path[name][0], value, atol=1e-4)


@pytest.mark.parametrize("family", ["gamma", "exponential", "half-normal"])
def test_positive_families_agree_with_the_score(family):
    make = {
        "gamma": lambda t: scg.Gamma(np.exp(t), 1.3),
        "exponential": lambda t: scg.Exponential(np.exp(t)),
        "half-normal": lambda t: scg.HalfNormal(np.exp(t)),
    }[family]
    g = scg.Graph(family)
    w, t = g.parameter("w", WEIGHTS), g.parameter("t", [0.6, -0.4])
    x = g.sample("x", scg.Mixture([make(t[0]), make(t[1])], logits=w))
    g.cost("loss", np.tanh(x) + 0.2 * x)
    path, score = (grads(g, e) for e in (scg.Reparameterization(), scg.ScoreFunction()))
    for name, value in score.items():
        np.testing.assert_allclose(path[name][0], value[0], atol=1e-4)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_two_dimensions_are_exact(backend):
    g, x = normals(dims=2)
    g.cost("loss", x[0] ** 2 * x[1] - x[1] ** 2)
    truth = slopes(
        lambda w, m, s: closed(w, m, s, [2, 1]) - closed(w, m, s, [0, 2]), g.init(seed=0)
    )
    path = grads(g, scg.Reparameterization(), backend, dims=2)
    for name, value in truth.items():
        np.testing.assert_allclose(path[name][0], value, atol=1e-6)


@pytest.mark.parametrize("shape", [(2,), (2, 2)])
@pytest.mark.parametrize("mixed", [False, True])
def test_blocks_of_independent_elements(shape, mixed):
    """On one noise they have the paths of the elements, whose conditional CDFs are the same."""
    found = []
    for blocks in ((False, False), (True, not mixed)):
        g = scg.Graph("blocks")
        m = g.parameter("m", np.linspace(-1.0, 2.0, 2 * np.prod(shape)).reshape(2, *shape))
        s, w = g.parameter("s", [0.8, 1.3]), g.parameter("w", WEIGHTS)
        parts = [scg.Normal(m[k], s[k]) for k in (0, 1)]
        parts = [
            scg.Independent(p, len(shape)) if b else p for p, b in zip(parts, blocks, strict=True)
        ]
        x = g.sample("x", scg.Mixture(parts, logits=w))
        g.cost("loss", np.sum(np.sin(x)) ** 2 + x.log_prob())
        step = scg.compile(g, scg.Reparameterization(), backend="numpy")
        found.append(step(g.init(seed=0), seed=1, runs=20))
    for name in "msw":
        np.testing.assert_allclose(found[0].grads[name], found[1].grads[name], rtol=1e-11)
    assert found[0].cost == pytest.approx(found[1].cost, rel=1e-12)


CENTRES = np.array([[-0.6, 0.4, 0.1], [0.9, -0.3, 0.5]])
FACTORS = np.array([[[1.1, 0, 0], [0.5, 0.7, 0], [-0.4, 0.3, 0.9]],
                    [[0.8, 0, 0], [-0.6, 1.2, 0], [0.2, -0.5, 0.6]]])  # fmt: skip


def vectors(form):
    """A mixture of two normal vectors, with covariances in one of the forms."""
    g = scg.Graph("vectors")
    w, m = g.parameter("w", WEIGHTS), g.parameter("m", CENTRES)
    if form == "low rank":
        s = g.parameter("s", FACTORS[:, :, :1])
        parts = [{"cov_factor": s[k], "cov_diag": np.full(3, 0.4)} for k in (0, 1)]
    else:
        s = g.parameter("s", FACTORS)
        parts = [{"scale_tril": s[k]} for k in (0, 1)]
    laws = [scg.MultivariateNormal(m[k], **part) for k, part in enumerate(parts)]
    return g, g.sample("x", scg.Mixture(laws, logits=w))


def covariances(s):
    both = s @ s.transpose(0, 2, 1)
    return both + (0.4 * np.eye(3) if s.shape[-1] == 1 else 0.0)


def rosenblatt(x, w, m, s):
    """Conditional CDFs of the coordinates of a mixture of normal vectors, by Schur complements."""
    log_p, found = np.log(sp.softmax(w)), []
    for d in range(3):
        level, log_next = 0.0, []
        for k, c in enumerate(covariances(s)):
            gain = c[d, :d] @ np.linalg.inv(c[:d, :d])
            centre = m[k, d] + gain @ (x[:d] - m[k, :d])
            width = np.sqrt(c[d, d] - gain @ c[:d, d])
            z = (x[d] - centre) / width
            level += sp.softmax(log_p)[k] * sp.ndtr(z)
            log_next.append(log_p[k] - 0.5 * z**2 - np.log(width))
        log_p = np.array(log_next)
        found.append(level)
    return np.array(found)


@pytest.mark.parametrize("form", ["factor", "low rank"])
def test_vectors_keep_their_conditional_distribution_functions(form):
    """Derivatives of samples solve those of the conditional CDFs, by finite differences."""
    g, x = vectors(form)
    for d in range(3):
        g.cost(f"x{d}", x[d])
    direction = np.array([0.3, -1.1, 0.7])
    g.cost("loss", x @ direction)
    params = g.init(seed=0)
    step = scg.compile(g, scg.Reparameterization(), backend="numpy")
    for seed in range(4):
        out = step(params, seed=seed)
        at = np.array([out.costs[f"x{d}"] for d in range(3)])
        turned = direction + np.ones(3)  # all costs together
        h = 1e-5
        slope = np.stack([
            (rosenblatt(at + h * e, **params) - rosenblatt(at - h * e, **params)) / (2 * h)
            for e in np.eye(3)
        ], axis=1)  # fmt: skip
        for name, value in params.items():
            for i in np.ndindex(value.shape):
                up, down = value.copy(), value.copy()
                up[i] += h
                down[i] -= h
                ends = (rosenblatt(at, **{**params, name: v}) for v in (up, down))
                moved = -np.linalg.solve(slope, np.subtract(*ends) / (2 * h))
                wanted = turned @ moved if name != "s" or form != "factor" or i[1] >= i[2] else 0.0
                assert out.grads[name][i] == pytest.approx(wanted, abs=2e-6), (name, i)


def test_vectors_on_their_diagonal_are_independent_elements():
    """On one noise the paths are the same, of second order, too, and on both backends."""
    found = []
    for whole, options in (
        (False, {"order": 2, "backend": "numpy"}),
        (True, {"order": 2, "backend": "numpy"}),
        (True, {"backend": "numba"}),
    ):
        g = scg.Graph("diagonal")
        w, m, s = g.parameter("w", WEIGHTS), g.parameter("m", CENTRES[:, :2]), g.parameter("s", 0.7)
        parts = [
            scg.MultivariateNormal(m[k], scale_diag=s * np.ones(2))
            if whole
            else scg.Normal(m[k], s)
            for k in (0, 1)
        ]
        x = g.sample("x", scg.Mixture(parts, logits=w))
        g.cost("loss", np.sum(np.sin(x)) ** 2)
        step = scg.compile(g, scg.Reparameterization(), **options)
        found.append(step(g.init(seed=0), seed=1, runs=10))
    first, second, compiled = found
    for name in "msw":
        np.testing.assert_allclose(first.grads[name], second.grads[name], rtol=1e-9)
        np.testing.assert_allclose(second.grads[name], compiled.grads[name], rtol=1e-9)
        np.testing.assert_allclose(
            first.hessian[name]["w"], second.hessian[name]["w"], rtol=1e-7, atol=1e-9
        )


def test_second_order():
    g, x = normals()
    g.cost("loss", x**2)
    params = g.init(seed=0)
    step = scg.compile(g, scg.Reparameterization(), order=2, backend="numpy")
    rows = expected(step, params, ("hessian", "m"), ("hessian", "w"))
    # the parameters are stacked in the order of their declaration: w, m, s
    p = np.exp(WEIGHTS) / np.exp(WEIGHTS).sum()
    in_m = rows["hessian", "m"][0][..., 0]
    np.testing.assert_allclose(in_m[2:4], np.diag(2 * p), atol=1e-6)
    second = LOC**2 + np.exp(2 * LOG_SCALE)
    gap = second - p @ second
    truth = np.diag(p * gap) - np.outer(p * gap, p) - np.outer(p, p * gap)
    np.testing.assert_allclose(rows["hessian", "w"][0][:2], truth, atol=1e-6)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([scg.Poisson(2.0), scg.Poisson(1.0)], "component Poisson is discrete"),
        (
            [scg.Independent(scg.Bernoulli(logits=[0.1, 0.2]))] * 2,
            "component Bernoulli is discrete",
        ),
        ([scg.Dirichlet([1.0, 2.0])] * 2, "component Dirichlet has no distribution function"),
        ([scg.Normal(), scg.Delta(0.0)], "its component Delta"),
        ([scg.Normal(), scg.Exponential(1.0)], "different supports, between which samples jump"),
        ([scg.Uniform(0.0, 1.0), scg.Uniform(2.0, 3.0)], "its component Uniform"),
    ],
)
def test_what_has_no_path_says_why(parts, why):
    g = scg.Graph("closed")
    x = g.sample("x", scg.Mixture(parts, logits=g.parameter("w", [0.0, 0.3])))
    g.cost("loss", np.sum(1.0 * x))
    with pytest.raises(scg.EstimatorError, match=f"Mixture has no reparameterization: .*{why}"):
        scg.compile(g, scg.Reparameterization())
