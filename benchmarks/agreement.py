"""Hold the compiled engine to the interpreter: random graphs, or the tables, on the same noise.

python benchmarks/agreement.py            500 graphs
python benchmarks/agreement.py --graphs 50 --dtype float32
python benchmarks/agreement.py --tables   all rows of ops and families, every estimator; no graphs

The graphs are those of tests/test_random_graphs.py: up to 30 steps from the tables of ops and
distributions, on and off a plate. Each is run on three seeds.
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
from tests.engine.test_agreement import RECIPES, REDUCE, compare, difference
from tests.laws.choices import CHOICES, warm
from tests.laws.test_native import rows_for
from tests.ops import native

#: Relative to the largest entry: quadrature in special functions is good to 1e-11.
TOLERANCE = {"float64": 1e-8, "float32": 2e-3}


def graphs(count, dtype):
    """Compare random graphs, and return how many disagree or need Python."""
    found, python, disagree, clock = [], [], 0, time.process_time()

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(RECIPES, REDUCE)
    def each(steps, reduce):
        nonlocal disagree
        worst, fallbacks = compare(steps, reduce, dtype)
        found.append(worst)
        python.extend(fallbacks)
        if not worst <= TOLERANCE[dtype]:
            disagree += 1
            print(f"{worst:.1e}  {reduce} {steps}", flush=True)
        if len(found) % 25 == 0:
            print(f"{len(found)} graphs, {time.process_time() - clock:.0f} s", flush=True)

    each()
    print(
        f"{len(found)} graphs in {dtype}: {disagree} disagree beyond {TOLERANCE[dtype]:.0e}, "
        f"median difference {np.median(found):.1e}, largest {max(found):.1e}; "
        f"{len(python)} ops in Python"
    )
    return disagree + len(python)


def rows():
    """Compare every row of ops and every family; raise where they differ."""
    for dtype, of_ops, of_laws in (("float64", 1e-11, 1e-10), ("float32", 2e-5, 1e-4)):
        for plates in (native.ALONE, native.MIXED):
            native.compare(*native.program(plates), dtype, native.SIZES, of_ops)
        print(f"{len(native.ROWS)} rows of ops agree in {dtype}", flush=True)
        native.compare(*families.program(families.LAWS), dtype, {families.P: 3}, of_laws)
        print(f"{len(families.LAWS)} laws agree in {dtype}", flush=True)


def estimators():
    """Compare every estimator of the laws on a graph with a plate and one without."""
    worst, count = 0.0, 0
    for choice in CHOICES.values():
        for row in rows_for(choice):
            steps = [scg.compile(row.build(), choice.make(), backend=b) for b in ("numpy", "numba")]
            state = warm(steps[0].init(seed=0))
            noise = steps[0].noise(seed=3, runs=4, data=row.data)
            one, two = (s(row.params, noise=noise, data=row.data, state=state) for s in steps)
            pairs = [(one.cost, two.cost), *((one.grads[k], two.grads[k]) for k in one.grads)]
            worst, count = max(worst, *(difference(a, b) for a, b in pairs)), count + 1
            assert worst < TOLERANCE["float64"], (choice, row)
            assert steps[1].program.engine().fallbacks == []
        print(f"{choice}: largest difference so far {worst:.1e}", flush=True)
    print(f"{len(CHOICES)} estimators agree on {count} graphs, largest difference {worst:.1e}")


def main():
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description="Hold one backend to the other.")
    parser.add_argument("--graphs", type=int, default=500)
    parser.add_argument("--dtype", choices=TOLERANCE, default="float64")
    parser.add_argument("--tables", action="store_true")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scg.StopWarning)
        if not options.tables:
            return graphs(options.graphs, options.dtype)
        rows()
        estimators()
        return 0


if __name__ == "__main__":
    raise SystemExit(bool(main()))
