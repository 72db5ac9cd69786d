"""The thermodynamic variational objective, with the code of Masrani, Le and Wood (2019)."""

from pathlib import Path

import numpy as np
from common import importing

import scg

PHI, THETA = np.array([0.3, -0.4]), np.array([0.5, 0.2])
WEIGHTS, PARTITION, K = np.array([1.0, -0.7]), (0.0, 0.2, 0.6, 1.0), 5


def ours(rule):
    """Particles, and the gradients of scg at them."""
    g = scg.Graph("bits")
    particles = scg.Plate("particles", length=K)
    phi, theta = g.parameter("phi", PHI), g.parameter("theta", THETA)
    z = g.sample("z", scg.Bernoulli(logits=phi), plates=particles)

    def log_joint(v):
        mean = np.sum(v * WEIGHTS) + theta[0] * theta[1]
        return scg.Bernoulli(logits=theta).log_prob(v) + scg.Normal(mean, 1.0).log_prob(1.0)

    g.cost("bound", scg.tvo(log_joint, z, particles, PARTITION, rule))
    step = scg.compile(g, {"z": scg.ScoreFunction()}, backend="numpy")
    noise = np.reshape(step.noise(seed=3)["z/u"], (K, 2))
    drawn = 1.0 * (noise < 1 / (1 + np.exp(-PHI)))
    return drawn, step(g.init(seed=0), seed=3).grads


def compare(folder):
    """Largest difference from the authors' gradients, over their three rules of integration."""
    import torch

    def bits(logits, z):
        return torch.distributions.Bernoulli(logits=logits).log_prob(z).sum(-1)

    gaps = []
    x, betas, weights = (torch.tensor(v, dtype=torch.float64) for v in (1.0, PARTITION, WEIGHTS))
    with importing(Path(folder) / "discrete_vae") as load:
        loss_of = load("losses").get_thermo_loss_from_log_weight_log_p_log_q
        for rule, theirs in ("left", "left"), ("right", "right"), ("trapezoid", "trapz"):
            drawn, grads = ours(rule)
            z = torch.as_tensor(drawn)
            phi, theta = (torch.tensor(v, requires_grad=True) for v in (PHI, THETA))
            mean = (z * weights).sum(-1) + theta[0] * theta[1]
            log_p = bits(theta, z) + torch.distributions.Normal(mean, 1.0).log_prob(x)
            log_q = bits(phi, z)
            parts = (log_p - log_q)[None], log_p[None], log_q[None]
            loss_of(*parts, betas, num_particles=K, integration=theirs)[0].backward()
            for name, leaf in ("phi", phi), ("theta", theta):
                gaps.append(float(np.max(np.abs(grads[name] - leaf.grad.numpy()))))
    return {"gradient": max(gaps)}
