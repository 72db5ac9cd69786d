"""The curves of several coins and of a die equal plain enumeration, written in NumPy alone."""

import itertools
from math import comb

import numpy as np
from course import curves, toys
from scipy import integrate
from scipy.special import expit

import scg
from tests.docs.known import F0, F1, PQ, D, P, Q, T, W, curve, leave_one_out, same


# --- chains ---------------------------------------------------------------------------------------
def walks(n, w=W, theta=0.4):
    """Outcomes of a chain with probabilities, the coins' probabilities of 1, and scores."""
    b = np.array(list(itertools.product((0, 1), repeat=n)))
    before = np.hstack([np.zeros((len(b), 1)), b[:, :-1] - 0.5])
    p = expit(theta + w * before)
    return b, np.prod(np.where(b, p, 1 - p), axis=1), p, b - p


def spread(weight, g):
    return weight @ g**2 - (weight @ g) ** 2


def test_credit():
    for n in curves.COINS:
        b, weight, _, s = walks(n)
        costs = (b - T) ** 2
        to_go = np.cumsum(costs[:, ::-1], axis=1)[:, ::-1]
        same(curve("credit", "return")[n - 1], spread(weight, s.sum(1) * costs.sum(1)))
        same(curve("credit", "cost to go")[n - 1], spread(weight, np.sum(s * to_go, axis=1)))


def test_depth():
    """MuProp written out: means, slopes by the chain rule, corrections at the sampled parents."""
    for n in curves.COINS[:7]:
        b, weight, p, s = walks(n)
        m, dm = [expit(0.4)], [expit(0.4) * expit(-0.4)]
        for _ in range(1, n):
            m.append(expit(0.4 + W * (m[-1] - 0.5)))
            dm.append(m[-1] * (1 - m[-1]))
        slope = np.array(
            [2 * (m[-1] - T) * np.prod([W * x for x in dm[i + 1 :]]) for i in range(n)]
        )
        cost, at_means = (b[:, -1:] - T) ** 2, (m[-1] - T) ** 2
        residual = np.sum((cost - at_means - slope * (b - np.array(m))) * s, axis=1)
        right = residual + np.sum(slope * p * (1 - p), axis=1)
        wrong = residual + slope @ np.array(dm)
        true = weight @ (cost[:, 0] * s.sum(axis=1))
        same(curve("depth", "true gradient")[n - 1], true)
        same(curve("depth", "MuProp")[n - 1], true)
        same(curve("depth", "MuProp")[n - 1], weight @ right)
        same(curve("depth", "mean-pass correction")[n - 1], weight @ wrong)
        same(curve("depth", "MuProp, single pass", 1)[n - 1], spread(weight, right))
        same(curve("depth", "score function", 1)[n - 1], spread(weight, cost[:, 0] * s.sum(1)))


def test_truncation():
    for name, w in (("w = 2", 2.0), ("w = −4", -4.0)):
        b, weight, _, s = walks(8, w)
        parts = weight @ ((b[:, -1:] - T) ** 2 * s)
        tails = np.cumsum(parts[::-1])
        same(curve("truncation", name), tails / tails[-1])
    published = {1: 1.0, 10: 10.0, 20: 16.5, 40: 0.6, 50: -4.8, 100: -6.0}
    assert {k: round(curves.balance(k), 1) for k in published} == published
    same(curve("truncation", "truncated", 1), [curves.balance(k) for k in curves.WINDOWS])


# --- two coins, a relaxed coin, coupled coins, a die ----------------------------------------------
def test_sharing():
    same(curve("sharing", "score function"), PQ * (1 - 2 * PQ) - (PQ * (Q - P)) ** 2)
    same(curve("sharing", "local expectation"), 4 * PQ**3)
    same(curve("sharing", "score function", 1), 2 * PQ * (1 - 2 * PQ) * (1 - 4 * PQ))
    same(curve("sharing", "local expectation", 1), 8 * PQ**3)
    for panel in (0, 1):
        found = curve("sharing", "leave-one-out, K = 2", panel)
        for p, variance in zip(P, found, strict=True):
            a = np.array(list(itertools.product((0, 1), repeat=4)))
            weight = np.prod(np.where(a, p, 1 - p), axis=1)
            f = (a[:, :2] - a[:, 2:]) ** 2
            s = a[:, :2] - p + (a[:, 2:] - p if panel else 0)
            same(variance, spread(weight, (f[:, 0] - f[:, 1]) * (s[:, 0] - s[:, 1]) / 2))


def test_temperatures():
    """Against integrals over the latent; at τ = 1 the mean has a closed form (next test)."""
    for i in (0, 15, 30, 44):
        tau = curves.TAUS[i]

        def power(n, tau=tau):
            def f(z):
                y, e = expit(z / tau), expit(z - 0.4)
                return (2 * (y - T) * y * (1 - y) / tau) ** n * e * (1 - e)

            return integrate.quad(f, -60, 60, points=[0.0], epsabs=1e-13, limit=400)[0]

        bias2 = (power(1) - expit(0.4) * expit(-0.4) * D) ** 2
        variance = power(2) - power(1) ** 2
        same(curve("tau", "squared bias")[i], bias2, rtol=1e-7)
        same(curve("tau", "error of 1 sample")[i], bias2 + variance, rtol=1e-8)
        same(curve("tau", "error of 1000 samples")[i], bias2 + variance / 1000, rtol=1e-7)


def test_the_mean_at_temperature_one():
    """E[(y − t)²] with y = a u / (1 − u + a u) and a = exp θ, differentiated."""

    def objective(theta):
        a = np.exp(theta)
        c = a - 1
        first = a / c - a * np.log(a) / c**2
        square = a**2 / c**3 * (a - 2 * np.log(a) - 1 / a)
        return square - 2 * T * first + T**2

    h = 1e-3
    steps = np.array([objective(0.4 + k * h) for k in (-2, -1, 1, 2)])
    wanted = steps @ np.array([1, -8, 8, -1]) / (12 * h)
    m = curves.moments(toys.coin(), scg.GumbelSoftmax(1.0, allow_biased=True))
    same(m.mean["theta"], wanted, rtol=1e-9)


def coupled(p, K):
    """Probability of each vector of K coins from the stick u_k = (1 − d_k)^(K − 1)."""
    flip = p > 0.5
    low = 1 - p if flip else p  # the probability of what ARMS couples: u_k below it
    root = low ** (1 / (K - 1))
    ones = [max(n * root - (n - 1), 0.0) ** (K - 1) if n else 1.0 for n in range(K + 1)]
    found = {}
    for b in itertools.product((0, 1), repeat=K):
        n = sum(b)
        exact = sum((-1) ** j * comb(K - n, j) * ones[n + j] for j in range(K - n + 1))
        found[tuple(1 - x for x in b) if flip else b] = exact
    return found


def test_coupled_coins():
    probs = curves.PROBS
    pq, most = probs * (1 - probs), np.maximum(probs, 1 - probs)
    same(curve("antithetic", "independent, K = 2"), pq * D**2 * (0.5 - pq))
    same(curve("antithetic", "antithetic (DisARM), K = 2"), pq * D**2 * (most / 2 - pq))
    for i, p in enumerate(probs):
        same(curve("antithetic", "independent, K = 4")[i], leave_one_out(p, (F0, F1), 4))
        joint = coupled(p, 4)
        assert abs(sum(joint.values()) - 1) < 1e-12
        differ = sum(w for b, w in joint.items() if b[:2] == (1, 0))
        weight = np.array(list(joint.values()))
        b = np.array(list(joint))
        f = np.where(b, F1, F0)
        plain = np.mean((f - (f.sum(1, keepdims=True) - f) / 3) * (b - p), axis=1)
        g = plain * p * (1 - p) / differ
        same(weight @ g, p * (1 - p) * D)
        same(curve("antithetic", "ARMS, K = 4")[i], spread(weight, g))


def test_die():
    logits = np.array([0.2, -0.7, 0.4, 0.0])
    p, f = np.exp(logits) / np.exp(logits).sum(), (np.arange(4) - 1.45) ** 2
    score = np.eye(4) - p
    for K, found in zip((2, 3, 4), curve("antithetic", "with replacement", 1), strict=True):
        x = np.array(list(itertools.product(range(4), repeat=K)))
        weight = np.prod(p[x], axis=1)
        signal = f[x] - (f[x].sum(1, keepdims=True) - f[x]) / (K - 1)
        g = np.mean(signal[..., None] * score[x], axis=1)
        same(found, np.sum(weight @ g**2 - (weight @ g) ** 2))
    pairs = list(itertools.combinations(range(4), 2))
    weight = np.array([p[a] * p[b] * (1 / (1 - p[a]) + 1 / (1 - p[b])) for a, b in pairs])
    g = np.array([
        (f[a] - f[b]) * (score[a] - score[b]) / (1 / (1 - p[a]) + 1 / (1 - p[b]))
        for a, b in pairs
    ])  # fmt: skip
    two, three, four = curve("antithetic", "without replacement", 1)
    same(two, np.sum(weight @ g**2 - (weight @ g) ** 2))
    assert four < 1e-14 < three < two


def test_curvature():
    same(curve("curvature", "true"), PQ * (1 - 2 * P) * (1 - 2 * T))
    same(curve("curvature", "magic box"), curve("curvature", "true"))
    same(curve("curvature", "log p · f twice"), -PQ * (P * F1 + Q * F0))
