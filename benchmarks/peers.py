"""PyTorch eager and JAX jit: for each a function of noise to gradients, and a timed call."""

from types import SimpleNamespace

import numpy as np
from formulas import PEERS


def torch_peer(name, params, data):
    import torch

    def value_and_slopes(function, at):
        at = [value.detach().requires_grad_() for value in at]
        value = function(*at)
        return value.detach(), torch.autograd.grad(value.sum(), at)

    o = SimpleNamespace(
        sigmoid=torch.sigmoid,
        softplus=torch.nn.functional.softplus,
        relu=torch.relu,
        exp=torch.exp,
        stop=lambda x: x.detach(),
        real=lambda x: x.float(),
        value_and_slopes=value_and_slopes,
    )
    surrogate, law, shapes, _ = PEERS[name]
    t = {n: torch.tensor(v, requires_grad=True) for n, v in params.items()}
    inputs = [torch.tensor(v) for v in data.values()]
    draw = torch.rand if law == "uniform" else torch.randn

    def gradients(noise):
        for leaf in t.values():
            leaf.grad = None
        surrogate(o, t, *inputs, *noise).backward()
        return {n: v.grad for n, v in t.items()}

    def check(noise):
        return {n: g.numpy() for n, g in gradients([torch.tensor(u) for u in noise]).items()}

    return check, lambda: gradients([draw(shape) for shape in shapes])


def jax_peer(name, params, data):
    import jax
    import jax.numpy as jnp

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
        stop=jax.lax.stop_gradient,
        real=lambda x: x.astype(jnp.float32),
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

    keys = iter(jax.random.split(jax.random.key(0), 100_000))

    def check(noise):
        return {n: np.asarray(g) for n, g in on_noise(t, noise)[1].items()}

    return check, lambda: jax.block_until_ready(on_key(t, next(keys)))


ALL = {"torch eager": torch_peer, "jax jit": jax_peer}
