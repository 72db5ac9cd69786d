"""Time scg and its peers side by side: interleaved rounds, medians, gradients checked.

    python benchmarks/run.py W1a W1b W2 --rounds 15

Each peer runs in this process with its own defaults. Rounds are interleaved, because a shared
machine drifts; a ratio is one of medians. State the environment with every number.
"""

import argparse
import itertools
import os
import platform
import time

import numpy as np
from formulas import PEERS
from peers import ALL
from workloads import WORKLOADS

import scg

#: Seconds of processor time tell more where other programs run at the same time.
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def scg_call(workload, backend):
    step = scg.compile(workload.graph, workload.estimator, backend=backend, dtype="float32")
    params, seeds = workload.params(), itertools.count()
    data, runs = workload.data, workload.runs

    def call():
        return step(params, seed=next(seeds), runs=runs, data=data)

    return step, call


def error(found, expected):
    """Largest difference of gradients, relative to the largest gradient."""
    scale = max(float(np.abs(g).max()) for g in expected.values())
    return max(float(np.abs(found[n] - g).max()) for n, g in expected.items()) / scale


def bench(name, rounds, seconds, clock):
    workload = WORKLOADS[name]()
    params = workload.params()
    start = time.perf_counter()
    step, call = scg_call(workload, "numba")
    call()
    first = time.perf_counter() - start
    calls = {"scg numba": call, "scg numpy": scg_call(workload, "numpy")[1]}
    checked = {}
    small = min(workload.runs, 1000)
    noise = step.noise(seed=0, runs=small, data=workload.data)
    reference = step(params, noise=noise, data=workload.data).grads
    _, _, shapes, leaves = PEERS[name]
    for peer, make in ALL.items():
        try:
            check, calls[peer] = make(name, params, workload.data)
        except ImportError:
            continue
        given = [
            noise[leaf].reshape(-1 if workload.runs > 1 else shape)
            for leaf, shape in zip(leaves, shapes, strict=True)
        ]
        checked[peer] = error(check(given), reference)
    times = {who: [] for who in calls}
    for who in calls:
        calls[who]()
    begin = time.perf_counter()
    for _ in range(rounds):
        for who, function in calls.items():
            start = clock()
            function()
            times[who].append(clock() - start)
        if time.perf_counter() - begin > seconds:
            break
    medians = {who: float(np.median(t)) * 1e6 for who, t in times.items()}
    fastest = {who: float(np.min(t)) * 1e6 for who, t in times.items()}
    peers = {who: t for who, t in medians.items() if not who.startswith("scg")}
    best = min(peers.values(), default=float("nan"))
    shown = "  ".join(f"{who} {t:.0f}" for who, t in medians.items())
    off = "  ".join(f"{who} {e:.0e}" for who, e in checked.items())
    print(f"{name}: {shown} µs | scg / best peer {medians['scg numba'] / best:.2f}")
    least = "  ".join(f"{who} {t:.0f}" for who, t in fastest.items())
    rest = min((t for who, t in fastest.items() if who in peers), default=float("nan"))
    print(f"     fastest round: {least} | {fastest['scg numba'] / rest:.2f}")
    print(f"     first gradient {first:.2f} s | gradients differ by {off}", flush=True)


def limit(threads):
    """Give every library this number of threads; before JAX is imported."""
    scg.set_threads(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=60, help="most time for one workload")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--threads", type=int, help="for everyone; their defaults without")
    options = parser.parse_args()
    if options.threads:
        limit(options.threads)
    variables = ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    found = ", ".join(f"{v}={os.environ.get(v, 'unset')}" for v in variables)
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {found}")
    for name in options.names:
        bench(name, options.rounds, options.seconds, CLOCKS[options.clock])


if __name__ == "__main__":
    main()
