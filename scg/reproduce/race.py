"""Race: estimators train one model with the same number of evaluations of its cost, or updates."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

import scg
from scg.data import Binarize
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.page import band, framed, interval, shared_legend, table
from scg.reproduce.paper import SEEDS, Conditions, Finding, Piece
from scg.train import Run
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATE = 1e-3
VALID_SAMPLES = 5  # an image, in the curves


@dataclass(frozen=True)
class Race:
    """A model, and the estimators that train it on images binarized anew for each batch.

    Attributes
    ----------
    name : str
        Name of the model.
    graph : callable
        From the mean training image to the graph.
    rivals : mapping
        By name an estimator, and how often one update evaluates the cost of an example.
    budget : int
        Evaluations of the cost in a training run, for each example of a batch: a rival that needs
        more in an update makes fewer updates. With ``equal="updates"``, the updates of each rival.
    measure : callable
        From an evaluation to the figure and its standard error; lower is better.
    trained : mapping
        By name of a rival: from the mean training image to the graph that it trains, if that is
        another one, with the same parameters.
    samples : int
        Samples per image in the test.
    unit : str
        What is measured.
    colours : int
        Number of colours in the figure; further rivals have the same ones, dashed.
    equal : {"evaluations", "updates"}
        What the budget counts.
    optimizer : Optimizer
        The optimizer.
    batch : int
        Images in a batch.
    optimizers : mapping
        By name of a rival its own optimizer, if it has one.
    published : mapping
        By name of a rival the published figure.
    points : int
        Validations in a run, between which the updates pass over the images once at most.
    """

    name: str
    graph: Callable[[np.ndarray], scg.Graph]
    rivals: Mapping[str, tuple[scg.Estimator, int]]
    budget: int
    measure: Callable[[Any], tuple[float, float]]
    trained: Mapping[str, Callable[[np.ndarray], scg.Graph]] = field(default_factory=dict)
    samples: int = 20
    unit: str = "−bound"
    colours: int = len(COLOURS)
    equal: str = "evaluations"
    optimizer: scg.optim.Optimizer = field(default_factory=lambda: scg.optim.Adam(RATE))
    batch: int = 50
    optimizers: Mapping[str, scg.optim.Optimizer] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)
    points: int = 12

    def updates(self, rival: str) -> int:
        """The updates of a rival's run: a multiple of the points of its curve."""
        each = self.budget // (self.price(rival) * self.points)
        return max(each, 1) * self.points

    def price(self, rival: str) -> int:
        """What an update takes from the budget."""
        return self.rivals[rival][1] if self.equal == "evaluations" else 1

    def pieces(self, under: Conditions, seed: int) -> Iterator[Piece]:
        """One run of each rival."""
        shown = functools.cache(lambda: training.images(under.data, "sampled"))
        grey = functools.cache(lambda: training.held_out(under.data)[0])
        for rival in self.rivals:

            def work(rival: str = rival) -> Record:
                return self._train(under, grey(), shown(), rival, seed)

            yield Piece(self._key(rival, seed=seed), work)

    def _key(self, rival: str, **more: Any) -> Record:
        return dict(kind="race", race=self.name, rival=rival, budget=self.budget, **more)

    def _train(
        self, under: Conditions, grey: np.ndarray, x: training.Images, rival: str, seed: int
    ) -> Record:
        graph = self.graph(x.means)
        watch = _Watch(graph, self.measure, x.valid)
        trained = self.trained[rival](x.means) if rival in self.trained else graph
        step = scg.compile(trained, self.rivals[rival][0], backend=under.backend, dtype="float32")
        run = scg.fit(
            step, data={"x": grey}, seed=seed, batch_size=self.batch, epochs=self.points,
            optimizer=self.optimizers.get(rival, self.optimizer), callbacks=[watch],
            steps_per_epoch=self.updates(rival) // self.points, transform=Binarize(),
        )  # fmt: skip
        found = scg.evaluate(
            graph, run.params, {"x": x.test}, samples=self.samples, seed=2, batch_size=250
        )
        figure, stderr = self.measure(found)
        return {
            "test": round(figure, 3),
            "stderr": round(stderr, 3),
            # The first stretch holds the compilation.
            "ms": round(1000 * self.points * median(watch.seconds[1:]) / run.now.count, 4),
            "curve": watch.curve,
        }

    # --- results ----------------------------------------------------------------------------------
    def find(self, records: list[Record], rival: str) -> list[Record]:
        """The runs of a rival, in the order of the seeds."""
        found = [r for r in records if self._key(rival).items() <= r.items()]
        return sorted(found, key=lambda r: r["seed"])

    def order(self, records: list[Record], worse: str, better: str) -> Finding:
        """Expect one rival to end above another for each seed."""
        text = f"{self.name}: {worse} ends above {better} for each seed"
        high, low = (self.find(records, name) for name in (worse, better))
        pairs = [(a, b) for a in high for b in low if a["seed"] == b["seed"]]
        gaps = [a["test"] - b["test"] for a, b in pairs]
        about = f"By {', '.join(f'{gap:.2f}' for gap in gaps)} nats." if gaps else ""
        return Finding(text, min(gaps) > 0 if gaps else None, about)

    def table(self, records: list[Record]) -> str:
        """Figures at the end of the evaluations, and after equal times."""
        found = {name: runs for name in self.rivals if (runs := self.find(records, name))}
        if not found:
            return ""
        speeds = {name: min(r["ms"] for r in runs) for name, runs in found.items()}
        seconds = min(speeds[name] * self.updates(name) for name in found) / 1000
        prices = {name: self.rivals[name][1] for name in found}
        fewest = min(prices[name] * self.updates(name) for name in found)
        rows = []
        for name, runs in found.items():
            rows.append(
                [
                    name,
                    prices[name],
                    self.updates(name),
                    f"{interval([r['test'] for r in runs], 2)} ({len(runs)})",
                    f"{speeds[name]:.2f}",
                    _after(runs, 1000 * seconds / speeds[name]),
                ]
            )
            if self.equal == "updates":
                rows[-1].append(_after(runs, fewest / prices[name]))
            if self.published:
                rows[-1].insert(4, self.published.get(name, "–"))
        head = ["estimator", "evaluations an update", "updates",
                f"test, equal {self.equal} (seeds)", "CPU ms an update",
                f"validation after {seconds:.1f} CPU s"]  # fmt: skip
        if self.equal == "updates":
            head.append(f"validation after {fewest} evaluations")
        if self.published:
            head.insert(4, "published")
        return f"## {self.name}\n\n{table(head, rows)}"


def chained(races: Sequence[Race]) -> Callable[[Conditions, Ledger], Iterator[Piece]]:
    """The pieces of work of a paper: all runs of a seed before those of the next seed."""

    def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
        for seed in SEEDS:
            for each in races:
                yield from each.pieces(under, seed)

    return pieces


@dataclass
class _Watch:
    """A callback that validates after each stretch of updates, and measures its CPU time."""

    graph: scg.Graph
    measure: Callable[[Any], tuple[float, float]]
    x: np.ndarray
    curve: list[list[float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    since: float = field(default_factory=time.process_time)

    def __call__(self, run: Run) -> None:
        self.seconds.append(time.process_time() - self.since)
        found = scg.evaluate(self.graph, run.params, {"x": self.x}, samples=VALID_SAMPLES, seed=1)
        self.curve.append([run.now.count, round(self.measure(found)[0], 3)])
        self.since = time.process_time()


def at(curve: Sequence[Sequence[float]], updates: float) -> float:
    """The height of a curve after some updates, between its points."""
    return float(np.interp(updates, *np.transpose(curve)))


def _after(runs: Sequence[Record], updates: float) -> str:
    """The validation figures of runs after some updates, if they had one by then."""
    if updates < (first := runs[0]["curve"][0][0]):
        return f"– (first validation after {first} updates)"
    return interval([at(r["curve"], updates) for r in runs], 2)


ABOUT = (
    "Test figures in nats with 95 % intervals over the seeds, whose number stands in brackets: one "
    "in four of the test images, {} samples each. Their own standard error, {:.2f} to {:.2f} nats, "
    "is common to all estimators. Runs have equal numbers of {}; validation compares them after "
    "equal times, by the fastest run of each estimator{}. Validation and figure use one in ten of "
    f"the validation images, {VALID_SAMPLES} samples each."
)


def tables(races: Sequence[Race], records: list[Record]) -> str:
    """The tables of all races."""
    errors = [r["stderr"] for r in records if r["kind"] == "race"]
    first = races[0]
    counted = first.equal == "evaluations"
    what = "evaluations of the cost" if counted else first.equal
    more = "" if counted else ", and after equal evaluations of the cost"
    about = ABOUT.format(first.samples, min(errors), max(errors), what, more) if errors else ""
    return "\n\n".join([about, *(race.table(records) for race in races)])


def draw(races: Sequence[Race], records: list[Record]) -> Figure:
    """Validation against evaluations and time, means and ranges over the seeds.

    Each race that has runs is a row.
    """
    begun = {r["race"] for r in records if r["kind"] == "race"}
    races = [race for race in races if race.name in begun] or list(races[:1])
    names = list(dict.fromkeys(name for race in races for name in race.rivals))
    figure = canvas(9.5, 3.0 * len(races))
    for pair, race in zip(figure.subplots(len(races), 2, squeeze=False, sharey="row"), races,
                          strict=True):  # fmt: skip
        longest = []
        for i, name in enumerate(names):
            runs = race.find(records, name)
            if not runs:
                continue
            curves = np.array([r["curve"] for r in runs])
            updates, values = curves[0, :, 0], curves[:, :, 1]
            scales = race.price(name), min(r["ms"] for r in runs) / 1000
            color, style = COLOURS[i % race.colours], "--" if i >= race.colours else "-"
            width = 3.0 - 1.8 * i / len(names)  # so that lines below others are seen
            longest.append(scales[1] * updates[-1])
            for axes, scale in zip(pair, scales, strict=True):
                band(axes, scale * updates, values, color=color, ls=style, label=name, lw=width)
        counted = "evaluations of an example's cost" if race.equal == "evaluations" else race.equal
        pair[0].set(xlabel=counted, ylabel=f"{race.unit}, validation, nats")
        pair[0].set_title(race.name)
        pair[1].set(xlabel="CPU seconds of training", title="the same runs against time")
        if longest and max(longest) > 5 * min(longest):
            pair[1].set_xscale("log")
            pair[1].xaxis.set_major_formatter("{x:g}")
        for axes in pair:
            framed(axes)
    shared_legend(figure, figure.axes[::2])
    return figure
