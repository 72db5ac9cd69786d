"""Random graphs from the tables of ops and distributions, against the same recipe on plain numbers.

A recipe is run twice: on nodes, which declares a graph, and on numbers, where each draw is given.
The second run needs no compiler: what lies on the plate is a list, one number for each element.
"""

import warnings

import numpy as np
import pytest
import scipy.special as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

import scg
from scg.distributions import DISTRIBUTIONS
from scg.distributions.base import Distribution
from scg.ir.expr import Expr
from scg.ir.walk import topological
from scg.ops import powers

POSITIVE = 0.4


def positive(a):
    return scg.softplus(a) + POSITIVE


def triple(a, b, c):
    return np.stack([a, b, c])


W = np.array([0.7, -0.4, 0.9])
M = np.array([[1.3, 0.2, -0.1], [0.4, 1.1, 0.3], [-0.2, 0.1, 0.9]])

# --- functions of three numbers of moderate size, to one of moderate size -------------------------
SMOOTH = {
    "add": lambda a, b, c: a + 0.5 * b,
    "subtract": lambda a, b, c: a - b,
    "multiply": lambda a, b, c: np.tanh(a * b + c),
    "divide": lambda a, b, c: a / positive(b),
    "power": lambda a, b, c: positive(a) ** np.tanh(b),
    "square": lambda a, b, c: 0.3 * np.square(a) - c,
    "cube": lambda a, b, c: 0.2 * np.tanh(a) ** 3 + b,
    "exp": lambda a, b, c: np.exp(-np.square(a)) + b,
    "expm1": lambda a, b, c: np.expm1(np.tanh(a)),
    "exp2": lambda a, b, c: np.exp2(np.sin(a)),
    "log": lambda a, b, c: np.log(positive(a)) - b,
    "log1p": lambda a, b, c: np.log1p(np.exp(np.tanh(c))),
    "log2": lambda a, b, c: np.log2(positive(b)),
    "sqrt": lambda a, b, c: np.sqrt(positive(a)),
    "trigonometry": lambda a, b, c: np.sin(a) + np.cos(b) * np.arctan(c),
    "tan": lambda a, b, c: np.tan(np.tanh(a)),
    "hyperbolic": lambda a, b, c: np.sinh(np.tanh(a)) - np.cosh(np.tanh(b)),
    "sigmoid": lambda a, b, c: scg.sigmoid(a - b),
    "log_sigmoid": lambda a, b, c: 0.5 * scg.log_sigmoid(a),
    "logit": lambda a, b, c: scg.logit(scg.sigmoid(a)),
    "gelu and silu": lambda a, b, c: scg.gelu(a) + scg.silu(b),
    "error function": lambda a, b, c: scg.erf(a) * scg.erfc(np.tanh(b)),
    "erfinv": lambda a, b, c: scg.erfinv(0.9 * np.tanh(a)),
    "normal": lambda a, b, c: scg.ndtri(0.05 + 0.9 * scg.ndtr(b)),
    "log_ndtr": lambda a, b, c: 0.2 * scg.log_ndtr(a),
    "gammaln": lambda a, b, c: scg.gammaln(positive(a)) - scg.digamma(positive(b)),
    "polygamma": lambda a, b, c: 0.1 * scg.polygamma(positive(a), order=1),
    "betaln": lambda a, b, c: 0.2 * scg.betaln(positive(a), positive(b)),
    "gammainc": lambda a, b, c: scg.gammainc(positive(a), positive(b)),
    "gammaincinv": lambda a, b, c: np.tanh(scg.gammaincinv(positive(a), scg.sigmoid(b))),
    "bessel": lambda a, b, c: scg.i0e(positive(a)) - scg.i1e(positive(b)),  # a kink at 0
    "xlogy": lambda a, b, c: powers.xlogy(np.tanh(a), positive(b)),
    "sums": lambda a, b, c: np.sum(triple(a, b, c) * W) / 2 - np.mean(triple(a, c, b)),
    "product": lambda a, b, c: np.prod(np.tanh(triple(a, b, c))),
    "variance": lambda a, b, c: np.tanh(np.var(triple(a, b, c))),
    "logsumexp": lambda a, b, c: scg.logsumexp(triple(a, b, c)),
    "softmax": lambda a, b, c: scg.softmax(triple(a, b, c)) @ W,
    "log_softmax": lambda a, b, c: 0.3 * scg.log_softmax(triple(a, b, c))[1],
    "cumulative": lambda a, b, c: np.tanh(np.cumsum(triple(a, b, c))[-1]),
    "matrix": lambda a, b, c: np.tanh((M @ triple(a, b, c)) @ W),
    "outer": lambda a, b, c: np.tanh(np.sum(np.outer(triple(a, b, c), W) * M)),
    "einsum": lambda a, b, c: np.tanh(np.einsum("i,ij,j->", triple(a, b, c), M, W)),
    "solve": lambda a, b, c: np.tanh(np.sum(np.linalg.solve(M, triple(a, b, c)))),
    "moves": lambda a, b, c: np.flip(np.roll(triple(a, b, c), 1))[::-2][0],
    "reshape": lambda a, b, c: np.reshape(np.tile(triple(a, b, c), 2), (2, 3)).T[1, 0],
}
KINKED = {
    "abs": lambda a, b, c: np.abs(a) - 0.5,
    "maximum": lambda a, b, c: np.maximum(a, b),
    "minimum": lambda a, b, c: np.minimum(a, c),
    "relu": lambda a, b, c: scg.relu(a) - scg.relu(b),
    "leaky_relu and elu": lambda a, b, c: scg.leaky_relu(a) + scg.elu(b),
    "clip": lambda a, b, c: np.clip(a, -0.5, 0.5),
    "where": lambda a, b, c: np.where(a > b, c, a),
    "logic": lambda a, b, c: np.where(np.logical_and(a > 0, b < 0.3), 1.0, c),
    "floor": lambda a, b, c: np.tanh(np.floor(2.0 * a) + b),
    "sign": lambda a, b, c: np.sign(a) * b,
    "sort": lambda a, b, c: np.sort(triple(a, b, c)) @ W / 2,
    "max": lambda a, b, c: np.max(triple(a, b, c)),
    "argmax": lambda a, b, c: triple(c, a, b)[np.argmax(triple(a, b, c))],
    "norm": lambda a, b, c: np.tanh(np.linalg.norm(triple(a, b, positive(c)))),
    "sparsemax": lambda a, b, c: scg.sparsemax(triple(a, b, c)) @ W,
}

# --- laws of three numbers, and a number of moderate size from a draw -----------------------------
FINITE = {
    "Bernoulli": (lambda a, b, c: scg.Bernoulli(logits=a), lambda x: x),
    "Bernoulli, probs": (lambda a, b, c: scg.Bernoulli(probs=scg.sigmoid(b)), lambda x: x),
    "Categorical": (
        lambda a, b, c: scg.Categorical(logits=triple(a, b, c)),
        lambda x: scg.one_hot(x, 3) @ W,
    ),
    "OneHotCategorical": (
        lambda a, b, c: scg.OneHotCategorical(logits=triple(a, b, c)),
        lambda x: x @ W,
    ),
    "Binomial": (lambda a, b, c: scg.Binomial(2, logits=c), lambda x: 0.5 * x),
}
ANY = (
    FINITE
    | {
        "Normal": (lambda a, b, c: scg.Normal(a, positive(b)), np.tanh),
        "Gamma": (lambda a, b, c: scg.Gamma(positive(a), positive(b)), np.tanh),
        "Beta": (lambda a, b, c: scg.Beta(positive(a), positive(b)), lambda x: x),
        "Dirichlet": (lambda a, b, c: scg.Dirichlet(positive(triple(a, b, c))), lambda x: x @ W),
        "Poisson": (lambda a, b, c: scg.Poisson(positive(a)), lambda x: np.tanh(0.3 * x)),
        "Geometric": (lambda a, b, c: scg.Geometric(logits=a), lambda x: np.tanh(0.3 * x)),
        "NegativeBinomial": (
            lambda a, b, c: scg.NegativeBinomial(positive(a), logits=np.tanh(b)),
            lambda x: np.tanh(0.3 * x),
        ),
        "Exponential": (lambda a, b, c: scg.Exponential(positive(a)), np.tanh),
        "Laplace": (lambda a, b, c: scg.Laplace(a, positive(b)), np.tanh),
        "Logistic": (lambda a, b, c: scg.Logistic(a, positive(b)), np.tanh),
        "Gumbel": (lambda a, b, c: scg.Gumbel(a, positive(b)), np.tanh),
        "LogNormal": (lambda a, b, c: scg.LogNormal(a, positive(b)), np.tanh),
        "StudentT": (lambda a, b, c: scg.StudentT(positive(c), a, positive(b)), np.tanh),
        "Cauchy": (lambda a, b, c: scg.Cauchy(a, positive(b)), np.tanh),
        "HalfNormal": (lambda a, b, c: scg.HalfNormal(positive(a)), np.tanh),
        "Weibull": (lambda a, b, c: scg.Weibull(positive(a), positive(b)), np.tanh),
        "InverseGamma": (lambda a, b, c: scg.InverseGamma(positive(a), positive(b)), np.tanh),
        "Pareto": (lambda a, b, c: scg.Pareto(0.6, positive(b)), np.tanh),  # what moves jumps
        "VonMises": (lambda a, b, c: scg.VonMises(np.tanh(a), positive(b)), np.sin),
        "MultivariateNormal": (
            lambda a, b, c: scg.MultivariateNormal(triple(a, b, c), scale_tril=np.tril(M)),
            lambda x: np.tanh(x @ W),
        ),
        "Multinomial": (
            lambda a, b, c: scg.Multinomial(3, logits=triple(a, b, c)),
            lambda x: x @ W / 3,
        ),
        "OrderedLogistic": (
            lambda a, b, c: scg.OrderedLogistic(a, np.array([-0.5, 0.6])),
            lambda x: 0.5 * x,
        ),
        "Mixture": (
            lambda a, b, c: scg.Mixture(
                [scg.Normal(a, 1.0), scg.Laplace(b, positive(c))], logits=np.stack([c, 0.2])
            ),
            np.tanh,
        ),
        "Uniform": (lambda a, b, c: scg.Uniform(-1.5, 0.5), lambda x: x),  # what moves jumps
        "RelaxedBernoulli": (
            lambda a, b, c: scg.RelaxedBernoulli(positive(b), logits=a),
            lambda x: x,
        ),
        "RelaxedOneHotCategorical": (
            lambda a, b, c: scg.RelaxedOneHotCategorical(0.8, logits=triple(a, b, c)),
            lambda x: x @ W,
        ),
        "Autoregressive": (
            lambda a, b, c: scg.Autoregressive(scg.Bernoulli, np.tril(M, -1), triple(a, b, c)),
            lambda x: x @ W,
        ),
        "RBM": (
            lambda a, b, c: scg.RBM(triple(a, b, c), np.stack([c, a]), M[:, :2]),
            lambda x: x @ W,
        ),
        "Subset": (lambda a, b, c: scg.Subset(triple(a, b, c), 2), lambda x: x @ W),
        "PlackettLuce": (
            lambda a, b, c: scg.PlackettLuce(triple(a, b, c), 2),
            lambda x: np.sum(x @ W),
        ),
        "Matching": (lambda a, b, c: scg.Matching(a * M + b), lambda x: np.sum((x @ W)[:2])),
        "MarkovChain": (
            lambda a, b, c: scg.MarkovChain(2, triple(a, b, c), M),
            lambda x: np.sum(x @ W),
        ),
        "LinearChain": (
            lambda a, b, c: scg.LinearChain(np.stack([triple(a, b, c), triple(c, a, b)]), M),
            lambda x: np.sum(x @ W),
        ),
        "HiddenMarkov": (
            lambda a, b, c: scg.HiddenMarkov(
                2, triple(a, b, c), M, scg.Normal(triple(c, a, b), 1.0)
            ),
            lambda x: np.sum(np.tanh(x)),
        ),
        "Transformed": (
            lambda a, b, c: scg.Transformed(
                scg.Normal(triple(a, b, c), 1.0),
                scg.AffineCoupling([(np.full((1, 4), 0.3), 0.1 * np.stack([a, b, c, a]))]),
            ),
            lambda x: np.tanh(x @ W),
        ),
        "Independent": (
            lambda a, b, c: scg.Independent(scg.Normal(triple(a, b, c), 1.0)),
            lambda x: np.tanh(x @ W),
        ),
    }
)
FUNCTIONS = SMOOTH | KINKED

# --- what mixes the elements of a plate: of nodes and the plate, and of the list of elements ------
MIXING = {
    "plate_mean": (scg.plate_mean, np.mean),
    "plate_sum": (lambda x, p: np.tanh(scg.plate_sum(x, p)), lambda x: np.tanh(np.sum(x))),
    "plate_logsumexp": (scg.plate_logsumexp, sp.logsumexp),
    "batch statistic": (lambda x, p: x - scg.plate_mean(x, p), lambda x: list(x - np.mean(x))),
}
KINKED_MIXING = {"plate_max": (scg.plate_max, np.max)}
GATHER = "gather"  # of three values, by an index on the plate
PLATE = 2
X, INDEX, MASK = np.array([0.35, -0.8]), np.array([2, 0]), np.array([1.0, 0.0])
DATA = {"x": X, "k": INDEX, "m": MASK}
PARAMS = {"p": np.array(0.45), "q": np.array(-0.65)}


@st.composite
def recipes(draw, functions, laws, draws):
    """Draw up to 30 steps (law?, what, arguments); the last values are the costs."""
    size = draw(st.integers(4, 30))
    at = draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=draws))
    mixing = MIXING if functions is SMOOTH else MIXING | KINKED_MIXING
    known = [*sorted(functions), *[*sorted(mixing), GATHER] * 3]
    steps = []
    for i in range(size):
        what = draw(st.sampled_from(sorted(laws) if i in at else known))
        # 0 and 1 are parameters, 2 is data on a plate, 3 + k is the value of step k
        args = tuple(draw(st.integers(max(0, i - 6), 2 + i)) for _ in range(3))
        steps.append((i in at, what, args))
    return tuple(steps)


class OnNodes:
    """What a recipe does on nodes: it declares a graph."""

    def __init__(self, graph, batch):
        self.batch, self.sample, self.on_plate = batch, graph.sample, []
        self.start = (graph.parameter("p", 0.0), graph.parameter("q", 0.0))
        self.start += (graph.data("x", plates=batch),)
        self.index = graph.data("k", kind="int", plates=batch)

    def apply(self, function, args):
        value = function(*args)
        parts = value.parameters.values() if isinstance(value, Distribution) else [value]
        self.on_plate.append(any(isinstance(x, Expr) and x.plates != () for x in parts))
        return value

    def mix(self, what, x):
        return (MIXING | KINKED_MIXING)[what][0](x, self.batch) if x.plates else x

    def gather(self, args):
        return triple(*args)[self.index]


class OnNumbers:
    """What it does on numbers: each element of the plate for itself, with draws that are given.

    Which values lie on the plate, whatever the arguments, is what the nodes said.
    """

    def __init__(self, params, draw, on_plate):
        self.draw, self.laws, self.on_plate = draw, {}, iter(on_plate)
        self.start = (float(params["p"]), float(params["q"]), list(X))

    def apply(self, function, args):
        rows = [[arg[i] if isinstance(arg, list) else arg for arg in args] for i in range(PLATE)]
        return [function(*row) for row in rows] if next(self.on_plate) else function(*rows[0])

    def sample(self, name, law):
        self.laws[name] = law
        if isinstance(law, list):
            return [self.draw(name, i, one) for i, one in enumerate(law)]
        return self.draw(name, 0, law)

    def mix(self, what, x):
        return (MIXING | KINKED_MIXING)[what][1](x) if isinstance(x, list) else x

    def gather(self, args):
        rows = [[arg[i] if isinstance(arg, list) else arg for arg in args] for i in range(PLATE)]
        return [row[k] for row, k in zip(rows, INDEX, strict=True)]


def run(steps, world):
    """Run a recipe; return its two costs."""
    values = list(world.start)
    for i, (stochastic, what, args) in enumerate(steps):
        given_values = [values[k] for k in args]
        if stochastic:
            make, read = ANY[what]
            drawn = world.sample(f"s{i}", world.apply(make, given_values))
            values.append(world.apply(read, [drawn]))
        elif what == GATHER:
            values.append(world.gather(given_values))
        elif what in FUNCTIONS:
            values.append(world.apply(FUNCTIONS[what], given_values))
        else:
            values.append(world.mix(what, given_values[0]))
    loss = world.apply(lambda a, b, c: a + 0.3 * b * c, values[:-4:-1])
    return loss, world.apply(lambda a: a * a, [values[-2]])


def declare(steps, reduce):
    """Declare a recipe's graph, and say what lies on the plate; a cost there is masked."""
    g = scg.Graph("random")
    batch = scg.Plate("batch", length=PLATE, reduce=reduce)
    mask, world = g.data("m", plates=batch), OnNodes(g, batch)
    for name, cost in zip(COSTS, run(steps, world), strict=True):
        g.cost(name, cost, mask=mask if cost.plates and name == "loss" else None)
    return g, world.on_plate


COSTS = ("loss", "square")


def contributions(costs, reduce):
    """What each element of each cost adds to the objective: (cost, element, number)."""
    for name, cost in zip(COSTS, costs, strict=True):
        if isinstance(cost, list):
            for i, x in enumerate(cost):
                there = MASK[i] if name == "loss" else 1.0
                yield name, i, there * x / (PLATE if reduce == "mean" else 1)
        else:
            yield name, 0, cost


def compiled(g):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return scg.compile(g, scg.ScoreFunction())


def expectation(steps, reduce, on_plate):
    """Σ over all draws of their probability times the objective, by brute force."""

    def descend(draws):
        found = []

        def draw(name, i, law):
            if (name, i) not in draws:
                found.append((name, i, law))
                raise StopIteration
            return draws[name, i]

        try:
            costs = run(steps, OnNumbers(PARAMS, draw, on_plate))
        except StopIteration:
            ((name, i, law),) = found
            return sum(
                np.exp(law.log_prob(value)) * descend({**draws, (name, i): value})
                for value in law.enumerate_support()
            )
        return sum(x for _, _, x in contributions(costs, reduce))

    return descend({})


def check_expectation(steps, reduce="mean"):
    """Exact truth, exact moments and brute force agree."""
    g, on_plate = declare(steps, reduce)
    truth = scg.exact(g, PARAMS, DATA)
    expected = expectation(steps, reduce, on_plate)
    np.testing.assert_allclose(truth.cost, expected, rtol=1e-9, atol=1e-11)
    moments = scg.moments(compiled(g), PARAMS, DATA)
    np.testing.assert_allclose(moments.cost, truth.cost, rtol=1e-9, atol=1e-11)
    for name in PARAMS:
        np.testing.assert_allclose(moments.mean[name], truth.grads[name], rtol=1e-8, atol=1e-9)


COEFFICIENTS = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
STEP = 2e-3


def credit(g):
    """For each cost the draws that act on it, and whether every element acts on every element."""
    reached = {}
    for expr in topological(g.costs.values()):
        found = {}
        for arg in expr.args:
            for name, mixed in reached[arg].items():
                found[name] = found.get(name, False) or mixed or bool(expr.attrs.get("over"))
        if expr.name in g.stochastic:
            found[expr.name] = False
        reached[expr] = found
    return {name: reached[cost] for name, cost in g.costs.items()}


def check_run(steps, seed, reduce="mean"):
    """One run is Σ c + stop(c) log p: its value, and its derivative by differences."""
    g, on_plate = declare(steps, reduce)
    names = list(g.stochastic)
    out = compiled(g)(PARAMS, seed=seed, data=DATA)
    drawn = g.simulate(PARAMS, nodes=names, seed=seed, data=DATA)
    acts = credit(g)

    def at(params):
        def draw(name, i, law):
            return drawn[name][0][i] if g.stochastic[name].plates else drawn[name][0]

        world = OnNumbers(params, draw, on_plate)
        costs = run(steps, world)
        logp = {
            name: [
                float(one.log_prob(draw(name, i, one)))
                for i, one in enumerate(law if isinstance(law, list) else [law])
            ]
            for name, law in world.laws.items()
        }
        return list(contributions(costs, reduce)), logp

    fixed, _ = at(PARAMS)
    np.testing.assert_allclose(out.cost, sum(x for _, _, x in fixed), rtol=1e-8, atol=1e-10)

    def surrogate(params):
        now, logp = at(params)
        total = 0.0
        for (cost, i, x), (_, _, weight) in zip(now, fixed, strict=True):
            score = sum(
                sum(logp[name]) if mixed or len(logp[name]) == 1 else logp[name][i]
                for name, mixed in acts[cost].items()
            )
            total += x + weight * score
        return total

    for name, value in PARAMS.items():
        slope = (
            sum(
                c
                * (
                    surrogate(PARAMS | {name: value + k * STEP})
                    - surrogate(PARAMS | {name: value - k * STEP})
                )
                for k, c in COEFFICIENTS.items()
            )
            / STEP
        )
        np.testing.assert_allclose(out.grads[name], slope, rtol=1e-6, atol=1e-7)


#: The third draw acts on the cost, but simplification leaves nothing of it.
VANISHING = (
    *((True, "Bernoulli", (k, 0, 0)) for k in (0, 0, 2)),
    (False, "where", (3, 5, 3)),
)


REDUCE = st.sampled_from(["mean", "sum"])


@settings(max_examples=60)
@given(recipes(FUNCTIONS, FINITE, 2), REDUCE)
@example(VANISHING, "mean")
def test_exact_moments_and_brute_force_agree(steps, reduce):
    check_expectation(steps, reduce)


@settings(max_examples=60)
@given(recipes(SMOOTH, ANY, 6), st.integers(0, 999), REDUCE)
def test_the_interpreter_computes_the_recipe_and_its_score(steps, seed, reduce):
    check_run(steps, seed, reduce)


# --- what chance may leave out: each entry once, between other nodes ------------------------------
@pytest.mark.parametrize("law", ANY)
def test_each_law(law):
    check_run(((False, "add", (0, 1, 2)), (True, law, (3, 2, 1)), (False, "sigmoid", (4, 0, 0))), 5)


def test_every_law_but_a_certain_one_has_an_entry():
    made = {type(make(0.1, 0.2, 0.3)).__name__.partition("_")[0] for make, _ in ANY.values()}
    missing = {law.__name__ for law in DISTRIBUTIONS} - made
    assert {name for name in missing if name not in ANY} == {"Delta"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function(function):
    steps = ((True, "Bernoulli", (0, 1, 2)), (False, function, (3, 2, 1)))
    check_expectation((*steps, (False, "add", (4, 0, 0))))


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("what", [*MIXING, *KINKED_MIXING, GATHER])
def test_each_mixing_of_a_plate(what, reduce):
    """Below a draw on the plate, and above one: the credit of every element is right."""
    steps = (
        (False, "add", (0, 2, 1)),
        (False, what, (3, 0, 1)),
        (True, "Bernoulli", (3, 0, 0)),
        (False, what, (5, 4, 3)),
        (False, "subtract", (6, 1, 0)),
        (True, "Bernoulli", (7, 0, 0)),
        (False, "add", (5, 8, 0)),
    )
    check_expectation(steps, reduce)
    check_run(steps, 3, reduce)
