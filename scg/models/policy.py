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
    the other way. The reward is a Python function without a derivative (:func:`scg.op`). The cost
    is minus the return.

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
    plate = scg.Plate("episodes", length=episodes)
    preferences = g.parameter("preferences", np.zeros((5, 2)))
    cell: Any = 1
    total: Any = 0.0
    for t in range(steps):
        law = scg.Categorical(logits=preferences[cell])
        right = g.sample(f"action{t}", law, plates=plate)
        slips = g.sample(f"slip{t}", scg.Categorical(probs=[1 - slip, slip]), plates=plate)
        move: Any = np.where(np.equal(right, slips), -1, 1)
        cell = np.minimum(np.maximum(cell + move, 0), 4)
        total = total + reward(g.deterministic(f"cell{t}", cell))
    g.cost("loss", -g.deterministic("return", total))
    return g
