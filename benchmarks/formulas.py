"""The surrogates of the peers, written once for PyTorch and JAX.

`o` holds the library's functions (sigmoid, softplus, stop, ...); a surrogate's *value* is the cost
and its gradient the estimator's, so that each library differentiates as its users would.
"""


def log_prob(o, x, logits):
    return (x * logits - o.softplus(logits)).sum(-1)


def as_surrogate(o, cost, extra):
    """The value of `cost`, with the gradient of ``cost + extra``."""
    return cost + extra - o.stop(extra)


def sbn_cost(o, t, x, h1, h2, logits1, logits2):
    log_q = log_prob(o, h1, logits1) + log_prob(o, h2, logits2)
    log_p = (
        log_prob(o, h2, t["prior"])
        + log_prob(o, h1, h2 @ t["V2"] + t["d2"])
        + log_prob(o, x, h1 @ t["V1"] + t["d1"])
    )
    return log_q - log_p


def sbn_draw(o, t, x, u1, u2):
    logits1 = x @ t["W1"] + t["c1"]
    h1 = o.stop(o.real(u1 < o.sigmoid(logits1)))
    logits2 = h1 @ t["W2"] + t["c2"]
    h2 = o.stop(o.real(u2 < o.sigmoid(logits2)))
    return h1, h2, logits1, logits2


def sbn_leave_one_out(o, t, x, u1, u2):
    h1, h2, logits1, logits2 = sbn_draw(o, t, x, u1, u2)
    cost = sbn_cost(o, t, x, h1, h2, logits1, logits2)
    fixed = o.stop(cost)
    others = (fixed.sum(0) - fixed) / (len(u1) - 1)
    score = log_prob(o, h1, logits1) + log_prob(o, h2, logits2)
    return as_surrogate(o, cost.mean(), (score * (fixed - others)).mean())


def sbn_muprop(o, t, x, u1, u2):
    h1, h2, logits1, logits2 = sbn_draw(o, t, x, u1, u2)
    cost = sbn_cost(o, t, x, h1, h2, logits1, logits2)
    frozen = {name: o.stop(value) for name, value in t.items()}

    def at_mean(m1, nudge):
        m2_logits = m1 @ frozen["W2"] + frozen["c2"]
        m2 = o.sigmoid(m2_logits) + nudge
        return sbn_cost(o, frozen, x, m1, m2, o.stop(logits1), m2_logits)

    m1 = o.stop(o.sigmoid(logits1))
    value, (slope1, slope2) = o.value_and_slopes(at_mean, (m1, 0 * h2))
    m2 = o.stop(o.sigmoid(m1 @ t["W2"] + t["c2"]))
    fixed = o.stop(cost)
    signal1 = fixed - value - (slope1 * (h1 - m1)).sum(-1)
    signal2 = fixed - value - (slope2 * (h2 - m2)).sum(-1)
    extra = (
        log_prob(o, h1, logits1) * signal1
        + log_prob(o, h2, logits2) * signal2
        + (slope1 * o.sigmoid(logits1)).sum(-1)
        + (slope2 * o.sigmoid(logits2)).sum(-1)
    )
    return as_surrogate(o, cost.mean(), extra.mean())


def vae(o, t, x, noise):
    h = o.relu(x @ t["W1"] + t["b1"])
    mean, log_variance = h @ t["Wm"] + t["bm"], h @ t["Ws"] + t["bs"]
    z = mean + o.exp(0.5 * log_variance) * noise
    logits = o.relu(z @ t["V1"] + t["d1"]) @ t["V2"] + t["d2"]
    kl = -0.5 * (1 + log_variance - mean * mean - o.exp(log_variance)).sum(-1)
    return (kl - log_prob(o, x, logits)).mean()


def categorical_vae(o, t, x, u):
    hidden = o.relu(x @ t["W1"] + t["b1"])
    log_q = o.log_softmax((hidden @ t["W2"] + t["b2"]).reshape(-1, 20, 10))
    q = o.exp(log_q)
    classes = o.integer(u > o.cumsum(q)[..., :-1]).sum(-1)
    z = o.stop(o.one_hot(classes, q))
    hidden = o.relu(z.reshape(*z.shape[:2], 200) @ t["V1"] + t["d1"])
    kl = (q * log_q).sum((-1, -2)) + 20 * 2.302585092994046
    cost = kl - log_prob(o, x, hidden @ t["V2"] + t["d2"])
    fixed = o.stop(cost)
    others = (fixed.sum(0) - fixed) / (len(u) - 1)
    score = (z * log_q).sum((-1, -2))
    return as_surrogate(o, cost.mean(), (score * (fixed - others)).mean())


def toy(o, t, u):
    b = o.stop(o.real(u < o.sigmoid(t["theta"])))
    cost = (b - 0.499) ** 2
    score = b * t["theta"] - o.softplus(t["theta"])
    return as_surrogate(o, cost.mean(), (score * cost).mean())


def chain(o, t, x, uniforms):
    def layer(h, u):
        logits = h @ t["W"] + t["c"]
        h = o.stop(o.real(u < o.sigmoid(logits)))
        return h, log_prob(o, h, logits)

    h, scores = o.scan(layer, x, uniforms)
    cost = ((h - 0.3) ** 2).sum(-1)
    return as_surrogate(o, cost.mean(), (scores.sum(0) * cost).mean())


def many_bernoulli(o, t, u):
    logits = t["a"] + t["b"]
    x = o.stop(o.real(u < o.sigmoid(logits)))
    value = x * logits - o.softplus(logits)
    return as_surrogate(o, value.mean(), (value * o.stop(value)).mean())


def many_normal(o, t, noise):
    x = t["a"] + o.exp(t["b"]) * noise
    standard = (x - t["a"]) / o.exp(t["b"])
    return (-0.5 * standard**2 - t["b"] - 0.9189385332046727).mean()
