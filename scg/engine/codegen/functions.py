"""Functions of the language of kernels, before their arguments have types."""

from __future__ import annotations

import ast
import collections
import functools
import linecache
from collections.abc import Callable, Mapping
from typing import Any


class Function:
    """The text of a function, and the meaning of names outside of it.

    With `contract`, LLVM may fuse a product with the sum that follows. With `inline` no call is
    left; otherwise LLVM decides. A function that raises returns a status in place of a value.
    """

    def __init__(
        self,
        tree: ast.FunctionDef,
        names: Callable[[], Mapping[str, Any]],
        *,
        contract: bool = True,
        inline: bool = False,
        fails: bool = False,
    ):
        self.tree, self._names, self.contract, self.inline = tree, names, contract, inline
        nodes = list(ast.walk(tree))
        self.fails = fails or any(isinstance(node, ast.Raise) for node in nodes)
        self.parameters = [argument.arg for argument in tree.args.args]
        names_in = [node for node in nodes if isinstance(node, ast.Name)]
        times = collections.Counter(n.id for n in names_in if isinstance(n.ctx, ast.Store))
        times.update(self.parameters)
        times.subtract(ast.unparse(node.target) for node in nodes if isinstance(node, ast.For))
        self.varying = {name for name, count in times.items() if count > 1}

    @functools.cached_property
    def names(self) -> Mapping[str, Any]:
        """What names outside of the function mean."""
        return self._names()


def define(**options: bool) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a function of the language; the options are those of :class:`Function`."""

    def defined(function: Any) -> Function:
        code = function.__code__
        tree = _trees(code.co_filename)[code.co_firstlineno]
        return Function(tree, functools.partial(_names_of, function), **options)

    return defined


@functools.cache
def _trees(file: str) -> dict[int, ast.FunctionDef]:
    """The functions of a file by the number of their first line."""
    nodes = ast.walk(ast.parse("".join(linecache.getlines(file))))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    return {min(n.lineno, *(d.lineno for d in n.decorator_list), n.lineno): n for n in functions}


def _names_of(function: Any) -> Mapping[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    enclosed = {name: cell.cell_contents for name, cell in cells}
    return collections.ChainMap(enclosed, function.__globals__)
