"""Online learning: a recurrent network predicts a stream, and learns after each window of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import scg
from scg.estimators.truncation import Truncation
from scg.reproduce.ledger import Record
from scg.reproduce.page import framed, interval
from scg.reproduce.paper import Conditions, Finding
from scg.verify.plot import COLOURS

DECAY = 0.015  # of the rate, over the square root of the updates
Test = Callable[[Mapping[str, Any]], float]


@dataclass(frozen=True)
class Learner:
    """How credit passes between steps, and after how many of them the parameters move."""

    truncate: Truncation
    window: int

    @property
    def drawn(self) -> bool:
        """Whether the window is a mean: the segments of ARTBP have random lengths."""
        return isinstance(self.truncate, scg.ARTBP)


def predictor(name: str, symbols: int, units: int) -> scg.Graph:
    """A gated recurrent network that reads a symbol and predicts the next one."""
    g, t = scg.Graph(name), scg.Time("t")
    now, then = g.data("now", shape=symbols, plates=t), g.data("then", plates=t, kind="int")
    gru, out = scg.nn.gru_cell(g, "gru", units), scg.nn.linear(g, "out", symbols)

    def cell(h, now, then):
        new = gru(now, h)
        g.observe("next", scg.Categorical(logits=out(new)), then)
        return new

    g.scan(cell, init=np.zeros(units), xs=(now, then), over=t)
    return g


def learn(
    way: Learner,
    declare: Callable[[], scg.Graph],
    stream: Mapping[str, np.ndarray],
    rate: float,
    seed: int,
    under: Conditions,
    *,
    passes: int,
    points: int,
    test: Callable[[scg.Graph], Test] | None = None,
) -> tuple[Mapping[str, Any], Record]:
    """Learn from a stream that is read `passes` times; return parameters and the run's curve.

    The curve has `points` entries: steps so far, the mean cost of a step since the last entry in
    bits, and what `test` returns at these parameters. Lengths of random segments count by their
    mean.
    """
    graph, curve = declare(), []
    step = scg.compile(graph, truncate=way.truncate, stream=True, backend=under.backend)
    steps = passes * len(next(iter(stream.values())))
    tested = test(graph) if test else None
    spent = time.process_time()

    def point(run: Any) -> None:
        mean = float(run.history[-1]["cost"]) / way.window / float(np.log(2))
        entry = [run.now.count * way.window, round(mean, 4)]
        curve.append(entry + ([round(tested(run.params), 4)] if tested else []))

    run = scg.fit(
        step,
        data=stream,
        seed=seed,
        stream=True,
        window=None if way.drawn else way.window,
        epochs=points,
        steps_per_epoch=max(1, steps // way.window // points),
        optimizer=scg.optim.Adam(lambda count: rate / (1 + DECAY * count**0.5)),
        callbacks=[point],
    )
    return run.params, {"curve": curve, "cpu_seconds": round(time.process_time() - spent, 1)}


def bits(graph: scg.Graph, data: Mapping[str, np.ndarray], under: Conditions) -> Test:
    """Function from parameters to the mean cost of a step of some data, in bits."""
    step, count = scg.compile(graph, backend=under.backend), len(next(iter(data.values())))
    return lambda params: float(step(params, seed=0, data=data).cost) / count / float(np.log(2))


# --- results --------------------------------------------------------------------------------------
def runs_of(records: Sequence[Record], name: str) -> list[Record]:
    """The runs of a way to learn, by its name."""
    return [r for r in records if r.get("kind") == "run" and r["way"] == name]


def noisier(
    tests: Mapping[str, Sequence[float]], windows: Sequence[int], more: str = ""
) -> list[Finding]:
    """Expect UORO to end above truncation at windows of equal length, for all seeds."""
    found = []
    for window in windows:
        noisy, short = (tests[f"{how}, windows of {window}"] for how in ("UORO", "truncated"))
        text = f"windows of {window}: UORO ends above truncation for all seeds{more}"
        found.append(Finding(text, min(noisy) > max(short) if noisy and short else None))
    return found


def after(found: Sequence[Record], seconds: float, number: int = 1) -> str:
    """One number of the curves' entries after so many CPU seconds of the fastest run."""
    first, *_, last = (entry[0] for entry in found[0]["curve"])
    steps = last * seconds / min(r["cpu_seconds"] for r in found)
    if steps < first:
        return f"– (the first point is at {first:,})"
    curves = [np.transpose(r["curve"])[[0, number]] for r in found]
    return interval([float(np.interp(steps, x, y)) for x, y in curves], 3)


def plot(pair: Sequence[Any], runs: Mapping[str, Sequence[Record]], number: int) -> None:
    """Draw one number of the entries of each run's curve against steps, and against time.

    Truncation is dashed.
    """
    for color, (name, found) in zip(COLOURS, runs.items(), strict=False):
        style = "--" if name.startswith("truncated") else "-"
        for i, record in enumerate(found):
            x, y = np.transpose(record["curve"])[[0, number]]
            for axes, scale in zip(pair, (1.0, record["cpu_seconds"] / x[-1]), strict=True):
                label = name if i == 0 else "_"
                axes.plot(scale * x, y, style, color=color, alpha=0.8, label=label)
    pair[0].locator_params(axis="x", nbins=5)
    pair[0].xaxis.set_major_formatter("{x:,.0f}")
    pair[1].set(xscale="log", title="the same runs against time")
    pair[1].xaxis.get_major_locator().set_params(subs=(1, 2, 5))
    pair[1].xaxis.set_major_formatter("{x:g}")
    pair[1].xaxis.set_minor_formatter("")
    for axes in pair:
        framed(axes)
