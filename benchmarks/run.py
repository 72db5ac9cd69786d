"""Time scg and its peers, each in a process of its own, and print Markdown tables.

    python benchmarks/run.py --minutes 15 --out speed.json     # also writes speed.md
    python benchmarks/run.py --quick --only "five nodes" W2    # does it run, do gradients agree?

A round starts one process for each row and library; the order of the libraries alternates. All
rows get a round, the most important first, and then further ones until the minutes are over. `asv`
tracks scg alone from commit to commit: see benchmarks/tracking.
"""

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from options import child
from report import report
from rows import LATE, PEERS, ROWS

#: Seconds after which a turn is given up, for example a compilation.
LONGEST = 120


class Session:
    """Turns of all rounds, and the inputs that the libraries of a row share."""

    def __init__(self, options, folder):
        self.options, self.folder = options, Path(folder)
        self.end = time.monotonic() + 60 * options.minutes
        self.turns, self.machine, self.failed = {}, [], []
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if options.threads else ()
        self.limits = {name: str(options.threads) for name in names}

    def over(self):
        return time.monotonic() > self.end

    def inputs(self, name):
        """The file of a row's parameters, data, noise and gradients."""
        path = self.folder / f"{list(ROWS).index(name)}.npz"
        if not path.exists() and child("turn.py", name, "reference", path) is None:
            return None
        return path

    def contenders(self, name):
        row = ROWS[name]
        peers = self.options.peers or row.peers
        return ["scg", *peers, *(["floor"] if row.products else [])]

    def turn(self, name, who, path):
        """One process; kernels and compiled code of earlier rounds are found in its cache."""
        if f"{name}, {who}" in self.failed:
            return
        first = (name, who) not in self.turns
        cache = self.folder / "caches" / path.stem / who.replace(" ", "-")
        caches = {"SCG_CACHE_DIR": str(cache), "TORCHINDUCTOR_CACHE_DIR": str(cache)}
        words = ["--seconds", self.options.seconds, "--born", time.time()]
        words += ["--threads", self.options.threads] if self.options.threads else []
        words += ["--check"] if first and who != "floor" else []
        variables = caches | self.limits
        found = child("turn.py", name, who, path, *words, environment=variables, seconds=LONGEST)
        if found is None:
            self.failed.append(f"{name}, {who}")
        else:
            self.turns.setdefault((name, who), []).append(found)

    def round(self, names, turned):
        """One round; the libraries go in reverse order if `turned`."""
        words = ("-", "machine", "-", "--seconds", 0.3)
        self.machine.append(child("turn.py", *words, environment=self.limits))
        for late, name in itertools.product((False, True), names):
            path = None if self.over() else self.inputs(name)
            for who in self.contenders(name)[:: -1 if turned else 1]:
                if path and not self.over() and (who in LATE) == late:
                    self.turn(name, who, path)
            print(f"{time.monotonic() - self.end:+.0f} s  {name}", flush=True)


def setting():
    """Processor, load, versions, and the kind of processor that OpenBLAS is told to assume."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.split(": ")[1] for line in lines if "model name" in line), platform.machine()
    )
    words = [f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"]
    for name in ("numpy", "numba", "jax", "torch"):
        try:
            words.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            words.append(f"no {name}")
    kind = os.environ.get("OPENBLAS_CORETYPE")
    return ", ".join(words + [f"OPENBLAS_CORETYPE={kind}"] * bool(kind))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", default=list(ROWS))
    parser.add_argument("--minutes", type=float, default=15, help="most time for all rounds")
    parser.add_argument("--rounds", type=int, default=15, help="most rounds")
    parser.add_argument("--seconds", type=float, default=0.5, help="timed calls of a turn")
    parser.add_argument("--threads", type=int, help="for everyone; their defaults without")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="instead of each row's usual")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--out", type=Path, help="file for JSON; the tables go beside it")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.05
    with tempfile.TemporaryDirectory() as folder:
        session = Session(options, folder)
        for turned in range(options.rounds):
            if not session.over():
                session.round(options.only, turned % 2)
    results = {
        "setting": setting(),
        "threads": options.threads or "every library's default",
        "machine": [figures for figures in session.machine if figures],
        "turns": [{"row": n, "who": w, "turns": t} for (n, w), t in session.turns.items()],
        "failed": session.failed,
        "names": options.only,
    }
    text = report(results)
    print(text)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1))
        options.out.with_suffix(".md").write_text(text + "\n")


if __name__ == "__main__":
    main()
