"""A policy learns to balance a pole: CartPole-v1 of gymnasium, until its mean return is 475.

Run it with ``python examples/cartpole.py [rounds] [seed]`` (``pip install 'scgrad[rl]'``). The
environment steps inside a scan. A critic of the observation bootstraps with a trace. After 100
updates the variance of the gradient is compared between estimators of the same model.
"""

import sys
import time

import numpy as np

import scg

SOLVED, ROUND, EPISODES = 475.0, 10, 16


def balance(episodes, steps=500):
    """Episodes of a pole, a policy of its position and speed, and one cost a reward."""
    env = scg.Environment("CartPole-v1", episodes=episodes)
    g, t = scg.Graph("cartpole"), scg.Time("t", length=steps)
    policy = scg.nn.mlp(g, "policy", [64, 2], activation=np.tanh)

    def cell(state):
        seen = g.deterministic("seen", state.observation)
        alive = g.deterministic("alive", state.alive)
        action = g.sample("action", scg.Categorical(logits=alive * policy(seen)))
        state, reward = env.step(state, action)
        g.cost("loss", -reward / 10.0)
        return state, reward

    _, rewards = g.scan(cell, init=env.reset(g), over=t, discount=0.99)
    g.deterministic("return", scg.plate_sum(rewards, t))
    return g


def score(critic=None):
    """The signal of a step is discounted from the step on, as in most implementations."""
    return scg.ScoreFunction(critic, drop_discount=True, allow_biased=True)


def critic(trace):
    return score(scg.Critic(("seen",), hidden=(64,), trace=trace, where="alive"))


def variances(g, run, runs=20):
    """Variance of the gradient of one call, summed over parameters, by estimator."""
    found, own = {}, {"rewards to go": score(), "critic": critic(1.0), "trace": critic(0.95)}
    for name, estimator in own.items():
        step = scg.compile(g, {"action": estimator})
        state = run.state if step.init(seed=0) else None
        out = step(run.params, seed=7, runs=runs, state=state)
        found[name] = runs * sum(float(np.sum(error**2)) for error in out.stderr.values())
        print(f"variance after {run.now.count} updates: {name:<14}{found[name]:.3g}")
    return found


def main(rounds=100, seed=0):
    g, curve, found = balance(EPISODES), [], {}
    step, start = scg.compile(g, {"action": critic(0.95)}), time.perf_counter()

    def watch(run):
        mean = g.simulate(run.params, nodes=["return"], seed=(1, run.epoch), runs=6)[
            "return"
        ].mean()
        curve.append((run.now.count, float(mean), round(time.perf_counter() - start, 1)))
        print("updates {:4d}  mean return {:5.1f}  {:6.1f} s".format(*curve[-1]), flush=True)
        run.stop = bool(mean >= SOLVED)
        if run.epoch == min(10, rounds):
            found.update(variances(g, run))

    adam = scg.optim.Adam(0.01, clip=scg.optim.ClipNorm(0.5))
    rule = {"optimizer": adam, "own_optimizer": scg.optim.Adam(0.01), "callbacks": [watch]}
    scg.fit(step, seed=seed, epochs=rounds, steps_per_epoch=ROUND, **rule)
    return curve, found


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:3]))
