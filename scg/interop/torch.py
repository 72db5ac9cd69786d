"""A compiled step inside PyTorch: a module whose output is the cost.

Requires PyTorch: ``pip install 'scgrad[torch]'``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from scg.errors import CallError
from scg.run.step import Step

#: Seeds that are drawn from PyTorch's generator lie below.
SEEDS = 1 << 62


class Module(torch.nn.Module):
    """A step as a module: parameters are PyTorch's, data are tensors, the output is the cost.

    The backward pass returns the estimate that the step's estimators make. Use it to place an scg
    node in the middle of a network; in order to train a whole scg graph, :func:`scg.fit` is faster.

    Parameters
    ----------
    step : Step
        Compiled, with ``data_grads=`` for the data that other modules compute, and with
        ``order=2`` for a double backward pass.
    params : mapping, optional
        Initial parameters, as calls of the step take them; by default those of
        ``step.graph.init(seed=0)``.
    runs : int
        Runs that each call averages.

    Notes
    -----
    A constrained parameter (``constraint=scg.positive``) is the unconstrained number behind it,
    with respect to which the step differentiates, so that no optimizer leaves the set;
    ``module.params`` has the values. Parameters of estimators (baselines, control variates) are
    parameters of the module too, with the gradients that the estimators define. Their other state,
    such as a moving average, is a buffer, which a call in training mode updates. Tensors lie on the
    CPU; those of the step's type
    are read in place. ``torch.compile`` leaves a call as it is (a break in its graph), so that
    ``fullgraph=True`` is an error. Transforms of ``torch.func`` do not pass through a call.

    Examples
    --------
    >>> import torch, scg
    >>> from scg.interop.torch import module
    >>> g = scg.Graph("toy")
    >>> x, w = g.data("x"), g.parameter("w", 0.5)
    >>> z = g.sample("z", scg.Bernoulli(logits=w * x))
    >>> g.cost("loss", (z - 0.3) ** 2)
    >>> layer = module(scg.compile(g, scg.Enumeration(), data_grads=("x",)))
    >>> x = torch.tensor(1.0, requires_grad=True, dtype=torch.float64)
    >>> layer(x=2 * x).backward()
    >>> round(x.grad.item(), 6), round(layer.get_parameter("w").grad.item(), 6)
    (0.078645, 0.15729)
    """

    def __init__(self, step: Step, params: Mapping[str, Any] | None = None, runs: int = 1):
        super().__init__()
        self.step, self.runs = step, runs
        self.dtype = torch.float64 if step.program.dtype == np.float64 else torch.float32
        params = step.graph.unconstrained(step.graph.init(seed=0) if params is None else params)
        self._names = {_key(name): name for name in params}
        if len(self._names) < len(params):
            raise CallError("names of parameters that differ in '.' and '_' alone; rename one")
        self._learned = {
            (memory.node, name)
            for memory in step.surrogate.memory.values()
            for name in memory.parameters
        }
        self._memory: dict[tuple[str, str], str] = {}
        for key, name in self._names.items():
            if hasattr(type(self), key) or hasattr(self, key):
                raise CallError(f"modules have an attribute {key!r}; rename the parameter {name!r}")
            self.register_parameter(key, torch.nn.Parameter(self._tensor(params[name])))
        for node, entries in step.init(seed=0).items():
            for name, value in entries.items():
                key = self._memory[node, name] = _key(f"{node}@{name}")
                if (node, name) in self._learned:
                    self.register_parameter(key, torch.nn.Parameter(self._tensor(value)))
                else:
                    self.register_buffer(key, self._tensor(value))

    @property
    def params(self) -> dict[str, np.ndarray]:
        """The parameters as calls of the step take them: the values of constrained ones."""
        numbers = {n: _array(getattr(self, key), n) for key, n in self._names.items()}
        return self.step.graph.constrained(numbers)

    def forward(self, *, seed: int | tuple[int, ...] | None = None, **data: Any) -> torch.Tensor:
        """The cost, averaged over the runs.

        Parameters
        ----------
        seed : int or tuple of int, optional
            By default it is drawn from PyTorch's generator, so that ``torch.manual_seed`` fixes it.
        **data
            Tensors or arrays by the names of the data.

        Raises
        ------
        CallError
            If a tensor that requires a gradient is neither a parameter nor in ``data_grads``, or
            lies on another device; or as a call of the step does.
        """
        return _call(self, seed, data)

    def __deepcopy__(self, memo: dict[int, Any]) -> Module:
        """A module with its own parameters and buffers, and the same step."""
        memo[id(self.step)] = self.step
        memo[id(self)] = other = type(self).__new__(type(self))
        other.__dict__ = copy.deepcopy(self.__dict__, memo)
        return other

    def __getstate__(self) -> Any:
        raise TypeError(
            "a module around a step cannot be pickled; save its state_dict(), and load it into "
            "module(step) of a step that is compiled anew"
        )

    def _tensor(self, value: Any) -> torch.Tensor:
        return torch.tensor(np.asarray(value), dtype=self.dtype)


def module(step: Step, params: Mapping[str, Any] | None = None, runs: int = 1) -> Module:
    """A step as a PyTorch module; see :class:`Module`."""
    return Module(step, params, runs)


def _key(name: str) -> str:
    return name.replace(".", "_")  # PyTorch separates modules by dots


@torch.compiler.disable
def _call(owner: Module, seed: Any, data: Mapping[str, Any]) -> torch.Tensor:
    """Call the step within autograd."""
    if seed is None:
        seed = int(torch.randint(SEEDS, ()).item())
    wanted = [name for name, _ in owner.step.layout.data_grads]
    for name, value in data.items():
        if name in wanted or not torch.is_grad_enabled():
            continue
        if isinstance(value, torch.Tensor) and value.requires_grad:
            raise CallError(
                f"data {name!r} requires a gradient; compile the step with data_grads=({name!r},)"
            )
    # Attributes, because torch.func.functional_call puts tensors in the place of parameters.
    inputs: dict[Any, torch.Tensor] = {
        ("grads", name): getattr(owner, key) for key, name in owner._names.items()
    }
    inputs |= {("data_grads", n): torch.as_tensor(data[n]) for n in wanted if n in data}
    inputs |= {
        ("own", *entry): getattr(owner, key)
        for entry, key in owner._memory.items()
        if entry in owner._learned
    }
    return _Cost.apply(_Evaluation(owner, seed, data, tuple(inputs)), *inputs.values())


class _Evaluation:
    """One call of a step: its arguments as arrays, and what it found."""

    def __init__(self, owner: Module, seed: Any, data: Mapping[str, Any], keys: tuple[Any, ...]):
        self.owner, self.seed, self.keys = owner, seed, keys
        self.data = {name: _array(value, name) for name, value in data.items()}
        #: Data that second derivatives read: PyTorch notices changes in place of what it saves.
        self.read = [
            value.detach()
            for value in data.values()
            if isinstance(value, torch.Tensor) and owner.step.curvature is not None
        ]

    def run(self, tensors: tuple[torch.Tensor, ...]) -> float:
        owner, step = self.owner, self.owner.step
        numbers, state = {}, {}
        for (node, name), key in owner._memory.items():
            value = np.array(_array(getattr(owner, key), key))  # `second` needs it as it is now
            state.setdefault(node, {})[name] = value
        for key, tensor in zip(self.keys, tensors, strict=True):
            if key[0] == "grads":
                numbers[key[1]] = _array(tensor, key[1])
        self.params = step.graph.constrained(numbers)
        self.state = state or None
        out = step(self.params, seed=self.seed, runs=owner.runs, data=self.data, state=self.state)
        found = {
            "grads": out.grads,
            "data_grads": out.data_grads,
            "own": {(n, k): v for n, own in out.estimator_grads.items() for k, v in own.items()},
        }
        self.slopes = [
            torch.as_tensor(np.asarray(found[kind][name[0] if len(name) == 1 else tuple(name)]))
            for kind, *name in self.keys
        ]
        if owner.training:
            with torch.no_grad():
                for (node, name), key in owner._memory.items():
                    if (node, name) not in owner._learned:
                        getattr(owner, key).copy_(torch.as_tensor(out.state[node][name]))
        return out.cost

    def second(self, vectors: tuple[torch.Tensor | None, ...]) -> list[torch.Tensor | None]:
        """The Hessian estimate of this call times a vector; own parameters have none."""
        step = self.owner.step
        if step.curvature is None:
            raise CallError("a double backward pass needs scg.compile(g, ..., order=2)")
        vector = {}
        for (kind, *name), slope, v in zip(self.keys, self.slopes, vectors, strict=True):
            if kind != "own":
                value = torch.zeros_like(slope) if v is None else v
                vector[name[0]] = _array(value, name[0])
        found = step.hvp(
            self.params,
            vector,
            seed=self.seed,
            runs=self.owner.runs,
            data=self.data,
            state=self.state,
        )
        return [
            None if kind == "own" else torch.as_tensor(found[name[0]]) for kind, *name in self.keys
        ]


class _Cost(torch.autograd.Function):
    """The cost; its gradient is what the estimators say."""

    @staticmethod
    def forward(ctx: Any, evaluation: _Evaluation, *tensors: torch.Tensor) -> torch.Tensor:
        cost = evaluation.run(tensors)
        ctx.evaluation = evaluation
        ctx.save_for_backward(*tensors, *evaluation.read)
        return torch.tensor(cost, dtype=evaluation.owner.dtype)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:
        tensors = ctx.saved_tensors[: len(ctx.evaluation.keys)]
        return (None, *_Slope.apply(ctx.evaluation, g, *tensors))


class _Slope(torch.autograd.Function):
    """The gradient, times the gradient of what uses the cost."""

    @staticmethod
    def forward(ctx: Any, evaluation: _Evaluation, g: torch.Tensor, *tensors: torch.Tensor) -> Any:
        ctx.evaluation = evaluation
        ctx.save_for_backward(g, *tensors, *evaluation.read)
        return tuple(
            (g * slope).to(tensor.dtype)
            for slope, tensor in zip(evaluation.slopes, tensors, strict=True)
        )

    @staticmethod
    def backward(ctx: Any, *vectors: torch.Tensor) -> Any:
        g, *_ = ctx.saved_tensors
        evaluation = ctx.evaluation
        along = sum(
            (torch.sum(v * slope) for v, slope in zip(vectors, evaluation.slopes, strict=True)),
            torch.zeros_like(g),
        )
        second = evaluation.second(vectors)
        return (None, along, *(None if h is None else g * h for h in second))


def _array(value: Any, name: str) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if value.device.type != "cpu":
        raise CallError(f"{name!r} lies on {value.device}; scg computes on the CPU: call .cpu()")
    value = value.detach()
    try:
        return (value.float() if value.dtype == torch.bfloat16 else value).resolve_neg().numpy()
    except (RuntimeError, TypeError) as error:  # sparse, quantized, or a tensor of torch.func
        raise CallError(
            f"{name!r} is not an array that scg can read: {error}; give a dense tensor of numbers, "
            "outside of torch.func and torch.export"
        ) from error
