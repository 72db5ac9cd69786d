"""Record what tests that average runs would find: files of docs/results.

    PYTHONPATH=. python docs/sampled.py             structured distributions: sampled.json
    PYTHONPATH=. python docs/sampled.py FOLDER      the matrix of the laws: laws.json

The rows of the first are those of tests/distributions/test_structured.py. The folder has the
verdicts of tests/laws/test_matrix.py, which keeps them where SCG_TEST_VERDICTS says. The test
compares them with the record. `docs/tables.py` prints both.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.distributions.test_structured import FILE, NODES, SAMPLED, detectable, sampled
from tests.laws.choices import CHOICES
from tests.laws.conftest import read
from tests.laws.graphs import ROWS
from tests.laws.test_matrix import RECORD, recorded


def structured() -> dict[str, Any]:
    """Biases that would be found, by distribution and estimator."""
    found = {}
    for name in NODES:
        rows = {estimator: sampled(name, estimator, 0) for estimator in SAMPLED}
        found[name] = {e: round(detectable(*rest), 4) for e, (_, *rest) in rows.items()}
    return found


def laws(folder: Path) -> dict[str, Any]:
    """How each estimator stands on the graphs of the laws, with biases that would be found."""
    verdicts = {row: read(next(folder.glob(f"verdicts/{row}/*.json"))) for row in ROWS}
    graph = ROWS["two_units"].build()
    found = {}
    for name, make in CHOICES.items():
        made = make(graph)
        shown = repr(next(iter(made.values())) if isinstance(made, dict) else made)
        column = {row: cells[name] for row, cells in verdicts.items()}
        found[name] = {"shown": shown.replace("allow_biased=True, ", ""), **recorded(column)}
    return found


def main() -> None:
    """Compute the biases that would be found, and write them."""
    file, found = (RECORD, laws(Path(sys.argv[1]))) if sys.argv[1:] else (FILE, structured())
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
