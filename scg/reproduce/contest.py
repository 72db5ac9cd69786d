"""Contest: rival estimators train one model, for a table beside the published one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.paper import SEEDS, Conditions, Piece

DRAWS = 200  # of a gradient, for its variance
Shown = Callable[[str], training.Images]


@dataclass(frozen=True)
class Contest:
    """The rivals of a published table.

    Attributes
    ----------
    models : mapping
        By name of the model: a function from the mean training image to a graph.
    estimators : mapping
        The estimators that are trained.
    measured : mapping
        The estimators whose variance is measured, without normalization of the signal, which
        would scale the variance.
    published : mapping
        Published figures by model and estimator.
    images : tuple of str
        How images become binary, see :func:`scg.reproduce.training.images`. Rates are chosen and
        variances measured with the first.
    frozen : str
        The estimator whose best parameters are the frozen checkpoint.
    served : tuple of str
        Prefixes of the parameters whose gradients the estimators make.
    unit : str
        What the table shows; lower is better.
    test_samples : int
        Samples per image in the test.
    measure : callable
        From an evaluation to the figure and its standard error, in nats.
    rates : mapping
        By estimator the rates among which the first seed of the first model chooses on validation;
        "" for others. By model and estimator those among which the first seed of that model does.
    """

    models: Mapping[str, Callable[[np.ndarray], scg.Graph]]
    estimators: Mapping[str, scg.Estimator]
    measured: Mapping[str, scg.Estimator]
    published: Mapping[str, Mapping[str, float]]
    images: tuple[str, ...]
    frozen: str
    served: tuple[str, ...]
    unit: str
    test_samples: int
    measure: Callable[[Any], tuple[float, float]]
    rates: Mapping[str | tuple[str, str], tuple[float, ...]] = field(default_factory=dict)

    def pieces(self, under: Conditions, ledger: Ledger) -> Iterator[Piece]:
        """Seed by seed all runs and tests of a model; the first one chooses the rates."""
        shown = functools.cache(functools.partial(training.images, under.data))
        for how in self.images:
            for model in self.models:
                for seed in SEEDS:
                    for name in self.estimators:
                        yield from self._runs(under, ledger, shown, how, model, name, seed)
                    if how == self.images[0] and self.measured:
                        yield from self._variances(under, ledger, shown, model, seed)
                if how == self.images[0] and self.measured:
                    yield self._times(under, shown, model)

    def _runs(
        self,
        under: Conditions,
        ledger: Ledger,
        shown: Shown,
        how: str,
        model: str,
        name: str,
        seed: int,
    ) -> Iterator[Piece]:
        def piece(kind: str, rate: float) -> Piece:
            file = _file(under, how, model, name, rate, seed)
            key = {
                "kind": kind, "images": how, "model": model, "estimator": name, "rate": rate,
                "seed": seed, "updates": under.updates,
            }  # fmt: skip

            def work() -> Record:
                x = shown(how)
                graph = self.models[model](x.means)
                if kind == "test":
                    return training.test(graph, self.measure, x, file, self.test_samples)
                best = training.Best(self.measure, x.valid)
                return training.train(
                    graph, self.estimators[name], best, x, rate, seed, under, file
                )

            return Piece(key, work, (file,)) if kind == "run" else Piece(key, work, needs=file)

        chooser, rates = self._rates(model, name)
        if (how, model, seed) == (self.images[0], chooser, SEEDS[0]):
            for rate in rates:
                yield piece("run", rate)
        rate = self.chosen_rate(ledger.records, model, name, under.updates)
        yield piece("run", rate)
        yield piece("test", rate)

    def _rates(self, model: str, name: str) -> tuple[str, tuple[float, ...]]:
        """The model that chooses a rate, and those among which it does."""
        if own := self.rates.get((model, name)):
            return model, own
        return next(iter(self.models)), self.rates.get(name, self.rates[""])

    def chosen_rate(self, records: list[Record], model: str, name: str, updates: int) -> float:
        """The rate with the lowest validation figure of the choosing model's first seed."""
        chooser, rates = self._rates(model, name)
        key = {
            "kind": "run", "images": self.images[0], "model": chooser, "estimator": name,
            "seed": SEEDS[0], "updates": updates,
        }  # fmt: skip
        runs = [r for r in records if key.items() <= r.items() and r["valid"] is not None]
        best = min(runs, key=lambda r: r["valid"], default=None)
        return best["rate"] if best else rates[0]

    def _variances(
        self, under: Conditions, ledger: Ledger, shown: Shown, model: str, seed: int
    ) -> Iterator[Piece]:
        rate = self.chosen_rate(ledger.records, model, self.frozen, under.updates)
        file = _file(under, self.images[0], model, self.frozen, rate, seed)
        for name in self.measured:

            def work(name: str = name) -> Record:
                x = shown(self.images[0])
                params = training.parameters(file)
                graph, estimator = self.models[model](x.means), self.measured[name]
                return training.variance(graph, estimator, params, x, DRAWS, self.served, under)

            key = {
                "kind": "variance", "model": model, "estimator": name, "seed": seed,
                "updates": under.updates,
            }  # fmt: skip
            yield Piece(key, work, needs=file)

    def _times(self, under: Conditions, shown: Shown, model: str) -> Piece:
        def work() -> Record:
            x = shown(self.images[0])
            data = {"x": x.train[-training.BATCH :]}
            return training.times(self.models[model](x.means), self.measured, data, under)

        return Piece({"kind": "time", "model": model, "updates": under.updates}, work)

    def predict(self, under: Conditions, ledger: Ledger) -> Callable[[Record], float]:
        """Time one short run of each estimator and model; seconds of a piece follow from it."""
        x = training.images(under.data, self.images[0])
        for model in self.models:
            for name, estimator in self.estimators.items():
                key = dict(kind="pilot", model=model, estimator=name)
                if not ledger.find(**key):
                    graph, best = self.models[model](x.means), training.Best(self.measure, x.valid)
                    ledger.add({**training.pilot(graph, estimator, best, x, under), **key})

        def seconds(key: Record) -> float:
            name = key.get("estimator")
            name = name if name in self.estimators else self.frozen
            pilot = ledger.find(kind="pilot", model=key["model"], estimator=name)[0]
            if key["kind"] == "run":
                every = training.PASSES * len(x.train) / training.BATCH
                validations = key["updates"] / every * pilot["validation"]
                return pilot["start"] + key["updates"] * pilot["ms"] / 1000 + validations
            if key["kind"] == "test":
                more = len(x.test) * self.test_samples / (len(x.valid) * training.VALID_SAMPLES)
                return more * pilot["validation"]
            each, calls = 1, 2 * DRAWS
            if key["kind"] == "time":
                each, calls = len(self.measured), training.ROUNDS
            return each * (pilot["start"] + calls * pilot["ms"] / 1000)

        return seconds


def _file(under: Conditions, how: str, model: str, name: str, rate: float, seed: int) -> Path:
    name = name.replace("/", "-")
    return under.folder / "params" / f"{how}_{model}_{name}_{rate:g}_{seed}_{under.updates}.npz"
