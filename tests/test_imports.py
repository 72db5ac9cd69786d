"""The order of the rooms: every import points to what stands before it, and no file to a later one.

Imports in functions and for type checkers count.
"""

import ast
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
ORDER = """errors common special seeds ir ops distributions graph estimators.views
    estimators.protocol estimators.baselines estimators.parts estimators compiler
    schedule engine draw explain run face passes compile workers cite layers data verify
    train testing interop scg models course reproduce command __main__""".split()


def name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> int:
    inside = module.removeprefix("scg.")
    found = [r for r in ORDER if inside == r or inside.startswith(f"{r}.")]
    assert found, f"{module} stands in no room"
    return ORDER.index(max(found, key=len))


def imports() -> nx.DiGraph:
    files = {name(path.relative_to(ROOT)): path for path in sorted((ROOT / "scg").rglob("*.py"))}
    graph = nx.DiGraph()
    graph.add_nodes_from(files)
    for module, path in files.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                named = [f"{node.module}.{alias.name}" for alias in node.names]
                found = {n if n in files else node.module for n in named}
            elif isinstance(node, ast.Import):
                found = {alias.name for alias in node.names}
            else:
                continue
            graph.add_edges_from((module, target) for target in found & files.keys())
    return graph


def test_imports_point_down():
    edges = [e for e in imports().edges if room(e[0]) < room(e[1])]
    assert not edges, f"imports of what stands higher: {edges}"


def test_no_files_import_each_other():
    knots = [sorted(knot) for knot in nx.strongly_connected_components(imports()) if len(knot) > 1]
    assert not knots
