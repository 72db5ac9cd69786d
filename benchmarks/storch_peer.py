"""Storchastic: the workloads whose estimator it has, in the style of its examples.

It has leave-one-out on one node, the score function and reparameterization. It lacks MuProp and
leave-one-out over paths of several nodes.
"""

from types import SimpleNamespace

from peers import Missing


def peer(row, params, data, dtype, torch):
    """The pair (check, call) of a workload, as for the functions of `peers`."""
    try:
        import storch
    except ImportError:
        raise Missing("Storchastic is not installed") from None
    name, real = row.name.removesuffix(" float64"), getattr(torch, dtype)
    torch.set_default_dtype(real)
    models = {"W2": _vae, "W3": _categorical_vae, "W4a": _toy, "W4b": _toy}
    models |= {"W6a": _many_bernoulli, "W6b": _many_normal}
    if name == "W5":
        raise Missing("it recurses on the depth of the graph")
    if name not in models:
        raise Missing("it lacks the estimator")
    t = {n: torch.tensor(v, dtype=real, requires_grad=True) for n, v in params.items()}
    inputs = [torch.tensor(v, dtype=real) for v in data.values()]
    laws = _laws(torch, storch)

    def model_of(samples):
        return models[name](torch, storch, laws, t, inputs, samples)

    def gradients(model, noise=None):
        laws.noise = noise
        for leaf in t.values():
            leaf.grad = None
        model()
        storch.backward()
        return {n: v.grad for n, v in t.items()}

    def check(noise):
        found = gradients(model_of(len(noise[0])), [torch.tensor(u) for u in noise])
        return {n: g.numpy() for n, g in found.items()}

    timed = model_of(row.shapes[0][0])
    return check, lambda: gradients(timed)


def _laws(torch, storch):
    """PyTorch's distributions, which also draw from given noise, so that gradients are checked."""

    def plain(x):
        return x._tensor if isinstance(x, storch.Tensor) else x

    class Bernoulli(torch.distributions.Bernoulli):
        def sample(self, shape=()):
            if laws.noise is None:
                return super().sample(shape)
            p = plain(self.probs)
            return (laws.noise.pop(0).reshape(*shape, *p.shape) < p).float()

    class OneHotCategorical(torch.distributions.OneHotCategorical):
        def sample(self, shape=()):
            if laws.noise is None:
                return super().sample(shape)
            p = plain(self.probs)
            k = (laws.noise.pop(0) > torch.cumsum(p, -1)[..., :-1]).long().sum(-1)
            return torch.nn.functional.one_hot(k, p.shape[-1]).float()

    class Normal(torch.distributions.Normal):
        def rsample(self, shape=()):
            if laws.noise is None:
                return super().rsample(shape)
            noise = laws.noise.pop(0)
            return self.loc + self.scale * noise.reshape(*shape, *plain(self.loc).shape)

    laws = SimpleNamespace(
        noise=None, Bernoulli=Bernoulli, OneHotCategorical=OneHotCategorical, Normal=Normal
    )
    return laws


def _reconstruction(torch, x, logits):
    return (torch.nn.functional.softplus(logits) - x * logits).sum(-1)


def _vae(torch, storch, laws, t, inputs, samples):
    method = storch.method.Reparameterization("z")

    @storch.deterministic
    def encode(x):
        h = torch.relu(x @ t["W1"] + t["b1"])
        return h @ t["Wm"] + t["bm"], h @ t["Ws"] + t["bs"]

    @storch.deterministic
    def divergence(mean, log_variance):
        return -0.5 * (1 + log_variance - mean * mean - torch.exp(log_variance)).sum(-1)

    @storch.deterministic
    def decode(z):
        return torch.relu(z @ t["V1"] + t["d1"]) @ t["V2"] + t["d2"]

    def model():
        x = storch.denote_independent(inputs[0], 0, "batch")
        mean, log_variance = encode(x)
        z = method(laws.Normal(mean, torch.exp(0.5 * log_variance)))
        storch.add_cost(divergence(mean, log_variance), "kl")
        storch.add_cost(_reconstruction(torch, x, decode(z)), "reconstruction")

    return model


def _categorical_vae(torch, storch, laws, t, inputs, samples):
    method = storch.method.ScoreFunction("z", n_samples=samples, baseline_factory="batch_average")

    @storch.deterministic
    def encode(x):
        h = torch.relu(x @ t["W1"] + t["b1"])
        return (h @ t["W2"] + t["b2"]).reshape(-1, 20, 10)

    @storch.deterministic
    def divergence(logits):
        log_q = torch.log_softmax(logits, -1)
        return (log_q.exp() * log_q).sum((-1, -2)) + 20 * 2.302585092994046

    @storch.deterministic
    def decode(z):
        h = torch.relu(z.reshape(*z.shape[:-2], 200) @ t["V1"] + t["d1"])
        return h @ t["V2"] + t["d2"]

    def model():
        x = storch.denote_independent(inputs[0], 0, "batch")
        logits = encode(x)
        z = method(laws.OneHotCategorical(logits=logits))
        storch.add_cost(divergence(logits), "kl")
        storch.add_cost(_reconstruction(torch, x, decode(z)), "reconstruction")

    return model


def _toy(torch, storch, laws, t, inputs, samples):
    method = storch.method.ScoreFunction("b", n_samples=samples)

    def model():
        b = method(laws.Bernoulli(logits=t["theta"]))
        storch.add_cost((b - 0.499) ** 2, "loss")

    return model


def _many_bernoulli(torch, storch, laws, t, inputs, samples):
    method = storch.method.ScoreFunction("x", n_samples=samples)

    def model():
        law = laws.Bernoulli(logits=t["a"] + t["b"])
        storch.add_cost(law.log_prob(method(law)), "log_prob")

    return model


def _many_normal(torch, storch, laws, t, inputs, samples):
    method = storch.method.Reparameterization("x", n_samples=samples)

    def model():
        law = laws.Normal(t["a"], torch.exp(t["b"]))
        storch.add_cost(law.log_prob(method(law)), "log_prob")

    return model
