"""Arguments of public calls and constructors, checked by the annotations of their parameters."""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypeGuard, TypeVar

import numpy as np

from scg.errors import CallError, DeclarationError, EstimatorError, ScgError, did_you_mean

Called = TypeVar("Called", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type)
Fraction = float  #: Annotation of numbers in [0, 1).
Count = int  #: Annotation of integers ≥ 0.


class Checked:
    """Base of classes whose constructors only store: a wrong option is an error that names it."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__init__" in vars(cls):
            cls.__init__ = _checked(cls.__init__, cls.__name__, EstimatorError)

    def __repr__(self) -> str:
        options = sorted(vars(self).items())
        given = ", ".join(f"{k}={v!r}" for k, v in options if v is not None and v is not False)
        return f"{type(self).__name__}({given})"


def constructor(cls: type, error: type[ScgError]) -> Any:
    """Constructor of a class, which may be inherited, that checks its arguments."""
    return _checked(inspect.unwrap(cls.__init__), cls.__name__, error)


def checked(
    usage: str, error: type[ScgError] = CallError, options: Any = None
) -> Callable[[Called], Called]:
    """Check the arguments of a public function; `usage` is the call that messages show.

    Its further options are the keywords of the function `options`.
    """
    owner = usage.partition("(")[0]
    return lambda function: _checked(function, owner, error, f"; write {usage}", options)


def _checked(
    function: Any, owner: str, error: type[ScgError], usage: str = "", onward: Any = None
) -> Any:
    found: list[_Parameters] = []  # from the first call on: importing scg is to stay fast

    @functools.wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        if not found:
            found.append(_Parameters(function, onward))
        takes = found[0]
        given = dict(zip(takes.places, args, strict=False)) | options
        whole = len(given) == len(args) + len(options) and takes.needed <= given.keys()
        if not whole or (not takes.variadic and not given.keys() <= takes.fixed):
            takes.explain(args, options, owner, error, usage)
        for name, kind in takes.kinds.items():
            if name in given and not kind[1](given[name]):
                got = f"got {said(given[name])}{usage}"
                raise error(f"{owner}: {name} must be {kind[0]}, {got}")
        return function(*args, **options)

    return checked


class _Parameters:
    """The parameters of a function: places, names, those without defaults, and kinds."""

    def __init__(self, function: Any, onward: Any):
        self.signature = inspect.signature(function)
        every = self.signature.parameters.values()
        self.known = [p.name for p in every if p.name not in ("self", "cls")]
        self.variadic = any(p.kind is p.VAR_KEYWORD for p in every)
        self.places = [p.name for p in every if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.fixed = {p.name for p in every if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        self.needed = {p.name for p in every if p.name in self.fixed and p.default is p.empty}
        if onward:
            passed = inspect.signature(onward).parameters.values()
            more = [p.name for p in passed if p.kind is p.KEYWORD_ONLY]
            self.known = [*self.known[:-1], *more]
            self.fixed |= set(more)
            self.variadic = False
        self.kinds = {p.name: kind for p in every if (kind := _kind(str(p.annotation)))}

    def explain(self, args: Any, options: Any, owner: str, error: Any, usage: str) -> None:
        """Raise because arguments are missing, unknown, too many or given twice."""
        known = [name if name in self.places else f"{name}=" for name in self.known]
        takes = f"; it takes {', '.join(known) or 'none'}"
        for name in () if self.variadic else options:
            if name not in self.known:
                near = did_you_mean(name, self.known)
                raise error(f"{owner} has no argument {name!r}{near}{takes}")
        try:
            self.signature.bind(*args, **options)
        except TypeError as wrong:
            raise error(f"{owner}: {wrong}{usage or takes}") from None


def said(value: Any) -> str:
    """A value in a line, for messages; a class most likely lacks its brackets."""
    if isinstance(value, type):
        return f"the class {value.__name__} and not {value.__name__}(...)"
    if type(value).__name__ == "Step":
        return "a step (its graph is step.graph)"
    if inspect.isfunction(value):
        return f"the function {value.__name__}{inspect.signature(value)}"
    if isinstance(value, list) and any(map(inspect.isfunction, value)):
        return f"[{', '.join(map(said, value))}]"
    return " ".join(f"{value!r:.80}".split())


def check_name(what: str, name: Any) -> None:
    """Raise unless a name can be printed in a line, and seen there."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise DeclarationError(f"{what} needs a name of printable characters, got {name!r}")


#: Message about a masked array.
MASKED = (
    "a masked array, whose mask would be ignored: give x.filled(0.0), and x.mask to the model as "
    "data of its own, for np.where or for mask= of g.observe"
)


def array_of(what: str, value: Any, error: type[ScgError] = CallError) -> np.ndarray:
    """A value as an array; the error says what it is, and why it cannot be one."""
    if masked(value):
        raise error(f"{what} is {MASKED}")
    try:
        return np.asarray(value)
    except Exception as why:  # rows of different lengths, or what another library refuses
        reason = " ".join(str(why).split())
        raise error(f"{what}: expected an array of numbers, got {said(value)}: {reason}") from why


def numbers_of(what: str, value: Any, error: type[ScgError] = CallError) -> np.ndarray:
    """A value as an array of real numbers."""
    array = array_of(what, value, error)
    if array.dtype.kind not in "fiub":
        write = "; write x.astype(float)" if array.dtype.kind in "OV" and array.ndim else ""
        raise error(f"{what}: expected real numbers, got an array of dtype {array.dtype}{write}")
    return array


def masked(value: Any) -> bool:
    """Whether some element of a value is masked."""
    ma = sys.modules.get("numpy.ma")  # NumPy loads it where it is used: for 10 ms
    return ma is not None and isinstance(value, ma.MaskedArray) and bool(ma.is_masked(value))


def takes(value: Any, count: int) -> TypeGuard[Callable[..., Any]]:
    """Whether a value is a function that can be called with so many arguments."""
    try:
        inspect.signature(value).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # that of some functions in C is not known
        return True
    return True


# --- kinds ----------------------------------------------------------------------------------------
def _number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> Any:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 0


def _widths(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(map(_count, value))


def _names(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, np.ndarray)


def _functions(value: Any) -> bool:
    return isinstance(value, Sequence) and all(takes(each, 1) for each in value)


def _of(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


Kind = tuple[str, Callable[[Any], Any]]
_MAPPING: Kind = ("a mapping from names", _of(Mapping))

#: What parameters with these annotations must be, in words and as a test; "... | None" is derived.
KINDS: dict[str, Kind] = {
    "bool": ("True or False", _of(bool, np.bool_)),
    "int": ("a positive integer", _count),
    "Count": ("an integer ≥ 0", lambda value: _number(value) and _count(value + 1)),
    "float": ("a number", _number),
    "Fraction": ("a number in [0, 1)", lambda value: _number(value) and 0 <= value < 1),
    "str": ("a string", _of(str)),
    "bool | str": ("True, False or a text", _of(bool, np.bool_, str)),
    "str | PathLike[str]": ("a path", _of(str, PathLike)),
    "tuple[int, ...]": ("positive integers such as (10,)", _widths),
    "Iterable[str | Expr]": ("a list of names or nodes", _names),
    "Sequence[str]": (
        'names such as ("x",)',
        lambda value: _names(value) and not isinstance(value, str),
    ),
    "Sequence[int]": ("a list of widths such as [64, 10]", lambda value: _widths(value) and value),
    "Callable[..., Any]": ("a function", callable),
    "Callable[[], Any]": ("a function without arguments", lambda value: takes(value, 0)),
    "Callable[[Expr], Expr]": ("a function such as scg.relu", lambda value: takes(value, 1)),
    "Sequence[Callback]": ("a list of functions of one argument, the run", _functions),
    "Transform": (
        "a function of a batch and a seed, such as scg.data.Binarize()",
        lambda value: takes(value, 2),
    ),
    "Mapping[str, Any]": _MAPPING,
    "Mapping[str, np.ndarray]": _MAPPING,
    "Mapping[str, Mapping[str, Any]]": _MAPPING,
    "Examples": (
        "a mapping from names to arrays, an iterable of them, or a function without arguments that "
        "loads them",
        lambda value: takes(value, 0) or (_names(value) and not isinstance(value, str)),
    ),
}


def _kind(annotation: str) -> Kind | None:
    base, optional, _ = annotation.partition(" | None")
    if base not in KINDS or not optional:
        return KINDS.get(base)
    words, test = KINDS[base]
    return f"{words}, or None", lambda value: value is None or test(value)


def kind(words: str) -> Callable[[Class], Class]:
    """Check parameters that are annotated with the decorated class; messages show `words`."""

    def note(cls: Class) -> Class:
        KINDS[cls.__name__] = (words, _of(cls))
        return cls

    return note
