"""The language in which estimators state their formulas.

A formula is written as in a paper: ``1/K Σᵢ (f(xᵢ) − b) ∇θ log p(xᵢ; θ)``. ``explain`` prints this
text, the estimator's page typesets it, and the tests evaluate it on noise.

* Factors stand side by side. A name directly before a bracket is a function: ``f(x)`` is a value
  of f, ``a (1 − a)`` a product.
* Σ and ∇ act to the right: Σ on the rest of the product, ∇ and log on the next factor.
  ``aᵀ`` sums the event axes of a times the rest of the product.
* ∇θ differentiates what is written as a function of θ and holds the rest fixed. f′ is the slope
  of f.
* Definitions follow after commas. A definition with ``~`` states a distribution in words.
"""

from __future__ import annotations

import re

from formulas.formula import (
    NOT_EQUAL,
    Binary,
    Bracket,
    Definition,
    Formula,
    Gradient,
    Node,
    Number,
    Prefix,
    Replaced,
    Sum,
    Symbol,
    decomposed,
)

_INDICES = dict(zip("ᵢⱼₖₘₙₛᵥₓ₀₁₂", "ijkmnsvx012", strict=True))
_SUB = "".join(_INDICES)
_NAME = r"[A-Za-zα-ω]+[\u0300-\u036f]*[′⁺⁻¹]*₋?"
_TOKENS = re.compile(
    rf"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<sum>Σ)|(?P<grad>∇)|(?P<log>log(?=\s))|(?P<name>{_NAME})"
    rf"|(?P<index>[{_SUB}]|_[a-z])|(?P<sign>{NOT_EQUAL}|[+−·/^()\[\],;|<>=~ᵀ∈₍₌₎{{}}_]))"
)


def read(text: str) -> Formula:
    r"""Read a formula.

    Raises
    ------
    ValueError
        If the text is not a formula; the message shows the place.

    Examples
    --------
    >>> formula = read("(f(x) − b) ∇θ log p(x; θ), b = 1/2")
    >>> print(formula.tex())
    \left(f(x) - b\right)\,\nabla_\theta \log p(x; \theta),\quad b = \frac{1}{2}
    >>> symbols = {"f": lambda x: 3 * x, "p": lambda x, theta: theta**x, "x": 1.0, "θ": 0.5}
    >>> float(formula.value(symbols, over={}))
    5.0
    """
    reader = _Reader(decomposed(text).replace("-", "−"))
    body, definitions, words = reader.sum(), [], []
    while reader.take(","):
        head = reader.factor()
        if reader.take("~"):
            words.append((head, reader.sum()))
        else:
            reader.expect("=")
            assert isinstance(head, Symbol)
            definitions.append(Definition(head, reader.sum()))
    reader.expect("")
    return Formula(body, tuple(definitions), tuple(words))


class _Reader:
    """Recursive descent."""

    def __init__(self, text: str):
        self.text, self.place = text, 0
        self.bars = False  # whether a bar ends what is read, rather than begins a factor
        self._next()

    def _next(self) -> None:
        rest = self.text[self.place :]
        found = _TOKENS.match(rest)
        if not found and rest.strip():
            raise ValueError(f"{self.text!r}: cannot read {rest!r}")
        self.touches = bool(rest) and not rest[0].isspace()
        self.kind = str(found.lastgroup) if found else "end"
        self.token = found[found.lastgroup or 0] if found else ""
        self.after = self.place + (found.end() if found else len(rest))

    def take(self, token: str) -> bool:
        """Consume a token if it is next."""
        if self.token != token:
            return False
        self.any()
        return True

    def any(self) -> str:
        """Consume the next token."""
        token, self.place = self.token, self.after
        self._next()
        return token

    def expect(self, token: str) -> None:
        """Consume a token, or raise an error."""
        if self.token != token:
            rest = self.text[self.place :]
            raise ValueError(f"{self.text!r}: expected {token or 'the end'!r} before {rest!r}")
        self.any()

    def sum(self) -> Node:
        """Terms with signs between them."""
        left = Prefix("−", self.product()) if self.take("−") else self.product()
        while self.token in ("+", "−"):
            left = Binary(self.any(), left, self.product())
        return left

    def product(self) -> Node:
        """Factors side by side; `ᵀ` binds the factor before it to all that follow."""
        factors = [self.factor()]
        while True:
            if self.take("/"):
                factors.append(Binary("/", factors.pop(), self.factor()))
            elif self.take("ᵀ"):
                factors.append(Binary("ᵀ", factors.pop(), self.product()))
            elif self.begins():
                factors.append(self.factor())
            else:
                break
        left = factors[0]
        for factor in factors[1:]:
            left = Binary("·", left, factor)
        return left

    def begins(self) -> bool:
        """Whether another factor follows; consumes a `·` before it."""
        self.take("·")
        if self.kind in ("number", "sum", "grad", "log", "name"):
            return True
        return self.token == "(" or (self.token == "|" and not self.bars)

    def factor(self) -> Node:
        """One factor, with its exponent."""
        if self.take("∇"):
            self.expect("θ")
            return Gradient(self.factor())
        if self.kind == "log":
            self.any()
            return Prefix("log", self.factor())
        base = self.primary()
        return Binary("^", base, self.factor()) if self.take("^") else base

    def primary(self) -> Node:
        """A number, a symbol, a sum, or something in brackets."""
        if self.take("Σ"):
            return self.summed()
        if self.kind == "number":
            number = self.any()
            return self.bracket("[", "]") if number == "1" and self.token == "[" else Number(number)
        if self.kind == "name":
            return self.symbol()
        if self.token == "|":
            return self.bracket("|", "|")
        if self.token == "(":
            return self.bracket("(", ")")
        raise ValueError(f"{self.text!r}: expected a factor before {self.text[self.place :]!r}")

    def bracket(self, low: str, high: str) -> Node:
        """The content of brackets; between square brackets, a relation."""
        self.expect(low)
        bars, self.bars = self.bars, low == "|"
        inner = self.sum()
        if self.token in ("<", ">", "=", NOT_EQUAL):
            inner = Binary(self.any(), inner, self.sum())
        self.bars = bars
        self.expect(high)
        return Bracket(low, inner)

    def index(self) -> str:
        """One index."""
        if self.kind != "index":
            raise ValueError(f"{self.text!r}: expected an index before {self.text[self.place :]!r}")
        token = self.any()
        return _INDICES.get(token, token[1:])

    def summed(self) -> Node:
        """The index of a sum, and the rest of the product."""
        if self.take("_"):
            self.expect("{")
            index = self.any()
            self.expect("∈")
            over = self.any()
            self.expect("}")
            return Sum(index, "∈", over, self.product())
        index, rule, other = self.index(), "", ""
        if self.token in ("<", NOT_EQUAL):
            rule, other = self.any(), self.index()
        return Sum(index, rule, other, self.product())

    def symbol(self) -> Node:
        """A name with its indices, then arguments directly after it."""
        name, indices = self.any(), []
        if self.take("₍"):
            index = self.index()
            self.expect("₌")
            replaced = Replaced(name, index, self.index())
            self.expect("₎")
            return replaced
        while self.kind == "index" and self.touches:
            indices.append(self.index())
        if not (self.token == "(" and self.touches):
            return Symbol(name, tuple(indices))
        self.expect("(")
        bars, self.bars = self.bars, True
        args, separators = [self.sum()], ""
        while self.token in (",", ";", "|"):
            separators += self.any()
            args.append(self.sum())
        self.bars = bars
        self.expect(")")
        return Symbol(name, tuple(indices), tuple(args), separators)
