"""Time to the first gradient and peak memory of one library in a fresh process, as JSON.

    python benchmarks/first.py W2 "JAX jit" inputs.npz

The clock starts before the library is imported. `run.py` calls this once for each library: scg
with an empty kernel cache ("scg cold") and with a filled one ("scg warm"). With "inputs" in place
of a library it writes the parameters and data that the others read.
"""

import json
import resource
import sys
import time


def _load(path):
    import numpy as np

    with np.load(path) as file:
        arrays = dict(file)
    split = {"params": {}, "data": {}}
    for key, array in arrays.items():
        kind, name = key.split("/", 1)
        split[kind][name] = array
    return split["params"], split["data"]


def _peer(name, who, path):
    from peers import ALL

    call = ALL[who](name, *_load(path), None)[1]
    call()


def _scg(name, who, path):
    from workloads import WORKLOADS

    import scg

    workload, (params, data) = WORKLOADS[name](), _load(path)
    step = scg.compile(workload.graph, workload.estimator, backend="numba", dtype="float32")
    step(params, seed=0, runs=workload.runs, data=data)


def _write_inputs(name, who, path):
    import numpy as np
    from workloads import WORKLOADS

    workload = WORKLOADS[name]()
    arrays = {f"params/{n}": array for n, array in workload.params().items()}
    arrays |= {f"data/{n}": array for n, array in workload.data.items()}
    np.savez(path, **arrays)


def main():
    name, who, path = sys.argv[1:]
    start = time.perf_counter()
    if who == "inputs":
        _write_inputs(name, who, path)
    elif who.startswith("scg"):
        _scg(name, who, path)
    else:
        _peer(name, who, path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN)  # a C++ compiler, for example
    cpu = time.process_time() + children.ru_utime + children.ru_stime
    print(json.dumps({"wall": seconds, "cpu": cpu, "megabytes": peak}))


if __name__ == "__main__":
    main()
