"""Memory and time of ``checkpoint=`` against the number of steps; the table of the guide.

    python benchmarks/recurrence/checkpoint.py [nested] [T ...]

The model is that of docs/howto/train_on_sequences.md without a mask: a GRU of 8 units, 3 hidden
bits and 4 observed ones a step, in 4 sequences. With `nested` a second GRU, scanned over 8 parts
of each step in the cell, makes what the step observes. Memory is the peak that tracemalloc sees in
the first call of a bound step, beside the data; the ratio of times is the median of five pairs of
further calls, in seconds of the processor.
"""

import sys
import time
import tracemalloc
from typing import Any

import numpy as np

import scg

BATCH = 4


PARTS = 8


def markov(nested: bool = False) -> scg.Graph:
    """The deep Markov model; if nested, of steps that have parts."""
    steps, batch = scg.Time("t"), scg.Plate("batch", reduce="mean")
    parts = scg.Time("s", length=PARTS)
    g = scg.Graph("markov")
    x = g.data("x", shape=(4,), plates=(batch, steps, *[parts] * nested))
    reader = scg.nn.gru_cell(g, "reader", 4)
    gru = scg.nn.gru_cell(g, "gru", 8)
    prior, guess, seen = (
        scg.nn.linear(g, name, n) for name, n in [("prior", 3), ("guess", 3), ("seen", 4)]
    )

    def cell(h, x):
        if nested:
            x, _ = g.scan(lambda k, part: reader(part, k), init=np.zeros(4), xs=x, over=parts)
            x = scg.sigmoid(x)
        z = g.sample("z", scg.Bernoulli(logits=guess(np.concatenate([h, x]))))
        g.cost("kl", z.log_prob() - scg.Bernoulli(logits=prior(h)).log_prob(z))
        g.observe("x given z", scg.Bernoulli(logits=seen(np.concatenate([h, z]))), x)
        return gru(np.concatenate([x, z]), h)

    g.scan(cell, init=np.zeros(8), xs=x, over=steps)
    return g


def shape(g: scg.Graph, length: int) -> list[int]:
    """The shape of data of a length."""
    x = g.data_nodes["x"]
    return [{"t": length, "batch": BATCH}.get(p.name, PARTS) for p in x.plates] + [4]


def bound(g: scg.Graph, checkpoint: bool, length: int) -> tuple[Any, float]:
    """A step bound to data, and the megabytes of its first call.

    They are the fewest of three steps, because Python's own tables of strings grow now and then.
    """
    chosen = scg.ScoreFunction(scg.baselines.MovingAverage(0.9))
    data = {"x": np.random.default_rng(0).integers(0, 2, shape(g, length)) * 1.0}
    peaks = []
    for _ in range(3):
        step = scg.compile(g, chosen, backend="numba", checkpoint=checkpoint)
        step(g.init(seed=0), seed=0, x=data["x"][:3])  # compiles
        tracemalloc.start()
        fast = step.bind(g.init(seed=0), data=data)
        tracemalloc.reset_peak()
        fast(0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return fast, min(peaks) / 1e6


def seconds(call: Any, seed: int) -> float:
    """Seconds of the processor for a call."""
    start = time.process_time()
    call(seed)
    return time.process_time() - start


def main(nested: bool, lengths: list[int]) -> None:
    """Print a row for each length."""
    g = markov(nested)
    print("| T | plain, MB | `checkpoint=True`, MB | processor time / plain |")
    print("|---|---|---|---|")
    for length in lengths:
        (plain, most), (own, least) = (bound(g, k, length) for k in (False, True))
        ratios = [seconds(own, seed) / seconds(plain, seed) for seed in range(5)]
        row = f"| {length:,} | {most:.1f} | {least:.1f} | {np.median(ratios):.1f} |"
        print(row.replace(",", " "), flush=True)


if __name__ == "__main__":
    numbers = [int(x) for x in sys.argv[1:] if x != "nested"]
    main("nested" in sys.argv, numbers or [1000, 10_000, 100_000])
