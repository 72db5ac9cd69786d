"""Random recurrent graphs, and the same gradient estimate by loops and by the unrolled graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import scg
from scg.compiler.analyse import Influence
from scg.compiler.plan import make_plan

#: Estimators by the name of their row; nodes that one does not fit get another (`fallback`).
ROWS: dict[str, Any] = {
    "score": scg.ScoreFunction,
    "score, constant": lambda: scg.ScoreFunction(scg.baselines.Constant(0.3)),
    "score, moving average": lambda: scg.ScoreFunction(scg.baselines.MovingAverage(0.9)),
    "score, self-critical": lambda: scg.ScoreFunction(scg.baselines.SelfCritical()),
    "score, network": lambda: scg.ScoreFunction(scg.baselines.Network((3,))),
    "leave-one-out": lambda: scg.LeaveOneOut(samples=3),
    "MuProp": scg.MuProp,
    "MuProp, rollout": lambda: scg.MuProp(mean_field="rollout"),
    "reparameterization": scg.Reparameterization,
    "straight-through": scg.StraightThrough,
    "Gumbel-softmax": lambda: scg.GumbelSoftmax(0.7),
    "Rao-Gumbel": lambda: scg.RaoGumbel(resamples=3),
    "ReinMax": scg.ReinMax,
    "gapped straight-through": scg.GappedStraightThrough,
    "DARN": scg.DARN,
    "LAX": lambda: scg.LAX(hidden=(3,)),
    "REBAR": scg.REBAR,
    "RELAX": lambda: scg.RELAX(hidden=(3,)),
    "RAM": scg.RAM,
    "local expectation": scg.LocalExpectation,
    "measure-valued": scg.MeasureValued,
    "ARM": scg.ARM,
    "DisARM": scg.DisARM,
    "ARMS": lambda: scg.ARMS(samples=2),
    "double control variates": lambda: scg.DoubleCV(samples=2),
    "RODEO": lambda: scg.RODEO(samples=2, hidden=3),
    "gradient predictor": scg.GradientPredictor,
    "GO": scg.GO,
    "stochastic triple": scg.StochasticTriple,
    "UGC": scg.UGC,
    "bit flip": scg.BitFlip,
    "enumeration": scg.Enumeration,
    "unordered set": lambda: scg.UnorderedSet(samples=2),
    "sum-and-sample": lambda: scg.SumAndSample(samples=2),
    "stratified": lambda: scg.Stratified(samples=2),
    "ARSM": scg.ARSM,
    "CARMS": lambda: scg.CARMS(samples=2),
    "categorical DisARM": scg.CategoricalDisARM,
    "mixed": None,
    "sequences": None,
}
#: Rows that run as loops wherever they fit.
ROLLED = (
    *("score", "score, constant", "score, moving average", "score, network", "leave-one-out"),
    *("MuProp", "reparameterization", "straight-through", "Gumbel-softmax", "Rao-Gumbel"),
    *("ReinMax", "gapped straight-through", "DARN", "LAX", "mixed", "sequences"),
)
LENGTHS = (1, 2, 3, 17)
GRAPHS = 40


class Recurrent:
    """A random recurrent graph; every feature of scans occurs among the first twelve seeds."""

    def __init__(self, seed: int):
        rng = np.random.default_rng((2016, seed))
        self.seed, self.kinds = seed, ("bits", "numbers", "both", "classes")[seed % 4]
        self.masked, self.twice, self.reverse = seed % 3 == 1, seed % 5 == 2, seed % 7 == 3
        self.t = scg.Time("t", reduce="mean" if seed % 6 == 5 else "sum")
        self.batch = scg.Plate("batch", reduce=("mean", "sum")[seed % 2])
        wide = seed % 2 == 0 or self.kinds == "classes"
        self.plates = (self.batch, self.t) if wide else (self.t,)
        self.size = 2 if self.kinds == "classes" else int(rng.integers(1, 3))
        g = self.graph = scg.Graph(f"recurrent {seed}")
        n = self.size
        weights = {
            name: g.parameter(name, rng.normal(scale=0.6, size=(n, n))) for name in ("A", "B", "C")
        }
        bias = g.parameter("bias", rng.normal(scale=0.4, size=n))
        x = g.data("x", shape=(n,), plates=self.plates)
        mask = g.data("there", plates=self.plates, kind="int") if self.masked else None
        start: Any = np.full(n, 0.3)
        if seed % 4 == 3 or seed % 8 == 1:
            start = np.tanh(bias) + self.node("start", bias)

        def cell(state: Any, x: Any) -> Any:
            h, age = state["h"], state["age"]
            z = self.node("z", h @ weights["A"] + x + bias)
            g.cost("fit", np.sum((z - h) ** 2 * x) + np.sum(bias * z) * age)
            y = z
            if self.kinds == "both":
                y = g.sample("y", scg.Normal(z @ weights["B"] + h, 0.7))
                g.cost("size", np.sum(y * h) ** 2, mask=np.sum(x) > 0)
            new = np.tanh(y @ weights["C"] + scg.stop_gradient(h) * 0.5 + h * x)
            return {"h": new, "age": age * 0.8 + 0.1}, (z, h)

        options = {"over": self.t, "mask": mask, "reverse": self.reverse}
        if seed % 9 == 4:
            options["discount"] = 0.9
        last, (zs, hs) = g.scan(cell, init={"h": start, "age": 1.0}, xs=x, **options)
        if self.twice:

            def back(s: Any, z: Any, h: Any) -> Any:
                w = self.node("w", s - h)
                g.cost("later", np.sum(w * z) + np.sum(s**2))
                return np.tanh(s + w @ weights["B"])

            last, _ = (
                {"h": end}
                for end in g.scan(
                    back, init=last["h"], xs=(zs, hs), over=self.t, reverse=not self.reverse
                )
            )
        g.cost("end", np.sum(last["h"] * np.sum(bias)))
        g.cost("between", np.sum(hs * bias) ** 2)

    def node(self, name: str, logits: Any) -> Any:
        """A random node of the graph's kind."""
        if self.kinds == "numbers":
            return self.graph.sample(name, scg.Normal(logits, 0.5 + scg.sigmoid(logits)))
        if self.kinds == "classes":
            return self.graph.sample(name, scg.OneHotCategorical(logits=logits))
        return self.graph.sample(name, scg.Bernoulli(logits=logits))

    def data(self, length: int) -> dict[str, Any]:
        """Data of a length; sequences of several lengths where the graph has a mask."""
        rng = np.random.default_rng((self.seed, length))
        sizes = {self.t: length, self.batch: 2}
        lead = tuple(sizes[p] for p in self.graph.data_nodes["x"].plates)
        values = {"x": rng.normal(size=(*lead, self.size))}
        if self.masked:
            values["there"] = (rng.random(lead) < 0.7).astype(int)
        return values

    def estimators(self, row: str) -> Any:
        """The estimators of a row by node, others where it does not fit; None if it fits none."""
        names = list(self.graph.stochastic)
        if row == "mixed":
            every = (scg.ScoreFunction(), scg.MuProp(), scg.StraightThrough())
            return {name: every[i % 3] for i, name in enumerate(names) if name != "y"}
        if row == "sequences":  # one node samples whole sequences, whatever the others do
            loo = scg.LeaveOneOut(samples=3)
            return {name: loo if i % 2 else scg.ScoreFunction() for i, name in enumerate(names)}
        own, found = ROWS[row](), {}
        short = Influence(self.graph.unroll(t=2))
        for name in names:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    make_plan(short, {name: own})
                except scg.EstimatorError:
                    continue
            found[name] = own
        return found or None


def gaps(case: Recurrent, row: str, lengths: Any, backend: str = "numpy") -> Iterator[Any]:
    """For each length the largest difference between a step and the step of the unrolled graph.

    It is relative to the size of each output. The first item is the step itself, or the reason why
    there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = case.estimators(row)
        if chosen is None:
            yield "fits no node"
            return
        try:
            step = scg.compile(case.graph, chosen, backend=backend)
        except scg.EstimatorError as error:
            yield str(error)
            return
        yield step
        params, state = case.graph.init(seed=0), step.init(seed=1)
        for length in lengths:
            data = case.data(length)
            try:
                plain = scg.compile(case.graph.unroll(t=length), chosen, backend="numpy")
            except scg.EstimatorError:  # beyond the limit of paths
                continue
            noise = step.noise(seed=3, runs=2, data=data)
            a = step(params, noise=noise, data=data, state=state)
            b = plain(params, noise=noise, data=data, state=state)
            yield max(gap(*pair) for pair in pairs(a, b))


def pairs(a: Any, b: Any) -> Iterator[tuple[Any, Any]]:
    yield a.cost, b.cost
    for name, grad in a.grads.items():
        yield grad, b.grads[name]
        yield a.stderr[name], b.stderr[name]
    for kind in ("state", "estimator_grads"):
        for node, entries in getattr(a, kind).items():
            for name, value in entries.items():
                yield value, getattr(b, kind)[node][name]


def gap(a: Any, b: Any) -> float:
    return float(
        np.max(np.abs(np.subtract(a, b)), initial=0.0) / (1.0 + np.max(np.abs(b), initial=0.0))
    )
