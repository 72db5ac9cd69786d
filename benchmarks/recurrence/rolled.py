"""Compare loops with unrolled graphs on forty random recurrent graphs, for each estimator.

    python benchmarks/recurrence/rolled.py results.jsonl [numpy|numba] [first last]

Each line of the file is one graph, one row of estimators and one backend: how the step runs, and
for each length the largest difference from the step of the unrolled graph on the same noise, over
cost, gradients, their standard errors, states and estimators' gradients, relative to their sizes.
Lengths are 1, 2, 3 and 17 for loops, 1 and 2 for steps that run unrolled, which are compiled as the
unrolled graph is, and 1 for these with numba.
An interrupted run resumes: what the file holds is not computed again. At the end the largest
difference is printed; it must be below 1e-12.
"""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.recurrence.recurrent import GRAPHS, LENGTHS, ROLLED, ROWS, Recurrent, gaps


def main(path: Path, backend: str, graphs: range) -> None:
    """Compare what the file does not hold yet."""
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(f["graph"], f["row"], f["backend"]) for f in found}
    revision = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    rows = [*ROLLED, *(row for row in ROWS if row not in ROLLED)]
    for row in rows:
        for seed in graphs:
            if (seed, row, backend) in done:
                continue
            found_gaps = gaps(Recurrent(seed), row, LENGTHS, backend)
            first = next(found_gaps)
            how = first if isinstance(first, str) else "loop" if first.rolled else "unrolled"
            most = 4 if how == "loop" else 2 if backend == "numpy" else 1
            differences = [float(f"{gap:.1e}") for gap in islice(found_gaps, most)]
            record = {
                "graph": seed,
                "row": row,
                "backend": backend,
                "revision": revision,
                "how": how.partition(". ")[0],
                "differences": dict(zip(map(str, LENGTHS), differences, strict=False)),
            }
            found.append(record)
            with path.open("a") as file:
                file.write(json.dumps(record) + "\n")
    compared = [f for f in found if f["differences"]]
    worst = max(max(f["differences"].values()) for f in compared)
    loops = sum(f["how"] == "loop" for f in compared)
    print(f"{len(compared)} pairs of a graph and a row, {loops} as loops: at most {worst:.1e}")


if __name__ == "__main__":
    target, *rest = sys.argv[1:]
    bounds = map(int, rest[1:3]) if len(rest) > 2 else (0, GRAPHS)
    main(Path(target), rest[0] if rest else "numpy", range(*bounds))
