"""One turn: one library, one row, one process; prints one line of JSON.

    python turn.py W2 reference inputs.npz            parameters, data, noise and gradients
    python turn.py W2 "JAX jit" inputs.npz --seconds 0.5 --born $(date +%s.%N) --check

scg's interpreter writes the reference in double precision. Gradients of scg's engine and of peers
are checked on its noise in double precision too, after the timed calls: in single precision
rounding decides some draw of 10⁴ words.
"""

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path

#: Calls of a block last at least this long; the median over blocks counts.
SHORTEST = 2e-2


def reference(row, path):
    """Write what all libraries read, and the gradients of the NumPy interpreter."""
    import numpy as np

    import scg

    work = row.workload()
    params, data = work.params(), work.data
    given = {n: v.astype(float) for n, v in params.items()}
    step = compiled(scg, row, "numpy", "float64")
    noise = step.noise(seed=0, runs=min(work.runs, 1000), data=data)
    found = step(given, noise=noise, data=data)
    parts = {"params": params, "data": data, "noise": noise, "grads": gradients_of(found)}
    arrays = {f"{part}|{n}": v for part, values in parts.items() for n, v in values.items()}
    np.savez(path, **arrays)
    return {}


def compiled(scg, row, backend, dtype):
    work = row.workload()
    return scg.compile(work.graph, work.estimator, backend=backend, dtype=dtype, order=work.order)


def gradients_of(result):
    """Gradients, and blocks of the Hessian under "a/b"."""
    from peers import flat

    return flat(result.grads, result.hessian or {})


def load(path, *wanted):
    """The named parts of the reference, each a dictionary; others are not read."""
    import numpy as np

    parts = {part: {} for part in wanted}
    with np.load(path) as file:
        for key in file.files:
            part, name = key.split("|", 1)
            if part in parts:
                parts[part][name] = file[key]
    return parts.values()


def error(found, expected):
    """Largest difference of gradients, relative to the largest entry of the parameter's.

    A gradient below 1e-6 of the largest of all counts as of that size.
    """
    import numpy as np

    sizes = {n: float(np.abs(g).max()) for n, g in expected.items()}
    least = 1e-6 * max(sizes.values())
    return max(
        float(np.abs(found[n] - g).max()) / max(sizes[n], least) for n, g in expected.items()
    )


def scg_calls(row, path, threads):
    """Calls of a step and of a bound step, and the error of its gradients."""
    import scg

    if threads:
        scg.set_threads(threads)
    seeds, runs = itertools.count(), row.runs
    step = compiled(scg, row, "numba", row.dtype)
    params, data = load(path, "params", "data")
    params = {n: v.astype(row.dtype) for n, v in params.items()}
    bound = []

    def plain():
        out = step(params, seed=next(seeds), runs=runs, data=data)
        return out.grads if row.order == 1 else (out.grads, out.hessian)

    def fast():
        if not bound:
            bound.append(step.bind(params, runs=runs, data=data))
        return bound[0](next(seeds)).grads

    def check():
        exact = compiled(scg, row, "numba", "float64")
        given, noise, grads = load(path, "params", "noise", "grads")
        given = {n: v.astype(float) for n, v in given.items()}
        return error(gradients_of(exact(given, noise=noise, data=data)), grads)

    return {"us": plain} | ({"bound": fast} if row.order == 1 else {}), check


def peer_calls(row, who, path, threads):
    """The call of a peer, and the error of its gradients."""
    from peers import ALL

    def make(dtype):
        return ALL[who](row, *load(path, "params", "data"), dtype, threads)

    def check():
        import numpy as np

        noise, grads = load(path, "noise", "grads")
        leaves = [noise[leaf] for leaf in row.leaves]
        if len(leaves) > len(row.shapes):
            leaves = [np.stack(leaves)]
        runs = min(row.runs, 1000)
        shapes = [(runs, *s[1:]) if row.runs > 1 else s for s in row.shapes]
        given = [leaf.reshape(s) for leaf, s in zip(leaves, shapes, strict=True)]
        return error(make("float64")[0](given), grads)

    return {"us": make(row.dtype)[1]}, check


def seconds_of(call, repeats):
    """Seconds of one of several calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def microseconds(call, seconds):
    """Median over blocks of calls, after blocks that wake the threads."""
    call()
    repeats = max(1, int(SHORTEST / seconds_of(call, 1)))
    seconds_of(call, repeats)
    begin, blocks = time.perf_counter(), []
    while len(blocks) < 3 or time.perf_counter() - begin < seconds:
        blocks.append(seconds_of(call, repeats))
    return statistics.median(blocks) * 1e6


def peak():
    """Peak of this process's memory in MB; not that of the process which started it."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 1024


def turn(row, who, path, options):
    """Measure one library."""
    if who == "floor":
        from floors import products

        return {"us": microseconds(products(row.products, row.dtype), options.seconds)}
    if who == "scg":
        calls, check = scg_calls(row, path, options.threads)
    else:
        calls, check = peer_calls(row, who, path, options.threads)
    calls["us"]()
    found = {"first": time.time() - options.born}
    for name, call in calls.items():
        found[name] = microseconds(call, options.seconds)
    found["megabytes"] = peak()
    if options.check:
        found["error"] = check()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("who")
    parser.add_argument("path")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--born", type=float, default=time.time())
    parser.add_argument("--threads", type=int)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.who == "machine":
        from floors import machine

        print(json.dumps(machine(options.seconds)))
        return
    from peers import Missing
    from rows import ROWS

    row = ROWS[options.name]
    try:
        if options.who == "reference":
            found = reference(row, options.path)
        else:
            found = turn(row, options.who, options.path, options)
    except Missing as reason:
        found = {"missing": str(reason)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
