"""Verdicts of the laws, found once for all processes and kept for a run with another seed."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from .verdicts import Verdict


@pytest.fixture(scope="session")
def kept(tmp_path_factory, seed):
    """Function of a table's name and of what finds each of its verdicts; it returns all of them.

    What finds one takes whether runs decided it with another seed.

    If SCG_TEST_VERDICTS names a folder, they are kept there, and a run with another seed finds
    those anew that averages of runs decided. The others do not depend on the seed.
    """
    chosen = os.environ.get("SCG_TEST_VERDICTS")
    folder = Path(chosen) if chosen else tmp_path_factory.getbasetemp()
    if not chosen and "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def of(table: str, find: Mapping[str, Callable[[bool], Verdict]]) -> dict[str, Verdict]:
        place = folder / "verdicts" / table
        file = place / f"{seed}.json"
        if not file.exists():
            place.mkdir(parents=True, exist_ok=True)
            known = next(map(read, place.glob("*.json")), {})
            decided = {name: verdict for name, verdict in known.items() if not verdict.drawn}
            cells = {
                name: decided.get(name) or found(name in known) for name, found in find.items()
            }
            part = file.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(cells))
            part.replace(file)
        return read(file)

    return of


def read(file: Path) -> dict[str, Verdict]:
    """The verdicts of a table."""
    return {name: Verdict(*v) for name, v in json.loads(file.read_text()).items()}
