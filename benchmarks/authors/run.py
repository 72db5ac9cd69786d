"""Compare estimators with running code of their authors, or of a peer, on fixed problems.

    git clone https://github.com/blei-lab/ars-reparameterization
    git clone https://github.com/agadetsky/pytorch-pl-variance-reduction
    git clone https://github.com/klaswijk/sfess
    git clone https://github.com/vmasrani/tvo
    pip install -e '.[bench]'
    python benchmarks/authors/run.py --rsvi ars-reparameterization \
        --orders pytorch-pl-variance-reduction --subsets sfess --tvo tvo

It writes docs/results/authors.json, and the table of docs/explanation/authors_code.md. What has no
folder, or no package, keeps its last result.
"""

import argparse
import json
import subprocess
from pathlib import Path

import boltzmann
import bounds
import mixture
import orders
import rsvi
import subsets
import triples
from common import versions
from table import written

from scg.common.files import write_atomically

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "results" / "authors.json"
PAGE = ROOT / "docs" / "explanation" / "authors_code.md"


def commit(folder):
    """The commit of a clone, shortened."""
    call = ["git", "-C", folder, "rev-parse", "--short", "HEAD"]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()


def main():
    """Measure what can be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("rsvi", "orders", "subsets", "tvo"):
        parser.add_argument(f"--{name}", metavar="DIR", help="clone of the authors' code")
    parser.add_argument("--no-mixture", action="store_true", help="leave out TensorFlow")
    parser.add_argument("--samples", type=int, default=100_000)
    args = parser.parse_args()
    results = json.loads(FILE.read_text()) if FILE.exists() else {}
    n = args.samples
    jobs = {"triples": (lambda: triples.compare(n), versions())}
    for name, module, packages in (
        ("rsvi", rsvi, ("scipy",)),
        ("orders", orders, ("torch",)),
        ("subsets", subsets, ("torch",)),
    ):
        if folder := getattr(args, name):
            known = versions(*packages) | {"authors": commit(folder)}
            jobs[name] = (lambda m=module, f=folder: m.compare(f, n), known)
    if not args.no_mixture:
        known = versions("tensorflow", "tensorflow-probability")
        jobs["mixture"] = (lambda: mixture.compare(n), known)
    for name, (job, known) in jobs.items():
        results[name] = {"versions": known, "rows": list(job())}
        print(name, "done", flush=True)
    if args.tvo:
        known = versions("torch") | {"authors": commit(args.tvo)}
        results["tvo"] = {"versions": known, "row": bounds.compare(args.tvo)}
    results["boltzmann"] = {"versions": versions(), "row": boltzmann.compare()}
    write_atomically(FILE, (json.dumps(results, indent=1, sort_keys=True) + "\n").encode())
    write_atomically(PAGE, written(PAGE.read_text(), results).encode())


if __name__ == "__main__":
    main()
