"""Compare priors of 12 binary latents of handwritten digits: independent units, and an RBM.

Run it with ``python examples/rbm_prior.py [epochs [seeds]]``; 3 seeds of 100 epochs take about a
minute on one core. Encoder, decoder and latents are the same; the RBM adds 12 hidden units, which
are summed out, as is log Z. The last column is the exact log-likelihood: the sum over all latents.
"""

import sys
import time

import numpy as np

import scg
from scg.data import load_digits

LATENTS = 12


def independent(g):
    """Bernoulli units."""
    return scg.Bernoulli(logits=g.parameter("prior_a", shape=LATENTS))


def rbm(g, hidden=12):
    """The same units, dependent through hidden ones."""
    a, b = g.parameter("prior_a", shape=LATENTS), g.parameter("prior_b", shape=hidden)
    return scg.RBM(a, b, g.parameter("prior_W", shape=(LATENTS, hidden), init=scg.init.normal(0.1)))


def declare(make, pixel_means):
    """A graph of 64 pixels and 12 latents, with −ELBO as the cost."""
    g = scg.Graph("digits")
    x = g.data("x", shape=pixel_means.shape, plates=scg.Plate("batch"))
    code = scg.nn.mlp(g, "encoder", (64, LATENTS))(x - pixel_means)
    z = g.sample("z", scg.Bernoulli(logits=code))
    p = np.clip(pixel_means, 0.01, 0.99)
    decoder = scg.nn.linear(g, "decoder", x.size, bias=np.log(p / (1 - p)))
    pixels = scg.Bernoulli(logits=decoder(2 * z - 1))
    log_p = make(g).log_prob(z) + pixels.log_prob(x)
    g.cost("loss", -g.deterministic("log_weight", log_p - z.log_prob()))
    return g


def likelihood(make, params, images):
    """Mean of log p(x) = log Σ_z p(z) p(x | z), over all 4096 values of z."""
    z = scg.Bernoulli(logits=np.zeros(LATENTS)).enumerate_support()
    given = {name[-1]: value for name, value in params.items() if name.startswith("prior")}
    prior = scg.RBM(*(given[k] for k in "abW")) if "W" in given else scg.Bernoulli(given["a"])
    logits = (2 * z - 1) @ params["decoder/W"] + params["decoder/b"]
    log_p = images @ logits.T - np.logaddexp(0.0, logits).sum(axis=1) + np.log(prior.prob(z))
    return np.logaddexp.reduce(log_p, axis=1).mean()


def main(epochs=100, seeds=3):
    digits = load_digits(binary=True)
    for make in (independent, rbm):
        g = declare(make, digits.train.mean(axis=0))
        step = scg.compile(g, estimator=scg.DisARM())
        for seed in range(seeds):
            started = time.perf_counter()
            optimizer = scg.optim.Adam(scg.optim.schedules.Cosine(1e-2, length=30 * epochs))
            run = scg.fit(step, data={"x": digits.train}, seed=seed, optimizer=optimizer,
                          epochs=epochs, batch_size=50)  # fmt: skip
            found = scg.evaluate(g, run.params, {"x": digits.test}, samples=20, seed=1)
            exact = likelihood(make, run.params, digits.test)
            print(f"{make.__name__:11}  seed {seed}  bound {found.elbo:.2f}  log-likelihood "
                  f"{exact:.2f}  {time.perf_counter() - started:.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
