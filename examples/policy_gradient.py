"""A walker learns from rewards alone in which direction to go.

Run it with ``python examples/policy_gradient.py [updates]``. The reward is a Python function of the
cell without a derivative, so leave-one-out estimates the gradient from values of the reward.
"""

import sys

import numpy as np

import scg
from scg.models import policy


def main(updates=150):
    g = policy(steps=6)
    step = scg.compile(g, estimator=scg.LeaveOneOut(samples=4))
    optimizer = scg.optim.Adam(0.1, clip=scg.optim.ClipNorm(1.0))
    start = g.init(seed=0)
    run = scg.fit(step, start, seed=0, steps_per_epoch=updates, optimizer=optimizer)
    for name, params in (("before", start), ("after", run.params)):
        returns = g.simulate(params, nodes=["return"], seed=1, runs=100)["return"]
        print(f"mean return {name} {returns.mean():.2f}, over {returns.size} episodes")
    odds = run.params["preferences"]
    right = 1 / (1 + np.exp(odds[:, 0] - odds[:, 1]))
    print("probability of going right, by cell:", *(f"{p:.2f}" for p in right))


if __name__ == "__main__":
    main(*(int(updates) for updates in sys.argv[1:2]))
