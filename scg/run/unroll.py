"""Unroll on request: ``g.unroll(t=7)``."""

from __future__ import annotations

from typing import Any

from scg.errors import DeclarationError
from scg.ir import collector


def unroll(self: Any, **lengths: int) -> Any:
    """The ordinary graph of a number of steps: ``g.unroll(t=7)``, by the names of plates.

    Use it to see what a scan means, and for estimators on few steps; :func:`scg.compile` takes
    graphs with scans as they are. A node z of a scan becomes z[0], z[1], …, and a cost likewise.
    Data keep their shapes. Step t has slice t of the node's noise, and all steps share the memory
    of the node's estimator, whose name in ``estimator={"z": …}`` stands for all of them.

    Returns
    -------
    Graph

    Raises
    ------
    DeclarationError
        If a plate is not that of a scan, or the length of one is missing or not positive.

    Examples
    --------
    >>> import scg
    >>> g, steps = scg.Graph("walk"), scg.Time("t")
    >>> def cell(x):
    ...     y = g.sample("y", scg.Normal(x, 1.0))
    ...     g.cost("size", y**2)
    ...     return y
    >>> last = g.scan(cell, init=g.parameter("start", 2.0), over=steps)
    >>> g.unroll(t=2)
    Graph('walk': 1 parameter, 2 stochastic, 2 cost)
    """
    from scg.compiler.unroll import Unrolled  # importing scg is to stay fast

    plates = {scan.plate.name: scan.plate for scan in self.scans.values()}
    for name, length in lengths.items():
        if name not in plates:
            known = ", ".join(plates) or "none"
            raise DeclarationError(
                f"g.unroll: {name!r} is not the plate of a scan (those are: {known})"
            )
        if not isinstance(length, int) or isinstance(length, bool) or length < 1:
            raise DeclarationError(
                f"g.unroll: {name} must be a positive integer, because a scan needs at least one "
                f"step; got {length!r}"
            )
    chosen = {}
    for name, plate in plates.items():
        length = lengths.get(name, plate.length)
        if length is None or plate.length not in (None, length):
            raise DeclarationError(
                f"g.unroll: plate {name!r} has length {plate.length}, got {length}"
                if length is not None
                else f"g.unroll: give the number of steps: g.unroll({name}=7)"
            )
        chosen[plate] = length
    with collector.paused():
        return Unrolled(self, chosen, fixed=True).graph
