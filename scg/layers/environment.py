"""Environments of gymnasium inside scans: one call of Python a step, for a plate of episodes.

Requires gymnasium: ``pip install 'scgrad[rl]'``.
"""

from __future__ import annotations

import importlib
import itertools
import re
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scg.common.arguments import Checked, checked, kind
from scg.distributions import Uniform
from scg.errors import CallError, DeclarationError, ScgError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.custom import op

#: Seeds of episodes are integers below this number.
SEEDS = 2**31
#: A token is the number of a session, that of an episode, and the steps that were made.
TOKEN = 2**19, 2**20, 2**23


class State(NamedTuple):
    """The carry of an environment: before each step, what a policy may know.

    Attributes
    ----------
    token : Expr
        What stands for the state of the environment itself, which lives in Python.
    observation : Expr
        The observation: a vector for a box, an integer for a discrete space.
    alive : Expr
        1 until the end of the episode, then 0. The observation then stays as it was.
    """

    token: Expr
    observation: Expr
    alive: Expr


@kind('an environment such as scg.Environment("CartPole-v1", episodes=16)')
class Environment(Checked):
    """An environment of gymnasium, whose steps a scan makes; its episodes lie on a plate.

    Use it to learn a policy in a simulator that is written for gymnasium. A simulator whose state
    is an array needs no wrapper: keep the state in the carry, and step it with
    ``scg.op(function, vectorized=True)``. Actions that were taken in a live system come as data
    (:class:`Recorded`).

    The environment itself is not differentiable; actions are credited by their scores. Episodes
    begin at seeds that the noise of a call determines, so that a call is repeatable. A step calls
    Python once for all episodes, and not at all after the last one has ended. An environment runs
    one call at a time.

    Parameters
    ----------
    name : str or callable
        The name of a registered environment, or a function from a number of episodes to a
        ``gymnasium.vector.VectorEnv``.
    episodes : int
        Number of episodes of one call, the length of the plate.
    **options
        Options of ``gymnasium.make_vec``, for example ``vectorization_mode="sync"``.

    Attributes
    ----------
    plate : Plate
        The plate of the episodes.
    ops : dict
        The ops that call Python by name, for ``Graph.from_json(text, custom=env.ops)``.

    Raises
    ------
    ScgError
        If gymnasium is not installed.
    DeclarationError
        If a space is neither a box nor discrete.

    Examples
    --------
    >>> import scg
    >>> env = scg.Environment("CartPole-v1", episodes=4)  # doctest: +SKIP
    >>> g, t = scg.Graph("balance"), scg.Time("t", length=100)
    >>> w = g.parameter("w", shape=(4, 2))
    >>> def cell(state):
    ...     logits = state.alive * (state.observation @ w)
    ...     action = g.sample("action", scg.Categorical(logits=logits))
    ...     state, reward = env.step(state, action)
    ...     g.cost("loss", -reward)
    ...     return state
    >>> last, _ = g.scan(cell, init=env.reset(g), over=t)  # doctest: +SKIP
    >>> step = scg.compile(g, {"action": scg.ScoreFunction()})  # doctest: +SKIP
    >>> step(g.init(seed=0), seed=0).cost  # doctest: +SKIP
    -26.25
    """

    def __init__(self, name: str | Callable[[int], Any], episodes: int, **options: Any):
        gymnasium = _gymnasium()
        label = name if isinstance(name, str) else getattr(name, "__name__", "environment")
        make = name if callable(name) else lambda n: gymnasium.make_vec(name, num_envs=n, **options)
        self.name, self.episodes = label, int(episodes)
        self.plate = Plate("episodes", length=self.episodes)
        separate = gymnasium.vector.SyncVectorEnv, gymnasium.vector.AsyncVectorEnv
        self._simulator = _Simulator(label, make, separate)
        probe = self._simulator.of_size(self.episodes)
        self._seen = _Space(label, "observation", probe.single_observation_space, gymnasium)
        self._taken = _Space(label, "action", probe.single_action_space, gymnasium)
        self._simulator.spaces = self._seen, self._taken
        width, base = self._seen.size, re.sub(r"\W", "_", label)
        own: dict[str, Any] = {"vectorized": True}
        self._open = op(self._simulator.open, name=f"{base}_reset", kind="int", **own)
        self._first = op(self._simulator.first, name=f"{base}_first", shape=(width,), **own)
        self._advance = op(self._simulator.advance, name=f"{base}_step", shape=(width + 2,), **own)
        calls = self._open, self._first, self._advance, _whole
        self.ops = {call.__name__: call for call in calls}

    def __repr__(self) -> str:
        return f"Environment({self.name!r}, episodes={self.episodes})"

    @checked("env.reset(g)", DeclarationError)
    def reset(self, graph: CoreGraph, name: str = "start") -> State:
        """The state of new episodes: the first carry of a scan.

        Parameters
        ----------
        graph : Graph
            The graph.
        name : str
            Name of the stochastic node that determines the seeds of the episodes.
        """
        u = graph.sample(name, Uniform(0.0, 1.0), plates=self.plate)
        token = self._open(u)
        return State(token, self._seen.unpacked(self._first(token)), 0.0 * token + 1.0)

    def step(self, state: State, action: Any) -> tuple[State, Expr]:
        """The next state and the reward of an action; after the end the reward is 0.

        Parameters
        ----------
        state : State
            The state before the step.
        action : Expr
            An integer for a discrete space, a vector for a box.

        Raises
        ------
        DeclarationError
            If the action is not of the shape and kind of the action space.
        """
        shape, of = np.shape(action), getattr(action, "kind", "float")
        if shape != self._taken.shape or (self._taken.kind == "int" and of != "int"):
            raise DeclarationError(
                f"{self!r}: an action is {self._taken.kind}s of shape {self._taken.shape}, got "
                f"{of}s of shape {shape}"
            )
        found = self._advance(state.token, action)
        width = self._seen.size
        after = State(state.token + 1, self._seen.unpacked(found[:width]), found[width + 1])
        return after, found[width]


def _gymnasium() -> Any:
    try:
        return importlib.import_module("gymnasium")
    except ImportError as error:
        raise ScgError(
            "scg.Environment needs gymnasium: pip install 'scgrad[rl]'. A simulator of your own "
            "needs nothing: scg.op(function, vectorized=True)"
        ) from error


#: Floats that are integers, as integers.
_whole = op(lambda x: np.rint(x).astype(np.int64), name="integer", kind="int", vectorized=True)


class _Space:
    """A box or discrete space, as an array of floats or integers."""

    def __init__(self, label: str, what: str, space: Any, gymnasium: Any):
        if isinstance(space, gymnasium.spaces.Discrete):
            self.kind, self.shape, self.start = "int", (), int(space.start)
        elif isinstance(space, gymnasium.spaces.Box):
            self.kind, self.shape, self.start = "float", tuple(space.shape), 0
            self.shape = (int(np.prod(self.shape)),) if what == "observation" else self.shape
        else:
            raise DeclarationError(
                f"scg.Environment({label!r}): the {what} space is {space!r}; expected a box or a "
                "discrete space. Wrap it, for example in gymnasium.wrappers.FlattenObservation"
            )
        self.size = int(np.prod(self.shape))

    def unpacked(self, flat: Expr) -> Any:
        """An observation of the numbers that an op returned."""
        return _whole(flat[0]) if self.kind == "int" else flat


class _Simulator:
    """The vector environments themselves, and what they returned in the session of each call."""

    def __init__(self, label: str, make: Callable[[int], Any], separate: tuple[type, ...]):
        self.label, self.make, self.separate = label, make, separate
        self.spaces: Any = None
        self._made: dict[int, Any] = {}
        self._serial = itertools.count(1)
        self._now: dict[int, _Session] = {}
        self._lock = threading.Lock()

    def of_size(self, n: int) -> Any:
        """The vector environment of n episodes."""
        if n not in self._made:
            self._made[n] = self.make(n)
        return self._made[n]

    def open(self, u: np.ndarray) -> np.ndarray:
        """Begin an episode for each number, and return their tokens."""
        with self._lock:
            number = next(self._serial) % TOKEN[0]
            self._begin(number, (np.ravel(u) * SEEDS).astype(np.int64))
            return np.ravel_multi_index((number, np.arange(u.size), 0), TOKEN).reshape(u.shape)

    def _begin(self, number: int, seeds: np.ndarray) -> _Session:
        """Begin a session, which ends those of the same environments."""
        env = self.of_size(seeds.size)
        one = not isinstance(env.unwrapped, self.separate)  # generator for all episodes
        first, _ = env.reset(seed=int(seeds[0]) if one else seeds.tolist())
        session = _Session(env, seeds, self._flat(first, seeds.size))
        self._now = {k: s for k, s in self._now.items() if s.env is not env} | {number: session}
        return session

    def first(self, token: np.ndarray) -> np.ndarray:
        """The first observations of a session."""
        session, *_ = self._session(token)
        return session.first.reshape(*token.shape, -1)

    def advance(self, token: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Observations, rewards, and whether episodes go on, of one step of a session."""
        with self._lock:
            _, taken = self.spaces
            lead = np.broadcast_shapes(token.shape, action.shape[: action.ndim - len(taken.shape)])
            session, number, episode, steps = self._session(np.broadcast_to(token, lead))
            if np.any(steps != session.steps):
                raise CallError(
                    f"environment {self.label!r}: step {np.min(steps)} was asked for after "
                    f"{session.steps} steps; steps follow each other. Leave mask= of the scan out, "
                    "since alive tells which episodes have ended, take an estimator that does not "
                    "replay, such as scg.ScoreFunction(), and leave checkpoint= out"
                )
            if episode.size != session.alive.size:  # each sample has episodes of its own
                if session.steps or not isinstance(session.env.unwrapped, self.separate):
                    raise CallError(
                        f"environment {self.label!r} began {session.alive.size} episodes, but "
                        f"{episode.size} are asked for, some for several samples from one start; "
                        'write scg.Environment(..., vectorization_mode="sync"), whose episodes '
                        "have seeds of their own, or one scg.LeaveOneOut(samples=4) for all nodes"
                    )
                session = self._begin(number, session.seeds[episode])
            session.steps += 1
            if session.alive.any():
                action = np.broadcast_to(action, lead + taken.shape).reshape(-1, *taken.shape)
                action = action + taken.start if taken.kind == "int" else action
                now, reward, ended, cut, _ = session.env.step(action)
                alive = session.alive
                now = self._flat(now, alive.size)
                session.last = np.where(alive[:, None], now, session.last)
                session.reward = np.where(alive, reward, 0.0)
                session.alive = alive & ~np.asarray(ended) & ~np.asarray(cut)
            else:
                session.reward = np.zeros(session.alive.size)
            parts = session.last, session.reward[:, None], session.alive[:, None]
            return np.concatenate(parts, axis=1).reshape(*lead, -1)

    def _session(self, token: np.ndarray) -> tuple[_Session, int, np.ndarray, np.ndarray]:
        """The session of tokens and its number; their episodes, and the steps that were made."""
        numbers, episodes, steps = np.unravel_index(np.ravel(token), TOKEN)
        number = int(numbers[0])
        if number not in self._now or np.any(numbers != number):
            raise CallError(
                f"environment {self.label!r} was reset by another call in the meantime; use an "
                "environment of its own for each graph and thread that runs at the same time"
            )
        return self._now[number], number, episodes, steps

    def _flat(self, observation: Any, n: int) -> np.ndarray:
        """Observations as rows of floats."""
        seen, _ = self.spaces
        return np.asarray(observation, np.float64).reshape(n, -1) - seen.start


class _Session:
    """One call's episodes."""

    def __init__(self, env: Any, seeds: np.ndarray, first: np.ndarray):
        self.env, self.seeds, self.first, self.last = env, seeds, first, first
        self.steps = 0
        self.alive = np.ones(len(first), bool)
        self.reward = np.zeros(len(first))
