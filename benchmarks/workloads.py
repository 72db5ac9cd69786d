"""The workloads in scg: graphs, estimators, data, runs and parameters by name."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import scg

SBN = {
    "W1": (784, 200),
    "c1": (200,),
    "W2": (200, 200),
    "c2": (200,),
    "V2": (200, 200),
    "d2": (200,),
    "V1": (200, 784),
    "d1": (784,),
    "prior": (200,),
}
VAE = {
    "W1": (784, 400),
    "b1": (400,),
    "Wm": (400, 20),
    "bm": (20,),
    "Ws": (400, 20),
    "bs": (20,),
    "V1": (20, 400),
    "d1": (400,),
    "V2": (400, 784),
    "d2": (784,),
}
CATEGORICAL = {
    "W1": (784, 512),
    "b1": (512,),
    "W2": (512, 200),
    "b2": (200,),
    "V1": (200, 512),
    "d1": (512,),
    "V2": (512, 784),
    "d2": (784,),
}


@dataclass
class Workload:
    """A graph, its estimator, and the arguments of one call of its step."""

    graph: scg.Graph
    estimator: Any = None
    data: dict[str, np.ndarray] = field(default_factory=dict)
    runs: int = 1
    order: int = 1

    def params(self):
        rng = np.random.default_rng(0)
        shapes = {name: value.shape for name, value in self.graph.init(seed=0).items()}
        return {n: rng.normal(0, 0.1, s).astype(np.float32) for n, s in shapes.items()}


def pixels(batch):
    return {"x": (np.random.default_rng(1).random((batch, 784)) < 0.3).astype(np.float32)}


def sbn(estimator, batch=100):
    """Sigmoid belief network 784-200-200: negative evidence lower bound."""
    g = scg.Graph("sbn")
    t = {name: g.parameter(name, shape=shape) for name, shape in SBN.items()}
    x = g.data("x", shape=(784,), plates=scg.Plate("batch"))
    h1 = g.sample("h1", scg.Bernoulli(logits=x @ t["W1"] + t["c1"]))
    h2 = g.sample("h2", scg.Bernoulli(logits=h1 @ t["W2"] + t["c2"]))
    log_p = (
        scg.Bernoulli(logits=t["prior"]).log_prob(h2)
        + scg.Bernoulli(logits=h2 @ t["V2"] + t["d2"]).log_prob(h1)
        + scg.Bernoulli(logits=h1 @ t["V1"] + t["d1"]).log_prob(x)
    )
    g.cost("bound", h1.log_prob() + h2.log_prob() - log_p)
    return Workload(g, estimator, pixels(batch))


def vae():
    """Gaussian variational autoencoder 784-400-20."""
    g = scg.Graph("vae")
    t = {name: g.parameter(name, shape=shape) for name, shape in VAE.items()}
    x = g.data("x", shape=(784,), plates=scg.Plate("batch"))
    h = scg.relu(x @ t["W1"] + t["b1"])
    mean, log_variance = h @ t["Wm"] + t["bm"], h @ t["Ws"] + t["bs"]
    z = g.sample("z", scg.Normal(mean, np.exp(0.5 * log_variance)))
    logits = scg.relu(z @ t["V1"] + t["d1"]) @ t["V2"] + t["d2"]
    kl = -0.5 * np.sum(1.0 + log_variance - mean * mean - np.exp(log_variance))
    g.cost("bound", kl - scg.Bernoulli(logits=logits).log_prob(x))
    return Workload(g, scg.Reparameterization(), pixels(128))


def categorical_vae():
    """Categorical variational autoencoder 784-512-(20 of 10 classes), leave-one-out."""
    g = scg.Graph("categorical vae")
    t = {name: g.parameter(name, shape=shape) for name, shape in CATEGORICAL.items()}
    x = g.data("x", shape=(784,), plates=scg.Plate("batch"))
    logits = (scg.relu(x @ t["W1"] + t["b1"]) @ t["W2"] + t["b2"]).reshape(20, 10)
    z = g.sample("z", scg.OneHotCategorical(logits=logits))
    hidden = scg.relu(z.reshape(200) @ t["V1"] + t["d1"])
    log_p = scg.Bernoulli(logits=hidden @ t["V2"] + t["d2"]).log_prob(x)
    kl = np.log(10.0) * 20 - z.dist.entropy()
    g.cost("bound", kl - log_p)
    return Workload(g, scg.LeaveOneOut(samples=4), pixels(100))


def toy(runs):
    """One Bernoulli variable, score function."""
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2)
    return Workload(g, scg.ScoreFunction(), runs=runs)


def chain(length=200, hidden=16, batch=64):
    """A Markov chain of binary vectors, score function."""
    g = scg.Graph("chain")
    h = g.data("x", shape=(hidden,), plates=scg.Plate("batch"))
    w, c = g.parameter("W", shape=(hidden, hidden)), g.parameter("c", shape=(hidden,))
    for t in range(length):
        h = g.sample(f"h{t}", scg.Bernoulli(logits=h @ w + c))
    g.cost("loss", np.sum((h - 0.3) ** 2))
    x = (np.random.default_rng(1).random((batch, hidden)) < 0.5).astype(np.float32)
    return Workload(g, scg.ScoreFunction(), {"x": x})


def many(law, count=10**7):
    """10^7 independent samples, their log-probability, and its gradient."""
    g = scg.Graph(law)
    a, b = g.parameter("a", shape=()), g.parameter("b", shape=())
    if law == "bernoulli":
        x = g.sample("x", scg.Bernoulli(logits=a + b))
        return Workload(_summed(g, x), scg.ScoreFunction(), runs=count)
    x = g.sample("x", scg.Normal(a, np.exp(b)))
    return Workload(_summed(g, x), scg.Reparameterization(), runs=count)


def _summed(g, x):
    g.cost("log_prob", x.log_prob())
    return g


WORKLOADS = {
    "W1a": lambda: sbn(scg.LeaveOneOut(samples=4)),
    "W1b": lambda: sbn(scg.MuProp()),
    "W2": vae,
    "W3": categorical_vae,
    "W4a": lambda: toy(1),
    "W4b": lambda: toy(10**6),
    "W5": chain,
    "W6a": lambda: many("bernoulli"),
    "W6b": lambda: many("normal"),
}
