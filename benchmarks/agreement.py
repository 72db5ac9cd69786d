"""Compare the compiled engine with the interpreter on the same noise.

python benchmarks/agreement.py            500 graphs
python benchmarks/agreement.py --graphs 50 --dtype float32
python benchmarks/agreement.py --tables   all ops, distributions and estimators; no graphs

The graphs are those of tests/crosscheck/test_random_graphs.py: up to 30 steps from the tables of
ops and distributions, on and off a plate. Each runs on three seeds. The program leaves out, and
counts, a seed on which a discrete sample or a comparison differs by rounding alone.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).parent.parent))

import scg
from tests.distributions import test_native as families
from tests.engine import test_extremes as extremes
from tests.engine.test_agreement import (
    RECIPES,
    REDUCE,
    TOLERANCE,
    compare,
    results,
    rounding_decides,
)
from tests.laws.choices import CHOICES, warm
from tests.laws.test_native import steps_for
from tests.laws.verdicts import placed
from tests.ops import native


def graphs(count, dtype):
    """Compare random graphs; the number that disagree or need Python."""
    found, python, disagree, decided, clock = [], [], 0, 0, time.process_time()

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(RECIPES, REDUCE)
    def each(recipe, reduce):
        nonlocal disagree, decided
        worst, left_out, fallbacks = compare(recipe, reduce, dtype)
        decided += left_out
        found.append(worst)
        python.extend(fallbacks)
        if not worst <= TOLERANCE[dtype]:
            disagree += 1
            print(f"{worst:.1e}  {reduce} {recipe}", flush=True)
        if len(found) % 25 == 0:
            print(f"{len(found)} graphs, {time.process_time() - clock:.0f} s", flush=True)

    each()
    print(
        f"{len(found)} graphs in {dtype}: {disagree} disagree beyond {TOLERANCE[dtype]:.0e}, "
        f"median difference {np.median(found):.1e}, largest {max(found):.1e}; "
        f"rounding decides {decided} of {3 * len(found)} seeds; {len(python)} ops in Python"
    )
    return disagree + len(python)


def rows(dtype):
    """Compare all rows of ops and distributions; the number of values that disagree."""
    of_ops, of_laws = {"float64": (1e-11, 1e-10), "float32": (2e-5, 1e-4)}[dtype]
    wrong = []
    for plates in (native.ALONE, native.MIXED):
        outputs, values = native.program(plates)
        native.compare(outputs, values, dtype, native.SIZES, of_ops)
        for sizes in extremes.SMALL:
            part = extremes.cut(values, sizes)
            native.compare(outputs, part, dtype, sizes, of_ops)
        wrong += extremes.sweep_ops(outputs, values, dtype)
    print(f"{len(native.ROWS)} rows of ops were compared in {dtype}", flush=True)
    outputs, values = families.program(families.LAWS)
    native.compare(outputs, values, dtype, {families.P: 3}, of_laws)
    wrong += extremes.sweep_laws(outputs, values, dtype)
    print(f"{len(families.LAWS)} laws were compared in {dtype}", flush=True)
    print(*wrong, f"{len(wrong)} values disagree at an extreme number", sep="\n", flush=True)
    return len(wrong)


def estimators(dtype):
    """Compare the estimators of the laws on a graph with a plate and one without."""
    worst, count, decided = 0.0, 0, 0
    for name in CHOICES:
        for row, _ in steps_for(name):
            steps = [placed(row, name, backend=b, dtype=dtype) for b in ("numpy", "numba")]
            given = {"data": row.data, "state": warm(steps[0].init(seed=0))}
            noise = steps[0].noise(seed=3, runs=4, data=row.data)
            found, count = results(steps, row.params, noise=noise, **given), count + 1
            if found > TOLERANCE[dtype] and rounding_decides(steps[0], row.params, noise, **given):
                decided += 1
                continue
            worst = max(worst, found)
            assert worst <= TOLERANCE[dtype], (name, row)
            assert steps[1].program.engine().schedule.fallbacks == []
        print(f"{name}: largest difference so far {worst:.1e}", flush=True)
    print(
        f"{len(CHOICES)} estimators agree in {dtype} on {count - decided} graphs, largest "
        f"difference {worst:.1e}; rounding decides a draw of {decided} others"
    )


def main():
    """Run the comparison that the options select."""
    parser = argparse.ArgumentParser(description="Hold one backend to the other.")
    parser.add_argument("--graphs", type=int, default=500)
    parser.add_argument("--dtype", choices=TOLERANCE, default="float64")
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scg.StopWarning)
        if not options.tables:
            return graphs(options.graphs, options.dtype)
        wrong = sum(map(rows, TOLERANCE))
        for dtype in TOLERANCE:
            estimators(dtype)
        return wrong


if __name__ == "__main__":
    raise SystemExit(bool(main()))
