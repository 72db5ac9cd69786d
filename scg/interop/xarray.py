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
    :func:`inference_data` puts several of them together.

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
        array, dims = _labelled(graph, f"samples of {name!r}", name, values, ("runs",))
        if chains < 1 or len(array) % chains:
            raise CallError(f"samples of {name!r}: {len(array)} runs make no {chains} equal chains")
        split = array.reshape(chains, -1, *array.shape[1:])
        variables[name] = (("chain", "draw", *dims[1:]), split)
    return xarray.Dataset(variables)


def inference_data(
    graph: Any, data: Mapping[str, Any] | None = None, chains: int = 1, **groups: Mapping[str, Any]
) -> xarray.DataTree:
    """Groups of samples, and the data, in the layout of ArviZ' InferenceData.

    ArviZ 1 takes it as it is, for ``plot_trace`` or ``summary``; earlier versions after
    ``arviz.from_datatree(found)``.

    Parameters
    ----------
    graph : Graph
        The graph that declares the nodes.
    data : mapping, optional
        Data by name: the group ``observed_data``.
    chains : int
        See :func:`dataset`.
    **groups
        Samples by name of a node, by ArviZ' name of the group: ``posterior``, ``prior``,
        ``posterior_predictive``, ...

    Returns
    -------
    xarray.DataTree

    Raises
    ------
    CallError
        As :func:`dataset`.

    Examples
    --------
    >>> import scg
    >>> from scg.interop.xarray import inference_data
    >>> g = scg.Graph("line")
    >>> x = g.data("x", plates=scg.Plate("batch"))
    >>> y = g.sample("y", scg.Normal(x, 1.0))
    >>> drawn = g.simulate(g.init(seed=0), nodes=["y"], data={"x": [0.0, 1.0]}, seed=1, runs=3)
    >>> found = inference_data(g, {"x": [0.0, 1.0]}, prior_predictive=drawn)
    >>> sorted(found.children), dict(found["prior_predictive"].sizes)
    (['observed_data', 'prior_predictive'], {'chain': 1, 'draw': 3, 'batch': 2})
    """
    found = {group: dataset(graph, samples, chains) for group, samples in groups.items()}
    if data:
        known = {name: _labelled(graph, f"data {name!r}", name, x) for name, x in data.items()}
        shown = {name: (dims, array) for name, (array, dims) in known.items()}
        found["observed_data"] = xarray.Dataset(shown)
    return xarray.DataTree.from_dict(found)


def _labelled(
    graph: Any, what: str, name: str, values: Any, before: tuple[str, ...] = ()
) -> tuple[np.ndarray, list[str]]:
    """An array of a node, with axes before its plates, and the names of its dimensions."""
    node, array = graph.named(name), np.asarray(values)
    outer = [*before, *(plate.name for plate in node.plates)]
    if array.ndim != len(outer) + node.ndim or array.shape[len(outer) :] != node.shape:
        axes = ", ".join([*outer, *map(str, node.shape)])
        raise CallError(f"{what}: expected shape ({axes}), got {array.shape}")
    return array, [*outer, *(f"{name}_dim_{k}" for k in range(node.ndim))]
