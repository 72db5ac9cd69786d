"""SFESS: scores of subsets of a given size, with the code of Wijk et al. (2025)."""

from pathlib import Path

import numpy as np
from common import importing, of_samples, of_step, row

import scg

LOGITS, K, SAMPLES = np.array([0.4, -0.7, 0.9, 0.1, -0.3]), 2, 4
TARGET = np.array([0.2, 1.3, -0.5, 0.8, 0.4])


def graph():
    """A cost of the subset that is not linear."""
    g = scg.Graph("subset")
    x = g.sample("x", scg.Subset(g.parameter("t", LOGITS), K))
    g.cost("loss", np.sum(x * TARGET) ** 2)
    return g


def compare(folder, samples):
    """Rows of the score function, of their control variate, and of their own sampler."""
    import torch

    law, g = scg.Subset(LOGITS, K), graph()
    values = law.enumerate_support()
    p = np.exp([law.log_prob(v) for v in values])
    exact = scg.exact(g, {"t": LOGITS}).grads["t"]

    def drawn(w, k, n):
        rows = np.random.default_rng(0).choice(len(values), size=(n, len(w)), p=p)
        return torch.as_tensor(values[rows])

    def gradients(authors, estimator, count):
        torch.manual_seed(0)
        scores = torch.tensor(np.tile(LOGITS, (samples, 1))[..., None], requires_grad=True)
        x, log_p = authors.SFESSSampler(K, "cpu", n_samples=count)(scores)
        loss = (x[..., 0] * torch.as_tensor(TARGET)).sum(-1) ** 2
        authors.score_function_estimator(loss, log_p, estimator).backward()
        assert scores.grad is not None
        return of_samples(scores.grad[..., 0].numpy() * samples)

    with importing(Path(folder)) as load:
        authors = load("samplers.sfess.sfess")
        own, authors.sample_subset = authors.sample_subset, drawn
        score, control = scg.ScoreFunction(), scg.LeaveOneOut(samples=SAMPLES)
        ours = [
            of_step(scg.compile(g, e, backend="numpy"), {"t": LOGITS}, ["t"], samples)
            for e in (score, control)
        ]
        theirs = gradients(authors, "reinforce", 1)
        note = "their log-probability, exact samples"
        yield row("subsets, score function", "authors", theirs, ours[0], exact, note)
        theirs = gradients(authors, "control-variate", SAMPLES)
        note = "their baseline contains the own sample: the gradient shrinks by 1 − 1/K"
        yield row(f"subsets, K = {SAMPLES}", "authors", theirs, ours[1], exact, note)
        authors.sample_subset = own
        theirs = gradients(authors, "reinforce", 1)
        note = "their sampler is Gumbel top-k, whose distribution is not the one that they score"
        yield row("subsets, their sampler", "authors", theirs, ours[0], exact, note)
