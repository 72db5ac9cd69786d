"""Sums of products in the notation of ``np.einsum``, as contractions of two arguments each."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ops.linalg import check_numbers, contract
from scg.ops.reductions import sum
from scg.ops.shape import transpose


@implements(np.einsum)
def einsum(subscripts: str, *operands: Any) -> Any:
    """Sum of products over event axes, contracted from left to right.

    Parameters
    ----------
    subscripts : str
        As in NumPy, one letter an axis: ``"ij,jk->ik"``. A letter that stands twice in a part
        takes the diagonal of its axes, and ``...`` names the leading axes that broadcast. A batch
        belongs on a plate instead.
    *operands : node or array_like
        One for each part of the subscripts.

    Raises
    ------
    DeclarationError
        If the subscripts do not fit the operands, or the result has a letter twice.
    """
    parts, out = _parse(subscripts, operands)
    if len(operands) > 1 or set(out) != set(parts[0]):
        check_numbers("einsum", *operands)
    pairs = list(zip(operands, parts, strict=True))
    wide = {n for x, part in pairs for n, size in zip(part, np.shape(x), strict=True) if size != 1}
    pairs = [_distinct(x, part, wide) for x, part in pairs]
    parts = [part for _, part in pairs]
    value, letters = _summed(*pairs[0], set(out).union(*parts[1:]))
    for i in range(1, len(pairs)):
        later = set(out).union(*parts[i + 1 :])
        right, right_letters = _summed(*pairs[i], later | set(letters))
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
    """Labels of the axes of each operand and of the result; an ellipsis has labels of its own."""
    text = subscripts.replace(" ", "") if isinstance(subscripts, str) else ""
    left, arrow, out = text.partition("->")
    given = left.split(",")
    if not text or not all(_readable(part) for part in [*given, out]):
        raise DeclarationError(f'einsum: expected letters such as "ij,jk->ik", got {subscripts!r}')
    if len(given) != len(operands):
        raise DeclarationError(
            f"einsum: {subscripts!r} has {len(given)} parts, but {len(operands)} operands follow"
        )
    parts, longest = [], ""
    for part, operand in zip(given, operands, strict=True):
        rest = np.ndim(operand) - len(part.replace("...", ""))
        if rest < 0 or (rest and "..." not in part):
            raise DeclarationError(
                f"einsum: {part!r} names {len(part.replace('...', ''))} axes, but the operand's "
                f"event has {np.ndim(operand)}"
            )
        # The axes of an ellipsis are aligned at the last one. Code points below "A" are signs.
        labels = "".join(chr(ord("A") - i) for i in range(rest, 0, -1))
        longest = max(longest, labels, key=len)
        parts.append(part.replace("...", labels))
    every = "".join(parts)
    if not arrow:
        out = "..." + "".join(sorted(x for x in set(every) - set(longest) if every.count(x) == 1))
    if longest and "..." not in out:
        raise DeclarationError(
            f"einsum: write ... in the result of {subscripts!r} too, or name the axes to sum over"
        )
    labels = out.replace("...", longest)
    if len(set(labels)) != len(labels) or not set(labels) <= set(every):
        raise DeclarationError(f"einsum: the result {out!r} has a letter twice or an unknown one")
    return parts, labels


def _readable(part: str) -> bool:
    letters = part.replace("...", "", 1)
    return letters.isalpha() or not letters


def _distinct(x: Any, part: str, wide: set[str]) -> tuple[Any, str]:
    """Squeeze the axes that an ellipsis repeats; take the diagonals of equal letters."""
    lone = tuple(
        i
        for i, (label, size) in enumerate(zip(part, np.shape(x), strict=True))
        if size == 1 and label in wide and not label.isalpha()
    )
    if lone:
        x, part = np.squeeze(x, axis=lone), "".join(n for i, n in enumerate(part) if i not in lone)
    for letter in sorted(set(part)):
        while part.count(letter) > 1:
            i, j = part.index(letter), part.rindex(letter)
            if np.shape(x)[i] != np.shape(x)[j]:
                raise DeclarationError(
                    f"einsum: axes {letter!r} of one operand have {np.shape(x)[i]} and "
                    f"{np.shape(x)[j]} elements"
                )
            x, part = np.diagonal(x, 0, i, j), part[:i] + part[i + 1 : j] + part[j + 1 :] + letter
    return x, part


def _summed(x: Any, letters: str, needed: set[str]) -> tuple[Any, str]:
    """Sum over the axes whose letters are not needed any more."""
    lone = tuple(i for i, letter in enumerate(letters) if letter not in needed)
    kept = "".join(letter for letter in letters if letter in needed)
    return (sum(x, axis=lone), kept) if lone else (x, letters)
