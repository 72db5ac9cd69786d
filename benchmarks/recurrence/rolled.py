"""Compare loops with unrolled graphs on forty random recurrent graphs, for each estimator.

    python benchmarks/recurrence/rolled.py results.jsonl [numpy|numba [first last [budget]]]

Each line of the file has one graph, one row of estimators and one backend: how the step runs, and
for each length the largest difference from the step of the unrolled graph on the same noise, over
cost, gradients, their standard errors, states and estimators' gradients, relative to their sizes.
Steps that run unrolled are compiled as the unrolled graph is, for each length. At 17 steps their
programs are compared, which come last, in lines without a backend, because both run the same
program. Where operations differ (a size in place of a constant), numbers are compared. A length for
which the unrolled graph has too many paths, or the comparison takes more CPU time than the budget
(60 s), is in `left` with the reason.
An interrupted run resumes: what the file holds is not computed again. At the end the largest
difference is printed, which must be below 1e-12, and how many comparisons were left out, by reason.
"""

import json
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import scg
from scg.engine.operations import listing
from scg.ir.expr import Expr
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


def same_program(seed: int, row: str, length: int, most: float) -> dict[str, Any]:
    """A record of a step that runs unrolled: whether its program is that of the unrolled graph."""
    same, left, case = {}, {}, Recurrent(seed)
    chosen = case.estimators(row)

    def outputs(make: Callable[[], Any]) -> Any:
        try:
            return make().program.outputs
        except scg.EstimatorError:
            return None

    try:
        with budget(most), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step = scg.compile(case.graph, chosen, backend="numpy")
            own = outputs(lambda: step.unrolled(dict.fromkeys(step.plates, length)))
            plain = outputs(
                lambda: scg.compile(case.graph.unroll(t=length), chosen, backend="numpy")
            )
            if own is None and plain is None:
                left[str(length)] = "the unrolled graph has too many paths"
            else:
                same[str(length)] = None not in (own, plain) and alike(own, plain)
    except OverBudget:
        left[str(length)] = f"more than {most:g} s of CPU time"
    return {"how": "unrolled", "same": same, "left": left}


def alike(own: Mapping[Any, Expr], plain: Mapping[Any, Expr]) -> bool:
    """Whether the same operations compute all outputs but costs by name, which have each step's."""
    both = [key for key in own if key[0] != "costs"]
    return listing({key: own[key] for key in both}) == listing({key: plain[key] for key in both})


def main(path: Path, backend: str, graphs: range, most: float) -> None:
    """Compare what the file does not hold yet: loops, up to 3 unrolled steps, and 17 of them."""
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    revision = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()

    def add(made: dict[str, Any], **key: Any) -> None:
        found.append(key | {"revision": revision} | made)
        with path.open("a") as file:
            file.write(json.dumps(found[-1]) + "\n")

    done = {(f["graph"], f["row"]) for f in found if f.get("backend") == backend}
    others = [row for row in ROWS if row not in ROLLED]
    for seed, row in (*product(graphs, ROLLED), *product(graphs, others)):
        if (seed, row) not in done:
            lengths = [n for n in LENGTHS if n < 17]
            made = compare(seed, row, backend, lengths, most)
            add(made, graph=seed, row=row, backend=backend)
    done = {(f["graph"], f["row"]) for f in found if "same" in f}
    unrolled = {(f["graph"], f["row"]) for f in found if f["how"] == "unrolled"}
    for seed, row in sorted(unrolled - done):
        if seed in graphs:
            add(same_program(seed, row, 17, most), graph=seed, row=row)
    done = {(f["graph"], f["row"]) for f in found if f.get("backend") == backend and long(f)}
    other = {(f["graph"], f["row"]) for f in found if False in f.get("same", {}).values()}
    for seed, row in sorted(other - done):
        if seed in graphs:
            made = compare(seed, row, backend, [17], most)
            add(made, graph=seed, row=row, backend=backend)
    report([f for f in found if f["graph"] in graphs and f.get("backend", backend) == backend])


def long(record: dict[str, Any]) -> bool:
    """Whether a record has 17 steps."""
    return "17" in record["differences"] | record["left"]


def report(found: list[dict[str, Any]]) -> None:
    """Print what was compared, what was not, and the largest difference."""
    pairs = {(f["graph"], f["row"]): f["how"] for f in found}
    for how, number in Counter(pairs.values()).most_common():
        print(f"{number} pairs of a graph and a row: {how}")
    for length in map(str, LENGTHS):
        compared = [f["differences"][length] for f in found if length in f.get("differences", ())]
        worst = max(compared, default=0.0)
        print(f"{len(compared)} comparisons of {length} steps: at most {worst:.1e}")
        same = Counter(f["same"][length] for f in found if length in f.get("same", ()))
        if same:
            print(f"  {same[True]} programs are those of unrolled graphs, {same[False]} are not")
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
