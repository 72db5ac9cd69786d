"""aⁿbⁿ online: next-symbol prediction by a GRU that learns after each window of one stream.

    python benchmarks/recurrence/online.py results.json [symbols]

The stream is a sequence of lines aⁿbⁿ with n uniform in 1, …, 32. A GRU of 64 units reads a symbol
a step and predicts the next; Adam moves the parameters after each window, at the rate
10⁻³/(1 + 0.015 √updates). For each way to pass credit and each length of a window the file gets the
mean cost, in bits a symbol, of each tenth of the run; Tallec and Ollivier (2018) have the task. Its
entropy is 0.143 bits a symbol. ``docs/results/online.json`` is such a file, of 60 000 symbols.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

import scg

WAYS = {
    "UORO, windows of 1": (scg.UORO(), 1),
    "UORO, windows of 16": (scg.UORO(), 16),
    "truncated, windows of 1": (scg.Truncated(1, allow_biased=True), 1),
    "truncated, windows of 16": (scg.Truncated(16, allow_biased=True), 16),
}
UNITS = 64


def lines(seed: int, count: int) -> np.ndarray:
    """A stream of symbols: 0 for a, 1 for b, 2 for the end of a line."""
    rng, found = np.random.default_rng(seed), []
    while sum(map(len, found)) <= count:
        n = int(rng.integers(1, 33))
        found.append(np.repeat([0, 1, 2], [n, n, 1]))
    return np.concatenate(found)[: count + 1]


def declared() -> scg.Graph:
    """A GRU that reads a symbol and predicts the next one."""
    g, t = scg.Graph("lines"), scg.Time("t", reduce="mean")
    now, then = g.data("now", shape=3, plates=t), g.data("then", plates=t, kind="int")
    gru, out = scg.nn.gru_cell(g, "gru", UNITS), scg.nn.linear(g, "out", 3)

    def cell(h, now, then):
        new = gru(now, h)
        g.observe("next", scg.Categorical(logits=out(new)), then)
        return new

    g.scan(cell, init=np.zeros(UNITS), xs=(now, then), over=t)
    return g


def main() -> None:
    """Train each way on the same stream."""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 360_000
    stream = lines(2018, count)
    data, results = {"now": np.eye(3)[stream[:-1]], "then": stream[1:]}, {}
    for name, (how, window) in WAYS.items():
        g = declared()
        step, start = scg.compile(g, truncate=how, stream=True), time.process_time()
        rate = lambda i: 1e-3 / (1 + 0.015 * i**0.5)  # noqa: E731
        run = scg.fit(
            step, data=data, seed=0, stream=True, window=window,
            steps_per_epoch=count // window // 10, epochs=10, optimizer=scg.optim.Adam(rate),
        )  # fmt: skip
        bits = [record["cost"] / np.log(2) for record in run.history]
        results[name] = {"bits": bits, "cpu seconds": time.process_time() - start}
        print(name, np.round(bits, 3), f"{results[name]['cpu seconds']:.0f} s", flush=True)
        Path(sys.argv[1]).write_text(
            json.dumps({"symbols": count, "ways": results}, indent=1, ensure_ascii=False) + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
