"""Formulas of estimators as trees, whose parts can be evaluated and typeset."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from formulas.typeset import typeset

_STEP = 1e-30  # of the derivatives, which are imaginary parts
NOT_EQUAL = "=\u0338"  # as two characters, like accented letters
_SIGNS = {NOT_EQUAL: r"\ne", "−": "-"}

Scope = Mapping[str, Any]


class Node:
    """A part of a formula, which can be evaluated and typeset."""

    def value(self, scope: Scope) -> Any:
        """The value, with the symbols' values from `scope`."""
        raise NotImplementedError

    def tex(self) -> str:
        """LaTeX."""
        raise NotImplementedError


@dataclass(frozen=True)
class Number(Node):
    """A literal number."""

    text: str

    def value(self, scope: Scope) -> Any:
        """The number."""
        return float(self.text)

    def tex(self) -> str:
        """LaTeX."""
        return self.text


@dataclass(frozen=True)
class Symbol(Node):
    """A name with indices, perhaps applied to arguments."""

    name: str
    indices: tuple[str, ...] = ()
    args: tuple[Node, ...] | None = None
    separators: str = ""

    def value(self, scope: Scope) -> Any:
        """The value of the name; a function without arguments is evaluated at the fixed θ."""
        at = tuple(scope[i] if i in scope else int(i) for i in self.indices)
        if self.args is not None:
            args = [arg.value(scope) for arg in self.args]
            if self.name.endswith("′"):
                return slope(lambda x: apply(scope, self.name[:-1], at, [x]), *args)
            return apply(scope, self.name, at, args)
        found = scope[self.name]
        if isinstance(found, Definition):
            return found.at(scope["fixed"], at, None)
        if callable(found):
            return found(*at, scope["fixed"]["θ"])
        return found[at] if at else found

    def tex(self) -> str:
        """LaTeX."""
        text = typeset(self.name, self.indices)
        if self.args is None:
            return text
        words = [self.args[0].tex()] if self.args else []
        for separator, arg in zip(self.separators, self.args[1:], strict=True):
            words += [{"|": r"\mid "}.get(separator, f"{separator} "), arg.tex()]
        return rf"{text}({''.join(words)})"


@dataclass(frozen=True)
class Replaced(Node):
    """An array with one coordinate at another value: x₍ᵢ₌ᵥ₎."""

    name: str
    index: str
    to: str

    def value(self, scope: Scope) -> Any:
        """The changed array."""
        x = np.array(scope[self.name])
        x[scope[self.index]] = scope[self.to]
        return x

    def tex(self) -> str:
        """LaTeX."""
        return f"{self.name}_{{({self.index}={self.to})}}"


@dataclass(frozen=True)
class Sum(Node):
    """A sum over an index; `rule` relates it to another one."""

    index: str
    rule: str
    other: str
    body: Node

    def value(self, scope: Scope) -> Any:
        """The sum of the bodies, 0 if there are none."""
        return sum((self.body.value(inner) for inner in self._scopes(scope)), start=0.0)

    def _scopes(self, scope: Scope) -> Iterator[Scope]:
        values = scope[self.other] if self.rule == "∈" else scope["over"][self.index]
        for value in values:
            if self.rule == "<":
                for other in values:
                    if value < other:
                        yield {**scope, self.index: value, self.other: other}
            elif self.rule != NOT_EQUAL or value != scope[self.other]:
                yield {**scope, self.index: value}

    def tex(self) -> str:
        """LaTeX."""
        words = {"∈": r"\in", NOT_EQUAL: r"\ne"}
        rule = f" {words.get(self.rule, self.rule)} {self.other}" if self.rule else ""
        return rf"\sum_{{{self.index}{rule}}} {self.body.tex()}"


@dataclass(frozen=True)
class Gradient(Node):
    """∇ of a factor, the parameters' components on a leading axis."""

    of: Node

    def value(self, scope: Scope) -> Any:
        """The derivative, by complex steps."""
        return slope(lambda theta: self.of.value({**scope, "θ": theta}), scope["θ"])

    def tex(self) -> str:
        """LaTeX."""
        return rf"\nabla_\theta {self.of.tex()}"


@dataclass(frozen=True)
class Prefix(Node):
    """The logarithm of a factor, or a negative term."""

    sign: str
    of: Node

    def value(self, scope: Scope) -> Any:
        """The logarithm, or the negative."""
        value = self.of.value(scope)
        return np.log(value) if self.sign == "log" else -value

    def tex(self) -> str:
        """LaTeX."""
        return (r"\log " if self.sign == "log" else "-") + self.of.tex()


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add, "−": np.subtract, "·": np.multiply, "/": np.divide, "^": np.power,
    "ᵀ": lambda a, b: np.dot(b, a), "<": np.less, ">": np.greater, "=": np.equal,
    NOT_EQUAL: np.not_equal,
}  # fmt: skip


@dataclass(frozen=True)
class Binary(Node):
    """Two parts and the operator between them."""

    sign: str
    left: Node
    right: Node

    def value(self, scope: Scope) -> Any:
        """The result of the operator."""
        return _OPERATIONS[self.sign](self.left.value(scope), self.right.value(scope))

    def tex(self) -> str:
        """LaTeX."""
        left, right = self.left.tex(), self.right.tex()
        if self.sign == "/":
            bare = (
                side.inner.tex() if isinstance(side, Bracket) and side.kind == "(" else side.tex()
                for side in (self.left, self.right)
            )
            return r"\frac{{{}}}{{{}}}".format(*bare)
        if self.sign == "·":
            return rf"{left}\,{right}"
        if self.sign == "ᵀ":
            return rf"{left}^\top\,{right}"
        return f"{left}^{{{right}}}" if self.sign == "^" else f"{left} {self._word} {right}"

    @property
    def _word(self) -> str:
        return _SIGNS.get(self.sign, self.sign)


@dataclass(frozen=True)
class Bracket(Node):
    """Round brackets, the indicator 1[…], or an absolute value."""

    kind: str
    inner: Node

    def value(self, scope: Scope) -> Any:
        """The value of the content, as numbers."""
        value = self.inner.value(scope)
        return {"(": lambda x: x, "|": np.abs, "[": lambda x: x * 1.0}[self.kind](value)

    def tex(self) -> str:
        """LaTeX."""
        low, high = {"(": (r"\left(", r"\right)"), "[": (r"\mathbf 1[", "]"), "|": ("|", "|")}[
            self.kind
        ]
        return f"{low}{self.inner.tex()}{high}"


@dataclass(frozen=True)
class Definition:
    """A definition of a symbol; arguments and indices are bound when the symbol is used."""

    head: Symbol
    body: Node

    def at(self, scope: Scope, indices: tuple[Any, ...], args: list[Any] | None) -> Any:
        """The value for these indices and arguments."""
        own = len(self.head.indices)  # further indices are those of the value
        bound = dict(zip(self.head.indices, indices[:own], strict=True))
        if args is not None:
            names = [arg.name for arg in self.head.args or () if isinstance(arg, Symbol)]
            bound |= dict(zip(names, args, strict=True))
        value = self.body.value({**scope, **bound})
        return value[indices[own:]] if indices[own:] else value


@dataclass(frozen=True)
class Formula:
    """A formula that :func:`formulas.notation.read` returns.

    Attributes
    ----------
    body : Node
        The gradient estimate.
    definitions : tuple of Definition
        The definitions after it.
    words : tuple of str
        Statements in words, such as the distribution of a symbol.
    """

    body: Node
    definitions: tuple[Definition, ...]
    words: tuple[tuple[Node, Node], ...]

    def tex(self) -> str:
        """LaTeX, with the definitions after the estimate."""
        more = [rf"{d.head.tex()} = {d.body.tex()}" for d in self.definitions]
        more += [rf"{a.tex()} \sim {b.tex()}" for a, b in self.words]
        return r",\quad ".join([self.body.tex(), *more])

    def value(self, values: Mapping[str, Any], over: Mapping[str, Iterable[Any]]) -> Any:
        """Evaluate the estimate.

        Parameters
        ----------
        values : mapping
            The value of each symbol: a number, an array, or a function, whose first arguments are
            its indices. θ is required. Definitions may also be given as text.
        over : mapping
            The range of each index of a sum.
        """
        scope: dict[str, Any] = {"over": over}
        for name, value in values.items():
            scope[decomposed(name)] = value
        scope |= {definition.head.name: definition for definition in self.definitions}
        scope["fixed"] = scope
        return self.body.value(scope)


def apply(scope: Scope, name: str, indices: tuple[Any, ...], args: list[Any]) -> Any:
    """Apply a function, defined in the formula or given."""
    found = scope[name]
    if isinstance(found, Definition):
        return found.at(scope, indices, args)
    return found(*indices, *args)


def slope(function: Callable[[Any], Any], at: Any) -> np.ndarray:
    """Derivatives in every component of `at`, on a leading axis."""
    at = np.asarray(at, dtype=float)
    parts = []
    for i in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[i] += 1j * _STEP
        parts.append(np.imag(function(moved)) / _STEP)
    return np.array(parts).reshape(at.shape + np.shape(parts[0]))


def decomposed(text: str) -> str:
    """The text with its accents as separate characters."""
    return unicodedata.normalize("NFD", text)
