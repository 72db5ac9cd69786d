"""Small random graphs: what fixed tables do not think of.

A seed determines a `Sketch` of three to five discrete nodes and one to three costs: shared parents,
products, stops, masks, probabilities that depend on data, a plate of two elements whose statistics
costs and children may use. The sketch is read twice, into a graph for the library and into a model
for the oracle.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import scg

from .oracle import Conditional, Cost, Model
from .rows import Row, bent, cubic, curve, graph_with

OUTCOMES = 64  # joint values of a graph, at most
LENGTH = 2
DATA = np.array([0.5, -1.2])
SIZES = {"bernoulli": 2, "units": 4, "one_hot": 3, "classes": 3}
SCALE, SHIFT, TABLE = (np.array(v) for v in ([0.9, -1.1, 0.4], [0.2, -0.3, 0.5], [0.6, -0.9, 1.3]))


@dataclass(frozen=True)
class Link:
    """A number that a node or a cost reads: a product of features of one or two parents."""

    parents: tuple[str, ...]
    pooled: str | None  # "mean" or "sum" over the plate
    stopped: bool


@dataclass(frozen=True)
class Node:
    """A discrete node, whose logit is linear in its links."""

    name: str
    kind: str
    plated: bool
    masked: bool  # a class, or an element of the plate, has no other value
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Payment:
    """A cost: a shape of two links, times data where it lives on the plate."""

    shape: str
    links: tuple[Link, Link]
    plated: bool


@dataclass(frozen=True)
class Sketch:
    """Nodes in topological order, and costs."""

    nodes: tuple[Node, ...]
    costs: tuple[Payment, ...]
    reduce: str

    def credited(self, cost: Payment) -> set[str]:
        """Nodes that reach the cost on a path without a stop."""
        found = {parent for link in cost.links if not link.stopped for parent in link.parents}
        for node in reversed(self.nodes):
            if node.name in found:
                found |= {p for link in node.links if not link.stopped for p in link.parents}
        return found


def sketch(rng: np.random.Generator) -> Sketch:
    """Draw a sketch with at most `OUTCOMES` joint values."""
    while True:
        with_plate, stops = rng.random() < 0.5, rng.random() < 0.3
        nodes: list[Node] = []

        def link(plated: bool, nodes=nodes, stops=stops) -> Link:
            parents = rng.choice(nodes, min(len(nodes), 1 + (rng.random() < 0.3)), replace=False)
            spread = any(node.plated for node in parents)
            pooled = None
            if spread and (not plated or rng.random() < 0.3):
                pooled = str(rng.choice(["mean", "sum"]))
            names = tuple(node.name for node in parents)
            return Link(names, pooled, bool(stops and rng.random() < 0.3))

        for i in range(rng.integers(3, 6)):
            plated = bool(with_plate and rng.random() < 0.5)
            kind = str(rng.choice(list(SIZES), p=[0.55, 0.1, 0.2, 0.15]))
            masked = bool((kind in ("one_hot", "classes") or plated) and rng.random() < 0.2)
            links = [link(plated) for _ in range(min(i, int(rng.integers(0, 3))))]
            nodes.append(Node("abcde"[i], kind, plated, masked, tuple(links)))
        costs = []
        for _ in range(rng.integers(1, 4)):
            plated = bool(with_plate and rng.random() < 0.5)
            shape = str(rng.choice(["cubic", "curve", "bent"]))
            costs.append(Payment(shape, (link(plated), link(plated)), plated))
        values = math.prod(SIZES[n.kind] ** (LENGTH if n.plated else 1) for n in nodes)
        if values <= OUTCOMES:
            return Sketch(tuple(nodes), tuple(costs), str(rng.choice(["mean", "sum"])))


class Reading:
    """A sketch read as expressions or as numbers, with `t` the parameters and `v` the values."""

    def __init__(self, sketch: Sketch, t: Any, v: dict[str, Any]):
        self.sketch, self.t, self.v = sketch, t, v
        self.kinds = {node.name: node.kind for node in sketch.nodes}

    def feature(self, name: str) -> Any:
        value, kind = self.v[name], self.kinds[name]
        if kind == "one_hot":
            return value @ (SCALE * self.t["k"])
        if kind == "classes":
            return (self.t["k"] * TABLE)[value]
        return value[..., 0] - 0.7 * value[..., 0] * value[..., 1] if kind == "units" else value

    def link(self, link: Link) -> Any:
        reading = self.still() if link.stopped else self
        value = math.prod(reading.feature(name) for name in link.parents)
        if link.pooled:
            value = reading.pool(value * reading.data(), link.pooled)
        return self.stop(value) if link.stopped else value

    def logit(self, node: Node) -> Any:
        weights = self.t[f"w_{node.name}"]
        total = weights[0] + sum(weights[2 + i] * self.link(x) for i, x in enumerate(node.links))
        return total + weights[1] * self.data() if node.plated else total

    def cost(self, cost: Payment) -> Any:
        a, b, k = *map(self.link, cost.links), self.t["k"]
        if cost.shape == "curve":
            value = curve(k, a) * (1.0 + 0.3 * b)
        else:
            value = cubic(a, b) + k * a if cost.shape == "cubic" else bent(k, a, b)
        return value * (1.0 + 0.4 * self.data()) if cost.plated else value


class Numbers(Reading):
    """For the oracle: the plate is the leading axis."""

    def data(self):
        return DATA

    def still(self):
        return Numbers(self.sketch, self.t.still, self.v)

    def stop(self, value):
        return value

    def pool(self, value, how):
        return (np.mean if how == "mean" else np.sum)(value, axis=0)

    def probabilities(self, node: Node) -> np.ndarray:
        """Of the values of each element, in the order of `elements`."""
        logit = np.asarray(self.logit(node))
        if node.plated:
            logit = logit + np.zeros(LENGTH)
        open_element = DATA > 0 if node.plated and node.masked else True
        if node.kind in ("one_hot", "classes"):
            weights = np.exp(logit[..., None] * SCALE + SHIFT)
            if node.masked:
                weights = weights * [1.0, 0.0, 1.0]
            return weights / np.sum(weights, axis=-1, keepdims=True)
        p = 1 / (1 + np.exp(-logit)) * open_element
        if node.kind == "bernoulli":
            return np.stack([1 - p, p], axis=-1)
        p0, p1 = (1 / (1 + np.exp(-(logit * SCALE[i] + SHIFT[i]))) * open_element for i in range(2))
        return np.stack([(1 - p0) * (1 - p1), (1 - p0) * p1, p0 * (1 - p1), p0 * p1], axis=-1)


class Nodes(Reading):
    """For the library."""

    plate: scg.Plate
    x: Any

    def data(self):
        return self.x

    def still(self):
        return self

    def stop(self, value):
        return scg.stop_gradient(value)

    def pool(self, value, how):
        return (scg.plate_mean if how == "mean" else scg.plate_sum)(value, self.plate)

    def law(self, node: Node) -> scg.Distribution:
        logit = self.logit(node)
        if node.kind in ("one_hot", "classes"):
            logits = logit * SCALE + SHIFT
            if node.masked:
                logits = np.where([True, False, True], logits, -np.inf)
            made = scg.OneHotCategorical if node.kind == "one_hot" else scg.Categorical
            return made(logits=logits)
        if node.kind == "units":
            logit = logit * SCALE[:2] + SHIFT[:2]
        if node.plated and node.masked:
            return scg.Bernoulli(probs=np.where(self.x > 0, scg.sigmoid(logit), 0.0))
        return scg.Bernoulli(logits=logit)


def elements(node: Node) -> list[Any]:
    """The values of one element."""
    if node.kind == "one_hot":
        return list(np.eye(3))
    if node.kind == "classes":
        return [0, 1, 2]
    if node.kind == "units":
        return [np.array(bits) for bits in itertools.product((0.0, 1.0), repeat=2)]
    return [0.0, 1.0]


def conditional(sketch: Sketch, node: Node) -> Conditional:
    values = elements(node)
    places = itertools.product(range(len(values)), repeat=LENGTH if node.plated else 1)

    def probability(t, v, place):
        rows = np.reshape(Numbers(sketch, t, v).probabilities(node), (-1, len(values)))
        return math.prod(row[i] for row, i in zip(rows, place, strict=True))

    def value(t, v, place):
        return np.array([values[i] for i in place]) if node.plated else np.asarray(values[place[0]])

    return Conditional(node.name, list(places), probability, value)


def random_row(seed: int) -> Row:
    """The row of a seed."""
    rng = np.random.default_rng(seed)
    plan = sketch(rng)
    params = {f"w_{n.name}": rng.uniform(-1.2, 1.2, 2 + len(n.links)) for n in plan.nodes}
    params["k"] = rng.uniform(0.4, 0.9, ())
    spread = any(n.plated for n in plan.nodes) or any(c.plated for c in plan.costs)

    def build():
        g, t = graph_with(f"random {seed}", params)
        reading = Nodes(plan, t, {})
        reading.plate = scg.Plate("items", reduce=plan.reduce)
        reading.x = g.data("x", plates=reading.plate) if spread else None
        for node in plan.nodes:
            reading.v[node.name] = g.sample(node.name, reading.law(node))
        for i, cost in enumerate(plan.costs):
            g.cost(f"cost{i}", reading.cost(cost))
        return g

    def objective(cost, t, v):
        value = Numbers(plan, t, v).cost(cost)
        return (np.mean if plan.reduce == "mean" else np.sum)(value)

    model = Model(
        [conditional(plan, node) for node in plan.nodes],
        [
            Cost(lambda t, v, cost=cost: objective(cost, t, v), plan.credited(cost))
            for cost in plan.costs
        ],
    )
    return Row(f"random {seed}", build, params, model, {"x": DATA} if spread else {})
