"""Sums of products in the notation of ``np.einsum``, as contractions of two arguments each."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ops.linalg import contract
from scg.ops.reductions import sum
from scg.ops.shape import transpose


@implements(np.einsum)
def einsum(subscripts: str, *operands: Any) -> Any:
    """Sum of products over event axes, contracted from left to right.

    Parameters
    ----------
    subscripts : str
        As in NumPy, one letter an axis: ``"ij,jk->ik"``. A batch belongs on a plate, or has a
        letter of its own.
    *operands : node or array_like
        One for each part of the subscripts.

    Raises
    ------
    DeclarationError
        For an ellipsis, or a letter twice in one part.
    """
    parts, out = _parse(subscripts, operands)
    value, letters = _summed(operands[0], parts[0], set(out).union(*parts[1:]))
    for i in range(1, len(operands)):
        later = set(out).union(*parts[i + 1 :])
        right, right_letters = _summed(operands[i], parts[i], later | set(letters))
        value, letters = _summed(value, letters, later | set(right_letters))
        joint = letters + "".join(x for x in right_letters if x not in letters)
        kept = "".join(x for x in joint if x in later)
        value = contract(
            value,
            right,
            left=tuple(map(ord, letters)),
            right=tuple(map(ord, right_letters)),
            out=tuple(map(ord, kept)),
            over=(),
        )
        letters = kept
    order = tuple(letters.index(x) - len(letters) for x in out)
    return value if letters == out else transpose(value, axes=order)


def _parse(subscripts: str, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    text = subscripts.replace(" ", "") if isinstance(subscripts, str) else ""
    left, arrow, out = text.partition("->")
    parts = left.split(",")
    if "." in text or not all(part.isalpha() or not part for part in [*parts, out]) or not text:
        raise DeclarationError(
            f'einsum: expected letters such as "ij,jk->ik", got {subscripts!r}; an ellipsis is not '
            "supported: name the axes, or put what repeats on a plate"
        )
    if len(parts) != len(operands):
        raise DeclarationError(
            f"einsum: {subscripts!r} has {len(parts)} parts, but {len(operands)} operands follow"
        )
    for part, operand in zip(parts, operands, strict=True):
        if len(set(part)) != len(part):
            raise DeclarationError(
                f"einsum: a letter stands twice in {part!r}; write np.diagonal first"
            )
        if len(part) != np.ndim(operand):
            raise DeclarationError(
                f"einsum: {part!r} names {len(part)} axes, but the operand's event has "
                f"{np.ndim(operand)}"
            )
    every = "".join(parts)
    if not arrow:
        out = "".join(sorted(x for x in set(every) if every.count(x) == 1))
    if len(set(out)) != len(out) or not set(out) <= set(every):
        raise DeclarationError(f"einsum: the result {out!r} has a letter twice or an unknown one")
    return parts, out


def _summed(x: Any, letters: str, needed: set[str]) -> tuple[Any, str]:
    """Sum over the axes whose letters are not needed any more."""
    lone = tuple(i for i, letter in enumerate(letters) if letter not in needed)
    kept = "".join(letter for letter in letters if letter in needed)
    return (sum(x, axis=lone), kept) if lone else (x, letters)
