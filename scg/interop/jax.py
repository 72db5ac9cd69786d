"""A compiled step inside JAX: a function with a gradient of its own.

Requires JAX: ``pip install 'scgrad[jax]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scg.errors import CallError
from scg.run.binding import Binder
from scg.run.step import Step
from scg.seeds.noise import check_seed


def function(
    step: Step, *, runs: int = 1, state: Mapping[str, Mapping[str, Any]] | None = None
) -> Callable[..., Any]:
    """A step as a JAX function ``f(params, seed, data={})`` that returns the cost.

    ``jax.grad`` of it is the estimate that the step's estimators make. It works under ``jax.jit``
    and ``jax.vmap`` (one call of the step after the other). In order to train a whole scg graph,
    :func:`scg.fit` is faster.

    Constrained parameters (``constraint=scg.positive``) are given as the unconstrained numbers of
    ``graph.unconstrained(params)``, with respect to which steps differentiate.

    Parameters
    ----------
    step : Step
        Compiled, with ``data_grads=`` for the data that other functions compute. Data in float64
        need ``jax_enable_x64``. The seed is that of a call, or a key of ``jax.random``.
    runs : int
        Runs that each call averages.
    state : mapping, optional
        The estimators' state and own parameters, the same in each call; initial ones by default.

    Returns
    -------
    callable
        Its gradient in data that are not in ``data_grads`` raises a CallError; a second derivative
        is not defined.

    Examples
    --------
    >>> import jax, scg
    >>> from scg.interop.jax import function
    >>> g = scg.Graph("toy")
    >>> z = g.sample("z", scg.Bernoulli(logits=g.parameter("w", 0.5)))
    >>> g.cost("loss", (z - 0.3) ** 2)
    >>> f = function(scg.compile(g, scg.Enumeration(), dtype="float32"))
    >>> round(float(jax.jit(jax.grad(f))({"w": 0.5}, 0)["w"]), 5)
    0.094
    """
    wanted = {name for name, _ in step.layout.data_grads}
    dtype = jnp.dtype(step.program.dtype.name)
    if dtype == jnp.float64 and not jax.config.jax_enable_x64:
        dtype = jnp.dtype("float32")

    def shape(x: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(jnp.shape(x), dtype)

    def estimate(params: Any, seed: Any, data: Any) -> Any:
        out = step(
            step.graph.constrained({name: np.asarray(value) for name, value in params.items()}),
            seed=int(seed) if np.ndim(seed) == 0 else tuple(int(word) for word in seed),
            runs=runs,
            data={name: np.asarray(value) for name, value in data.items()},
            state=state,
        )
        slopes = {name: np.asarray(out.grads[name], dtype) for name in params}
        inputs = {name: np.asarray(out.data_grads[name], dtype) for name in wanted}
        return np.asarray(out.cost, dtype), slopes, inputs

    def call(params: Any, seed: Any, data: Any) -> Any:
        slopes = {name: shape(value) for name, value in params.items()}
        inputs = {name: shape(data[name]) for name in wanted}
        return jax.pure_callback(
            estimate,
            (jax.ShapeDtypeStruct((), dtype), slopes, inputs),
            params,
            seed,
            data,
            vmap_method="sequential",
        )

    @jax.custom_vjp
    def cost(params: Any, seed: Any, data: Any) -> Any:
        return call(params, seed, data)[0]

    def forward(params: Any, seed: Any, data: Any) -> Any:
        found, slopes, inputs = call(params, seed, data)
        return found, (slopes, inputs, seed, data)

    def backward(kept: Any, g: Any) -> Any:
        slopes, inputs, seed, data = kept
        in_data = {
            name: g * inputs[name] if name in wanted else _no_gradient(value)
            for name, value in data.items()
        }
        return {name: g * slope for name, slope in slopes.items()}, _no_gradient(seed), in_data

    cost.defvjp(forward, backward)

    binder = Binder(step.graph, step.program.dtype)

    def f(params: Mapping[str, Any], seed: Any, data: Mapping[str, Any] | None = None) -> Any:
        params = {name: jnp.asarray(value) for name, value in params.items()}
        arrays = {name: jnp.asarray(value) for name, value in (data or {}).items()}
        binder.arrays(_blank(params), _blank(arrays))  # an error of the callback is hard to read
        params = {name: value.astype(dtype) for name, value in params.items()}
        for name, value in arrays.items():
            arrays[name] = value.astype(dtype) if name in wanted else _guard(name)(value)
        return cost(params, _words(seed), arrays)

    return f


def _blank(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Arrays of the same shapes and kinds, as values that JAX traces are not known."""
    kinds = {name: x.dtype if x.dtype.kind in "biufc" else np.float32 for name, x in arrays.items()}
    return {name: np.broadcast_to(np.zeros((), kinds[name]), x.shape) for name, x in arrays.items()}


def _words(seed: Any) -> Any:
    """A seed as integers: one, or an array of the words of a tuple or of a key of JAX."""
    words = seed if isinstance(seed, tuple) else (seed,)
    if not any(isinstance(word, jax.Array | np.ndarray) for word in words):
        check_seed(seed)
    seed = jnp.asarray(seed)
    if jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        seed = jax.random.key_data(seed)
    if not jnp.issubdtype(seed.dtype, jnp.integer) or seed.ndim > 1:
        raise CallError(f"a seed is an integer, a tuple of integers, or a key, got {seed!r}")
    return seed


def _guard(name: str) -> Callable[[Any], Any]:
    """The identity, for data in which nobody may differentiate."""

    @jax.custom_vjp
    def guard(value: Any) -> Any:
        return value

    def refuse(_: None, g: Any) -> Any:
        raise CallError(
            f"data {name!r} is differentiated; compile the step with data_grads=({name!r},)"
        )

    guard.defvjp(lambda value: (value, None), refuse)
    return guard


def _no_gradient(value: Any) -> Any:
    """The zero cotangent of an array: of an integer it has JAX' type of nothing."""
    if jnp.issubdtype(jnp.result_type(value), jnp.floating):
        return jnp.zeros_like(value)
    return np.zeros(jnp.shape(value), jax.dtypes.float0)
