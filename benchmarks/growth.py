"""Measure how compile time, memory and step time grow with depth, width and number of runs.

    python benchmarks/growth.py                        # the tables of docs/explanation/engine.md
    python benchmarks/growth.py depth --sizes 100 1000

Each row comes from a process of its own with an empty kernel cache: seconds for ``scg.compile``,
seconds to the first gradient (compile and the first call, numba's compilation included), µs of a
later call, and the peak of memory.
"""

import argparse
import json
import resource
import time

from options import CLOCKS, child, number, table

SIZES = {
    "depth": (100, 1000, 10_000),
    "width": (10, 100, 1000, 10_000),
    "samples": tuple(10**n for n in range(9)),
}
ABOUT = {
    "depth": "Stochastic nodes in a chain, 16 units each, batch 64, score function",
    "width": "Units of one stochastic node between 16 inputs and one output, batch 64, MuProp",
    "samples": "Runs of one Bernoulli variable in one call, score function",
}


def model(kind, size):
    """The workload of a given size."""
    import numpy as np
    from workloads import Workload, chain, toy

    import scg

    if kind == "depth":
        return chain(size)
    if kind == "samples":
        return toy(size)
    g = scg.Graph("wide")
    x = g.data("x", shape=(16,), plates=scg.Plate("batch"))
    h = g.sample("h", scg.Bernoulli(logits=x @ g.parameter("W", shape=(16, size))))
    y = scg.softplus(h @ g.parameter("v", shape=(size,)))
    g.cost("loss", (y - 0.3) ** 2)
    data = {"x": np.random.default_rng(1).normal(size=(64, 16)).astype(np.float32)}
    return Workload(g, scg.MuProp(), data)


def measure(kind, size, clock):
    """Measure one model in this process."""
    import scg

    start = clock()
    workload = model(kind, size)
    declared = clock()
    step = scg.compile(workload.graph, workload.estimator, backend="numba", dtype="float32")
    compiled = clock()
    params = workload.params()

    def call(seed):
        step(params, seed=seed, runs=workload.runs, data=workload.data)

    before = clock()
    call(0)
    first = clock() - before
    times = []
    begin = time.perf_counter()
    for seed in range(1, 30):
        before = clock()
        call(seed)
        times.append(clock() - before)
        if time.perf_counter() - begin > 5:
            break
    return {
        "declare": declared - start,
        "compile": compiled - declared,
        "first": compiled - declared + first,
        "step": sorted(times)[len(times) // 2],
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def show(kind, sizes, clock):
    """Print the table for one kind of growth."""
    rows = []
    for size in sizes:
        words = [kind, "--sizes", size, "--clock", clock, "--here"]
        found = child("growth.py", *words, environment={"SCG_CACHE_DIR": ""})
        if found is not None:
            seconds = [number(found[key]) for key in ("compile", "first")]
            rows.append([size, *seconds, number(found["step"] * 1e6), number(found["megabytes"])])
    print(f"\n{ABOUT[kind].capitalize()}:\n")
    print(
        table([kind, "compile, s", "first gradient, s", "step, µs", "peak, MB"], rows), flush=True
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=list(SIZES))
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--here", action="store_true", help="measure in this process, print JSON")
    options = parser.parse_args()
    for kind in options.kinds:
        sizes = options.sizes or SIZES[kind]
        if options.here:
            print(json.dumps(measure(kind, sizes[0], CLOCKS[options.clock])))
        else:
            show(kind, sizes, options.clock)


if __name__ == "__main__":
    main()
