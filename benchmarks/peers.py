"""The peers: for each, a function from noise to gradients, and a timed call with its own noise.

PyTorch eager, torch.compile and JAX jit differentiate the surrogates of the rows, tuned as their
users would: categorical samples by the inverse CDF, fast keys and ``lax.scan`` in JAX, ``gather``
for words. A peer that cannot take part raises :class:`Missing` with the reason.
"""

import itertools
import os
import warnings

import numpy as np
from functions import jax_functions, torch_functions


class Missing(Exception):
    """Raised when a peer cannot take part, with the reason."""


def _torch(threads):
    try:
        import torch
    except ImportError:
        raise Missing("PyTorch is not installed") from None
    if threads:
        torch.set_num_threads(threads)
    return torch


def torch_eager(row, params, data, dtype, threads, compiled=False):
    torch = _torch(threads)
    o, real = torch_functions(torch), getattr(torch, dtype)
    torch.set_default_dtype(real)

    def tensor(value, **options):
        value = torch.tensor(value)
        return (value.to(real) if value.is_floating_point() else value).requires_grad_(**options)

    t = {n: tensor(v) for n, v in params.items()}
    inputs = [tensor(v, requires_grad=False) for v in data.values()]
    draw = torch.rand if row.law == "uniform" else torch.randn

    def loss(t, *given):
        return row.surrogate(o, t, *given)

    if compiled:
        loss = torch.compile(loss)

    def gradients(noise):
        if row.order == 2:
            return second(noise)
        for leaf in t.values():
            leaf.grad = None
        loss(t, *inputs, *noise).backward()
        return {n: v.grad for n, v in t.items()}

    def second(noise):
        at = {n: v.detach() for n, v in t.items()}

        def slope(t):
            found = torch.func.grad(lambda t: loss(t, *inputs, *noise))(t)
            return found, found

        hessian, slopes = torch.func.jacfwd(slope, has_aux=True)(at)
        return flat(slopes, hessian)

    def check(noise):
        found = gradients([tensor(u, requires_grad=False) for u in noise])
        return {n: g.detach().numpy() for n, g in found.items()}

    return check, lambda: gradients([draw(shape, dtype=real) for shape in row.shapes])


def flat(slopes, hessian):
    """Gradients, and blocks of the Hessian under "a/b"."""
    blocks = {f"{a}/{b}": block for a, part in hessian.items() for b, block in part.items()}
    return {**slopes, **blocks}


def torch_compile(row, params, data, dtype, threads):
    if row.name in ("W5", "markov"):
        raise Missing("unrolled steps compile for minutes")
    warnings.filterwarnings("ignore", module="torch")
    return torch_eager(row, params, data, dtype, threads, compiled=True)


def jax_jit(row, params, data, dtype, threads):
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    try:
        import jax
    except ImportError:
        raise Missing("JAX is not installed") from None
    jax.config.update("jax_enable_x64", dtype == "float64")
    o, jnp = jax_functions(jax), jax.numpy

    def array(value):
        return jnp.asarray(value, dtype if value.dtype.kind == "f" else None)

    t = {n: array(v) for n, v in params.items()}
    inputs = [array(v) for v in data.values()]
    draw = jax.random.uniform if row.law == "uniform" else jax.random.normal

    # Data are arguments: as constants XLA would fold them.
    def gradients(t, inputs, noise):
        def loss(t):
            return row.surrogate(o, t, *inputs, *noise)

        if row.order == 1:
            return jax.value_and_grad(loss)(t)[1]
        slopes, hessian = jax.value_and_grad(loss)(t)[1], jax.hessian(loss)(t)
        return flat(slopes, hessian)

    on_noise = jax.jit(gradients)

    @jax.jit
    def on_key(t, inputs, key):
        keys = jax.random.split(key, max(1, len(row.shapes)))
        noise = [draw(k, s, dtype) for k, s in zip(keys, row.shapes, strict=False)]
        return gradients(t, inputs, noise)

    # Keys are made beforehand: to fold a counter into a key would cost a call of its own.
    keys = itertools.cycle(list(jax.random.split(jax.random.key(0, impl="rbg"), 16)))

    def check(noise):
        found = on_noise(t, inputs, [array(u) for u in noise])
        return {n: np.asarray(g) for n, g in found.items()}

    return check, lambda: jax.block_until_ready(on_key(t, inputs, next(keys)))


def storchastic(row, params, data, dtype, threads):
    import storch_peer

    return storch_peer.peer(row, params, data, dtype, _torch(threads))


ALL = {
    "JAX jit": jax_jit,
    "torch eager": torch_eager,
    "torch.compile": torch_compile,
    "Storchastic": storchastic,
}
