"""The printed formula of every estimator, evaluated on the noise, is the gradient estimate.

Each row gives its symbols in plain NumPy: draws from the noise, laws, the cost. The formula is what
``explain`` prints, with what it prints that the options decide.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.special as sp
from formulas.notation import read

import scg
from scg.compiler.entries import entries
from scg.estimators import ESTIMATORS
from scg.explain.formulas import renamed, replacements, sample_letter
from scg.explain.notation import plain
from scg.run.finish import finish

from .relaxed_models import (
    class_given,
    class_index,
    derivative,
    log_softmax,
    sigmoid,
    softmax,
    taste,
)
from .test_carms import EVEN, VALUES, dirichlet_joint, orders
from .test_unordered_set import F, P, chance

RUNS = 6
BIASED = {"allow_biased": True}
LOGITS = np.array([0.4, -0.7, 1.9])
CLASSES = np.array([0.2, -0.5, 0.9])
LOG_EVEN, LOG_P = np.log(EVEN), np.log(P)
LOC, SCALE = np.array([0.3, -0.6]), 0.8
GENERAL = {"σ": sigmoid, "softmax": softmax, "min": np.minimum}


@dataclass
class Row:
    """An estimator, the model it is read on, and the symbols of its formula for one run."""

    name: str
    estimator: Any
    model: Any
    symbols: Callable[[dict, Any], tuple[dict, dict]]
    state: Callable[[dict], dict] | None = None
    family: type = field(init=False)

    def __post_init__(self):
        self.family = type(self.estimator)

    def __str__(self):
        return self.name


# --- models ---------------------------------------------------------------------------------------
def bits_cost(b):
    return np.exp(1.1 * b[0] - 0.6 * b[1]) + (b[0] * b[1] - 0.8 * b[2] + 0.3) ** 3


def real_cost(x):
    return np.sin(x[0]) * x[1] ** 2 + np.exp(0.3 * x[1])


def bits():
    g = scg.Graph("bits")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("theta", LOGITS)))
    g.cost("loss", bits_cost(x))
    return g


def classes():
    g = scg.Graph("classes")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", CLASSES)))
    g.cost("loss", taste(x))
    return g


def pair():
    """Bits with a binary node below, whose logits follow them."""
    g = scg.Graph("pair")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("theta", LOGITS)))
    y = g.sample("y", scg.Bernoulli(logits=x @ BELOW - 0.4))
    g.cost("loss", pair_cost(x, y))
    return g


BELOW = np.array([1.1, -0.7, 0.5])


def pair_cost(x, y):
    return bits_cost(x) * (1.0 + 0.7 * y)


def reals():
    g = scg.Graph("reals")
    x = g.sample("x", scg.Normal(g.parameter("theta", LOC), SCALE))
    g.cost("loss", real_cost(x))
    return g


def even():
    g = scg.Graph("even")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", np.log(EVEN))))
    g.cost("loss", np.sum(x * VALUES))
    return g


def five():
    g = scg.Graph("five")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", np.log(P))))
    g.cost("loss", np.sum(x * F))
    return g


PARTICLES = scg.Plate("particles", length=3)


def particles():
    g = scg.Graph("particles")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("theta", LOGITS)), plates=PARTICLES)
    g.cost("loss", scg.plate_logsumexp(x @ BELOW, PARTICLES))
    return g


# --- laws -----------------------------------------------------------------------------------------
def of_bits(x, theta=LOGITS):
    p = sigmoid(theta)
    return np.prod(x * p + (1 - x) * (1 - p))


def bit(i, v, theta=LOGITS):
    p = sigmoid(theta)[i]
    return v * p + (1 - v) * (1 - p)


def of_classes(theta=CLASSES):
    return softmax(theta)


def class_chance(x, theta=CLASSES):
    return np.sum(x * softmax(theta))


def density(x, theta=LOC):
    return np.exp(-np.sum((x - theta) ** 2) / (2 * SCALE**2))


def drawn_bits(noise, _):
    x = (noise["x/u"] < sigmoid(LOGITS)) * 1.0
    draws = range(len(x))
    over = {"i": draws if x.ndim > 1 else range(3), "j": draws, "k": draws, "v": (0, 1)}
    return {"f": bits_cost, "p": of_bits, "x": x, "μ": sigmoid, "θ": LOGITS}, over


def antithetic(noise, _):
    u, p = noise["x/u"], sigmoid(LOGITS)
    common = {"f": bits_cost, "θ": LOGITS, "α": lambda theta: theta}
    return {**common, "u": u, "b": (u < p) * 1.0, "b̃": (1 - u < p) * 1.0}, {}


def one_class(noise, _):
    x = class_index(CLASSES, noise["x/u"])
    return {"f": taste, "p": of_classes, "x": x, "θ": CLASSES}, {}


# --- rows -----------------------------------------------------------------------------------------
def muprop(noise, _):
    values, over = drawn_bits(noise, _)
    return {**values, "x̄": sigmoid(LOGITS)}, over


def arms(noise, _):
    values, _ = antithetic(noise, _)
    first = noise["x/u"] ** 0.5  # three draws from two uniforms: Dirichlet by breaking a stick
    kept = noise["x/u2"]
    u = np.array([first**2, (1 - first * (1 - kept)) ** 2, (1 - first * kept) ** 2])
    u = np.where(sigmoid(LOGITS) > 0.5, 1 - u, u)

    def joint(a, b):
        return np.maximum(a**0.5 + b**0.5 - 1, 0) ** 2

    b = (u < sigmoid(LOGITS)) * 1.0
    return {**values, "b": b, "μ": sigmoid, "C": joint}, dict.fromkeys("ij", range(3))


def arsm(noise, _):
    first = 1 - noise["x/u"] ** 0.5
    second = (1 - first) * (1 - noise["x/u2"])
    pi = np.array([first, second, 1 - first - second])

    def draw(c, j):
        swapped = pi.copy()
        swapped[[c, j]] = swapped[[j, c]]
        return np.eye(3)[np.argmin(np.log(swapped) - CLASSES)]

    values = {"f": taste, "z": draw, "π": pi, "C": 3.0, "θ": CLASSES, "φ": lambda c, t: t[c]}
    return values, dict.fromkeys("cjm", range(3))


def carms(noise, _):
    order = orders(3)[int(noise["x/order"][0] * 3)]
    first, kept = noise["x/u"] ** 0.5, noise["x/u2"]
    u = np.array([first**2, (1 - first * (1 - kept)) ** 2, (1 - first * kept) ** 2])[:, 0]
    u = 1 - u if EVEN[order[0]] > EVEN[order[-1]] else u
    x = np.eye(3)[[order[i] for i in np.searchsorted(np.cumsum(EVEN[order])[:-1], u)]]
    joint = dirichlet_joint(EVEN, 3) + 1e-30  # a class with itself: there is no difference to weigh

    values = {"f": lambda x: x @ VALUES, "p": even_law, "x": x, "θ": LOG_EVEN}
    return {**values, "P": lambda x, y: x @ joint @ y}, dict.fromkeys("ij", range(3))


def sticks(noise, _):
    u, order = noise["x/u"], np.argsort(CLASSES)
    p = softmax(CLASSES)[order]
    chances = p[:2] / np.array([1.0, p[1] + p[2]])

    def walk(u):
        b = (u < chances) * 1.0
        place = 0 if b[0] else 1 if b[1] else 2
        return np.eye(3)[order[place]], np.array([1.0, 1.0 - b[0]]), b

    (z, a, b), (twin, active, c) = walk(u), walk(1 - u)

    def choice(n, theta):
        t = theta[order]
        return t[n] - np.log(np.sum(np.exp(t[n + 1 :])))

    values = {"z": z, "a": a, "b": b, "z̃": twin, "ã": active, "b̃": c, "φ": choice}
    return {"f": taste, "θ": CLASSES, **values}, {"n": range(2)}


def darn(noise, _):
    values, over = drawn_bits(noise, _)
    return {**values, "x̄": np.full(3, 0.5), "p": bit}, over


def predictor(noise, state):
    values, over = drawn_bits(noise, state)
    own = {"w": state["w"], "μ": lambda i, t: sigmoid(t)[i], "α": lambda i, t: t[i]}
    return {**values, **own}, over


def gapped(noise, _):
    values, over = one_class(noise, _)

    def separated(x):
        up = (CLASSES.max() - CLASSES) * x
        return up - np.maximum(CLASSES - CLASSES.max() + 0.8, 0.0) * (1 - x)

    return {**values, "m": separated}, over


def latent(noise, state):
    values, over = one_class(noise, state)
    x, v = values["x"], noise.get("x/v")
    gumbel = class_given(CLASSES, x, noise["x/g"]) - log_softmax(CLASSES)
    latents = {
        "p": class_chance,
        "z": lambda theta: log_softmax(theta) + gumbel,
        "z̃": lambda theta: class_given(theta, x, v),
    }
    return {**values, **latents, "ε": gumbel}, over


def gumbel(noise, state):
    values, over = latent(noise, state)
    return {**values, "p": of_classes}, over


def implicit(noise, _):
    epsilon = -np.log(-np.log(noise["x/g"]))
    values = {
        "f": taste,
        "θ": CLASSES,
        "s": log_softmax,
        "ε": epsilon,
        "A": lambda z: 1.0 * (z == z.max()),
    }
    return values, {}


SCORES = np.array([0.4, -0.7, 0.2, 0.9])


def matchings():
    g = scg.Graph("matchings")
    x = g.sample("x", scg.Matching(np.reshape(g.parameter("theta", SCORES), (2, 2))))
    g.cost("loss", match_cost(x))
    return g


def match_cost(x):
    return np.exp(1.1 * x[0, 0] - 0.6 * x[1, 0]) + (x[0, 1] * x[1, 0] - 0.8 * x[1, 1]) ** 3


def matched(noise, _):
    def alternate(z):
        for _ in range(3):
            z = z - np.log(np.sum(np.exp(z), axis=-1, keepdims=True))
            z = z - np.log(np.sum(np.exp(z), axis=-2, keepdims=True))
        return np.exp(z).ravel()

    def cost(y):
        return match_cost(np.reshape(y, (2, 2)))

    def scores(theta):
        return np.reshape(theta, (2, 2))

    epsilon = -np.log(-np.log(noise["x/g"]))
    return {"f": cost, "θ": SCORES, "X": scores, "ε": epsilon, "S": alternate}, {}


HIDDEN, PAIRS = np.array([0.3, -0.5]), np.array([[0.9, -1.2], [0.4, 0.8], [-1.0, 0.6]])


def machine():
    g = scg.Graph("machine")
    x = g.sample("x", scg.RBM(g.parameter("theta", LOGITS), HIDDEN, PAIRS))
    g.cost("loss", bits_cost(x))
    return g


def chains(noise, state):
    x = (noise["x/start"] < state["chains"]) * 1.0
    for i in range(2):
        h = (noise[f"x/h{i}"] < sigmoid(HIDDEN + x @ PAIRS)) * 1.0
        x = (noise[f"x/v{i}"] < sigmoid(LOGITS + h @ PAIRS.T)) * 1.0

    def weight(x, theta):
        return np.exp(x @ theta) * np.prod(1 + np.exp(HIDDEN + x @ PAIRS))

    values = {"f": bits_cost, "p̃": weight, "x": x, "θ": LOGITS}
    return values, dict.fromkeys("ij", range(len(x)))


def relax(noise, state):
    values, over = latent(noise, state)
    return {**values, "r": network(state)}, over


def network(own):
    def value(z):
        return np.tanh(z @ own["W0"] + own["b0"]) @ own["out"] + own["offset"]

    return value


def rao(noise, _):
    values, _ = one_class(noise, _)
    again = np.array([class_given(CLASSES, values["x"], v) for v in noise["x/v"]])
    return {**values, "ε": again - log_softmax(CLASSES)}, {"k": range(len(again))}


def reinmax(noise, _):
    values, over = one_class(noise, _)
    return {**values, "J": lambda pi: np.diag(pi) - np.outer(pi, pi)}, over


def normal(noise, _):
    values = {"f": real_cost, "p": density, "T": lambda theta, e: theta + SCALE * e}
    return {**values, "ε": noise["x/n"], "θ": LOC}, {}


def opposite(noise, _):
    x = LOC + SCALE * np.concatenate([noise["x/n"], -noise["x/n"]])
    return {"f": real_cost, "p": density, "x": x, "θ": LOC}, {"i": range(len(x))}


def crossed(noise, _):
    a, b = noise["x/n"]
    rest = b - (a @ b) / (a @ a) * a
    e = np.array([a, rest * np.linalg.norm(b) / np.linalg.norm(rest)])
    return opposite({"x/n": e}, _)


def point():
    g = scg.Graph("point")
    x = g.sample("x", scg.Delta(g.parameter("theta", LOC)))
    g.cost("loss", real_cost(x))
    return g


def signs(noise, _):
    s = np.where(noise["x/u"] > 0.5, 1.0, -1.0)
    s = np.concatenate([s, -s])
    return {"f": real_cost, "v": lambda t: t, "s": s, "θ": LOC}, {"i": range(len(s))}


def lax(noise, state):
    values, over = normal(noise, state)
    return {**values, "c": network(state)}, over


def local(noise, _):
    values, over = drawn_bits(noise, _)
    x, y = values["x"], float(noise["y/u"] < sigmoid(values["x"] @ BELOW - 0.4))

    def below(i, v):
        moved = x.copy()
        moved[i] = v
        p = sigmoid(moved @ BELOW - 0.4)
        return bit(i, v) * (p if y else 1 - p)

    def blanket(i, v):
        return below(i, v) / (below(i, 0) + below(i, 1))

    return {**values, "f": lambda x: pair_cost(x, y), "p": bit, "q": blanket}, over


def ram(noise, _):
    values, over = drawn_bits(noise, _)

    def cost(x):
        return pair_cost(x, float(noise["y/u"] < sigmoid(x @ BELOW - 0.4)))

    return {**values, "f": cost, "p": bit}, over


SHAPES = np.array([1.3, 2.4])


def gammas():
    g = scg.Graph("gammas")
    x = g.sample("x", scg.Gamma(g.parameter("theta", SHAPES), 1.0))
    g.cost("loss", real_cost(x))
    return g


def gamma_density(x, a):
    return np.exp(np.sum((a - 1.0) * np.log(x) - x - sp.loggamma(a)))


def accepted(noise, _):
    def h(e, theta):
        return (theta - 1 / 3) * (1 + e / np.sqrt(9 * theta - 3)) ** 3

    def s(e, theta):
        return np.prod(np.sqrt(theta - 1 / 3) * (1 + e / np.sqrt(9 * theta - 3)) ** 2)

    x = sp.gammaincinv(SHAPES, noise["x/u"])
    e = np.sqrt(9 * SHAPES - 3) * ((x / (SHAPES - 1 / 3)) ** (1 / 3) - 1)
    own = {"h": h, "T": h, "s": s, "ε": e, "q": gamma_density}
    return {"f": real_cost, "θ": SHAPES, **own}, {}


def standardized(noise, _):
    x = sp.gammaincinv(SHAPES, noise["x/u"])
    e = (np.log(x) - sp.digamma(SHAPES)) / np.sqrt(sp.polygamma(1, SHAPES))

    def moments_of(theta):  # to first order around the point, for complex steps
        d = theta - SHAPES
        mean = sp.digamma(SHAPES) + sp.polygamma(1, SHAPES) * d
        return mean, np.sqrt(sp.polygamma(1, SHAPES) + sp.polygamma(2, SHAPES) * d)

    def transform(e, theta):
        mean, deviation = moments_of(theta)
        return np.exp(mean + deviation * e)

    def slope_of(e, theta):
        return np.prod(moments_of(theta)[1] * transform(e, theta))

    own = {"T": transform, "s": slope_of, "ε": e, "q": gamma_density}
    return {"f": real_cost, "θ": SHAPES, **own}, {}


def with_bit(values, upward=True):
    """The sample with one bit at 1 or 0."""
    x = values["x"]

    def at(*index):
        *k, i, _ = index  # and θ, on which it does not depend
        other = (x[k[0]] if k else x).copy()
        other[i] = float(upward)
        return other

    return at


def go(noise, _):
    values, over = drawn_bits(noise, _)
    # F(1) = 1, with no derivative; the move from 1 is nowhere
    cdf = lambda i, v, t=LOGITS: bit(i, 0, t) if v == 0 else 1.0 + 0.0 * t[i]  # noqa: E731
    return {**values, "x⁺": with_bit(values), "p": bit, "F": cdf}, over


def triple(noise, _):
    values, over = go(noise, _)
    size = sigmoid(LOGITS) * (values["x"] == 0)
    i = int(np.searchsorted(np.cumsum(size), noise["x/jump"][0] * np.sum(size))) % 3
    return {**values, "i": i, "r": np.where(size > 0, size / max(np.sum(size), 1e-9), 1.0)}, over


def flipped(noise, _):
    values, over = drawn_bits({"x/u": noise["x/u"]}, _)
    at = {"x⁺": with_bit(values), "x⁻": with_bit(values, False)}
    chosen = int(3 * noise["x/flip"][0])
    probs = lambda i, t: sigmoid(t)[i]  # noqa: E731
    return {**values, **at, "i": chosen, "j": chosen, "n": 3.0, "p": probs}, over


def ugc(noise, _):
    values, _ = antithetic(noise, _)
    pair = {"x": np.array([values["b"], values["b̃"]])}
    at = {"x⁺": with_bit(pair), "x⁻": with_bit(pair, False), "m": np.minimum(*both(LOGITS))}
    own = {"α": lambda i, t: t[i], "p": sigmoid(LOGITS), "j": int(3 * noise["x/flip"][0])}
    return {**values, **at, **own, "n": 3.0}, {"i": range(3), "k": range(2)}


def both(theta):
    return sigmoid(theta), sigmoid(-theta)


def parts(noise, _):
    x = LOC + SCALE * noise["x/n"]
    weibull = np.sqrt(-2 * np.log(noise["x/side"]))  # how far the two parts are from the mean

    def moved(sign):
        return np.where(np.eye(2) == 1, LOC + sign * SCALE * weibull, x)

    factor = np.full(2, 1 / (SCALE * np.sqrt(2 * np.pi)))
    values = {"f": real_cost, "c": factor, "x⁺": moved(1), "x⁻": moved(-1), "θ": LOC}
    return values, {"i": range(2)}


def stein(noise, state):
    values, over = drawn_bits(noise, state)
    x, k = values["x"], len(values["x"])
    p = sigmoid(LOGITS)
    f, df = [bits_cost(row) for row in x], [derivative(bits_cost, row) for row in x]

    def h(i, y):
        found = []
        for j in set(range(k)) - {i}:
            layer = f[j] * state["W_cost"] + df[j] @ (y - x[j]) * state["W_line"] + state["b"]
            found.append(np.where(layer > 0, layer, 0.3 * layer) @ state["out"])
        return np.mean(found, axis=0)

    first, second = np.zeros(k), np.zeros((k, 3))
    for i, d in itertools.product(range(k), range(3)):
        y = x[i].copy()
        y[d] = 1 - y[d]
        first[i] += bit(d, y[d]) * (h(i, y)[0] - h(i, x[i])[0]) / 3
        second[i] += bit(d, y[d]) * (h(i, y)[1] * (y - p) - h(i, x[i])[1] * (x[i] - p)) / 3
    own = {"α": state["alpha"], "β": state["beta"], "u": first, "ũ": second}
    return {**values, **own}, over


def stratified(noise, _):
    cdf = np.cumsum(softmax(CLASSES))[:-1]
    values, over = {"f": taste, "p": class_chance, "θ": CLASSES}, {"i": range(3)}

    def quantile(u):
        return np.eye(3)[int(np.sum(u > cdf))]

    return {**values, "u": noise["x/u"][:, 0], "F⁻¹": quantile}, over


def even_law(x, theta=LOG_EVEN):
    return class_chance(x, theta)


def five_law(x, theta=LOG_P):
    return class_chance(x, theta)


def sum_and_sample(noise, _):
    best, rest = np.argsort(-P)[:2], np.argsort(-P)[2:]
    left = np.sort(rest)
    cdf = np.cumsum(P[left]) / P[left].sum()
    v = np.eye(5)[left[np.searchsorted(cdf, noise["x/u"][0])]]
    values = {"f": lambda x: x @ F, "p": five_law, "T": np.eye(5)[best], "v": v}
    return {**values, "θ": LOG_P}, {}


def unordered(noise, _):
    left, drawn = list(range(5)), []
    for k in range(3):
        u = noise[f"x/u{k + 1 if k else ''}"][0]
        cdf = np.cumsum(P[left]) / P[left].sum()
        drawn.append(left.pop(int(np.searchsorted(cdf, u))))

    def ratio(members, s):
        rest = [i for i in members if i != s]
        return chance(rest, [s]) / chance(members)

    def second(s, members, t):
        if s == t:
            return 1.0
        one, two = ([i for i in members if i not in gone] for gone in ([s], [s, t]))
        return chance(two, [s, t]) / chance(one, [s])

    values = {"f": lambda s: F[s], "p": lambda s, t=LOG_P: softmax(t)[s], "S": drawn}
    return {**values, "R": ratio, "R₋": second, "θ": LOG_P}, {}


def vimco(noise, _):
    x = (noise["x/u"] < sigmoid(LOGITS)) * 1.0

    def cost(x):
        return np.log(np.sum(np.exp(x @ BELOW)))

    def without(j, rest):
        return np.log(np.sum(np.exp(rest @ BELOW)) + np.exp(np.mean(rest @ BELOW)))

    values = {"x": x, "x₋": np.array([np.delete(x, j, axis=0) for j in range(3)])}
    # The cost is of all particles, that of x alone.
    return {
        **values, "f": cost, "f̂₋": without, "p": of_bits, "θ": LOGITS,
    }, {"j": range(3)}  # fmt: skip


def moved(state):
    return {n: {k: v + 0.3 for k, v in own.items()} for n, own in state.items()}


ROWS = [
    Row("score", scg.ScoreFunction(), bits, drawn_bits),
    Row("leave-one-out", scg.LeaveOneOut(3), bits, drawn_bits),
    Row("enumeration", scg.Enumeration(), bits, lambda noise, _: (
        {"f": bits_cost, "p": of_bits, "θ": LOGITS},
        {"x": [np.array(x, dtype=float) for x in itertools.product((0, 1), repeat=3)]},
    )),
    Row("reparameterization", scg.Reparameterization(), reals, normal),
    Row("muprop", scg.MuProp(scale=0.7), bits, muprop),
    Row("disarm", scg.DisARM(), bits, antithetic),
    Row("arm", scg.ARM(), bits, antithetic),
    Row("arms", scg.ARMS(3), bits, arms),
    Row("arsm", scg.ARSM(), classes, arsm),
    Row("carms", scg.CARMS(3), even, carms),
    Row("disarm-stick", scg.CategoricalDisARM(), classes, sticks),
    Row("vimco", scg.VIMCO(PARTICLES), particles, vimco),
    Row("ram", scg.RAM(), pair, ram),
    Row("local", scg.LocalExpectation(), pair, local),
    Row("measure", scg.MeasureValued(), reals, parts),
    Row("go", scg.GO(), bits, go),
    Row("triple", scg.StochasticTriple(), bits, triple),
    Row("flip", scg.BitFlip(), bits, flipped),
    Row("ugc", scg.UGC(0.2), bits, ugc),
    Row("rsvi", scg.RSVI(0), gammas, accepted),
    Row("g-rep", scg.GREP(), gammas, standardized),
    Row("set", scg.UnorderedSet(3), five, unordered),
    Row("set without baseline", scg.UnorderedSet(3, baseline=False), five, unordered),
    Row("sum and sample", scg.SumAndSample(3), five, sum_and_sample),
    Row("stratified", scg.Stratified(3), classes, stratified),
    Row("double", scg.DoubleCV(3, scale=-0.8), bits, drawn_bits),
    Row("rodeo", scg.RODEO(3, hidden=4), bits, stein, moved),
    Row("rebar", scg.REBAR(0.6, 0.7, learn=False, coupled=False), classes, latent),
    Row("relax", scg.RELAX(0.6, (4,), learn=False), classes, relax, moved),
    Row("relax, network alone", scg.RELAX(None, (4,)), classes, relax, moved),
    Row("lax", scg.LAX((4,)), reals, lax, moved),
    Row("predictor", scg.GradientPredictor(**BIASED), bits, predictor, moved),
    Row("straight-through", scg.StraightThrough(**BIASED), bits, drawn_bits),
    Row("straight-through logits", scg.StraightThrough("logits", **BIASED), bits,
        lambda noise, _: ({**drawn_bits(noise, _)[0], "α": lambda theta: theta}, {})),
    Row("gumbel", scg.GumbelSoftmax(0.6, **BIASED), classes, gumbel),
    Row("gumbel, hard", scg.GumbelSoftmax(0.6, hard=True, **BIASED), classes, gumbel),
    Row("rao", scg.RaoGumbel(0.6, 3, **BIASED), classes, rao),
    Row("reinmax", scg.ReinMax(1.3, **BIASED), classes, reinmax),
    Row("gapped", scg.GappedStraightThrough(0.6, 0.8, **BIASED), classes, gapped),
    Row("implicit", scg.ImplicitMLE(0.7, **BIASED), classes, implicit),
    Row("sinkhorn", scg.GumbelSinkhorn(0.6, 3, **BIASED), matchings, matched),
    Row("evolution", scg.EvolutionStrategy(4), reals, opposite),
    Row("orthogonal evolution", scg.OrthogonalEvolution(4), reals, crossed),
    Row("spsa", scg.SPSA(0.3, 4, **BIASED), point, signs),
    Row("chains", scg.PersistentChains(3, 2, **BIASED), machine, chains, moved),
    Row("darn", scg.DARN(**BIASED), bits, darn),
]  # fmt: skip


def letters_again(text, step, node):
    """A displayed formula with the letter of the sample in the place of the node's name."""
    letter = sample_letter(step.plan.estimators[step.graph.stochastic[node]])
    new = {new: old for old, new in replacements(step.graph.roles).items()}
    text = text.replace(f"Σ_{{‹{node}›}}", "Σₓ")
    return renamed(text, new).replace(f"‹{node}›", letter)


def printed(step, node):
    """The formula of a node, that of its term, and what options decide, as they are printed."""
    explained = next(n for n in step.explain().nodes if n.name == node)
    text = " ".join(str(step.explain()).split())
    for formula in (explained.formula, explained.part):
        assert plain(formula) in text
    for symbol, what in explained.symbols.items():
        assert f"{plain(symbol)} = {what}" in text and what
    where = [f"{s} = {what}" for s, what in explained.where.items() if s != "f"]
    formulas = (explained.formula, explained.part)
    return [", ".join([letters_again(f, step, node), *where]) if f else "" for f in formulas]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_printed_formula_on_the_noise_is_the_gradient(row):
    g = row.model()
    other = {node: scg.ScoreFunction() for node in g.stochastic if node != "x"}
    step = scg.compile(g, {"x": row.estimator, **other})
    state, noise = step.init(seed=0), step.noise(seed=7, runs=RUNS)
    state = row.state(state) if row.state else state
    out = step(g.init(seed=0), noise=noise, state=state)
    formula, total = read(printed(step, "x")[0]), 0.0
    for run in range(RUNS):
        one = {name: values[run] for name, values in noise.items()}
        values, over = row.symbols(one, state.get("x"))
        total = total + formula.value({**GENERAL, **values}, over)
    np.testing.assert_allclose(out.grads["theta"], total / RUNS, atol=1e-10)
    assert np.max(np.abs(total)) > 1e-3


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_printed_term_on_the_noise_is_the_derivative_of_the_term(row):
    g = row.model()
    other = {node: scg.ScoreFunction() for node in g.stochastic if node != "x"}
    step = scg.compile(g, {"x": row.estimator, **other})
    state, noise = step.init(seed=0), step.noise(seed=7, runs=RUNS)
    state = row.state(state) if row.state else state
    values, sizes, _ = step.checked(g.init(seed=0), None, state)
    parts, _ = entries(step.surrogate)
    own = {part: e["theta"] for part, e in parts.items() if part.node == "x" and "theta" in e}
    program = finish({part: e for part, e in own.items() if part.term and part.summand == "x"})
    found = program.run(values, {name: noise[name] for name in program.noise}, sizes)
    text = printed(step, "x")[1]
    assert bool(text) == bool(step.surrogate.terms[g.stochastic["x"]].parts)
    for run in range(RUNS if text else 0):
        one = {name: values[run] for name, values in noise.items()}
        values_, over = row.symbols(one, state.get("x"))
        term = read(text).value({**GENERAL, **values_}, over)
        compiled = sum(v[run if len(v) > 1 else 0] for v in found.values())
        np.testing.assert_allclose(term, compiled, atol=1e-10)


def test_every_estimator_has_a_row():
    assert {row.family for row in ROWS} == set(ESTIMATORS)
