"""Importing scg: what is loaded, and names that are loaded later."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import scg

#: Modules that take as long to import as all of scg, and rooms that no declaration needs.
LATE = (
    "scipy numba llvmlite networkx rich matplotlib json html logging uuid concurrent numpy.random "
    "scg.draw scg.explain scg.verify scg.train scg.workers scg.passes"
).split()


def test_importing_loads_no_other_package_and_no_room_that_declarations_do_not_need():
    code = f"import sys, scg; print([m for m in {LATE} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_public_name_is_there():
    missing = [name for name in scg.__all__ if not hasattr(scg, name)]
    assert not missing
    assert {*scg.__all__} <= {*dir(scg)}
    assert not {"Any", "TYPE_CHECKING", "annotations"} & {*dir(scg)}


def test_type_checkers_see_the_names_that_are_loaded_later():
    tree = ast.parse(Path(scg.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == scg._LATER


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'scg' has no attribute 'verified'"):
        scg.verified  # noqa: B018
