"""Declarations as data: a graph as JSON text, read and written.

A declaration is one object; its nodes come in any order::

    {"schema": 1,
     "name": "toy",
     "plates": {"batch": {}},
     "nodes": {
       "x": {"data": {"shape": [4], "plates": ["batch"]}},
       "W": {"parameter": {"shape": [4, 2], "init": "glorot_uniform"}},
       "theta": {"parameter": {"value": 0.4}},
       "h": {"sample": "Bernoulli(logits=x @ W + theta)"},
       "total": {"deterministic": "sum(h)"},
       "loss": {"cost": "(total - 1.5) ** 2 + h.log_prob()"}}}

An expression in NumPy notation may use the names of other nodes and of plates, numbers, lists,
operators, comparisons, indices, NumPy functions that nodes support, the functions and the
distributions of scg, the functions that the caller passes as ``custom``, and the method
``log_prob``. Anything else is an error; no expression is executed as Python.

``Graph.to_json`` writes the same without notation. A node without a name of its own is one
operation, ``"#3": {"op": "subtract", "args": ["b", "#2"]}``, and others refer to it:
``"loss": {"cost": {"node": "#3"}}``; a distribution is
``{"family": "Bernoulli", "static": ["logits"], "args": ["theta"]}``, and a sample that a cell
declares names its scans, ``"in": ["cell"]``.
"""

from scg.graph.declaration.parts import SCHEMA
from scg.graph.declaration.read import read
from scg.graph.declaration.write import write

__all__ = ["SCHEMA", "read", "write"]
