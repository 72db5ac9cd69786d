"""The lab: exact tables of estimators on a small model, as one HTML page to play with.

The page holds numbers that the engine computed on a grid of θ, of a target and of an estimator's
option, and interpolates between them; it needs no other file and no server.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.command.models import build, find_model
from scg.common.files import write_atomically
from scg.errors import CallError, EnumerationError, EstimatorError, ScgError
from scg.explain.notation import mathml, plain

THETAS = np.linspace(-3.0, 3.0, 13)
TARGETS = np.linspace(0.0, 1.0, 5)
#: Options of estimators: their label and values.
OPTIONS: dict[str, list[float]] = {"K": [2, 3, 4], "τ": [0.25, 0.5, 1.0, 2.0]}
DRAWS, BARS = 2000, 31
#: By name, the option that an estimator takes, and how to make it.
ESTIMATORS: dict[str, tuple[str, Callable[..., scg.Estimator]]] = {
    "score function": ("", scg.ScoreFunction),
    "best constant baseline": ("", lambda: scg.ScoreFunction(scg.baselines.OptimalConstant())),
    "leave-one-out": ("K", scg.LeaveOneOut),
    "MuProp": ("", scg.MuProp),
    "ARMS": ("K", scg.ARMS),
    "CARMS": ("K", scg.CARMS),
    "measure-valued": ("", scg.MeasureValued),
    "reparameterization": ("", scg.Reparameterization),
    "straight-through": ("", lambda: scg.StraightThrough(allow_biased=True)),
    "Gumbel-softmax": ("τ", lambda τ: scg.GumbelSoftmax(τ, allow_biased=True)),
    "REBAR": ("τ", lambda τ: scg.REBAR(τ, learn=False)),
}


def coin() -> scg.Graph:
    """A coin b with logit θ; the cost is (b − target)²."""
    g = scg.Graph("coin")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    g.cost("loss", (b - g.data("target")) ** 2)
    return g


def die() -> scg.Graph:
    """A die x with logits (θ, 0, −1) of faces 0, 1/2, 1; the cost is (face − target)²."""
    g = scg.Graph("die")
    theta = g.parameter("theta", 0.0)
    x = g.sample("x", scg.OneHotCategorical(logits=np.stack([theta, 0.0 * theta, 0.0 * theta - 1])))
    g.cost("loss", (x @ np.array([0.0, 0.5, 1.0]) - g.data("target")) ** 2)
    return g


def normal() -> scg.Graph:
    """A normal variable x with mean θ and scale 1; the cost is (x − target)² + sin 2x."""
    g = scg.Graph("normal")
    x = g.sample("x", scg.Normal(g.parameter("theta", 0.0), 1.0))
    g.cost("loss", (x - g.data("target")) ** 2 + np.sin(2.0 * x))
    return g


MODELS: dict[str, Callable[..., scg.Graph]] = {"coin": coin, "die": die, "normal": normal}


def lab(model: str, out: Path) -> dict[str, Any]:
    """Write the page of a model, and return what it holds.

    Parameters
    ----------
    model : str
        "coin", "die", "normal", or ``file.py:function``: a graph with a scalar parameter "theta",
        perhaps a scalar datum "target", and nothing else to supply.
    out : Path
        The page.
    """
    make = MODELS.get(model) or find_model(model)
    graph = build(make, np.full(64, 0.5), {})
    shapes = {name: np.shape(value) for name, value in graph.init(seed=0).items()}
    if shapes != {"theta": ()} or not set(graph.data_nodes) <= {"target"}:
        raise CallError(
            f"the lab moves a scalar parameter 'theta' and a scalar datum 'target'; {model!r} has "
            f"the parameters {', '.join(f'{k} {v}' for k, v in shapes.items()) or 'none'} and the "
            f"data {', '.join(graph.data_nodes) or 'none'}"
        )
    held = tables(graph, (make.__doc__ or "").strip().partition("\n")[0])
    template = files("scg.command").joinpath("lab.html").read_text(encoding="utf-8")
    data = json.dumps(held, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    parts = {"title": html.escape(graph.name), "graph": drawn(graph), "data": data}
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)
    write_atomically(out, page.encode())
    return held


def tables(graph: scg.Graph, about: str) -> dict[str, Any]:
    """The numbers of the page: axes, the true gradient, and each estimator that fits."""
    targets = TARGETS if graph.data_nodes else TARGETS[:1]
    found: dict[str, Any] = {}
    for name, (option, make) in ESTIMATORS.items():
        values = OPTIONS.get(option, [0])
        made = [make(*[value][: bool(option)]) for value in values]
        try:
            steps = [scg.compile(graph, estimator, backend="numpy") for estimator in made]
        except EstimatorError:
            continue
        nodes = steps[0].explain().nodes
        symbols = {plain(key): plain(text) for node in nodes for key, text in node.symbols.items()}
        found[name] = {
            "option": option,
            "unbiased": bool(made[0].unbiased),
            "formulas": [mathml(node.formula) for node in nodes],
            "where": symbols | ({option: "see its slider"} if option else {}),
            "evaluations": [step.explain().evaluations for step in steps],
            "cells": [cells(step, targets) for step in steps],
        }
    truth = [[true_gradient(graph, found, i, k) for i in range(len(THETAS))]
             for k in range(len(targets))]  # fmt: skip
    return {
        "about": about, "theta": THETAS.tolist(), "target": targets.tolist(), "options": OPTIONS,
        "truth": truth, "estimators": found,
    }  # fmt: skip


def true_gradient(graph: scg.Graph, found: Mapping[str, Any], i: int, k: int) -> float:
    """The enumerated gradient, or the exact mean of an unbiased estimator."""
    try:
        known = point(graph, THETAS[i], TARGETS[k])
        return digits(scg.exact(graph, *known).grads["theta"])
    except EnumerationError as error:
        for entry in found.values():
            if entry["unbiased"] and entry["cells"][0]["exact"]:
                return entry["cells"][0]["grid"][k][i]["mean"]
        raise CallError(f"the lab cannot compute the true gradient: {error}") from error


def point(graph: scg.Graph, theta: float, target: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and data of a point of the grid."""
    data = {"target": np.array(target)} if graph.data_nodes else {}
    return {"theta": np.array(theta)}, data


def cells(step: Any, targets: np.ndarray) -> dict[str, Any]:
    """The mean, variance and distribution of the estimate on the grid, and whether it is exact."""
    grid = [[point(step.graph, x, t) for x in THETAS] for t in targets]
    try:
        scg.moments(step, grid[0][0][0], data=grid[0][0][1])
    except EnumerationError:
        return {"exact": False, "grid": [[from_draws(step, *at) for at in row] for row in grid]}
    return {"exact": True, "grid": [[from_moments(step, *at) for at in row] for row in grid]}


def from_moments(step: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Exact moments; the distribution is that of all outcomes, or of samples of the noise."""
    moments = scg.moments(step, params, data=data)
    try:
        rows = moments.rows()
        shown = bars(rows.estimate["theta"], rows.probability)
    except EnumerationError:
        shown = from_draws(step, params, data)["bars"]
    mean, variance = moments.mean["theta"], moments.variance["theta"]
    return {"mean": digits(mean), "variance": digits(variance), "bars": shown}


def from_draws(step: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Moments and distribution of samples."""
    draws = sampled(step, params, data)
    shown = bars(draws, np.full(len(draws), 1.0 / len(draws)))
    return {"mean": digits(np.mean(draws)), "variance": digits(np.var(draws)), "bars": shown}


def sampled(step: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> np.ndarray:
    """Independent draws of the estimate."""
    noise = step.noise(seed=0, runs=DRAWS)
    return step.outcomes({**params, **data}, noise, {}, DRAWS)["grads", "theta"]


def bars(values: np.ndarray, weights: np.ndarray) -> list[list[float]]:
    """Distinct values with their probabilities; where there are many, the middles of bins."""
    near = np.round(values, 9)
    distinct, place = np.unique(near, return_inverse=True)
    if len(distinct) > BARS:
        low, high = np.quantile(values, [0.005, 0.995])
        edges = np.linspace(low, high, BARS + 1)
        place = np.clip(np.searchsorted(edges, values) - 1, 0, BARS - 1)
        distinct = (edges[1:] + edges[:-1]) / 2
    mass = np.bincount(place, weights, minlength=len(distinct))
    return [[digits(v), digits(p, 4)] for v, p in zip(distinct, mass, strict=True)]


def digits(value: Any, count: int = 9) -> float:
    """A number as short as the page needs it."""
    return float(f"{float(value):.{count}g}")


def drawn(graph: scg.Graph) -> str:
    """The drawn graph as SVG, or why there is none."""
    try:
        svg = graph._repr_svg_()
    except ScgError as error:
        return f"<p>{html.escape(str(error))}</p>"
    return svg[svg.index("<svg") :] if svg else ""
