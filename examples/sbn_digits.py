"""Train a two-layer sigmoid belief network on handwritten digits with MuProp.

Run it with ``python examples/sbn_digits.py [epochs]``; 200 epochs take 35 s on one core.
"""

import contextlib
import sys
import time
from pathlib import Path

import numpy as np

import scg
from scg.data import load_digits
from scg.layers.nn import linear


def declare(pixel_means, hidden=32):
    """A graph of 64-32-32 Bernoulli units: encoder, decoder, and −ELBO as the cost."""
    g = scg.Graph("sbn")
    x = g.data("x", shape=pixel_means.shape, plates=scg.Plate("batch"))
    h1 = g.sample("h1", scg.Bernoulli(logits=linear(g, "encoder1", hidden)(x - pixel_means)))
    h2 = g.sample("h2", scg.Bernoulli(logits=linear(g, "encoder2", hidden)(2 * h1 - 1)))

    p = np.clip(pixel_means, 0.01, 0.99)
    prior = scg.Bernoulli(logits=g.parameter("prior", shape=hidden))
    to_h1 = scg.Bernoulli(logits=linear(g, "decoder1", hidden)(2 * h2 - 1))
    start = np.log(p / (1 - p))
    to_x = scg.Bernoulli(logits=linear(g, "decoder0", x.size, bias=start)(2 * h1 - 1))
    log_p = prior.log_prob(h2) + to_h1.log_prob(h1) + to_x.log_prob(x)
    log_weight = g.deterministic("log_weight", log_p - h1.log_prob() - h2.log_prob())
    g.cost("loss", -log_weight)
    return g


def toy():
    """Exact mean and variance of MuProp's estimate for one coin, as text."""
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2)
    m = scg.moments(scg.compile(g, estimator=scg.MuProp()), g.init(seed=0))
    return f"{m.table()}\nmean {m.mean['theta']:.6f}, variance {m.variance['theta']:.6f}"


def main(epochs=200, folder=Path("scg-demo")):
    print("Exact moments of MuProp on one coin:", toy(), sep="\n")
    digits = load_digits(binary=True)
    g = declare(digits.train.mean(axis=0))
    step = scg.compile(g, estimator=scg.MuProp(baseline=scg.baselines.MovingAverage()))
    print("\nEstimators and reasons:", step.explain(), sep="\n")

    def bound(params):
        return scg.evaluate(g, params, {"x": digits.test}, samples=20, seed=1)

    folder.mkdir(exist_ok=True)
    g.draw(folder / "sbn_digits.dot")
    with contextlib.suppress(scg.ScgError):  # a picture needs Graphviz, the DOT text above does not
        g.draw(folder / "sbn_digits.svg")
    p = np.clip(digits.train.mean(axis=0), 0.01, 0.99)
    pixels = np.mean(scg.Bernoulli(probs=p).log_prob_elementwise(digits.test).sum(axis=1))
    before, started = bound(g.init(seed=0)), time.perf_counter()
    optimizer = scg.optim.Adam(scg.optim.schedules.Cosine(6e-3, length=30 * epochs))
    run = scg.fit(step, data={"x": digits.train}, seed=0, optimizer=optimizer, epochs=epochs,
                  batch_size=50, progress=True)  # fmt: skip
    after = bound(run.params)
    print(f"\nHeld-out bound on log p(x), nats per image ({time.perf_counter() - started:.0f} s):")
    print(f"  before {before.elbo:.2f}, after {after.elbo:.2f} ± {after.elbo_stderr:.2f}")
    print(f"  (independent pixels: {pixels:.2f}); the graph is in {folder}/")


if __name__ == "__main__":
    main(*(int(epochs) for epochs in sys.argv[1:2]))
