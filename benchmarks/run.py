"""Time scg and its peers side by side, and print Markdown tables.

    python benchmarks/run.py                      # everything, for docs/explanation/engine.md
    python benchmarks/run.py W1a W2 --rounds 5 --threads 1 --clock cpu --no-first

Each workload runs in a process of its own. The libraries take turns, because the speed of a shared
machine drifts; ratios are ratios of medians. If the environment sets OPENBLAS_CORETYPE, the program
measures with and without it. `asv` tracks scg alone from commit to commit: see benchmarks/tracking.
"""

import argparse
import os
import platform
import tempfile
from pathlib import Path

from options import add_options, child, number, table

WORKLOADS = ("W1a", "W1b", "W2", "W3", "W4a", "W4b", "W5", "W6a", "W6b")
LIBRARIES = ("torch eager", "torch.compile", "JAX jit", "Storchastic")
FIRST = ("scg cold", "scg warm", *LIBRARIES)


def environments():
    """Names of environments, and the variables that they change."""
    kind = os.environ.get("OPENBLAS_CORETYPE")
    unset = {"OPENBLAS_CORETYPE unset": {"OPENBLAS_CORETYPE": None}}
    return {f"OPENBLAS_CORETYPE={kind}, as found": {}} | unset if kind else unset


def steps(options, changes):
    """Measurements of `rounds.py`, by workload."""
    words = ["--rounds", options.rounds, "--seconds", options.seconds, "--clock", options.clock]
    words += ["--threads", options.threads] if options.threads else []
    found = {n: child("rounds.py", n, *words, environment=changes) for n in options.names}
    return {name: result for name, result in found.items() if result}


def step_table(results):
    """Table of medians in µs, and ratios to the best peer and to the bare matrix products.

    "scg bound" is ``step.bind(params, ...)``, called with seeds alone.
    """
    columns = ("scg numba", "scg bound", "scg numpy", *LIBRARIES)
    rows = []
    for name, result in results.items():
        median = result["median"]
        own, floor = median["scg numba"], median.get("floor")
        best = min((t for who, t in median.items() if who in LIBRARIES), default=None)
        pairs = ((own, best), (median["scg bound"], best), (own, floor))
        ratios = [f"{time / other:.2f}" if other else "–" for time, other in pairs]
        shown = [number(median.get(who)) for who in columns]
        rows.append([name, *shown, *ratios[:2], number(floor), ratios[2]])
    ratios = ("scg / best peer", "bound / best peer", "floor", "scg / floor")
    return table(["µs a step", *columns, *ratios], rows)


def remarks(results):
    """Remarks: how far gradients differ, and which peers did not take part."""
    worst = max((e for r in results.values() for e in r["errors"].values()), default=0.0)
    lines = [f"Gradients differ from the peers' by at most {worst:.0e} of the largest one.", ""]
    absent = {}
    for name, result in results.items():
        for who, reason in result["missing"].items():
            absent.setdefault((who, reason), []).append(name)
    lines += [f"- {who}, {', '.join(names)}: {why}" for (who, why), names in absent.items()]
    return "\n".join(lines)


def first_table(names, absent, clock):
    """Table of seconds to the first gradient and peak megabytes, one process per cell.

    Only "scg warm" uses kernels that an earlier process compiled.
    """
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            inputs, kernels = Path(folder) / "inputs.npz", {"SCG_CACHE_DIR": f"{folder}/kernels"}
            kernels["TORCHINDUCTOR_CACHE_DIR"] = f"{folder}/inductor"
            child("first.py", name, "inputs", inputs)
            cells = []
            for who in FIRST:
                found = None
                if (name, who) not in absent:
                    found = child("first.py", name, who, inputs, environment=kernels)
                both = f"{found[clock]:.2f} / {found['megabytes']:.0f}" if found else "–"
                cells.append(both)
            rows.append([name, *cells])
    return table(["seconds / MB", *FIRST], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=WORKLOADS)
    add_options(parser)
    parser.add_argument("--no-first", action="store_true", help="leave out the first gradients")
    options = parser.parse_args()
    threads = options.threads or "every library's default"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"threads: {threads}, {options.clock} clock, medians of up to {options.rounds} rounds"
    )
    results = {}
    for name, changes in environments().items():
        results = steps(options, changes)
        print(f"\n{name}\n\n{step_table(results)}\n\n{remarks(results)}", flush=True)
    if not options.no_first:
        absent = {(name, who) for name, r in results.items() for who in r["missing"]}
        print(f"\n{first_table(options.names, absent, options.clock)}")


if __name__ == "__main__":
    main()
