"""The nodes of an approximate posterior, and its log-density at other values than theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

from scg.common.arguments import said
from scg.errors import DeclarationError
from scg.graph.carry import CARRY
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate
from scg.ir.walk import rebuilt, rewrite, topological
from scg.ops.gradient import graft, path_alone, stop
from scg.ops.reductions import expand


def through(exprs: Sequence[Expr], values: Mapping[Expr, Expr]) -> tuple[Expr, ...]:
    """Expressions at other values of some, with gradients stopped except through these values."""
    env = dict(values)

    def at(expr: Expr) -> Expr:
        return env[expr] if expr in env else stop(expr)

    for expr in topological(exprs, known=values):
        if any(arg in env for arg in expr.args):
            env[expr] = rebuilt(expr, {arg: at(arg) for arg in expr.args})
    return tuple(map(at, exprs))


class Approximation:
    """The layers z₁, z₂, … of q(z₁) q(z₂ | z₁) …, all sampled on a plate of particles.

    Raises
    ------
    DeclarationError
        If there is no layer, or one is listed twice, is no stochastic node on the plate, or depends
        on a node that is none of them.
    """

    def __init__(self, caller: str, z: Expr | Sequence[Expr], plate: Plate):
        self.caller = caller
        self.layers: tuple[Any, ...] = tuple(z) if isinstance(z, (list, tuple)) else (z,)
        if not self.layers or len(set(map(id, self.layers))) < len(self.layers):
            raise DeclarationError(
                f"scg.{caller}: expected each layer of the approximation once, got "
                f"[{', '.join(map(said, self.layers))}]"
            )
        for layer in self.layers:
            if not isinstance(layer, StochasticNode) or plate not in layer.plates:
                raise DeclarationError(
                    f"scg.{caller}: expected a stochastic node on plate {plate.name!r}, or a list "
                    f"of them, got {said(layer)}"
                )
        for layer in self.layers:
            for expr in topological(layer.args, known=set(self.layers)):
                if expr.op is CARRY:
                    raise DeclarationError(
                        f"scg.{caller}: the distribution of {layer.name!r} depends on the carry of "
                        "a scan, and thus on earlier samples; use scg.iwae"
                    )
                if isinstance(expr, StochasticNode):
                    names = ", ".join(n.name or "z" for n in (expr, *self.layers))
                    raise DeclarationError(
                        f"scg.{caller}: the distribution of {layer.name!r} depends on node "
                        f"{expr.name!r}; list all layers of the approximation: [{names}]"
                    )

    def reparameterized(self) -> Approximation:
        """The same; an error unless the samples of all layers have paths."""
        for layer in self.layers:
            family = layer.attrs["family"]
            if not family.reparameterized:
                raise DeclarationError(
                    f"scg.{self.caller}: the samples of {layer.name!r} ({family.__name__}) have no "
                    "path; use scg.reweighted_wake_sleep or scg.tvo"
                )
        return self

    def path_alone(self, cost: Expr) -> Expr:
        """The cost, marked as one whose gradient is right for pathwise samples alone."""
        return reduce(lambda node, layer: path_alone(node, label=layer.name), self.layers, cost)

    def density(self, name: str, function: Callable[..., Any], values: Sequence[Expr]) -> Expr:
        """The user's log-density at `values`; an error unless it is a scalar."""
        found = function(*values)
        if not isinstance(found, Expr) or found.shape != ():
            raise DeclarationError(
                f"scg.{self.caller}: {name} must return a scalar for each particle, got "
                f"{said(found)}; sum log-probabilities over their events"
            )
        return found

    @property
    def stopped(self) -> list[Expr]:
        """The sampled values, without credit."""
        return [stop(layer) for layer in self.layers]

    def scaled(self, factor: Expr) -> list[Expr]:
        """The sampled values, with what flows back through them multiplied by a factor."""
        return [
            graft(layer, expand(factor, layer.plates, layer.shape) * layer) for layer in self.layers
        ]

    def log_prob(self, values: Sequence[Expr]) -> Expr:
        """log q at `values`, differentiable in them and in the parameters."""
        env: dict[Expr, Expr] = dict(zip(self.layers, values, strict=True))
        args = [arg for layer in self.layers for arg in layer.args]
        rewrite(topological(args, known=env), env)
        return self._summed(values, lambda layer: tuple(env[arg] for arg in layer.args))

    def log_prob_through(self, values: Sequence[Expr]) -> Expr:
        """log q at `values`, differentiable in them alone."""
        env: dict[Expr, Expr] = dict(zip(self.layers, values, strict=True))
        return self._summed(values, lambda layer: through(layer.args, env))

    def _summed(
        self, values: Sequence[Expr], args: Callable[[StochasticNode], tuple[Expr, ...]]
    ) -> Expr:
        parts = zip(self.layers, values, strict=True)
        return reduce(add, [layer.given(args(layer)).log_prob(value) for layer, value in parts])
