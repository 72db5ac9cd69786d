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
    "score, optimal constant": lambda: scg.ScoreFunction(scg.baselines.OptimalConstant()),
    "score, optimal input": lambda: scg.ScoreFunction(scg.baselines.OptimalInput()),
    "score, per unit": lambda: scg.ScoreFunction(scg.baselines.PerUnit()),
    "VIMCO": scg.VIMCO,
    "RSVI": scg.RSVI,
    "G-REP": scg.GREP,
    "implicit MLE": scg.ImplicitMLE,
    "Gumbel-Sinkhorn": scg.GumbelSinkhorn,
    "persistent chains": lambda: scg.PersistentChains(samples=2),
    "evolution strategy": scg.EvolutionStrategy,
    "orthogonal evolution": lambda: scg.OrthogonalEvolution(samples=2),
    "SPSA": scg.SPSA,
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
#: What a node beside the carry is, and where it leads: a node that does not read the carry to the
#: cost of its step, the next carry, or that and a cost of all steps; or a node that reads the carry
#: of its step, and that no later one sees.
BESIDE = (
    (None, ""),
    ("bits", "step"),
    ("gamma", "carry"),
    ("bits", "carry"),
    ("subset", "out"),
    ("classes", "after"),
    ("bits", "out"),
    ("matching", "carry"),
    ("point", "step"),
    ("machine", "carry"),
)


class Recurrent:
    """A random recurrent graph.

    Seeds that differ by 4 have another node beside the carry (`BESIDE`); every other feature of
    scans occurs among the first twelve seeds.
    """

    def __init__(self, seed: int):
        rng = np.random.default_rng((2016, seed))
        self.seed, self.kinds = seed, ("bits", "numbers", "both", "classes")[seed % 4]
        self.masked, self.twice, self.reverse = seed % 3 == 1, seed % 5 == 2, seed % 7 == 3
        self.t = scg.Time("t", reduce="mean" if seed % 6 == 5 else "sum")
        self.batch = scg.Plate("batch", reduce=("mean", "sum")[seed % 2])
        self.inner = scg.Plate("inner", reduce="sum") if seed % 5 == 4 else None
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
        form, place = BESIDE[seed // 4 % len(BESIDE)]

        def cell(state: Any, x: Any) -> Any:
            h, age = state.values() if isinstance(state, dict) else state
            z = self.node("z", h @ weights["A"] + x + bias)
            g.cost("fit", np.sum((z - h) ** 2 * x) + np.sum(bias * z) * age)
            y = z
            if self.kinds == "both":
                y = g.sample("y", scg.Normal(z @ weights["B"] + h, 0.7))
                g.cost("size", np.sum(y * h) ** 2, mask=np.sum(x) > 0)
            beside = form and self.beside(form, np.sum(bias * x) + np.sum(place == "after") * h[0])
            if form and place in ("step", "after"):
                g.cost("own", beside * np.sum(z) + (beside - 0.3) ** 2 * bias[0])
            if self.inner is not None:
                y = y + self.particles(h @ weights["B"])
            new = np.tanh(y @ weights["C"] + scg.stop_gradient(h) * 0.5 + h * x)
            if form and place in ("carry", "out"):
                new = new + 0.3 * beside
            older = age * 0.8 + 0.1
            after = {"h": new, "age": older} if isinstance(state, dict) else (new, older)
            return after, (z, h, np.sum(y) + (beside if form else 0.0))

        options = {"over": self.t, "mask": mask, "reverse": self.reverse}
        if seed % 9 == 4:
            options["discount"] = 0.9
        init = (start, 1.0) if seed % 3 == 2 else {"h": start, "age": 1.0}
        last, (zs, hs, sums) = g.scan(cell, init=init, xs=x, **options)
        last = last["h"] if isinstance(last, dict) else last[0]
        if self.twice:

            def back(s: Any, z: Any, h: Any) -> Any:
                w = self.node("w", s - h)
                g.cost("later", np.sum(w * z) + np.sum(s**2))
                return np.tanh(s + w @ weights["B"])

            last, _ = g.scan(back, init=last, xs=(zs, hs), over=self.t, reverse=not self.reverse)
        g.cost("end", np.sum(last * np.sum(bias)))
        g.cost("between", np.sum(hs * bias) ** 2)
        if place == "out":
            g.cost("all", np.tanh(scg.plate_sum(sums * bias[0], self.t)) ** 2)

    def beside(self, form: str, logit: Any) -> Any:
        """A number of a random node that reads no carry, unless `logit` does."""
        g = self.graph
        logits = logit * np.array([1.0, -0.5, 0.2])
        if form == "bits":
            return g.sample("u", scg.Bernoulli(logits=logit))
        if form == "gamma":
            return g.sample("u", scg.Gamma(1.2 + np.exp(0.3 * logit), 2.0))
        if form == "classes":
            return g.sample("u", scg.Categorical(logits=logits)) * 0.5
        if form == "subset":
            return g.sample("u", scg.Subset(logits=logits, k=2)) @ np.array([0.2, -0.4, 0.7])
        if form == "matching":
            pairs = g.sample("u", scg.Matching(logits=logits[:2, None] * np.arange(2.0)))
            return (pairs @ np.array([0.2, -0.4]))[0]
        if form == "point":
            return g.sample("u", scg.Delta(np.tanh(logit)))
        return g.sample("u", scg.RBM(logits[:2], logits[:1], np.ones((2, 1)) * logit))[0]

    def particles(self, logits: Any) -> Any:
        """The mean of samples on a plate within the cell, which also have a bound as their cost."""
        assert self.inner is not None
        shift = self.graph.data("shift", plates=self.inner)
        p = self.node("p", logits + shift)
        self.graph.cost("bound", -scg.plate_logsumexp(np.sum(p * logits) - shift, self.inner))
        return scg.plate_mean(p, self.inner)

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
        if self.inner is not None:
            values["shift"] = np.array([-0.3, 0.2])
        return values

    def estimators(self, row: str) -> Any:
        """The estimators of a row by node, others where it does not fit; None if it fits none."""
        names = list(self.graph.stochastic)
        if row == "mixed":  # the compiler chooses where it does not fit
            every = [self.estimators(own) or {} for own in ("score", "MuProp", "straight-through")]
            mixed = ((name, every[i % 3].get(name)) for i, name in enumerate(names) if name != "y")
            return {name: own for name, own in mixed if own}
        if row == "sequences":  # one node samples whole sequences, whatever the others do
            loo = scg.LeaveOneOut(samples=3)
            return {name: loo if i % 2 else scg.ScoreFunction() for i, name in enumerate(names)}
        if row == "VIMCO":
            return None if self.inner is None else {"p": scg.VIMCO(self.inner)}
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
    there is none. Where the graph of a length has too many paths, the item is the error's text.
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
            except scg.EstimatorError as error:  # beyond the limit of paths
                yield str(error)
                continue
            noise = step.noise(seed=3, runs=2, data=data)
            a = step(params, noise=noise, data=data, state=state)
            own = plain.noise(seed=3, runs=2, data=data)
            # where each step has a sample plate, it has a leaf for it, and reads its slice
            apart = {name: noise[name.partition("[")[0]] for name in own.keys() - noise.keys()}
            b = plain(params, noise=noise | apart, data=data, state=state)
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
