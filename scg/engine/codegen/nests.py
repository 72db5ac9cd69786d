"""The loops of a nest: how operands move along axes, and which axes are one loop."""

from __future__ import annotations

from scg.ir.plate import Plate
from scg.schedule.entries import Axes, Space

Axis = Plate | int  # a plate, or the position of an event axis in the space


def moves(axes: Axes, axis: Axis) -> bool:
    """Whether an operand moves along an axis of the space."""
    return axis in axes.plates if isinstance(axis, Plate) else axes.strides[axis] != 0


def merge(space: Space, operands: list[Axes]) -> list[tuple[Axis, ...]]:
    """Loops of a nest, outermost first; each merges the axes that all operands run through."""
    axes: list[Axis] = [*space.plates, *range(len(space.lengths))]
    loops: list[tuple[Axis, ...]] = []
    for axis in axes:
        if loops and all(_joined(operand, loops[-1][-1], axis, space) for operand in operands):
            loops[-1] = (*loops[-1], axis)
        else:
            loops.append((axis,))
    return loops


def _joined(operand: Axes, outer: Axis, inner: Axis, space: Space) -> bool:
    """Whether a step along `outer` is the sum of all steps along `inner`."""
    if moves(operand, outer) != moves(operand, inner):
        return False
    if not moves(operand, outer):
        return True
    if isinstance(inner, Plate):
        plates = operand.plates
        return plates.index(inner) == plates.index(outer) + 1  # type: ignore[arg-type]
    step = operand.strides[inner] * space.lengths[inner]
    if isinstance(outer, Plate):
        return operand.plates[-1] is outer and step == operand.base.size
    return operand.strides[outer] == step


def is_unit(operand: Axes, axis: Axis) -> bool:
    """Whether an operand's elements are adjacent along an axis."""
    if isinstance(axis, Plate):
        return operand.plates[-1] is axis and operand.base.size == 1
    return operand.strides[axis] == 1
