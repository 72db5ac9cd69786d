"""The surrogates of the peers for `wider`, in the words of `formulas`."""

from math import log

from formulas import as_surrogate, log_prob


def _divergence(o, mean, log_variance):
    return -0.5 * (1 + log_variance - mean * mean - o.exp(log_variance)).sum(-1)


def convolutional_vae(o, t, x, noise):
    h = o.relu(o.convolution(x, t["C1"], 2) + t["c1"])
    h = o.relu(o.convolution(h, t["C2"], 2) + t["c2"]).reshape(-1, 1568)
    mean, log_variance = h @ t["Wm"] + t["bm"], h @ t["Ws"] + t["bs"]
    z = mean + o.exp(0.5 * log_variance) * noise
    h = o.relu(z @ t["V"] + t["d"]).reshape(-1, 32, 7, 7)
    h = o.relu(o.enlarge(h, t["D1"]) + t["d1"])
    logits = o.enlarge(h, t["D2"]) + t["d2"]
    return (_divergence(o, mean, log_variance) - log_prob(o, x, logits).sum((-1, -2))).mean()


def convolution(o, t, x):
    y = o.convolution(x * t["scale"], t["W"], 1)
    return 0.5 * (y * y).sum() / len(x)


def hessian(o, t, w, u):
    b = o.stop(o.real(u < o.sigmoid(t["theta"])))
    score = log_prob(o, b, t["theta"])
    return (o.exp(score - o.stop(score)) * ((b * w).sum(-1) - 1.0) ** 2).mean()


def vocabulary(o, t, x, y, u):
    log_q = o.log_softmax(x @ t["W"])
    k = o.search(o.stop(o.cumsum(o.exp(log_q))), u)
    cost = ((o.tanh(t["E"][k] @ t["V"]) - y) ** 2).sum(-1)
    score = o.pick(log_q, k)
    fixed = o.stop(cost)
    others = (fixed.sum(0) - fixed) / (len(u) - 1)
    return as_surrogate(o, cost.mean(), (score * (fixed - others)).mean())


def markov(o, t, x, noise):
    def linear(name, *inputs):
        return o.concatenate(inputs) @ t[f"{name}/W"] + t[f"{name}/b"]

    def cell(h, given):
        x, noise = given
        p, q = linear("prior", h), linear("guess", h, x)
        mean, log_scale, mean0, log_scale0 = q[:, :16], q[:, 16:], p[:, :16], p[:, 16:]
        z = mean + o.exp(log_scale) * noise
        distance = (o.exp(2 * log_scale) + (mean - mean0) ** 2) * o.exp(-2 * log_scale0)
        kl = (log_scale0 - log_scale + 0.5 * (distance - 1)).sum(-1)
        cost = kl - log_prob(o, x, linear("seen", h, z))
        a = o.concatenate([x, z]) @ t["gru/W"] + t["gru/b"]
        c = h @ t["gru/U"]
        reset, keep = o.sigmoid(a[:, :64] + c[:, :64]), o.sigmoid(a[:, 64:128] + c[:, 64:128])
        return keep * h + (1 - keep) * o.tanh(a[:, 128:] + reset * c[:, 128:]), cost

    start = o.zeros((x.shape[1], 64), x)
    return o.scan(cell, start, (x, noise))[1].sum(0).mean()


def logistic(o, t, x, y, noise):
    diagonal = o.diagonal(t["raw"])
    factor = o.lower(t["raw"]) + o.diagonal(o.exp(diagonal))
    logits = x @ (t["mean"] + factor @ noise)
    kl = 0.5 * ((factor * factor).sum() + (t["mean"] ** 2).sum() - 50) - diagonal.sum()
    return kl - (y * logits - o.softplus(logits)).sum()


def rebar(o, t, x, u, v):
    logits = x @ t["W"] + t["c"]
    h = o.stop(o.real(u < o.sigmoid(logits)))
    z = logits + o.log1p(-u) - o.log(u)
    sign = 2 * h - 1
    odds = o.softplus(sign * logits)
    given = sign * o.softplus(o.log1p(-v) - o.log(v) + odds)

    # The relaxed costs teach the sampled unit alone: the decoder learns from the sample.
    def cost(h, v, d):
        return -log_prob(o, x, h @ v + d)

    fixed = o.stop(t["V"]), o.stop(t["d"])
    at_h = cost(h, t["V"], t["d"])
    at_z, at_given = (cost(o.sigmoid(2 * latent), *fixed) for latent in (z, given))
    extra = log_prob(o, h, logits) * o.stop(at_h - at_given) + at_z - at_given
    return as_surrogate(o, at_h.mean(), extra.mean())


def vimco(o, t, x, u):
    logits = x @ t["W"] + t["c"]
    h = o.stop(o.real(u < o.sigmoid(logits)))
    score = log_prob(o, h, logits)
    log_w = log_prob(o, h, t["prior"]) + log_prob(o, x, h @ t["V"] + t["d"]) - score
    count = len(u)
    bound = o.logsumexp(log_w, 0) - log(count)
    fixed = o.stop(log_w)
    means = (fixed.sum(0) - fixed) / (count - 1)
    replaced = fixed[None] + o.diagonal(o.ones(count, x))[..., None] * (means - fixed)[:, None]
    others = o.logsumexp(replaced, 1) - log(count)
    extra = -(score * o.stop(bound - others)).sum(0)
    return as_surrogate(o, -bound.mean(), extra.mean())


def topics(o, t, x, noise):
    h = o.softplus(o.softplus(x @ t["W1"] + t["b1"]) @ t["W2"] + t["b2"])
    mean, log_variance = h @ t["Wm"] + t["bm"], h @ t["Ws"] + t["bs"]
    z = mean + o.exp(0.5 * log_variance) * noise
    log_p = o.log_softmax(o.softmax(z) @ t["beta"])
    return (_divergence(o, mean, log_variance) - (x * log_p).sum(-1)).mean()


def five_nodes(o, t, u):
    score, total, b = 0, 0, 0
    for i in range(5):
        logit = t["theta"][i] + t["w"][i] * b
        b = o.stop(o.real(u[i] < o.sigmoid(logit)))
        score, total = score + b * logit - o.softplus(logit), total + b
    cost = (total - 2.2) ** 2
    return as_surrogate(o, cost, score * cost)


def rows_of_a_table(o, t, i, y, noise):
    z = t["table"][i] + noise
    return 0.5 * ((z - y) ** 2).sum(-1).mean()


def gaussian_process(o, t, d, y):
    covariance = o.exp(t["scale"]) * o.exp(-0.5 * d * o.exp(-2.0 * t["width"]))
    factor = o.cholesky(covariance + o.exp(t["noise"]) * o.diagonal(o.ones(len(y), y)))
    rest = o.solve_lower(factor, y)
    return 0.5 * (rest * rest).sum() + o.log(o.diagonal(factor)).sum()


def sorted_normals(o, t, y, noise):
    return ((o.sort(t["a"] + o.exp(t["b"]) * noise) - y) ** 2).mean()


def counts(o, t, x, y):
    logits, r = x @ t["w"], o.exp(t["r"])
    ways = o.gammaln(y + r) - o.gammaln(r) - o.gammaln(y + 1.0)
    return (r * o.softplus(logits) + y * o.softplus(-logits) - ways).sum()
