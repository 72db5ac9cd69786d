"""A policy in a small decision process, learned from rewards alone."""

from __future__ import annotations

from typing import Any

import numpy as np

import scg


def policy(steps: int = 6, episodes: int = 20, slip: float = 0.1) -> scg.Graph:
    """Policy gradient on a corridor of five cells (Williams 1992; Sutton et al. 2000).

    The walker starts in cell 1. In each step it moves left or right, the other way with
    probability `slip`; cell 0 pays 0.2 and cell 4 pays 1. The rewards are comparisons on integers:
    no derivative leads through them, nor through the process. The cost is minus the return.

    Parameters
    ----------
    steps : int
        Length of an episode.
    episodes : int
        Episodes of one call.
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
        g.deterministic(f"cell{t}", cell)
        total = total + np.where(cell >= 4, 1.0, 0.0) + np.where(cell <= 0, 0.2, 0.0)
    g.cost("loss", -g.deterministic("return", total))
    return g
