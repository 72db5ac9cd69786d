"""Measure one workload: scg and its peers in interleaved rounds; prints one line of JSON.

python benchmarks/rounds.py W2 --rounds 15 --clock wall
"""

import argparse
import itertools
import json
import time

import numpy as np
from floors import PRODUCTS, products
from formulas import PEERS
from options import CLOCKS, add_options
from peers import ALL, Missing
from workloads import WORKLOADS

import scg

#: Threads of a library spin after its turn, OpenBLAS' for 0.1 s, in the way of the next one's.
SETTLING = 0.15
#: Calls of a round last at least this long; as many go before, as after a pause threads wake up and
#: arrays are far.
SHORTEST = 2e-2


def scg_call(workload, backend):
    """A step, a function that calls it with the next seed, and the same for the bound step."""
    step = scg.compile(workload.graph, workload.estimator, backend=backend, dtype="float32")
    params, seeds = workload.params(), itertools.count()
    data, runs = workload.data, workload.runs

    def call():
        return step(params, seed=next(seeds), runs=runs, data=data).grads

    fast = step.bind(params, runs=runs, data=data)
    return step, call, lambda: fast(next(seeds)).grads


def error(found, expected):
    """Largest difference of gradients, relative to the largest gradient."""
    scale = max(float(np.abs(g).max()) for g in expected.values())
    return max(float(np.abs(found[n] - g).max()) for n, g in expected.items()) / scale


def contenders(name, threads):
    """Calls by name, errors of gradients on the same noise, and reasons why peers are absent."""
    workload = WORKLOADS[name]()
    params = workload.params()
    step, call, bound = scg_call(workload, "numba")
    calls = {"scg numba": call, "scg bound": bound, "scg numpy": scg_call(workload, "numpy")[1]}
    small = min(workload.runs, 1000)
    noise = step.noise(seed=0, runs=small, data=workload.data)
    reference = step(params, noise=noise, data=workload.data).grads
    _, _, shapes, leaves = PEERS[name]
    given = [
        noise[leaf].reshape(-1 if workload.runs > 1 else shape)
        for leaf, shape in zip(leaves, shapes, strict=True)
    ]
    errors, missing = {}, {}
    for peer, make in ALL.items():
        try:
            check, calls[peer] = make(name, params, workload.data, threads)
            errors[peer] = error(check([array.copy() for array in given]), reference)
        except Missing as reason:
            missing[peer] = str(reason)
    if name in PRODUCTS:
        calls["floor"] = products(name)
    return calls, errors, missing


def seconds_of(call, repeats, clock):
    """Seconds of one of several calls."""
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats


def measure(name, rounds, seconds, clock, threads):
    """Medians and minima of one workload in µs, by name."""
    calls, errors, missing = contenders(name, threads)
    repeats = {}
    for who, call in calls.items():
        call()
        repeats[who] = max(1, int(SHORTEST / seconds_of(call, 1, time.perf_counter)))
    times = {who: [] for who in calls}
    begin = time.perf_counter()
    for _ in range(rounds):
        for who, call in calls.items():
            time.sleep(SETTLING)
            seconds_of(call, repeats[who], clock)
            times[who].append(seconds_of(call, repeats[who], clock))
        if time.perf_counter() - begin > seconds:
            break
    return {
        "workload": name,
        "median": {who: float(np.median(t)) * 1e6 for who, t in times.items()},
        "fastest": {who: float(np.min(t)) * 1e6 for who, t in times.items()},
        "rounds": len(times["scg numba"]),
        "errors": errors,
        "missing": missing,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=WORKLOADS)
    add_options(parser)
    options = parser.parse_args()
    if options.threads:
        scg.set_threads(options.threads)
    clock = CLOCKS[options.clock]
    found = measure(options.name, options.rounds, options.seconds, clock, options.threads)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
