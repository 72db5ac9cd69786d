"""Bayesian logistic regression: separate odd from even digits, with a user-defined optimizer.

Run it with ``python examples/logistic_regression.py [epochs]``.
"""

import sys

import numpy as np

import scg
from scg.data import load_digits
from scg.models import logistic


class SignDescent(scg.optim.Optimizer):
    """Gradient descent by the sign of each component."""

    def update(self, value, grad, slots, rate, count):
        return value - rate * np.sign(grad), slots


def main(epochs=20):
    digits = load_digits()
    g = logistic(digits.train.mean(axis=0))
    data = {"x": digits.train, "labels": digits.train_labels}
    rate = scg.optim.schedules.ExponentialDecay(0.05, decay=0.5, every=100)
    for optimizer in (scg.optim.Adam(0.02), SignDescent(rate)):
        run = scg.fit(
            scg.compile(g), data=data, seed=0, batch_size=100, epochs=epochs, optimizer=optimizer
        )
        held_out = {"x": digits.test, "labels": digits.test_labels}
        scores = g.simulate(run.params, nodes=["score"], seed=1, runs=100, data=held_out)["score"]
        odd = (1 / (1 + np.exp(-scores))).mean(axis=0)  # averaged over the posterior
        right = (odd > 0.5) == (digits.test_labels % 2 == 1)
        name = type(optimizer).__name__
        print(f"{name}: -ELBO {run.history[-1]['cost']:.0f}, held-out accuracy {right.mean():.3f}")


if __name__ == "__main__":
    main(*(int(epochs) for epochs in sys.argv[1:2]))
