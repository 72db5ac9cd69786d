"""Print, for each op and each law, the worst relative error over a grid with extremes.

python benchmarks/accuracy
python benchmarks/accuracy --write docs/reference/accuracy.md
"""

import argparse
import warnings
from pathlib import Path

import laws
import ops
from measure import errors

HEAD = """# Accuracy

Worst relative errors of values and of derivatives over grids with extremes, against mpmath with 400
digits; `python benchmarks/accuracy` prints this page. A point is rounded to the precision first, so
that only what is computed counts. What exceeds the range of the type is left out; below the
smallest normal number an error is relative to that number.

An absolute error of log p is a relative one of p: a log p below 1 is held to 1, and its derivative
in a parameter θ to 1 / max(|θ|, 1).

Moves (reshape, transpose, slices, flip, roll, pad, tile, repeat, gather, sort, one-hot) copy
elements; floor, ceil, round, sign and comparisons have no error. The derivative of tanh is
1 − tanh², of which nothing is left where it is below the precision.
"""
COLUMNS = [(what, name) for name in ("float64", "float32") for what in ("value", "derivative")]


def table(what, rows):
    """Yield the lines of a Markdown table."""
    names = " | ".join(f"{kind}, {name}" for kind, name in COLUMNS)
    yield f"| {what} | {names} | worst value of float64 at |"
    yield "|---|" + "---:|" * len(COLUMNS) + "---|"
    for name, found in rows:
        numbers = " | ".join(number(found[column].error) for column in COLUMNS)
        yield f"| {name} | {numbers} | {found['value', 'float64'].where} |"


def number(error):
    """An error of two digits; a dash where there is nothing to compare."""
    return "–" if error < 0 else "exact" if error == 0 else f"{error:.1e}"


def op_rows():
    """Measure the ops."""
    for name, (ours, reference, points, arguments) in ops.ROWS.items():
        yield name, errors(ours, reference, points, range(arguments))


def law_rows():
    """Measure the laws: log p, and its derivatives in the parameters."""
    for name, (make, reference, points, kind) in laws.ROWS.items():

        def log_prob(x, *parameters, make=make):
            return make(*parameters).log_prob(x)

        arguments = range(1, len(points[0]))
        yield name, errors(log_prob, reference, points, arguments, kind, logarithm=True)


def main():
    """Measure everything, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, help="the page to write")
    target = parser.parse_args().write
    warnings.simplefilter("ignore", RuntimeWarning)
    lines = [HEAD]
    print(HEAD)
    for title, rows in (("op", op_rows()), ("law: log p", law_rows())):
        for line in [*table(title, rows), ""]:
            lines.append(line)
            print(line)
    if target:
        target.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
