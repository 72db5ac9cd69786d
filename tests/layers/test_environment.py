"""Environments: steps of a vector environment inside a scan, with a stub of gymnasium.

The stub is a corridor of which the model can also be written as arrays, so that both must agree.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import scg

STEPS = 5


class Discrete:
    def __init__(self, n, start=0):
        self.n, self.start = n, start


class Box:
    def __init__(self, shape):
        self.shape = shape


class SyncVectorEnv:
    """Corridors of five cells that end at cell 4, of which numbers are recorded."""

    calls, seeds = 0, None

    def __init__(self, n, boxed):
        self.n, self.boxed, self.unwrapped = n, boxed, self
        self.single_observation_space = Box((1, 5)) if boxed else Discrete(5, start=1)
        self.single_action_space = Discrete(2, start=-1)

    def _seen(self):
        return np.eye(5)[self.at][:, None, :] if self.boxed else self.at + 1

    def reset(self, *, seed):
        type(self).seeds = seed
        assert len(seed) == self.n
        return self._start(seed)

    def _start(self, seed):
        self.at = np.array(seed) % 2 + 1
        return self._seen(), {}

    def step(self, action):
        type(self).calls += 1
        assert set(action) <= {-1, 0}
        self.at = np.clip(self.at + 2 * action + 1, 0, 4)
        ended = self.at == 4
        return self._seen(), 1.0 * ended + 0.2 * (self.at == 0), ended, np.zeros(self.n, bool), {}


@pytest.fixture
def gymnasium(monkeypatch):
    found = ModuleType("gymnasium")
    found.spaces = SimpleNamespace(Discrete=Discrete, Box=Box)
    found.vector = SimpleNamespace(SyncVectorEnv=SyncVectorEnv, AsyncVectorEnv=SyncVectorEnv)
    found.make_vec = lambda name, num_envs, boxed=False: SyncVectorEnv(num_envs, boxed)
    monkeypatch.setitem(sys.modules, "gymnasium", found)


PREFERENCES = np.arange(10.0).reshape(5, 2) / 5


def live(env):
    g, t = scg.Graph("live"), scg.Time("t", length=STEPS)
    preferences = g.parameter("preferences", PREFERENCES)

    def cell(state):
        seen = state.observation
        logits = preferences[seen] if seen.shape == () else seen @ preferences
        action = g.sample("action", scg.Categorical(logits=state.alive * logits))
        state, reward = env.step(state, action)
        g.cost("loss", -reward)
        return state

    last, _ = g.scan(cell, init=env.reset(g), over=t)
    g.deterministic("end", last.observation)
    return g


def modelled(episodes):
    """The same corridor as arrays, in the carry."""
    g, plate = scg.Graph("modelled"), scg.Plate("episodes", length=episodes)
    t = scg.Time("t", length=STEPS)
    preferences = g.parameter("preferences", PREFERENCES)
    seed = scg.op(lambda u: (u * 2**31).astype(int) % 2 + 1, kind="int", vectorized=True)

    def cell(carry):
        at, alive = carry
        action = g.sample("action", scg.Categorical(logits=alive * preferences[at]))
        moved = np.minimum(np.maximum(at + 2 * (action - 1) + 1, 0), 4)
        after = np.where(alive > 0, moved, at)
        g.cost("loss", -alive * (1.0 * np.equal(after, 4) + 0.2 * np.equal(after, 0)))
        return after, alive * np.not_equal(after, 4)

    start = g.sample("start", scg.Uniform(0.0, 1.0), plates=plate)
    g.scan(cell, init=(seed(start), 1.0), over=t)
    return g


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("boxed", [False, True])
def test_an_environment_is_the_model_of_it(gymnasium, backend, boxed):
    env = scg.Environment("Corridor", episodes=3, boxed=boxed)
    score = {"action": scg.ScoreFunction(scg.baselines.Constant(-0.3))}
    g = live(env)
    steps = [scg.compile(h, score, backend=backend) for h in (g, modelled(3))]
    params = g.init(seed=0)
    for seed in range(4):
        one, other = (step(params, seed=seed) for step in steps)
        assert one.cost == pytest.approx(other.cost, abs=1e-12)  # sums in another order
        np.testing.assert_allclose(one.grads["preferences"], other.grads["preferences"], atol=1e-12)
    one, other = (step(params, seed=3, runs=5) for step in steps)
    np.testing.assert_allclose(one.stderr["preferences"], other.stderr["preferences"], atol=1e-12)
    joint = scg.LeaveOneOut(samples=4)
    one, other = (scg.compile(h, joint, backend=backend)(params, seed=1) for h in (g, modelled(3)))
    np.testing.assert_allclose(one.grads["preferences"], other.grads["preferences"], atol=1e-12)


@pytest.mark.parametrize(
    ("estimator", "how"),
    [
        (scg.ScoreFunction(), scg.RTRL()),
        (scg.LeaveOneOut(samples=2), scg.UORO()),
        (scg.LeaveOneOut(samples=3), None),
        (None, scg.PES(sigma=0.1, pairs=3)),
    ],
    ids=str,
)
def test_influences_and_samples_from_one_start(gymnasium, estimator, how):
    """Python makes each step once, also where samples or particles need episodes of their own."""
    own = estimator and {"action": estimator}
    one, other = (
        scg.compile(g, own, truncate=how, backend="numpy")(g.init(seed=0), seed=1, runs=2)
        for g in (live(scg.Environment("Corridor", episodes=3)), modelled(3))
    )
    assert one.cost == pytest.approx(other.cost, abs=1e-12)
    np.testing.assert_allclose(one.grads["preferences"], other.grads["preferences"], atol=1e-12)


def test_steps_that_cannot_be_made_again_are_refused(gymnasium, monkeypatch):
    env = scg.Environment("Corridor", episodes=3)
    params = (g := live(env)).init(seed=0)
    with pytest.raises(scg.CallError, match="take an estimator that does not replay"):
        scg.compile(g, {"action": scg.RAM()}, backend="numpy")(params, seed=0)
    simulator = env._simulator
    token = simulator.open(np.array([0.1, 0.2]))
    with pytest.raises(scg.CallError, match=r"step 0 .*Leave mask= of the scan out"):
        simulator.advance(token + np.array([0, 1]), np.array([0, 1]))
    monkeypatch.setattr(simulator, "separate", ())  # one generator for all episodes
    monkeypatch.setattr(SyncVectorEnv, "reset", lambda self, seed: self._start([seed] * self.n))
    with pytest.raises(scg.CallError, match=r"began 3 episodes, but 6 .*vectorization_mode"):
        scg.compile(g, {"action": scg.LeaveOneOut(samples=2)}, backend="numpy")(params, seed=0)


def test_python_is_called_once_a_step_and_not_after_the_end(gymnasium):
    env = scg.Environment("Corridor", episodes=3)
    step = scg.compile(live(env), {"action": scg.ScoreFunction()}, backend="numba")
    assert "ScoreFunction" in repr(step.plan)
    assert "no parameter or sample reaches" in str(step.plan)
    params = step.graph.init(seed=0)
    SyncVectorEnv.calls = 0
    step(params, seed=0)
    assert 0 < SyncVectorEnv.calls <= STEPS
    right = {"preferences": PREFERENCES + np.array([-50.0, 50.0])}
    SyncVectorEnv.calls = 0
    step(right, seed=0)  # from cell 1 or 2 to cell 4
    assert SyncVectorEnv.calls in (2, 3)
    text = str(step.profile(params, rounds=2))
    assert "Python at each step of t: op:Corridor_step" in text
    drawn = step.graph.simulate(params, nodes=["end", "action"], seed=4, runs=2)
    assert drawn["end"].shape == (2, 3)


def test_a_text_takes_the_environment(gymnasium):
    env = scg.Environment("Corridor", episodes=3)
    g = live(env)
    h = scg.Graph.from_json(g.to_json(), custom=env.ops)
    one, other = (
        scg.compile(x, {"action": scg.ScoreFunction()}, backend="numpy")(x.init(seed=0), seed=1)
        for x in (g, h)
    )
    assert one.cost == other.cost


def test_an_environment_runs_one_call_at_a_time(gymnasium):
    env = scg.Environment("Corridor", episodes=2)
    simulator = env._simulator
    old = simulator.open(np.array([0.1, 0.2]))
    simulator.open(np.array([0.3, 0.4]))
    with pytest.raises(scg.CallError, match="was reset by another call"):
        simulator.advance(old, np.array([0, 1]))
    new = simulator.open(np.array([0.1, 0.2]))
    with pytest.raises(scg.CallError, match="step 1 was asked for after 0 steps"):
        simulator.advance(new + 1, np.array([0, 1]))


def test_what_is_no_environment(gymnasium):
    env = scg.Environment(lambda n: SyncVectorEnv(n, boxed=True), episodes=2)
    assert repr(env) == "Environment('<lambda>', episodes=2)"
    g = scg.Graph()
    state = env.reset(g)
    with pytest.raises(scg.DeclarationError, match=r"an action is ints of shape \(\), got floats"):
        env.step(state, g.sample("x", scg.Normal(0.0, 1.0)))
    odd = SyncVectorEnv(2, boxed=True)
    odd.single_action_space = SimpleNamespace()
    with pytest.raises(scg.DeclarationError, match=r"the action space is .* box or a discrete"):
        scg.Environment(lambda n: odd, episodes=2)


def test_without_gymnasium(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(scg.ScgError, match=r"pip install 'scgrad\[rl\]'"):
        scg.Environment("CartPole-v1", episodes=2)


def test_the_real_one():
    pytest.importorskip("gymnasium", reason="pip install 'scgrad[rl]'")
    env = scg.Environment("CartPole-v1", episodes=4)
    g, t = scg.Graph("balance"), scg.Time("t", length=60)
    w = g.parameter("w", shape=(4, 2))

    def cell(state):
        action = g.sample("action", scg.Categorical(logits=state.alive * (state.observation @ w)))
        state, reward = env.step(state, action)
        g.cost("loss", -reward)
        return state

    g.scan(cell, init=env.reset(g), over=t)
    step = scg.compile(g, {"action": scg.ScoreFunction()}, backend="numpy")
    out = step(g.init(seed=0), seed=0)
    assert -60 < out.cost < -8
    assert out.cost == step(g.init(seed=0), seed=0).cost
    assert np.isfinite(out.grads["w"]).all()


def test_a_recorded_episode_needs_no_environment(gymnasium):
    env = scg.Environment("Corridor", episodes=3)
    g, t = scg.Graph("live"), scg.Time("t", length=STEPS)
    preferences = g.parameter("preferences", PREFERENCES)

    def cell(state):
        seen = g.deterministic("seen", state.observation)
        alive = g.deterministic("alive", state.alive)
        logits = alive * preferences[seen]
        action = g.sample("action", scg.Categorical(logits=logits))
        g.deterministic("log_prob", action.log_prob())
        state, reward = env.step(state, action)
        g.cost("loss", -g.deterministic("reward", reward))
        return state

    g.scan(cell, init=env.reset(g), over=t)
    score = {"action": scg.ScoreFunction(scg.Critic(("seen", "alive"), (2,)))}
    live = scg.compile(g, score, backend="numpy")
    params, names = g.init(seed=0), ["action", "seen", "alive", "reward", "log_prob"]
    log = {k: v[0] for k, v in g.simulate(params, nodes=names, seed=5).items()}
    log["action_log_prob"] = log.pop("log_prob")
    given = {name: scg.Recorded() for name in ("seen", "alive", "reward")}
    given["action"] = scg.Recorded(ratios="product")
    step = scg.compile(g, score, given=given, backend="numpy")
    one = live(params, seed=5)
    SyncVectorEnv.calls = 0
    other = step(params, seed=0, data=log)
    assert SyncVectorEnv.calls == 0
    np.testing.assert_allclose(one.cost, other.cost, atol=1e-14)
    np.testing.assert_allclose(one.grads["preferences"], other.grads["preferences"], atol=1e-12)
