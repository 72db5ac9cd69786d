"""The exercise of each lesson, with the mistakes that students make in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, logit, softmax

from scg.common.arguments import checked
from scg.course.exercise import Exercise, Verdict
from scg.errors import CallError

_POINTS = [{"theta": 0.4, "t": 0.45}, {"theta": -1.3, "t": 0.2}]
_COINS = [{"b": b, **point} for point in _POINTS for b in (1, 0)]
_NORMAL = [{"eps": e, "mu": 1.0, "sigma": 0.7, "k": k} for e, k in ((0.8, 0.3), (-1.1, 2.0))]
_NOISE = [{"b": b, "v": v, "theta": h} for h in (0.4, -1.3) for b in (1, 0) for v in (0.2, 0.9)]
_SCORES = [{"logits": np.array([0.2, -0.7, 0.4]), "costs": np.array([1.0, 3.0, -0.5])}]
_COSTS = [{"costs": np.array([1.0, 0.5, -2.0, 4.0])}]
_REWARDS = [{"rewards": np.array([1.0, 1, 1, 0, 0, 0, 0, 0])}, {"rewards": np.array([3.0, 1, 0.5])}]


def _f(x: Any, t: Any) -> Any:
    """Cost of the toy."""
    return (x - t) ** 2


def _p(theta: Any) -> Any:
    """Probability of the coin's 1."""
    return expit(theta)


def _pq(theta: Any) -> Any:
    """Derivative of the probability."""
    return expit(theta) * expit(-theta)


def _s(b: Any, theta: Any) -> Any:
    """Score of the coin."""
    return b - expit(theta)


def _quantile(u: Any, theta: Any) -> Any:
    """Latent of the coin at the uniform u."""
    return theta + logit(u)


def _within(b: Any, v: Any, theta: Any) -> Any:
    """Uniform that gives the coin's value b, at the place v of its cell."""
    q = expit(-theta)
    return q + (1 - q) * v if b else q * v


EXERCISES: dict[int, Exercise] = {
    1: Exercise(
        "the derivative of E[(b − t)²] in theta",
        _POINTS,
        lambda theta, t: _pq(theta) * (1 - 2 * t),
        "the probabilities carry the whole gradient, because each sample's cost is constant",
        {
            "this is the derivative in p; multiply by dp/dθ = p (1 − p)": (
                lambda theta, t: 1 - 2 * t + 0 * theta
            ),
            "dp/dθ is p (1 − p), not p": lambda theta, t: _p(theta) * (1 - 2 * t),
            "this differentiates (E[b] − t)², the cost of the mean; average the costs instead": (
                lambda theta, t: 2 * (_p(theta) - t) * _pq(theta)
            ),
            "this is the mean of the samples' derivatives; the probabilities move as well": (
                lambda theta, t: 0.0
            ),
        },
    ),
    2: Exercise(
        "the score-function estimate of the gradient from one sample b",
        _COINS,
        lambda b, theta, t: _f(b, t) * _s(b, theta),
        "cost times score; its mean over b is the gradient of lesson 1",
        {
            "this is the score in p; in θ it is (b − p)/(p (1 − p)) · dp/dθ = b − p": (
                lambda b, theta, t: _f(b, t) * _s(b, theta) / _pq(theta)
            ),
            "this uses the score of b = 1 for both values; for b = 0 differentiate log(1 − p)": (
                lambda b, theta, t: _f(b, t) * (1 - _p(theta))
            ),
            "this has the log-probability itself; take its derivative in θ": (
                lambda b, theta, t: _f(b, t) * np.log(_p(theta) if b else 1 - _p(theta))
            ),
            "this is the score alone, whose mean is 0; multiply by the cost (b − t)²": (
                lambda b, theta, t: _s(b, theta)
            ),
            "b jumps, so f′(b) dp/dθ is not a derivative of the sample; this is straight-through": (
                lambda b, theta, t: 2 * (b - t) * _pq(theta)
            ),
            "this weights by the probability again; sampling b does so already": (
                lambda b, theta, t: _f(b, t) * _s(b, theta) * (_p(theta) if b else 1 - _p(theta))
            ),
        },
    ),
    3: Exercise(
        "the constant baseline of least variance",
        _POINTS,
        lambda theta, t: (1 - _p(theta)) * _f(1, t) + _p(theta) * _f(0, t),
        "with it the variance of the coin's estimate is 0",
        {
            "this is E[f]; the least variance weights the costs by the squared score": (
                lambda theta, t: _p(theta) * _f(1, t) + (1 - _p(theta)) * _f(0, t)
            ),
            "this is the midpoint of the costs, which is right only at p = 1/2": (
                lambda theta, t: (_f(1, t) + _f(0, t)) / 2
            ),
            "this is the cost of the mean, f(p); a baseline averages costs of samples": (
                lambda theta, t: _f(_p(theta), t)
            ),
            "divide E[f s²] by E[s²] = p (1 − p)": (
                lambda theta, t: _pq(theta) * ((1 - _p(theta)) * _f(1, t) + _p(theta) * _f(0, t))
            ),
        },
    ),
    4: Exercise(
        "the pathwise estimate of the derivative in sigma, for x = mu + sigma eps",
        _NORMAL,
        lambda eps, mu, sigma, k: 2 * (mu + sigma * eps - k) * eps,
        "slope of the cost times slope of the path",
        {
            "this is the derivative in μ; the path has dx/dσ = ε": (
                lambda eps, mu, sigma, k: 2 * (mu + sigma * eps - k)
            ),
            "dx/dσ is ε, not σ: hold the noise and move the parameter": (
                lambda eps, mu, sigma, k: 2 * (mu + sigma * eps - k) * sigma
            ),
            "x − μ is σ ε; dx/dσ = (x − μ)/σ": (
                lambda eps, mu, sigma, k: 2 * (mu + sigma * eps - k) * sigma * eps
            ),
            "this is the score-function estimate: unbiased, but it does not use the slope of f": (
                lambda eps, mu, sigma, k: (mu + sigma * eps - k) ** 2 * (eps**2 - 1) / sigma
            ),
            "take the slope at the sample x, not at the mean μ": (
                lambda eps, mu, sigma, k: 2 * (mu - k) * eps
            ),
        },
    ),
    5: Exercise(
        "the learning signal of each decision, if decision i influences the costs i, i + 1, …",
        _COSTS,
        lambda costs: np.cumsum(costs[::-1])[::-1],
        "each score meets the costs that its node influences",
        {
            "this is the return; it is unbiased, but the earlier costs add variance alone": (
                lambda costs: np.full(costs.shape, costs.sum())
            ),
            "these are the costs so far; a decision influences the costs that come later": (
                lambda costs: np.cumsum(costs)
            ),
            "this is biased: a decision influences the later costs too": lambda costs: costs,
            "this is biased: a decision influences its own cost as well": (
                lambda costs: np.cumsum(costs[::-1])[::-1] - costs
            ),
        },
    ),
    6: Exercise(
        "the MuProp estimate from one sample b",
        _COINS,
        lambda b, theta, t: _s(b, theta) ** 3 + 2 * (_p(theta) - t) * _pq(theta),
        "the residual takes the score, the tangent takes the derivative of the mean",
        {
            "this is biased: add back f′(p) dp/dθ, the gradient of the tangent's mean": (
                lambda b, theta, t: _s(b, theta) ** 3
            ),
            "the correction is f′(p) dp/dθ; the factor dp/dθ = p (1 − p) is missing": (
                lambda b, theta, t: _s(b, theta) ** 3 + 2 * (_p(theta) - t)
            ),
            "subtract the tangent from the cost before you multiply by the score": (
                lambda b, theta, t: _f(b, t) * _s(b, theta) + 2 * (_p(theta) - t) * _pq(theta)
            ),
            "this is the correction alone; it is biased, because the cost bends": (
                lambda b, theta, t: 2 * (_p(theta) - t) * _pq(theta)
            ),
            "the tangent is added back for the sample, which cancels it; add back its mean": (
                lambda b, theta, t: _f(b, t) * _s(b, theta)
            ),
            "the correction has the slope at the sample; the tangent touches at the mean p": (
                lambda b, theta, t: _s(b, theta) ** 3 + 2 * (b - t) * _pq(theta)
            ),
        },
    ),
    7: Exercise(
        "the local expectation gradient in the logits of one categorical variable",
        _SCORES,
        lambda logits, costs: softmax(logits) * (costs - softmax(logits) @ costs),
        "it is the exact gradient: one variable has nothing left to sample",
        {
            "∂p/∂logits is diag(p) − p pᵀ; the second part is missing": (
                lambda logits, costs: softmax(logits) * costs
            ),
            "subtract the mean under p, not the mean of the costs": (
                lambda logits, costs: softmax(logits) * (costs - costs.mean())
            ),
            "weight each class by its probability": (
                lambda logits, costs: costs - softmax(logits) @ costs
            ),
            "the classes exclude each other; p (1 − p) is the derivative of separate coins": (
                lambda logits, costs: softmax(logits) * (1 - softmax(logits)) * costs
            ),
        },
    ),
    8: Exercise(
        "the latent z̃ that gives the value b, from a uniform v",
        _NOISE,
        lambda b, v, theta: _quantile(_within(b, v, theta), theta),
        "it has the sign that b demands, and mixed over b the distribution of z",
        {
            "this is the latent without the condition; its sign may contradict b": (
                lambda b, v, theta: _quantile(v, theta)
            ),
            "this is the uniform; return the latent θ + log(u / (1 − u))": _within,
            "the cells are swapped: b = 1 where u > 1 − p, so that z > 0": (
                lambda b, v, theta: _quantile(_within(1 - b, v, theta), theta)
            ),
            "b = 0 has the cell below 1 − p; these cells are split at p": (
                lambda b, v, theta: _quantile(
                    _p(theta) * v if b else _p(theta) + (1 - _p(theta)) * v, theta
                )
            ),
            "the logistic has the location θ: add it": (
                lambda b, v, theta: logit(_within(b, v, theta))
            ),
        },
    ),
    9: Exercise(
        "the leave-one-out learning signals of K rewards",
        _REWARDS,
        lambda rewards: rewards - (rewards.sum() - rewards) / (len(rewards) - 1),
        "each baseline is independent of its own sample",
        {
            "the mean contains the sample itself: the gradient shrinks by 1 − 1/K": (
                lambda rewards: rewards - rewards.mean()
            ),
            "dividing by the deviation is biased, because it depends on the sample itself": (
                lambda rewards: (rewards - rewards.mean()) / rewards.std(ddof=1)
            ),
            "dividing by the deviation is biased, and so is its divisor K": (
                lambda rewards: (rewards - rewards.mean()) / rewards.std()
            ),
            "these are the rewards alone; subtract the mean of the others": lambda rewards: rewards,
            "divide the sum of the others by K − 1, not K": (
                lambda rewards: rewards - (rewards.sum() - rewards) / len(rewards)
            ),
        },
    ),
    10: Exercise(
        "the unbiased estimate of the second derivative from one sample b",
        _COINS,
        lambda b, theta, t: _f(b, t) * (_s(b, theta) ** 2 - _pq(theta)),
        "square of the score plus its derivative, as two derivatives of the magic box give",
        {
            "this differentiates the surrogate log p · f twice: the box's square s² is lost": (
                lambda b, theta, t: -_f(b, t) * _pq(theta)
            ),
            "the score depends on θ too: add its derivative −p (1 − p)": (
                lambda b, theta, t: _f(b, t) * _s(b, theta) ** 2
            ),
            "the derivative of b − p in θ is −p (1 − p), not +": (
                lambda b, theta, t: _f(b, t) * (_s(b, theta) ** 2 + _pq(theta))
            ),
            "this is the first derivative": lambda b, theta, t: _f(b, t) * _s(b, theta),
        },
    ),
}


@checked("scg.course.mark(2, estimate)")
def mark(lesson: int, answer: Callable[..., Any]) -> Verdict:
    """Verdict on an answer to a lesson's exercise.

    Use it on the function that the exercise asks for. To test an estimator on a graph of your own,
    use :func:`scg.check`.

    Parameters
    ----------
    lesson : int
        Number of the lesson, from 1 to 10.
    answer : callable
        The function, with the arguments that the lesson names.

    Raises
    ------
    CallError
        If there is no such lesson.

    Returns
    -------
    Verdict
        True if the function agrees with the solution; it prints the reason or the advice.

    Examples
    --------
    >>> from scg.course import mark
    >>> mark(5, lambda costs: costs)
    not yet: this is biased: a decision influences the later costs too
    >>> mark(5, lambda costs: costs[::-1].cumsum()[::-1])
    right: each score meets the costs that its node influences
    """
    if lesson not in EXERCISES:
        raise CallError(f"there is no lesson {lesson}; the lessons are 1 to {len(EXERCISES)}")
    return EXERCISES[lesson].mark(answer)
