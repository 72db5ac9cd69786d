"""The peers: for each, a function from noise to gradients, and a timed call with its own noise.

PyTorch eager, torch.compile and JAX jit differentiate the surrogates of `formulas`; a peer that
lacks the estimator of a workload, or is not installed, raises :class:`Missing` with the reason.
"""

import itertools
import os
import warnings
from types import SimpleNamespace

import numpy as np
from formulas import PEERS


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


def _torch_functions(torch):
    def value_and_slopes(function, at):
        def total(*args):
            value = function(*args)
            return value.sum(), value

        at = [value.detach() for value in at]
        slopes, (_, value) = torch.func.grad_and_value(total, (0, 1), has_aux=True)(*at)
        return value.detach(), [slope.detach() for slope in slopes]

    return SimpleNamespace(
        sigmoid=torch.sigmoid,
        softplus=torch.nn.functional.softplus,
        relu=torch.relu,
        exp=torch.exp,
        log_softmax=lambda x: torch.log_softmax(x, -1),
        cumsum=lambda x: torch.cumsum(x, -1),
        one_hot=lambda k, n: torch.nn.functional.one_hot(k, n).float(),
        stop=lambda x: x.detach(),
        real=lambda x: x.float(),
        integer=lambda x: x.long(),
        value_and_slopes=value_and_slopes,
    )


def torch_eager(name, params, data, threads, compiled=False):
    torch = _torch(threads)
    o = _torch_functions(torch)
    surrogate, law, shapes, _ = PEERS[name]
    t = {n: torch.tensor(v, requires_grad=True) for n, v in params.items()}
    inputs = [torch.tensor(v) for v in data.values()]
    draw = torch.rand if law == "uniform" else torch.randn

    def loss(t, *given):
        return surrogate(o, t, *given)

    if compiled:
        loss = torch.compile(loss)

    def gradients(noise):
        for leaf in t.values():
            leaf.grad = None
        loss(t, *inputs, *noise).backward()
        return {n: v.grad for n, v in t.items()}

    def check(noise):
        return {n: g.numpy() for n, g in gradients([torch.tensor(u) for u in noise]).items()}

    return check, lambda: gradients([draw(shape) for shape in shapes])


def torch_compile(name, params, data, threads):
    if name == "W5":
        raise Missing("200 unrolled layers compile for minutes (144 s here, and then 7 ms a step)")
    warnings.filterwarnings("ignore", module="torch")
    return torch_eager(name, params, data, threads, compiled=True)


def jax_jit(name, params, data, threads):
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        raise Missing("JAX is not installed") from None

    def value_and_slopes(function, at):
        def total(*args):
            value = function(*args)
            return value.sum(), value

        slopes, value = jax.grad(total, argnums=(0, 1), has_aux=True)(*at)
        return value, slopes

    o = SimpleNamespace(
        sigmoid=jax.nn.sigmoid,
        softplus=jax.nn.softplus,
        relu=jax.nn.relu,
        exp=jnp.exp,
        log_softmax=jax.nn.log_softmax,
        cumsum=lambda x: jnp.cumsum(x, -1),
        one_hot=jax.nn.one_hot,
        stop=jax.lax.stop_gradient,
        real=lambda x: x.astype(jnp.float32),
        integer=lambda x: x.astype(jnp.int32),
        value_and_slopes=lambda f, at: jax.lax.stop_gradient(value_and_slopes(f, at)),
    )
    surrogate, law, shapes, _ = PEERS[name]
    t = {n: jnp.asarray(v) for n, v in params.items()}
    inputs = [jnp.asarray(v) for v in data.values()]
    draw = jax.random.uniform if law == "uniform" else jax.random.normal

    @jax.jit
    def on_noise(t, noise):
        return jax.value_and_grad(lambda t: surrogate(o, t, *inputs, *noise))(t)

    @jax.jit
    def on_key(t, key):
        keys = jax.random.split(key, len(shapes))
        noise = [draw(k, shape) for k, shape in zip(keys, shapes, strict=True)]
        return jax.value_and_grad(lambda t: surrogate(o, t, *inputs, *noise))(t)

    # Keys are made beforehand: to fold a counter into a key would cost a call of its own.
    keys = itertools.cycle(list(jax.random.split(jax.random.key(0), 16)))

    def check(noise):
        return {n: np.asarray(g) for n, g in on_noise(t, noise)[1].items()}

    return check, lambda: jax.block_until_ready(on_key(t, next(keys)))


def storchastic(name, params, data, threads):
    import storch_peer

    return storch_peer.peer(name, params, data, _torch(threads))


ALL = {
    "torch eager": torch_eager,
    "torch.compile": torch_compile,
    "JAX jit": jax_jit,
    "Storchastic": storchastic,
}
