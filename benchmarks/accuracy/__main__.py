"""Print, for each op and each law, the worst relative error over a grid with extremes.

python benchmarks/accuracy
python benchmarks/accuracy --write docs/reference/accuracy.md
"""

import argparse
import inspect
import textwrap
import warnings
from pathlib import Path

import laws
import ops
from measure import errors

from scg.graph.declaration.notation import functions

HEAD = """# Accuracy

Worst relative errors of values and of derivatives over grids with extremes, against mpmath with 400
digits; `python benchmarks/accuracy` prints this page. A point is rounded to the precision first, so
that only what is computed counts. What exceeds the range of the type is left out; below the
smallest normal number an error is relative to that number.

An absolute error of log p is a relative one of p: a log p below 1 is held to 1, and its derivative
in a parameter θ to 1 / max(|θ|, 1). So are entropies and divergences.

{exact}

{alike}
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


def head():
    """The text above the tables; no op is left out."""
    named = {*ops.ROWS, *ops.EXACT, *ops.ALIKE}
    missing = [n for n, f in functions().items() if n not in named and not inspect.isclass(f)]
    if missing:
        raise SystemExit(f"no row for {', '.join(missing)}: add it to benchmarks/accuracy/ops.py")
    exact = f"{', '.join(ops.EXACT)} and indices copy, compare or round elements without an error."
    alike = ", ".join(f"{name} as {row}" for name, row in ops.ALIKE.items())
    exact, alike = (textwrap.fill(text, 100) for text in (exact, f"Computed alike: {alike}."))
    return HEAD.format(exact=exact, alike=alike)


def summary_rows():
    """Measure entropies and divergences, and their derivatives in the parameters."""
    for name, (quantity, reference, points) in laws.SUMMARIES.items():
        arguments = range(len(points[0]))
        yield name, errors(quantity, reference, points, arguments, logarithm=True)


def main():
    """Measure everything, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, help="the page to write")
    target = parser.parse_args().write
    warnings.simplefilter("ignore", RuntimeWarning)
    lines = [head()]
    print(lines[0])
    tables = {
        "op": op_rows(),
        "law: log p": law_rows(),
        "entropy, divergence": summary_rows(),
    }
    for title, rows in tables.items():
        for line in [*table(title, rows), ""]:
            lines.append(line)
            print(line)
    if target:
        target.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
