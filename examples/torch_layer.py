"""A discrete layer of scg between two networks of PyTorch: an autoencoder with 20 binary units.

A torch encoder computes the logits of 20 Bernoulli variables, scg samples them and estimates
gradients, and the weights of a torch decoder are data of the layer. The cost is the negative
evidence lower bound under a uniform prior, in nats per image.

Run it with ``python examples/torch_layer.py [epochs]``; it needs ``pip install 'scgrad[torch]'``.
"""

import sys
import time

import numpy as np
import torch
from torch.nn import Linear, Sequential, Tanh

import scg
from scg.data import load_digits
from scg.interop.torch import module

UNITS, HIDDEN, PIXELS = 20, 64, 64
WEIGHTS = {"W1": (UNITS, HIDDEN), "c1": HIDDEN, "W2": (HIDDEN, PIXELS), "c2": PIXELS}


def declare():
    """The layer: from the encoder's logits and the decoder's weights to the cost."""
    g, batch = scg.Graph("layer"), scg.Plate("batch")
    x = g.data("x", shape=(PIXELS,), plates=batch)
    W1, c1, W2, c2 = (g.data(name, shape=shape) for name, shape in WEIGHTS.items())
    z = g.sample("z", scg.Bernoulli(logits=g.data("logits", shape=(UNITS,), plates=batch)))
    decoded = scg.Bernoulli(logits=np.tanh((2 * z - 1) @ W1 + c1) @ W2 + c2)
    g.cost("negative bound", z.log_prob() + UNITS * np.log(2) - decoded.log_prob(x))
    return g


class Autoencoder(torch.nn.Module):
    """Encoder and decoder of PyTorch around a step."""

    def __init__(self, step):
        super().__init__()
        self.encoder = Sequential(Linear(PIXELS, HIDDEN), Tanh(), Linear(HIDDEN, UNITS))
        self.decoder = Sequential(Linear(UNITS, HIDDEN), Tanh(), Linear(HIDDEN, PIXELS))
        self.layer = module(step)

    def forward(self, x):
        weights = (weight.t().contiguous() for weight in self.decoder.parameters())
        data = dict(zip(WEIGHTS, weights, strict=True))
        return self.layer(x=x, logits=self.encoder(2 * x - 1), **data)


def train(estimator, epochs):
    """Train; return the bounds of training and held-out images, and the seconds."""
    torch.manual_seed(0)
    step = scg.compile(declare(), estimator, dtype="float32", data_grads=("logits", *WEIGHTS))
    model, digits = Autoencoder(step), load_digits(binary=True)
    images, held_out = (torch.tensor(x, dtype=torch.float32) for x in (digits.train, digits.test))
    optimizer, start = torch.optim.Adam(model.parameters(), 3e-3), time.perf_counter()
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(100):
            optimizer.zero_grad()
            model(images[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        return [np.mean([model(x).item() for _ in range(20)]) for x in (images, held_out)], seconds


def main(epochs=100):
    print(f"torch {torch.__version__}, scg {scg.__version__}, {epochs} epochs")
    for estimator in (scg.DisARM(), scg.LeaveOneOut(samples=2), scg.ScoreFunction()):
        (fitted, held_out), seconds = train(estimator, epochs)
        name = type(estimator).__name__
        print(
            f"{name:15} train {fitted:.2f}  test {held_out:.2f} nats  {seconds:.1f} s", flush=True
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
