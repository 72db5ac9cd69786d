"""A hidden Markov model learned from samples of its states, beside the forward algorithm.

Run it with ``python examples/hidden_markov.py [updates]``. Each sequence has free logits of its own
q(z_t | z_{t-1}, x), a family that contains the posterior: the bound can reach the likelihood, which
the forward algorithm sums exactly. To sample states from the prior is a mistake: the mean of
-log p(x | z) has another optimum, which is larger.
"""

import sys

import numpy as np

import scg

STATES, LENGTH, COUNT, NOISE = 8, 50, 8, 0.4


def sequences():
    """Noisy observations of states on a ring, which stay, move on or jump; lengths differ."""
    rng = np.random.default_rng(0)
    moves = rng.choice([0, 1, 4], p=[0.6, 0.3, 0.1], size=(LENGTH, COUNT))
    states = (rng.integers(STATES, size=COUNT) + moves.cumsum(0)) % STATES
    there = np.arange(LENGTH)[:, None] < rng.integers(10, LENGTH + 1, size=COUNT)
    x = np.where(there, states + rng.normal(0.0, NOISE, size=there.shape), 0.0)
    return {"x": x, "there": there.astype(int), "row": np.arange(there.size).reshape(there.shape)}


def model(kind):
    """Return the model whose states are summed ("forward"), or drawn from "q" or the "prior"."""
    g, steps, batch = scg.Graph(kind), scg.Time("t"), scg.Plate("batch", reduce="mean")
    x = g.data("x", plates=(batch, steps))
    there = g.data("there", plates=(batch, steps), kind="int")
    moves = g.parameter("moves", shape=(STATES + 1, STATES))  # the last row is that of the start
    means = g.parameter("means", np.arange(STATES) + 0.3)

    def forward(known, x):
        moved = scg.logsumexp(known[:, None] + scg.log_softmax(moves, axis=1), axis=0)
        now = moved - ((x - means) / NOISE) ** 2 / 2 - np.log(NOISE * np.sqrt(2 * np.pi))
        return np.concatenate([now, [-1e9]])

    def sampled(z, x, q=None):
        prior = scg.Categorical(logits=moves[z])
        now = g.sample("z", prior if q is None else scg.Categorical(logits=q[z]))
        if q is not None:
            g.cost("kl", now.log_prob() - prior.log_prob(now))
        g.observe("x given z", scg.Normal(means[now], NOISE), x)
        return now

    if kind == "forward":
        start = np.where(np.arange(STATES + 1) < STATES, -1e9, 0.0)
        g.cost("loss", -scg.logsumexp(g.scan(forward, init=start, xs=x, over=steps, mask=there)[0]))
    elif kind == "prior":
        g.scan(sampled, init=STATES, xs=x, over=steps, mask=there)
    else:
        near = -(((x - np.arange(STATES)) / NOISE) ** 2) / 2
        free = g.parameter("q", shape=(LENGTH * COUNT, STATES + 1, STATES))
        row = g.data("row", plates=(batch, steps), kind="int")
        g.scan(sampled, init=STATES, xs=(x, near + 10 * free[row]), over=steps, mask=there)
    return g


def main(updates=4000):
    data, exact = sequences(), scg.compile(model("forward"))
    rate = scg.optim.schedules.Piecewise(0.02, ((updates * 2 // 3, 0.3),))
    sgd = scg.optim.SGD(rate, momentum=0.5)
    print("states     cost learned  -log p(x) of the learned model")
    for kind in ("forward", "q", "prior"):
        step = scg.compile(model(kind), None if kind == "forward" else scg.LeaveOneOut(samples=8))
        given = {name: x for name, x in data.items() if name in step.graph.roles}
        run = scg.fit(step, data=given, seed=0, epochs=updates, optimizer=sgd)
        costs = [step(run.params, seed=count, data=given).cost for count in range(200)]
        params = {name: run.params[name] for name in ("moves", "means")}
        found = exact(params, seed=0, x=data["x"], there=data["there"]).cost
        error = np.std(costs) / np.sqrt(len(costs))
        print(f"{kind:8} {np.mean(costs):7.2f} ± {error:.2f} {found:8.2f}")


if __name__ == "__main__":
    main(*(int(updates) for updates in sys.argv[1:2]))
