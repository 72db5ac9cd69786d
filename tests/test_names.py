"""One word, one meaning; and ops are not recognised by their names."""

import ast
import pathlib
import re
from collections import defaultdict

import scg

ROOT = pathlib.Path(scg.__file__).parent


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.ClassDef):
                places[statement.name].append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_ops_are_recognised_by_identity():
    by_name = re.compile(r"\bop\.name( (==|!=|in|not in) |\.startswith)")
    files = sorted(ROOT.rglob("*.py"))
    found = [str(path) for path in files if by_name.search(path.read_text(encoding="utf-8"))]
    assert not found
