"""Sequences that are sampled as a whole: the sample plates of nodes in scans."""

from __future__ import annotations

from scg.compiler.analyse import Influence
from scg.compiler.paths import sample_plates
from scg.compiler.plan import Plan
from scg.estimators.protocol import Estimator


def sequences(plan: Plan) -> dict[str, dict[object, int]]:
    """Lengths of the sample plates of estimators that sample jointly, for each node of a scan."""
    graph = plan.influence.graph
    if not graph.scans and graph.declared is None:
        return {}
    whole = plan.influence if graph.scans else Influence(graph.declared)
    by_name = {graph.declared_node(n.name or ""): e for n, e in plan.estimators.items()}
    of = {node: by_name[node.name or ""] for node in whole.nodes if node.name in by_name}
    lengths = sample_plates(whole, of)
    steps = {scan.plate for scan in whole.graph.scans.values()}
    return {
        node.name or "": {
            key: n
            for arg in node.args
            for key, n in lengths[arg].items()
            if isinstance(key, Estimator)
        }
        for node in whole.nodes
        if not steps.isdisjoint(node.plates)
    }
