"""Exact means and variances of three estimators, written anew from their formulas.

Like the oracle it stands on, this is plain NumPy over Python callables.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .oracle import STEP, Model, Theta, as_arrays, components, moved_by, unflatten


@dataclass(frozen=True)
class Pieces:
    """What a score-function estimate is made of, per outcome o, node n and component j."""

    probability: np.ndarray  # (o,)
    score: np.ndarray  # (o, n, j): ∂ log p_n / ∂ t_j
    cost: np.ndarray  # (o, n): the sum of the costs that credit n
    direct: np.ndarray  # (o, j): Σ_c ∂ c / ∂ t_j


def pieces(model: Model, params: dict) -> Pieces:
    """Split every outcome into scores, credited costs and the direct derivative."""
    params = as_arrays(params)
    at = model.paths(Theta(params))
    probability = np.array([np.prod([p[n] for n in model.names]) for _, p in at])
    cost = np.array(
        [
            [
                sum(c.value(Theta(params), v) for c in model.costs if name in c.credited)
                for name in model.names
            ]
            for v, _ in at
        ]
    )
    scores, directs = [], []
    for component in components(params):
        t = Theta(moved_by(params, component, 1j * STEP), params)
        moved = model.paths(t)
        scores.append(
            [
                [np.imag(p[n]) / STEP / p0[n] for n in model.names]
                for (_, p), (_, p0) in zip(moved, at, strict=True)
            ]
        )
        directs.append([np.imag(sum(c.value(t, v) for c in model.costs)) / STEP for v, _ in moved])
    return Pieces(
        probability,
        np.moveaxis(np.real(np.array(scores)), 0, -1),
        cost,
        np.array(directs).T,
    )


def _mean_and_variance(params, probability, estimate):
    mean = probability @ estimate
    variance = probability @ (estimate - mean) ** 2
    params = as_arrays(params)
    return unflatten(params, mean), unflatten(params, variance)


def score_moments(model: Model, params: dict) -> tuple[dict, dict]:
    """Mean and variance of the plain score function, every node with its credited costs only."""
    p = pieces(model, params)
    estimate = np.einsum("onj,on->oj", p.score, p.cost) + p.direct
    return _mean_and_variance(params, p.probability, estimate)


def leave_one_out_moments(
    model: Model, params: dict, nodes: set[str] | None = None
) -> tuple[dict, dict]:
    """Mean and variance of the leave-one-out estimate of two paths drawn independently.

    `nodes` are those with the other path's cost as their baseline (all by default); the others
    are plain score-function nodes on the same two paths.
    """
    p = pieces(model, params)
    paired = np.array([nodes is None or name in nodes for name in model.names])
    first, second = (i.ravel() for i in np.indices((p.probability.size,) * 2))
    estimate = 0.0
    for own, other in ((first, second), (second, first)):
        signal = p.cost[own] - paired * p.cost[other]
        estimate = estimate + np.einsum("onj,on->oj", p.score[own], signal) / 2
        estimate = estimate + p.direct[own] / 2
    return _mean_and_variance(params, p.probability[first] * p.probability[second], estimate)


def _downstream(model: Model, t: Theta, values: dict, node: str, below: dict) -> complex:
    """The credited cost of `node`, with the nodes after it in `below` moved to their means."""
    values = dict(values)
    for c in model.conditionals[model.names.index(node) + 1 :]:
        if c.name in below:
            values[c.name] = c.mean(t, values)
    return sum(c.value(t, values) for c in model.costs if node in c.credited)


def _taylor(model: Model, t: Theta, values: dict, node: str, point) -> tuple[float, np.ndarray]:
    """Cost and slope at ``node = point``, every later node following at its mean."""
    point = np.asarray(point, dtype=complex)
    later = set(model.names[model.names.index(node) + 1 :])
    slope = np.zeros(point.shape)
    for index in np.ndindex(point.shape):
        moved = point.copy()
        moved[index] += 1j * STEP
        cost = _downstream(model, t, {**values, node: moved}, node, later)
        slope[index] = np.imag(cost) / STEP
    cost = _downstream(model, t, {**values, node: np.real(point)}, node, later)
    return float(np.real(cost)), slope


def muprop_moments(model: Model, params: dict, rollout=False, scale=1.0) -> tuple[dict, dict]:
    """Mean and variance of MuProp (Gu et al. 2016), for models without plates.

    The single pass takes the Taylor point from one pass with every node at its mean; the rollout
    restarts it at the sampled parents, and there every later node counts as below (chains only).
    """
    params = as_arrays(params)
    t, p = Theta(params), pieces(model, params)
    field_values: dict = {}
    for c in model.conditionals:
        field_values[c.name] = np.real(c.mean(t, field_values))
    estimate = np.array(p.direct)
    for n, c in enumerate(model.conditionals):
        for o, (values, _) in enumerate(model.paths(t)):
            if rollout:
                point = np.real(c.mean(t, values))
                cost, slope = _taylor(model, t, values, c.name, point)
            else:
                point = field_values[c.name]
                cost, slope = _taylor(model, t, field_values, c.name, point)
            taylor = cost + np.sum(slope * (values[c.name] - point))
            estimate[o] += p.score[o, n] * (p.cost[o, n] - scale * taylor)
            estimate[o] += scale * np.array(
                [
                    np.sum(slope * np.imag(c.mean(Theta(moved_by(params, i, 1j * STEP)), values)))
                    / STEP
                    for i in components(params)
                ]
            )
    return _mean_and_variance(params, p.probability, estimate)
