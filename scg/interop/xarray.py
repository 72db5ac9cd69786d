"""Samples as labelled arrays, for xarray and ArviZ.

Requires xarray: ``pip install 'scgrad[xarray]'``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray

from scg.errors import CallError


def dataset(graph: Any, samples: Mapping[str, Any], chains: int = 1) -> xarray.Dataset:
    """Dataset of samples of a graph: dimensions are chain, draw, plates by name, and event axes.

    Use it for what :meth:`scg.Graph.simulate` returns, or for draws of an approximate posterior.
    ArviZ takes it as a group: ``arviz.InferenceData(posterior=dataset(g, samples))``.

    Parameters
    ----------
    graph : Graph
        The graph that declares the nodes.
    samples : mapping
        Arrays of shape (runs, plates, event) by name of a node.
    chains : int
        Equal parts into which runs are split: consecutive runs are draws of one chain.

    Returns
    -------
    xarray.Dataset
        Axis k of an event of node "z" is called ``z_dim_k``, as ArviZ does it.

    Raises
    ------
    CallError
        If an array does not have the axes of its node, or the runs do not split evenly.

    Examples
    --------
    >>> import scg
    >>> from scg.interop.xarray import dataset
    >>> g = scg.Graph("walk")
    >>> z = g.sample("z", scg.Normal(g.parameter("start", [0.0, 1.0]), 1.0))
    >>> found = dataset(g, g.simulate(g.init(seed=0), nodes=["z"], seed=1, runs=6), chains=2)
    >>> dict(found.sizes)
    {'chain': 2, 'draw': 3, 'z_dim_0': 2}
    """
    variables = {}
    for name, values in samples.items():
        node, array = graph.named(name), np.asarray(values)
        plates = [plate.name for plate in node.plates]
        if (
            array.ndim != 1 + len(plates) + node.ndim
            or array.shape[1 + len(plates) :] != node.shape
        ):
            axes = ", ".join(["runs", *plates, *map(str, node.shape)])
            raise CallError(f"samples of {name!r}: expected shape ({axes}), got {array.shape}")
        if chains < 1 or len(array) % chains:
            raise CallError(f"samples of {name!r}: {len(array)} runs make no {chains} equal chains")
        dims = ["chain", "draw", *plates, *(f"{name}_dim_{k}" for k in range(node.ndim))]
        variables[name] = (dims, array.reshape(chains, -1, *array.shape[1:]))
    return xarray.Dataset(variables)
