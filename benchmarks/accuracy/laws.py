"""Rows of distributions: ours on scalar parameters, log p in mpmath, points (x, parameters)."""

import itertools

import mpmath as mp
import numpy as np
from ops import lse, sigmoid, softplus

import scg

LOGITS = (-800.0, -30.0, -0.4, 1e-6, 2.0, 800.0)
SHAPES = (1e-3, 0.3, 2.0, 50.0, 1e6)
SCALES = (1e-3, 0.83, 1e3)
REALS = (-40.0, -0.9, 0.2, 3.0)
TWO_PI = 2 * mp.pi


def grid(*axes):
    return list(itertools.product(*axes))


def standard(log_density):
    """Log-density of a location-scale distribution."""
    return lambda x, m, s: log_density((x - m) / s) - mp.log(s)


def binomial(n, k):
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)


def gamma(x, a, b):
    return a * mp.log(b) + (a - 1) * mp.log(x) - b * x - mp.loggamma(a)


def betaln(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def three(fn):
    """A distribution with a vector of three logits."""
    return lambda *theta: fn(np.stack(theta))


PATH = ((0.0, 1.0), (0.0, 1.0), (1.0, 0.0))
PAIR = [(0.3, -0.8), (-30.0, 60.0), (800.0, 2.0)]


def pair(a, b):
    """Scores of pairs of two classes."""
    return np.stack([np.stack([0.0, b]), np.stack([a, b])])


def chain_scores(s, a, b):
    """Scores of all sequences of three classes."""
    pairs = ((mp.mpf(0), b), (a, b))
    for path in itertools.product((0, 1), repeat=3):
        yield (s if path[0] == 0 else mp.mpf(0)) + pairs[path[0]][path[1]] + pairs[path[1]][path[2]]


def hidden_markov(x, m, a, b):
    """Likelihood of two observations, over all pairs of states."""
    pairs = ((mp.mpf(0), b), (a, b))
    loc = (m, mp.mpf(0.3))
    scores = (
        normal(x[0], loc[i], 1) + normal(x[1], loc[j], 1) + pairs[i][j] - lse(*pairs[i]) - mp.log(2)
        for i, j in itertools.product((0, 1), repeat=2)
    )
    return lse(*scores)


def transformed(x, m, w):
    """An affine coupling of two normal variables."""
    s = 2 * mp.tanh(w * x[0] / 2)
    moved = (x[1] - mp.mpf(0.3) * x[0]) * mp.exp(-s)
    return normal(x[0], m, 1) + normal(moved, mp.mpf(0.2), 1) - s


def row(make, log_density, points, kind="float"):
    return make, log_density, points, kind


NEAR_THE_MEAN = [(1.2e6, 1e6, 0.83), (1005.0, 1e6, 1e3), (0.0499, 50.0, 1e3)]
THREE = [(0.3, -1.2, 0.8), (800.0, -800.0, 3.0), (-800.0, 0.0, 1.0), (1e-8, 0.0, 60.0)]
SIMPLEX = (0.2, 0.5, 0.3)
TRIANGLE = np.array([[1.2, 0.0], [0.3, 0.7]])
CUTS = (-1.0, 0.5)


def multivariate(x, a, b):
    z0 = (x - a) / mp.mpf(TRIANGLE[0, 0])
    z1 = (x - b - mp.mpf(TRIANGLE[1, 0]) * z0) / mp.mpf(TRIANGLE[1, 1])
    scale = mp.log(mp.mpf(TRIANGLE[0, 0]) * mp.mpf(TRIANGLE[1, 1]))
    return -(z0 * z0 + z1 * z1) / 2 - mp.log(TWO_PI) - scale


def relaxed_bernoulli(x, t, theta):
    """Maddison et al. (2017), eq. 26, with log α = θ."""
    logit = mp.log(x) - mp.log1p(-x)
    d = theta - t * logit
    return mp.log(t) - mp.log(x) - mp.log1p(-x) + d - 2 * softplus(d)


normal = standard(lambda z: -z * z / 2 - mp.log(TWO_PI) / 2)
laplace = standard(lambda z: -abs(z) - mp.log(2))

# name: distribution by its parameters, log p(x, parameters), points (x, *parameters), kind of x
ROWS = {
    "Bernoulli": row(
        lambda a: scg.Bernoulli(logits=a),
        lambda x, t: x * t - softplus(t),
        grid((0.0, 1.0), LOGITS),
    ),
    "Bernoulli (probs)": row(
        lambda p: scg.Bernoulli(probs=p),
        lambda x, p: x * mp.log(p) + (1 - x) * mp.log1p(-p),
        grid((0.0, 1.0), (1e-30, 1e-5, 0.4, 1 - 2.0**-20)),
    ),
    "OneHotCategorical": row(
        three(lambda t: scg.OneHotCategorical(logits=t)),
        lambda x, *t: t[1] - lse(*t),
        [((0.0, 1.0, 0.0), *t) for t in THREE],
    ),
    "Categorical": row(
        three(lambda t: scg.Categorical(logits=t)),
        lambda x, *t: t[1] - lse(*t),
        [(1, *t) for t in THREE],
        "int",
    ),
    "Normal": row(scg.Normal, normal, grid(REALS, REALS, SCALES)),
    "Gamma": row(scg.Gamma, gamma, [*grid((3e-6, 0.8, 91.0), SHAPES, SCALES), *NEAR_THE_MEAN]),
    "Beta": row(
        scg.Beta,
        lambda x, a, b: (a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) - betaln(a, b),
        [*grid((1e-6, 0.3, 1 - 2.0**-10), SHAPES, SHAPES), (0.2501, 1e6, 3e6), (0.7, 7e5, 3e5)],
    ),
    "Dirichlet": row(
        three(scg.Dirichlet),
        lambda x, *a: (
            mp.fsum((v - 1) * mp.log(p) - mp.loggamma(v) for v, p in zip(a, x, strict=True))
            + mp.loggamma(mp.fsum(a))
        ),
        [
            *((SIMPLEX, *a) for a in itertools.product((1e-3, 0.7, 1e6), repeat=3)),
            (SIMPLEX, 2e6, 5e6, 3e6),
        ],
    ),
    "Poisson": row(
        scg.Poisson,
        lambda x, r: x * mp.log(r) - r - mp.loggamma(x + 1),
        grid((0.0, 1.0, 7.0, 1e4), (1e-6, 0.4, 30.0, 1e6)),
    ),
    "Binomial": row(
        lambda t: scg.Binomial(9, logits=t),
        lambda x, t: binomial(9, x) + x * t - 9 * softplus(t),
        grid((0.0, 4.0, 9.0), LOGITS),
    ),
    "Binomial (10⁶ trials)": row(
        lambda t: scg.Binomial(10**6, logits=t),
        lambda x, t: binomial(mp.mpf(10**6), x) + x * t - 10**6 * softplus(t),
        grid((0.0, 4.0, 2e5, 200700.0, 1e6), (-800.0, -12.4, -1.386, 2.0)),
    ),
    "Geometric": row(
        lambda t: scg.Geometric(logits=t),
        lambda x, t: -softplus(-t) - x * softplus(t),
        grid((0.0, 1.0, 20.0), LOGITS),
    ),
    "NegativeBinomial": row(
        lambda r, t: scg.NegativeBinomial(r, logits=t),
        lambda x, r, t: (
            mp.loggamma(x + r)
            - mp.loggamma(r)
            - mp.loggamma(x + 1)
            - r * softplus(t)
            - x * softplus(-t)
        ),
        [
            *grid((0.0, 3.0, 200.0), (1e-3, 0.7, 30.0, 1e6), (-30.0, -0.4, 2.0)),
            *grid((2e5, 201000.0), (1e6,), (-1.792,)),
        ],
    ),
    "Exponential": row(
        scg.Exponential, lambda x, r: mp.log(r) - r * x, grid((3e-6, 0.8, 91.0), SHAPES)
    ),
    "Laplace": row(scg.Laplace, laplace, grid(REALS, (-0.5, 0.3), SCALES)),
    "Logistic": row(
        scg.Logistic, standard(lambda z: -z - 2 * softplus(-z)), grid(REALS, (-0.5, 0.3), SCALES)
    ),
    "Gumbel": row(
        scg.Gumbel,
        standard(lambda z: -z - mp.exp(-z)),
        grid((-0.9, 0.2, 3.0), (-0.5, 0.3), (0.05, 0.7, 1e3)),
    ),
    "LogNormal": row(
        scg.LogNormal,
        lambda x, m, s: normal(mp.log(x), m, s) - mp.log(x),
        grid((3e-6, 0.8, 91.0), REALS, SCALES),
    ),
    "Uniform": row(
        scg.Uniform, lambda x, a, b: -mp.log(b - a), grid((0.3,), (-1e3, -2.0, 0.0), (0.5, 7.0))
    ),
    "StudentT": row(
        scg.StudentT,
        lambda x, v, m, s: (
            mp.loggamma((v + 1) / 2)
            - mp.loggamma(v / 2)
            - mp.log(v * mp.pi) / 2
            - mp.log(s)
            - (v + 1) / 2 * mp.log1p(((x - m) / s) ** 2 / v)
        ),
        grid((-40.0, 0.2, 3.0), (0.3, 2.0, 50.0, 1e6), (0.5,), SCALES),
    ),
    "Cauchy": row(
        scg.Cauchy,
        standard(lambda z: -mp.log(mp.pi) - mp.log1p(z * z)),
        grid(REALS, (-0.5, 0.3), SCALES),
    ),
    "HalfNormal": row(
        scg.HalfNormal, lambda x, s: normal(x, 0, s) + mp.log(2), grid((3e-6, 0.8, 91.0), SCALES)
    ),
    "Weibull": row(
        scg.Weibull,
        lambda x, s, k: mp.log(k / s) + (k - 1) * mp.log(x / s) - (x / s) ** k,
        grid((1e-6, 0.8, 3.0), (0.2, 1.3), (1e-2, 0.7, 5.0)),
    ),
    "InverseGamma": row(
        scg.InverseGamma,
        lambda x, a, b: gamma(1 / x, a, b) - 2 * mp.log(x),
        [
            *grid((1e-3, 0.8, 90.0), SHAPES, SCALES),
            *((1 / x, a, b) for x, a, b in NEAR_THE_MEAN),
        ],
    ),
    "Pareto": row(
        scg.Pareto,
        lambda x, m, a: mp.log(a) + a * mp.log(m) - (a + 1) * mp.log(x),
        grid((2.5, 1e4), (1e-3, 0.7, 2.0), SHAPES),
    ),
    "VonMises": row(
        scg.VonMises,
        lambda x, m, k: k * mp.cos(x - m) - mp.log(TWO_PI * mp.besseli(0, k)),
        grid((-3.0, 0.2, 1.5), (-0.5, 0.3), (1e-3, 0.7, 30.0, 1e3)),
    ),
    "MultivariateNormal": row(
        lambda a, b: scg.MultivariateNormal(np.stack([a, b]), scale_tril=TRIANGLE),
        lambda x, a, b: multivariate(x[0], a, b) if x[0] == x[1] else mp.nan,
        [((v, v), a, b) for v, a, b in grid(REALS, (-0.5, 30.0), (0.3, -7.0))],
    ),
    "Multinomial": row(
        three(lambda t: scg.Multinomial(4, logits=t)),
        lambda x, *t: mp.log(12) + x[0] * t[0] + x[1] * t[1] + x[2] * t[2] - 4 * lse(*t),
        [((1.0, 2.0, 1.0), *t) for t in THREE],
    ),
    "OrderedLogistic": row(
        lambda t: scg.OrderedLogistic(t, np.array(CUTS)),
        lambda x, t: mp.log(sigmoid(mp.mpf(CUTS[1]) - t) - sigmoid(mp.mpf(CUTS[0]) - t)),
        [(1, t) for t in (-90.0, -5.0, 0.2, 4.0, 90.0)],
        "int",
    ),
    "RelaxedBernoulli": row(
        lambda t, a: scg.RelaxedBernoulli(t, logits=a),
        relaxed_bernoulli,
        grid((1e-6, 0.3, 1 - 2.0**-10), (0.1, 0.7, 5.0), (-30.0, 0.2, 4.0)),
    ),
    "RelaxedOneHotCategorical": row(
        lambda t, *a: scg.RelaxedOneHotCategorical(t, logits=np.stack(a)),
        lambda x, t, *a: (
            mp.log(2)
            + 2 * mp.log(t)
            + mp.fsum(v - (t + 1) * mp.log(p) for v, p in zip(a, x, strict=True))
            - 3 * lse(*(v - t * mp.log(p) for v, p in zip(a, x, strict=True)))
        ),
        [(SIMPLEX, t, *a) for t in (0.1, 0.7, 5.0) for a in (THREE[0], (30.0, -30.0, 3.0))],
    ),
    "Mixture": row(
        lambda m, s, w: scg.Mixture(
            [scg.Normal(m, s), scg.Laplace(0.5, 2.0)], logits=np.stack([w, 0.0])
        ),
        lambda x, m, s, w: (
            lse(normal(x, m, s) + w, laplace(x, mp.mpf(0.5), mp.mpf(2))) - lse(w, mp.mpf(0))
        ),
        grid(REALS, (-0.5, 30.0), SCALES, (-30.0, 0.4)),
    ),
    "Autoregressive": row(
        lambda w, b: scg.Autoregressive(scg.Bernoulli, w * np.tri(2, k=-1), np.stack([b, b])),
        lambda x, w, b: x[0] * b - softplus(b) + x[1] * (b + w * x[0]) - softplus(b + w * x[0]),
        [((1.0, k), w, b) for k in (0.0, 1.0) for w in (-30.0, 0.4) for b in LOGITS],
    ),
    "RBM": row(
        lambda a, b, w: scg.RBM(np.stack([a, a]), np.stack([b]), np.stack([w, -w])[:, None]),
        lambda x, a, b, w: (
            a
            + softplus(b + w)
            - lse(softplus(b), a + softplus(b + w), a + softplus(b - w), 2 * a + softplus(b))
        ),
        [((1.0, 0.0), a, b, w) for a in (-30.0, 0.3) for b in LOGITS for w in (-400.0, 0.7)],
    ),
    "Subset": row(
        three(lambda t: scg.Subset(t, 2)),
        lambda x, *t: t[0] + t[2] - lse(t[0] + t[1], t[0] + t[2], t[1] + t[2]),
        [((1.0, 0.0, 1.0), *t) for t in THREE],
    ),
    "PlackettLuce": row(
        three(lambda t: scg.PlackettLuce(t, 2)),
        lambda x, *t: t[2] - lse(*t) + t[0] - lse(t[0], t[1]),
        [(((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)), *t) for t in THREE],
    ),
    "Matching": row(
        lambda a, b: scg.Matching(pair(a, b)),
        lambda x, a, b: b - lse(b, a + b),
        [(((1.0, 0.0), (0.0, 1.0)), *ab) for ab in [*PAIR, (400.0, 400.0), (-1.0, 1.0)]],
    ),
    "MarkovChain": row(
        lambda s, a, b: scg.MarkovChain(3, np.stack([s, 0.0]), pair(a, b)),
        lambda x, s, a, b: -lse(s, mp.mpf(0)) + b - lse(a, b) + a - lse(a, b),
        [(PATH, s, *ab) for s in LOGITS for ab in PAIR],
    ),
    "HiddenMarkov": row(
        lambda m, a, b: scg.HiddenMarkov(
            2, np.zeros(2), pair(a, b), scg.Normal(np.stack([m, 0.3]), 1.0)
        ),
        hidden_markov,
        [((1.1, -0.4), m, *ab) for m in REALS for ab in PAIR],
    ),
    "LinearChain": row(
        lambda s, a, b: scg.LinearChain(
            np.stack([np.stack([s, 0.0]), np.zeros(2), np.zeros(2)]), pair(a, b)
        ),
        lambda x, s, a, b: b + a - lse(*chain_scores(s, a, b)),
        [(PATH, s, *ab) for s in LOGITS for ab in PAIR],
    ),
    "Transformed": row(
        lambda m, w: scg.Transformed(
            scg.Normal(np.stack([m, 0.2]), 1.0),
            scg.AffineCoupling([(np.stack([w, 0.3])[None], np.zeros(2))]),
        ),
        transformed,
        [((0.3, v), m, w) for v in REALS for m in (-0.5, 3.0) for w in (-30.0, 0.4)],
    ),
    "Independent": row(
        lambda m, s: scg.Independent(scg.Normal(np.stack([m, m]), s)),
        lambda x, m, s: normal(x[0], m, s) + normal(x[1], m, s),
        [((v, 0.2), m, s) for v, m, s in grid(REALS, (-0.5, 3.0), SCALES)],
    ),
}


# --- entropies and divergences --------------------------------------------------------------------
def gamma_entropy(a, b):
    return a - mp.log(b) + mp.loggamma(a) + (1 - a) * mp.digamma(a)


def dirichlet_entropy(*a):
    n = mp.fsum(a)
    logs = mp.fsum((v - 1) * (mp.digamma(v) - mp.digamma(n)) for v in a)
    return mp.fsum(map(mp.loggamma, a)) - mp.loggamma(n) - logs


def shape_divergence(a, c):
    return mp.loggamma(c) - mp.loggamma(a) - mp.digamma(a) * (c - a)


def gamma_kl(a, b, c, d):
    return shape_divergence(a, c) + c * mp.log(b / d) + a * (d - b) / b


def beta_kl(a, b, c, d):
    return shape_divergence(a, c) + shape_divergence(b, d) - shape_divergence(a + b, c + d)


def student_entropy(v, m, s):
    half = v / 2
    gap = mp.digamma(half + mp.mpf(0.5)) - mp.digamma(half)
    return (half + mp.mpf(0.5)) * gap + betaln(half, mp.mpf(0.5)) + mp.log(v) / 2 + mp.log(s)


def poisson_entropy(r):
    """Entropy for small rates, as a sum of a thousand terms."""
    logs = [k * mp.log(r) - r - mp.loggamma(k + 1) for k in range(1000)]
    return -mp.fsum(mp.exp(v) * v for v in logs)


def binomial_entropy(t):
    logs = [binomial(mp.mpf(9), k) + k * t - 9 * softplus(t) for k in range(10)]
    return -mp.fsum(mp.exp(v) * v for v in logs)


PAIRS = [(0.3, 0.7, 0.4, 0.6), (1e6, 3e6, 1.001e6, 2.999e6), (50.0, 1e6, 49.0, 1.1e6)]
FAR = [(1e-3, 2.0, 5.0, 0.7), (1e6, 0.3, 1e-3, 40.0), (2.0, 1e-3, 1e6, 1e3)]
#: name: quantity of the parameters, the same in mpmath, points.
SUMMARIES = {
    "Gamma: entropy": (lambda a, b: scg.Gamma(a, b).entropy(), gamma_entropy, grid(SHAPES, SCALES)),
    "Beta: entropy": (
        lambda a, b: scg.Beta(a, b).entropy(),
        dirichlet_entropy,
        grid(SHAPES, SHAPES),
    ),
    "Dirichlet: entropy": (
        lambda *a: scg.Dirichlet(np.stack(a)).entropy(),
        dirichlet_entropy,
        list(itertools.product((1e-3, 0.7, 1e6), repeat=3)),
    ),
    "StudentT: entropy": (
        lambda v, m, s: scg.StudentT(v, m, s).entropy(),
        student_entropy,
        grid((0.3, 2.0, 50.0, 1e6), (0.5,), SCALES),
    ),
    "Poisson: entropy": (
        lambda r: scg.Poisson(r).entropy(),
        poisson_entropy,
        [(r,) for r in (1e-6, 0.4, 30.0, 300.0)],
    ),
    "Binomial: entropy": (
        lambda t: scg.Binomial(9, logits=t).entropy(),
        binomial_entropy,
        [(t,) for t in LOGITS],
    ),
    "Gamma: KL": (
        lambda a, b, c, d: scg.Gamma(a, b).kl(scg.Gamma(c, d)),
        gamma_kl,
        [*PAIRS, *FAR],
    ),
    "Beta: KL": (
        lambda a, b, c, d: scg.Beta(a, b).kl(scg.Beta(c, d)),
        beta_kl,
        [*PAIRS, *FAR],
    ),
    "Poisson: KL": (
        lambda r, q: scg.Poisson(r).kl(scg.Poisson(q)),
        lambda r, q: r * mp.log(r / q) - r + q,
        [(0.3, 0.31), (1e6, 1.0001e6), (1e-3, 50.0), (1e6, 1e-3)],
    ),
}
