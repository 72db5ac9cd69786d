"""Compare loops with unrolled graphs on forty random recurrent graphs, for each estimator.

    python benchmarks/recurrence/rolled.py results.jsonl [numpy|numba [first last [budget]]]

Each line of the file has one graph, one row of estimators and one backend: how the step runs, and
for each length the largest difference from the step of the unrolled graph on the same noise, over
cost, gradients, their standard errors, states and estimators' gradients, relative to their sizes.
Steps that run unrolled are compiled as the unrolled graph is, for each length; 17 steps of them
come last, in lines of their own. A length for which the unrolled graph has too many paths, or the
comparison takes more CPU time than the budget (60 s), is in `left` with the reason.
An interrupted run resumes: what the file holds is not computed again. At the end the largest
difference is printed, which must be below 1e-12, and how many comparisons were left out, by reason.
"""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.recurrence.recurrent import GRAPHS, LENGTHS, ROLLED, ROWS, Recurrent, gaps


class OverBudget(BaseException):
    """A comparison took more CPU time than the budget."""


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Interrupt the block after a CPU time, and again if its code swallows the interruption."""

    def interrupt(*_: Any) -> None:
        raise OverBudget

    signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def compare(seed: int, row: str, backend: str, lengths: list[int], most: float) -> dict[str, Any]:
    """A record of these lengths, or of all four if the step is a loop."""
    how, differences, left = "not compiled", {}, {}
    try:
        with budget(most):
            found = gaps(Recurrent(seed), row, lengths, backend)
            step = next(found)
            how = str(step).partition(". ")[0] if isinstance(step, str) else "unrolled"
            if how == "unrolled" and step.rolled:
                how, lengths[:] = "loop", LENGTHS
            for length, gap in zip(lengths, found, strict=False):
                if isinstance(gap, str):
                    left[str(length)] = "the unrolled graph has too many paths"
                else:
                    differences[str(length)] = float(f"{gap:.1e}")
    except OverBudget:
        for length in map(str, lengths):
            if length not in differences:
                left.setdefault(length, f"more than {most:g} s of CPU time")
    return {"how": how, "differences": differences, "left": left}


def main(path: Path, backend: str, graphs: range, most: float) -> None:
    """Compare what the file does not hold yet: loops, up to 3 unrolled steps, and 17 of them."""
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(f["graph"], f["row"], f["backend"], n) for f in found for n in covered(f)}
    revision = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    others = [row for row in ROWS if row not in ROLLED]
    short = [*product((True,), graphs, ROLLED), *product((True,), graphs, others)]
    for few, seed, row in (*short, *product((False,), graphs, ROWS)):
        lengths = [n for n in LENGTHS if (n < 17) == few]
        if done.issuperset((seed, row, backend, n) for n in lengths):
            continue
        pair = {"graph": seed, "row": row, "backend": backend, "revision": revision}
        record = pair | compare(seed, row, backend, lengths, most)
        done |= {(seed, row, backend, n) for n in covered(record)}
        found.append(record)
        with path.open("a") as file:
            file.write(json.dumps(record) + "\n")
    report([f for f in found if f["graph"] in graphs and f["backend"] == backend])


def covered(record: dict[str, Any]) -> list[int]:
    """The lengths that a record settles: all where there is no step."""
    return [int(n) for n in record["differences"] | record["left"]] or list(LENGTHS)


def report(found: list[dict[str, Any]]) -> None:
    """Print what was compared, what was not, and the largest difference."""
    pairs = {(f["graph"], f["row"]): f["how"] for f in found}
    for how, number in Counter(pairs.values()).most_common():
        print(f"{number} pairs of a graph and a row: {how}")
    for length in map(str, LENGTHS):
        compared = [f["differences"][length] for f in found if length in f["differences"]]
        worst = max(compared, default=0.0)
        print(f"{len(compared)} comparisons of {length} steps: at most {worst:.1e}")
        for why, number in Counter(f["left"][length] for f in found if length in f["left"]).items():
            print(f"  {number} left out: {why}")


if __name__ == "__main__":
    target, *rest = sys.argv[1:]
    bounds = map(int, rest[1:3]) if len(rest) > 2 else (0, GRAPHS)
    main(
        Path(target),
        rest[0] if rest else "numpy",
        range(*bounds),
        float(rest[3]) if len(rest) > 3 else 60.0,
    )
