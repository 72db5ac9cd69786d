"""Workloads beside W1 to W6, on which the engine was not tuned: graphs in scg.

Every one has its twin in `wider_formulas`, with the same estimator and the same noise.
"""

from functools import partial

import numpy as np
from workloads import WORKLOADS, Workload, pixels

import scg


def _bits(seed, *shape):
    return (np.random.default_rng(seed).random(shape) < 0.3).astype(np.float32)


def _normals(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def convolutional_vae(batch=64):
    """1-16-32 channels on 28×28, 3×3, stride 2; 20 latents; the decoder mirrors the encoder."""
    g, shapes = scg.Graph("convolutional vae"), CONVOLUTIONAL
    t = {name: g.parameter(name, shape=shape) for name, shape in shapes.items()}
    x = g.data("x", shape=(1, 28, 28), plates=scg.Plate("batch"))
    h = scg.relu(scg.conv2d(x, t["C1"], stride=2, padding=1) + t["c1"])
    h = scg.relu(scg.conv2d(h, t["C2"], stride=2, padding=1) + t["c2"]).reshape(1568)
    mean, log_variance = h @ t["Wm"] + t["bm"], h @ t["Ws"] + t["bs"]
    z = g.sample("z", scg.Normal(mean, np.exp(0.5 * log_variance)))
    h = scg.relu(z @ t["V"] + t["d"]).reshape(32, 7, 7)
    up = {"stride": 2, "padding": 1, "output_padding": 1}
    h = scg.relu(scg.conv_transpose(h, t["D1"], **up) + t["d1"])
    logits = scg.conv_transpose(h, t["D2"], **up) + t["d2"]
    kl = -0.5 * np.sum(1.0 + log_variance - mean * mean - np.exp(log_variance))
    g.cost("bound", kl - np.sum(scg.Bernoulli(logits=logits).log_prob(x)))
    return Workload(g, scg.Reparameterization(), {"x": _bits(1, batch, 1, 28, 28)})


CONVOLUTIONAL = {
    "C1": (16, 1, 3, 3),
    "c1": (16, 1, 1),
    "C2": (32, 16, 3, 3),
    "c2": (32, 1, 1),
    "Wm": (1568, 20),
    "bm": (20,),
    "Ws": (1568, 20),
    "bs": (20,),
    "V": (20, 1568),
    "d": (1568,),
    "D1": (32, 16, 3, 3),
    "d1": (16, 1, 1),
    "D2": (16, 1, 3, 3),
    "d2": (1, 1, 1),
}


def convolution(batch=32):
    """One convolution 32→64 on 32×32; the scale of its input asks for both of its gradients."""
    g = scg.Graph("convolution")
    x = g.data("x", shape=(32, 32, 32), plates=scg.Plate("batch"))
    scale, w = g.parameter("scale", shape=(32, 1, 1)), g.parameter("W", shape=(64, 32, 3, 3))
    y = scg.conv2d(x * scale, w, padding=1)
    g.cost("loss", 0.5 * np.sum(y * y))
    return Workload(g, None, {"x": _normals(1, batch, 32, 32, 32)})


def hessian(count, runs=1000):
    """Bits with independent logits and a quadratic cost; score function of order 2 (DiCE)."""
    g = scg.Graph("hessian")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", shape=(count,))))
    w = g.data("w", shape=(count,))
    g.cost("loss", (np.sum(b * w) - 1.0) ** 2)
    data = {"w": _normals(1, count) / np.float32(count) ** 0.5}
    return Workload(g, scg.ScoreFunction(), data, runs, order=2)


def vocabulary(words=10**4, width=64, batch=64):
    """A word of 10⁴, its row of an embedding; leave-one-out with four samples."""
    g = scg.Graph("vocabulary")
    plate = scg.Plate("batch")
    x, y = g.data("x", shape=(width,), plates=plate), g.data("y", shape=(width,), plates=plate)
    w, e = g.parameter("W", shape=(width, words)), g.parameter("E", shape=(words, width))
    v = g.parameter("V", shape=(width, width))
    z = g.sample("z", scg.OneHotCategorical(logits=x @ w))
    g.cost("loss", np.sum((np.tanh((z @ e) @ v) - y) ** 2))
    data = {"x": _normals(1, batch, width), "y": _normals(2, batch, width)}
    return Workload(g, scg.LeaveOneOut(samples=4), data)


def markov(length=50, batch=32, width=64, latents=16, outputs=88):
    """Deep Markov model: gated cell, normal latents and bits at each of 50 steps, as a scan."""
    g = scg.Graph("markov")
    time, plate = scg.Time("t"), scg.Plate("batch", reduce="mean")
    x = g.data("x", shape=(outputs,), plates=(plate, time))
    gru = scg.nn.gru_cell(g, "gru", width)
    prior, guess = (scg.nn.linear(g, name, 2 * latents) for name in ("prior", "guess"))
    seen = scg.nn.linear(g, "seen", outputs)

    def cell(h, x):
        p, q = prior(h), guess(np.concatenate([h, x]))
        mean, log_scale, mean0, log_scale0 = q[:latents], q[latents:], p[:latents], p[latents:]
        z = g.sample("z", scg.Normal(mean, np.exp(log_scale)))
        distance = (np.exp(2.0 * log_scale) + (mean - mean0) ** 2) * np.exp(-2.0 * log_scale0)
        g.cost("kl", np.sum(log_scale0 - log_scale + 0.5 * (distance - 1.0)))
        logits = seen(np.concatenate([h, z]))
        g.cost("fit", -np.sum(scg.Bernoulli(logits=logits).log_prob(x)))
        return gru(np.concatenate([x, z]), h)

    g.scan(cell, init=np.zeros(width), xs=x, over=time)
    return Workload(g, scg.Reparameterization(), {"x": _bits(1, length, batch, outputs)})


def logistic(rows=10**5, width=50):
    """Logistic regression on all rows; a normal posterior of full rank, one draw."""
    g = scg.Graph("logistic")
    plate = scg.Plate("rows", reduce="sum")
    x, y = g.data("x", shape=(width,), plates=plate), g.data("y", plates=plate)
    mean, raw = g.parameter("mean", shape=(width,)), g.parameter("raw", shape=(width, width))
    eye = np.eye(width)
    factor = raw * np.tril(np.ones((width, width)), -1) + np.exp(raw) * eye
    w = g.sample("w", scg.MultivariateNormal(mean, scale_tril=factor))
    g.cost("fit", -scg.Bernoulli(logits=x @ w).log_prob(y))
    square = np.sum(factor * factor) + np.sum(mean * mean)
    g.cost("kl", 0.5 * (square - width) - np.sum(raw * eye))
    return Workload(
        g, scg.Reparameterization(), {"x": _normals(1, rows, width), "y": _bits(2, rows)}
    )


def rebar(batch=100):
    """Belief network 784-200 of one layer; REBAR at temperature 1/2, z̃ of its own noise."""
    g = scg.Graph("rebar")
    shapes = {"W": (784, 200), "c": (200,), "V": (200, 784), "d": (784,)}
    t = {name: g.parameter(name, shape=shape) for name, shape in shapes.items()}
    x = g.data("x", shape=(784,), plates=scg.Plate("batch"))
    h = g.sample("h", scg.Bernoulli(logits=x @ t["W"] + t["c"]))
    g.cost("fit", -scg.Bernoulli(logits=h @ t["V"] + t["d"]).log_prob(x))
    estimator = scg.REBAR(temperature=0.5, scale=1.0, learn=False, coupled=False)
    return Workload(g, estimator, pixels(batch))


def vimco(particles=50, batch=16):
    """Belief network 784-200 of one layer; the bound of 50 particles."""
    g = scg.Graph("vimco")
    shapes = {"W": (784, 200), "c": (200,), "V": (200, 784), "d": (784,), "prior": (200,)}
    t = {name: g.parameter(name, shape=shape) for name, shape in shapes.items()}
    plate = scg.Plate("particles", length=particles)
    x = g.data("x", shape=(784,), plates=scg.Plate("batch"))
    h = g.sample("h", scg.Bernoulli(logits=x @ t["W"] + t["c"]), plates=plate)
    log_p = scg.Bernoulli(logits=t["prior"]).log_prob(h)
    log_p = log_p + scg.Bernoulli(logits=h @ t["V"] + t["d"]).log_prob(x)
    g.cost("bound", scg.iwae(log_p - h.log_prob(), plate))
    return Workload(g, scg.VIMCO(plate), pixels(batch))


def topics(words=2000, hidden=100, count=50, batch=200):
    """ProdLDA: 2000-100-100 encoder, 50 topics, logistic-normal proportions."""
    g = scg.Graph("topics")
    t = {name: g.parameter(name, shape=shape) for name, shape in TOPICS.items()}
    x = g.data("x", shape=(words,), plates=scg.Plate("batch"))
    h = scg.softplus(scg.softplus(x @ t["W1"] + t["b1"]) @ t["W2"] + t["b2"])
    mean, log_variance = h @ t["Wm"] + t["bm"], h @ t["Ws"] + t["bs"]
    z = g.sample("z", scg.Normal(mean, np.exp(0.5 * log_variance)))
    log_p = scg.log_softmax(scg.softmax(z) @ t["beta"])
    kl = -0.5 * np.sum(1.0 + log_variance - mean * mean - np.exp(log_variance))
    g.cost("bound", kl - np.sum(x * log_p))
    counts = np.random.default_rng(1).poisson(0.05, (batch, words)).astype(np.float32)
    return Workload(g, scg.Reparameterization(), {"x": counts})


TOPICS = {
    "W1": (2000, 100),
    "b1": (100,),
    "W2": (100, 100),
    "b2": (100,),
    "Wm": (100, 50),
    "bm": (50,),
    "Ws": (100, 50),
    "bs": (50,),
    "beta": (50, 2000),
}


def five_nodes():
    """Five bits in a chain, one cost, one run; score function."""
    g = scg.Graph("five")
    theta, w, total, b = g.parameter("theta", shape=(5,)), g.parameter("w", shape=(5,)), 0.0, 0.0
    for i in range(5):
        b = g.sample(f"b{i}", scg.Bernoulli(logits=theta[i] + w[i] * b))
        total = total + b
    g.cost("loss", (total - 2.2) ** 2)
    return Workload(g, scg.ScoreFunction())


def rows_of_a_table(rows, width=16, batch=512):
    """Rows of a table as means of normal latents; the gradient of the table is dense."""
    g = scg.Graph("table")
    plate = scg.Plate("batch")
    i, y = g.data("i", plates=plate, kind="int"), g.data("y", shape=(width,), plates=plate)
    z = g.sample("z", scg.Normal(g.parameter("table", shape=(rows, width))[i], np.ones(width)))
    g.cost("loss", 0.5 * np.sum((z - y) ** 2))
    index = np.random.default_rng(1).integers(0, rows, batch)
    return Workload(g, scg.Reparameterization(), {"i": index, "y": _normals(2, batch, width)})


def gaussian_process(points=400):
    """Marginal likelihood of a Gaussian process: scale, width and noise by their logarithms."""
    g = scg.Graph("gaussian process")
    scale, width, noise = (g.parameter(name, shape=()) for name in ("scale", "width", "noise"))
    d, y = g.data("d", shape=(points, points)), g.data("y", shape=(points,))
    covariance = np.exp(scale) * np.exp(-0.5 * d * np.exp(-2.0 * width))
    factor = np.linalg.cholesky(covariance + np.exp(noise) * np.eye(points))
    g.cost("fit", -scg.MultivariateNormal(np.zeros(points), scale_tril=factor).log_prob(y))
    x = _normals(1, points, 3)
    squares = ((x[:, None] - x) ** 2).sum(axis=-1)
    return Workload(g, None, {"d": squares, "y": _normals(2, points)})


def sorted_normals(count=10**5):
    """Squared distance of quantiles: normal samples in order against data in order."""
    g = scg.Graph("sort")
    a, b, y = g.parameter("a", shape=()), g.parameter("b", shape=()), g.data("y", shape=(count,))
    z = g.sample("z", scg.Normal(a * np.ones(count), np.exp(b)))
    g.cost("distance", np.mean((np.sort(z) - y) ** 2))
    return Workload(g, scg.Reparameterization(), {"y": np.sort(_normals(1, count))})


def counts(rows=20_000, width=20):
    """Negative binomial regression on all rows; the dispersion is learned."""
    g = scg.Graph("counts")
    plate = scg.Plate("rows", reduce="sum")
    x, y = g.data("x", shape=(width,), plates=plate), g.data("y", plates=plate)
    logits, r = x @ g.parameter("w", shape=(width,)), np.exp(g.parameter("r", shape=()))
    ways = scg.gammaln(y + r) - scg.gammaln(r) - scg.gammaln(y + 1.0)
    g.cost("fit", r * scg.softplus(logits) + y * scg.softplus(-logits) - ways)
    y = np.random.default_rng(2).poisson(3.0, rows).astype(np.float32)
    return Workload(g, None, {"x": _normals(1, rows, width), "y": y})


#: All rows' workloads by name.
ALL = WORKLOADS | {
    "convolutional VAE": convolutional_vae,
    "conv2d": convolution,
    "Hessian 20": partial(hessian, 20),
    "Hessian 100": partial(hessian, 100),
    "vocabulary": vocabulary,
    "markov": markov,
    "logistic": logistic,
    "REBAR": rebar,
    "VIMCO": vimco,
    "ProdLDA": topics,
    "five nodes": five_nodes,
    "Gaussian process": gaussian_process,
    "sort": sorted_normals,
    "counts": counts,
    "table 10⁴": partial(rows_of_a_table, 10**4),
    "table 10⁵": partial(rows_of_a_table, 10**5),
    "table 10⁶": partial(rows_of_a_table, 10**6),
}
