"""Standings: who won a contest, as expectations, tables and learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.reproduce import training
from scg.reproduce.contest import Contest
from scg.reproduce.ledger import Record
from scg.reproduce.page import framed, half_width, interval, shared_legend, table
from scg.reproduce.paper import Finding, by_ratio
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RUN = ("images", "model", "estimator", "rate", "seed", "updates")


@dataclass(frozen=True)
class Standings:
    """The results of a contest so far.

    Attributes
    ----------
    contest : Contest
        What was measured.
    records : list of dict
        The finished pieces of work.
    """

    contest: Contest
    records: list[Record]

    def find(self, kind: str, **key: Any) -> list[Record]:
        """The records of one kind that have these entries."""
        return [r for r in self.records if {"kind": kind, **key}.items() <= r.items()]

    def _tested(self, **key: Any) -> list[Record]:
        """The runs that were tested."""
        tested = {tuple(r[k] for k in _RUN) for r in self.find("test")}
        return [r for r in self.find("run", **key) if tuple(r[k] for k in _RUN) in tested]

    def lengths(self) -> list[int]:
        """The numbers of updates that have tests, the largest first."""
        return sorted({r["updates"] for r in self.find("test")}, reverse=True)

    def figures(self, how: str, *who: tuple[str, str]) -> tuple[int, list[list[float]]] | None:
        """The largest length at which all these models and estimators have tests, and the tests."""
        for updates in self.lengths():
            found = [
                [r["test"] for r in self.find("test", images=how, model=m, estimator=e,
                                              updates=updates)]
                for m, e in who
            ]  # fmt: skip
            if all(found):
                return updates, found
        return None

    # --- expectations -----------------------------------------------------------------------------
    def order(self, how: str, worse: tuple[str, str], better: tuple[str, str]) -> Finding:
        """Expect one model and estimator above another for all seeds."""
        model = f"{worse[0]}, " if worse[0] == better[0] else ""
        names = [worse[1], better[1]] if model else [", ".join(who) for who in (worse, better)]
        text = f"{model}{how}: {names[0]} ends above {names[1]} for all seeds"
        found = self.figures(how, worse, better)
        if found is None:
            return Finding(text, None)
        updates, (high, low) = found
        about = (
            f"{interval(high)} and {interval(low)} nats after {updates} updates "
            f"({len(high)} and {len(low)} seeds)."
        )
        return Finding(text, min(high) > max(low), about)

    def near(self, how: str, model: str, name: str, nats: float) -> Finding:
        """Expect the mean over seeds within some nats of the published figure."""
        published = self.contest.published[model][name]
        text = f"{model}, {how}: {name} ends within {nats:g} nats of the published {published}"
        found = self.figures(how, (model, name))
        if found is None:
            return Finding(text, None)
        updates, (values,) = found
        met = abs(mean(values) - published) <= nats
        return Finding(text, met, f"{interval(values)} nats after {updates} updates.")

    def less_variance(self, model: str, more: str, less: str) -> Finding:
        """Expect one estimator to have a higher variance than another at all frozen checkpoints."""
        text = f"{model}, at the frozen checkpoints: {more} has a higher variance than {less}"
        for updates in self.lengths():
            found = self._by_seed(model, updates)
            if more in found and less in found:
                return by_ratio(text, *_paired(found[more], found[less]))
        return Finding(text, None)

    def _by_seed(self, model: str, updates: int) -> dict[str, dict[int, float]]:
        """Variances at the checkpoints by estimator and seed."""
        found: dict[str, dict[int, float]] = {}
        for r in self.find("variance", model=model, updates=updates):
            found.setdefault(r["estimator"], {})[r["seed"]] = r["variance"]
        return found

    def faster(self, how: str, model: str, fast: str, slow: str, factor: float) -> Finding:
        """Expect one estimator to reach the best of another in a fraction of its updates."""
        text = f"{model}, {how}: {fast} reaches the best of {slow} {factor:g} times sooner"
        for updates in self.lengths():
            key = dict(images=how, model=model, updates=updates)
            curves = {r["seed"]: r["curve"] for r in self._tested(estimator=fast, **key)}
            ratios = [
                r["best_at"] / _first(curves[r["seed"]], r["valid"])
                for r in self._tested(estimator=slow, **key)
                if r["seed"] in curves
            ]
            if ratios:
                about = f"Ratios {', '.join(f'{r:.2g}' for r in ratios)} after {updates} updates."
                return Finding(text, min(ratios) >= factor, about)
        return Finding(text, None)

    # --- tables and figure ------------------------------------------------------------------------
    def tables(self) -> str:
        """Test figures by length and kind of images, and variances."""
        errors = [r["stderr"] for r in self.find("test")]
        parts = []
        if errors:
            parts.append(
                f"{self.contest.unit} of test images in nats, with 95 % intervals over the seeds, "
                f"whose number stands in brackets. The images' own standard error, "
                f"{min(errors):.2f} to {max(errors):.2f} nats, is common to all estimators. Times "
                "are those of the fastest run, of its processor; records before 82a309d hold those "
                "of the clock."
            )
        for updates in self.lengths():
            for model in self.contest.models:
                rows = list(self._rows(model, updates))
                if rows:
                    head = [
                        "estimator",
                        *self.contest.images,
                        "published",
                        "rates, of those tried",
                        "ms an update",
                    ]
                    parts += [f"## {model}, {updates} updates", table(head, rows)]
                    parts += self._variances(model, updates)
        return "\n\n".join(parts)

    def _rows(self, model: str, updates: int) -> Iterator[list[Any]]:
        for name in self.contest.estimators:
            key = dict(model=model, estimator=name, updates=updates)
            tests, runs = self.find("test", **key), self.find("run", **key)
            if tests:
                values = [
                    [r["test"] for r in tests if r["images"] == h] for h in self.contest.images
                ]
                chosen, tried = (
                    ", ".join(f"{x:g}" for x in sorted({r["rate"] for r in found}))
                    for found in (tests, runs)
                )
                yield [
                    name,
                    *(f"{interval(v)} ({len(v)})" if v else "–" for v in values),
                    self.contest.published[model].get(name, "–"),
                    f"{chosen} of {tried}",
                    f"{_speed(runs):.1f}",
                ]

    def _variances(self, model: str, updates: int) -> list[str]:
        found, frozen = self._by_seed(model, updates), self.contest.frozen
        if frozen not in found:
            return []
        records = self.find("variance", model=model, updates=updates)
        biased = {r["estimator"] for r in records if not r["unbiased"]}
        graph = self.contest.models[model](np.full(784, 0.5))
        efforts = {e: training.effort(graph, self.contest.measured[e]) for e in found}
        clock = training.clock(self.records, model=model, updates=updates)
        own, rows = efforts[frozen], []
        for name, values in found.items():
            above, below = _paired(values, found[frozen])
            ratio = mean(a / b for a, b in zip(above, below, strict=True))
            evaluations, work = efforts[name]
            timed = name in clock and frozen in clock
            rows.append(
                [name + (" (biased)" if name in biased else ""),
                 f"{interval(list(values.values()), None)} ({len(values)})", f"{ratio:.3g}",
                 f"{ratio * evaluations / own[0]:.3g}", f"{ratio * work / own[1]:.3g}",
                 f"{ratio * clock[name] / clock[frozen]:.3g}" if timed else "–",
                 evaluations, f"{work:.1f}", f"{clock[name]:.2f}" if timed else "–"]
            )  # fmt: skip
        about = (
            f"Variance of a gradient where {frozen} was best, with 95 % intervals over the seeds, "
            f"whose number stands in brackets: {records[0]['draws']} runs on one fixed batch, mean "
            "over all components of the stochastic layers, without variance normalization. The "
            "last columns count the evaluations of the cost in a gradient, its operations relative "
            "to the model's, and CPU milliseconds; the ratios before them are those at equal "
            "budgets of each:"
        )
        head = ["estimator", "variance", f"ratio to {frozen}", "equal evaluations",
                "equal operations", "equal times", "evaluations", "operations", "ms"]  # fmt: skip
        return [about, table(head, rows)]

    def draw(self) -> Figure:
        """Validation of the tested runs against updates and time, and tests beside published ones.

        Each model is a row, at its largest length.
        """
        runs = self._tested()
        models = [m for m in self.contest.models if any(r["model"] == m for r in runs)]
        figure = canvas(9.5, 3.0 * max(1, len(models)))
        grid = figure.subplots(max(1, len(models)), 3, squeeze=False, width_ratios=(3, 3, 2))
        for row, model in zip(grid, models, strict=False):
            mine = [r for r in runs if r["model"] == model]
            updates = max(r["updates"] for r in mine)
            how = next(h for h in self.contest.images if any(r["images"] == h for r in mine))
            key = dict(model=model, updates=updates, images=how)
            shown = [r for r in mine if key.items() <= r.items()]
            row[1].sharey(row[0])
            self._curves(row[:2], shown)
            self._ends(row[2], key)
            row[0].set_title(f"{model}, {how}")
        labels = 1 + len(self.contest.estimators)  # the last one marks published figures
        above = {"loc": "outside upper center", "fontsize": "medium", "ncols": labels}
        shared_legend(figure, (*grid[:, 0], grid[0, 2]), **above)
        return figure

    def _curves(self, pair: Any, shown: list[Record]) -> None:
        for color, name in zip(COLOURS, self.contest.estimators, strict=False):
            mine = [r for r in shown if r["estimator"] == name]
            speed = _speed(self.find("run", model=mine[0]["model"], estimator=name)) if mine else 0
            for r in mine:
                points = np.array(r["curve"], dtype=float)
                for axes, scale in zip(pair, (1.0, speed / 1000), strict=True):
                    x, y = scale * points[:, 0], points[:, -1]
                    axes.plot(x, y, color=color, alpha=0.8, label=name)
        pair[0].set(xlabel="updates", ylabel=f"{self.contest.unit}, validation, nats")
        pair[1].set(xlabel="seconds, speed of the fastest run", title="the same against time")
        for axes in pair:
            axes.locator_params(axis="x", nbins=5)
            framed(axes)

    def _ends(self, axes: Any, key: Record) -> None:
        names = list(self.contest.estimators)
        for i, (color, name) in enumerate(zip(COLOURS, names, strict=False)):
            values = [r["test"] for r in self.find("test", estimator=name, **key)]
            if values:
                axes.errorbar(i, mean(values), half_width(values), fmt="o", color=color, capsize=3)
        published = [self.contest.published[key["model"]].get(name) for name in names]
        axes.plot(range(len(names)), published, "x", color="black", label="published")
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize="small")
        axes.set(title="test, nats")
        framed(axes)


def _paired(
    above: Mapping[int, float], below: Mapping[int, float]
) -> tuple[list[float], list[float]]:
    """The values of the seeds that both have."""
    both = [seed for seed in above if seed in below]
    return [above[seed] for seed in both], [below[seed] for seed in both]


def _first(curve: list[list[float]], level: float) -> float:
    """The updates after which a curve is first at most this high; infinite if never."""
    return next((point[0] for point in curve if point[-1] <= level), float("inf"))


def _speed(runs: list[Record]) -> float:
    """Milliseconds an update of the fastest run: other work slows a run down, or stops it."""
    return min(r["ms_per_update"] for r in runs if r["valid"] is not None)
