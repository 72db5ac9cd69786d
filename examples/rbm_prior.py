"""Compare priors of binary latents of handwritten digits: independent units, and an RBM.

Run it with ``python examples/rbm_prior.py [epochs [seeds [latents]]]``; 3 seeds of 100 epochs take
about a minute on one core. The RBM adds as many hidden units, which are summed out. For up to 20
latents log Z and the log-likelihood, the last column, are exact. Beyond, chains of Gibbs steps
stand in for the derivative of log Z, annealed importance sampling brackets it, the RBM is charged
the upper end, and the last column is a bound of 1000 samples.
"""

import sys
import time

import numpy as np

import scg
from scg.data import load_digits


def independent(g, n, log_z):
    """Log-probability under Bernoulli units."""
    return scg.Bernoulli(logits=g.parameter("prior_a", shape=n)).log_prob


def rbm(g, n, log_z):
    """That of the same units, dependent through hidden ones; up to a constant without log Z."""
    w = g.parameter("prior_W", shape=(n, n), init=scg.init.normal(0.1))
    d = scg.RBM(g.parameter("prior_a", shape=n), g.parameter("prior_b", shape=n), w)
    if log_z is not None:
        return lambda z: d.log_weight(z) - log_z
    chain = g.sample("chain", d) if n > 20 else None
    return d.log_prob if chain is None else lambda z: d.contrast(z, chain)


def declare(make, means, latents, log_z=None):
    """A graph of 64 pixels and binary latents, with −ELBO as the cost."""
    g = scg.Graph("digits")
    x = g.data("x", shape=means.shape, plates=scg.Plate("batch", reduce="mean"))
    z = g.sample("z", scg.Bernoulli(logits=scg.nn.mlp(g, "encoder", (64, latents))(x - means)))
    p = np.clip(means, 0.01, 0.99)
    decoder = scg.nn.linear(g, "decoder", x.size, bias=np.log(p / (1 - p)))
    log_p = make(g, latents, log_z)(z) + scg.Bernoulli(logits=decoder(2 * z - 1)).log_prob(x)
    g.cost("loss", -g.deterministic("log_weight", log_p - z.log_prob()))
    return g


def likelihood(prior, params, images):
    """Mean of log p(x) = log Σ_z p(z) p(x | z), over all values of z."""
    z = scg.Bernoulli(logits=np.zeros(prior.shape)).enumerate_support()
    logits = (2 * z - 1) @ params["decoder/W"] + params["decoder/b"]
    log_p = images @ logits.T - np.logaddexp(0.0, logits).sum(axis=1) + np.log(prior.prob(z))
    return np.logaddexp.reduce(log_p, axis=1).mean()


def main(epochs=100, seeds=3, n=12):
    digits = load_digits(binary=True)
    means, chains = digits.train.mean(axis=0), scg.PersistentChains(30, 3, allow_biased=True)
    for make in (independent, rbm):
        g = declare(make, means, n)
        step = scg.compile(g, {k: scg.DisARM() if k == "z" else chains for k in g.stochastic})
        for seed in range(seeds):
            started, log_z = time.perf_counter(), None
            optimizer = scg.optim.Adam(scg.optim.schedules.Cosine(1e-2, length=30 * epochs))
            run = scg.fit(step, data={"x": digits.train}, seed=seed, optimizer=optimizer,
                          epochs=epochs, batch_size=50)  # fmt: skip
            seconds, own = time.perf_counter() - started, run.params
            a, *rest = (own[k] for k in ("prior_a", "prior_b", "prior_W") if k in own)
            prior = scg.RBM(a, *rest) if rest else scg.Bernoulli(logits=a)
            if "chain" in g.stochastic:
                log_z = scg.annealed_log_z(prior, seed=1, temperatures=3000)
                print("log Z from {0:.2f} ± {2:.2f} to {1:.2f} ± {3:.2f}".format(*log_z))
            scored = declare(make, means, n, log_z and log_z.upper)
            found = scg.evaluate(scored, own, {"x": digits.test}, samples=1000, seed=1)
            last = likelihood(prior, own, digits.test) if n <= 20 else found.bound
            print(f"{make.__name__:11}  seed {seed}  bound {found.elbo:.2f}  log-likelihood "
                  f"{'≥ ' * (n > 20)}{last:.2f}  {seconds:.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
