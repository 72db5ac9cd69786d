"""The functions of PyTorch and JAX under the names that the surrogates use."""

from types import SimpleNamespace


def torch_functions(torch):
    def value_and_slopes(function, at):
        def total(*args):
            value = function(*args)
            return value.sum(), value

        at = [value.detach() for value in at]
        slopes, (_, value) = torch.func.grad_and_value(total, (0, 1), has_aux=True)(*at)
        return value.detach(), [slope.detach() for slope in slopes]

    def scan(cell, carry, xs):
        steps = zip(*xs, strict=True) if isinstance(xs, tuple) else xs
        outputs = []
        for given in steps:
            carry, out = cell(carry, given)
            outputs.append(out)
        return carry, torch.stack(outputs)

    functional = torch.nn.functional
    return SimpleNamespace(
        sigmoid=torch.sigmoid,
        softplus=functional.softplus,
        relu=torch.relu,
        tanh=torch.tanh,
        exp=torch.exp,
        log=torch.log,
        log1p=torch.log1p,
        softmax=lambda x: torch.softmax(x, -1),
        log_softmax=lambda x: torch.log_softmax(x, -1),
        logsumexp=torch.logsumexp,
        cumsum=lambda x: torch.cumsum(x, -1),
        one_hot=lambda k, like: functional.one_hot(k, like.shape[-1]).to(like.dtype),
        search=lambda cdf, u: torch.searchsorted(cdf, u[..., 0].T.contiguous()).T.clamp(
            max=cdf.shape[-1] - 1
        ),
        pick=lambda rows, k: rows.expand(*k.shape, -1).gather(-1, k[..., None])[..., 0],
        stop=lambda x: x.detach(),
        real=lambda x: x.to(torch.get_default_dtype()),
        integer=lambda x: x.long(),
        concatenate=lambda parts: torch.cat(list(parts), -1),
        zeros=lambda shape, like: torch.zeros(shape, dtype=like.dtype),
        ones=lambda shape, like: torch.ones(shape, dtype=like.dtype),
        diagonal=torch.diag,
        cholesky=torch.linalg.cholesky,
        solve_lower=lambda a, b: torch.linalg.solve_triangular(a, b[:, None], upper=False)[:, 0],
        sort=lambda x: torch.sort(x)[0],
        gammaln=torch.lgamma,
        lower=lambda x: torch.tril(x, -1),
        scan=scan,
        convolution=lambda x, w, stride: functional.conv2d(x, w, stride=stride, padding=1),
        enlarge=lambda x, w: functional.conv_transpose2d(x, w, None, 2, 1, 1),
        value_and_slopes=value_and_slopes,
    )


def jax_functions(jax):
    jnp, convolve = jax.numpy, jax.lax.conv_general_dilated

    def value_and_slopes(function, at):
        def total(*args):
            value = function(*args)
            return value.sum(), value

        slopes, value = jax.grad(total, argnums=(0, 1), has_aux=True)(*at)
        return jax.lax.stop_gradient((value, slopes))

    def search(cdf, u):
        find = jax.vmap(lambda row, u: jnp.searchsorted(row, u), (0, 1), 1)
        return jnp.minimum(find(cdf, u[..., 0]), cdf.shape[-1] - 1)

    # XLA's convolutions on processors are fast with channels last, and slow with channels first.
    def convolution(x, w, stride):
        x, layout = x.transpose(0, 2, 3, 1), ("NHWC", "OIHW", "NHWC")
        found = convolve(x, w, (stride,) * 2, [(1, 1)] * 2, dimension_numbers=layout)
        return found.transpose(0, 3, 1, 2)

    def enlarge(x, w):
        x, layout = x.transpose(0, 2, 3, 1), ("NHWC", "IOHW", "NHWC")
        w = w[:, :, ::-1, ::-1]
        dilated = {"lhs_dilation": (2, 2), "dimension_numbers": layout}
        return convolve(x, w, (1, 1), [(1, 2)] * 2, **dilated).transpose(0, 3, 1, 2)

    return SimpleNamespace(
        sigmoid=jax.nn.sigmoid,
        softplus=jax.nn.softplus,
        relu=jax.nn.relu,
        tanh=jnp.tanh,
        exp=jnp.exp,
        log=jnp.log,
        log1p=jnp.log1p,
        softmax=jax.nn.softmax,
        log_softmax=jax.nn.log_softmax,
        logsumexp=jax.nn.logsumexp,
        cumsum=lambda x: jnp.cumsum(x, -1),
        one_hot=lambda k, like: jax.nn.one_hot(k, like.shape[-1], dtype=like.dtype),
        search=search,
        pick=lambda rows, k: jnp.take_along_axis(
            jnp.broadcast_to(rows, (*k.shape, rows.shape[-1])), k[..., None], -1
        )[..., 0],
        stop=jax.lax.stop_gradient,
        real=lambda x: x.astype(float),
        integer=lambda x: x.astype(int),
        concatenate=lambda parts: jnp.concatenate(list(parts), -1),
        zeros=lambda shape, like: jnp.zeros(shape, like.dtype),
        ones=lambda shape, like: jnp.ones(shape, like.dtype),
        diagonal=jnp.diag,
        cholesky=jnp.linalg.cholesky,
        solve_lower=lambda a, b: jax.scipy.linalg.solve_triangular(a, b, lower=True),
        sort=jnp.sort,
        gammaln=jax.scipy.special.gammaln,
        lower=lambda x: jnp.tril(x, -1),
        scan=jax.lax.scan,
        convolution=convolution,
        enlarge=enlarge,
        value_and_slopes=value_and_slopes,
    )
