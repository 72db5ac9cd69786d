"""Ledger: the finished pieces of work of a reproduction, one line of JSON each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import scg
from scg.common.files import json_text, write_atomically
from scg.errors import DataError

Record = dict[str, Any]


class Ledger:
    """A file of JSON lines, each the key and the figures of one finished cell.

    Use it for work whose cells depend on each other, such as a rate that is chosen before other
    seeds run; :func:`scg.study` computes a fixed grid.

    Parameters
    ----------
    path : Path
        The file; it may not exist yet. A last line that an interrupt cut is dropped.

    Raises
    ------
    DataError
        If another line is damaged.
    """

    def __init__(self, path: Path):
        self.path = path
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            write_atomically(path, whole.encode())
        self.records: list[Record] = [
            _record(line, f"{path}, line {i}") for i, line in enumerate(whole.splitlines(), 1)
        ]

    @property
    def by_seed(self) -> list[Record]:
        """The records in the order of their seeds, so that figures of one seed are compared.

        Pieces that were measured again stand behind those of later seeds in the file.
        """
        return sorted(self.records, key=lambda record: record.get("seed", 0))

    def find(self, **key: Any) -> list[Record]:
        """The records that have these entries."""
        return [r for r in self.records if all(r.get(k) == v for k, v in key.items())]

    def add(self, record: Mapping[str, Any]) -> Record:
        """Append a record, with the commit that made it."""
        text = json_text({**record, "commit": commit()})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
        self.records.append(json.loads(text))
        return self.records[-1]


def _record(line: str, where: str) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or "kind" not in record:
        raise DataError(f'{where}: expected a JSON object with a "kind"; remove the line')
    return record


@cache
def commit() -> str:
    """The commit of the running code, with a mark if files differ from it; else the version."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        found = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True)
        return found.stdout.strip() if found.returncode == 0 else ""

    try:
        name = git("rev-parse", "--short", "HEAD")
    except OSError:  # no git
        name = ""
    return name + ("+" if name and git("status", "--porcelain", "..") else "") or scg.__version__
