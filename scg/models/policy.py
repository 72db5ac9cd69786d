"""A policy in a small decision process, learned from rewards."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg


def pays(cell: np.ndarray) -> np.ndarray:
    """Reward of each cell: 0.2 in cell 0, 1 in cell 4, otherwise 0."""
    return np.select([cell == 0, cell == 4], [0.2, 1.0])


reward = scg.op(pays, name="reward", vectorized=True)


def policy(steps: int = 6, episodes: int = 20, slip: float = 0.1) -> scg.Graph:
    """Policy gradient on a corridor of five cells (Williams 1992; Sutton et al. 2000).

    The walker starts in cell 1. In each step it moves left or right, but with probability `slip`
    the other way. The reward is a Python function without a derivative (:func:`scg.op`). Each step
    has a cost, minus its reward, so that an action is credited with the rewards of its own step and
    later ones alone.

    Parameters
    ----------
    steps : int
        Length of an episode.
    episodes : int
        Number of episodes of one call.
    slip : float
        Probability that a move fails.
    """
    g = scg.Graph("policy")
    plate, time = scg.Plate("episodes", length=episodes), scg.Time("t", length=steps)
    preferences = g.parameter("preferences", np.zeros((5, 2)))

    def walk(cell: Any) -> tuple[Any, Any]:
        right = g.sample("action", scg.Categorical(logits=preferences[cell]), plates=plate)
        slips = g.sample("slip", scg.Categorical(probs=[1 - slip, slip]), plates=plate)
        move: Any = np.where(np.equal(right, slips), -1, 1)
        after: Any = np.minimum(np.maximum(cell + move, 0), 4)
        paid = reward(g.deterministic("cell", after))
        g.cost("loss", -paid)
        return after, paid

    _, paid = g.scan(walk, init=1, over=time)
    g.deterministic("return", scg.plate_sum(paid, time))
    return g
