"""Record what tests that average runs would find: docs/results/sampled.json.

    PYTHONPATH=. python docs/sampled.py

The rows are those of tests/distributions/test_structured.py. `docs/tables.py` prints them.
"""

import json

from tests.distributions.test_structured import FILE, NODES, SAMPLED, detectable, sampled


def main() -> None:
    """Compute the biases that would be found, and write them."""
    found = {}
    for name in NODES:
        rows = {estimator: sampled(name, estimator, 0) for estimator in SAMPLED}
        found[name] = {e: round(detectable(*rest), 4) for e, (_, *rest) in rows.items()}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
