"""Derivations are true: their summands, evaluated on noise by hand, are the compiled gradient."""

import functools
import itertools
import re

import numpy as np
import pytest

import scg
from scg.compiler.entries import entries
from scg.estimators import ESTIMATORS
from scg.explain import notation
from scg.explain.derivation import MOST
from scg.explain.formulas import renamed, replacements
from scg.explain.notation import plain
from scg.run.finish import finish
from tests.laws.choices import compiled
from tests.laws.graphs import EVERY, MIXED, PATHWISE

X = np.array([0.4, -1.0, 0.7])
W, S = np.array([0.3, -0.6]), 0.8
TASTE = np.array([1.0, -2.0, 0.5])


def model(stopped=True):
    """Bits above a normal above a class, on a plate that one of three costs mixes."""
    g = scg.Graph("model")
    batch = scg.Plate("batch", length=3, reduce="mean")
    x = g.data("x", plates=batch)
    w, s = g.parameter("w", W), g.parameter("s", S)
    b = g.sample("b", scg.Bernoulli(logits=w * x))
    z = g.sample("z", scg.Normal(np.sum(b * w) + x, s))
    k = g.sample("k", scg.OneHotCategorical(logits=np.stack([w[0], z, w[1] * x])))
    g.cost("own", z**2 * w[0])
    g.cost("mix", scg.plate_logsumexp(z * b[1], batch) * s)
    g.cost("last", (k @ TASTE) * w[1] * x)
    if stopped:
        g.cost("apart", scg.stop_gradient(b[0]) * s)
    return g


class ByHand:
    """The model in NumPy: samples of one run, log-probabilities and costs as functions of θ.

    Each node has its own copy of the parameters, `theta[node]`, and the costs have theirs; values
    may be complex, for derivatives by complex steps.
    """

    def __init__(self, noise, pathwise):
        self.noise, self.pathwise = noise, pathwise
        here = dict.fromkeys(("b", "z", "k", None), (W, S))
        p = 1.0 / (1.0 + np.exp(-W * X[:, None]))
        self.b = (noise["b/u"] < p) * 1.0
        self.z = self.value_of_z(here)
        chances = np.exp(self.log_classes(here, self.z))
        place = np.sum(noise["k/u"].reshape(3, 1) > np.cumsum(chances, 1), axis=1)
        self.k = np.eye(3)[np.minimum(place, 2)]

    def value_of_z(self, theta):
        w, s = theta["z"]
        return self.b @ w + X + s * self.noise["z/n"]

    def seen_z(self, theta):
        return self.value_of_z(theta) if self.pathwise else self.z

    @staticmethod
    def log_classes(theta, z):
        w, _ = theta["k"]
        logits = np.stack([w[0] + 0.0 * z, z, w[1] * X + 0.0 * z], axis=1)
        return logits - np.log(np.sum(np.exp(logits), axis=1))[:, None]

    def log_p(self, theta):
        (w, _), z = theta["b"], self.seen_z(theta)
        logits = w * X[:, None]
        v, s = theta["z"]
        return {
            "b": np.sum(self.b * logits - np.log(1.0 + np.exp(logits)), axis=1),
            "z": -0.5 * ((z - self.b @ v - X) / s) ** 2 - np.log(s),
            "k": np.sum(self.k * self.log_classes(theta, z), axis=1),
        }

    def costs(self, theta):
        (w, s), z = theta[None], self.seen_z(theta)
        mix = np.log(np.sum(np.exp(z * self.b[:, 1]))) * s
        own, last = z**2 * w[0], (self.k @ TASTE) * w[1] * X
        return {"own": own, "mix": mix, "last": last, "apart": self.b[:, 0] * s}

    def value(self, summand, theta):
        """What a summand differentiates; the costs that credit a score are numbers."""
        here = dict.fromkeys(("b", "z", "k", None), (W, S))
        fixed, moving = self.costs(here), self.costs(theta)
        if summand.node is None or (summand.node == "z" and self.pathwise):
            total = sum(np.mean(moving[cost]) for cost in summand.costs)
            for below in summand.through:
                (credit,) = CREDIT[below]
                total = total + sum(np.mean(fixed[c] * self.log_p(theta)[below]) for c in credit)
            return total
        score = self.log_p(theta)[summand.node]
        if summand.summed:
            return sum(fixed[cost] * np.sum(score) for cost in summand.costs)
        return sum(np.mean(fixed[cost] * score) for cost in summand.costs)


CREDIT = {"k": (("last",),)}


def slope(function, node):
    """The derivative in the parameters that enter at a node, flat."""
    found = []
    for i in range(3):
        w, s = W.astype(complex), complex(S)
        if i < 2:
            w[i] += 1e-30j
        else:
            s += 1e-30j
        theta = dict.fromkeys(("b", "z", "k", None), (W, S)) | {node: (w, s)}
        found.append(np.imag(function(theta)) / 1e-30)
    return np.array(found)


@pytest.mark.parametrize("pathwise", [False, True])
def test_summands_on_noise_are_the_parts_of_the_compiled_gradient(pathwise):
    """Plates, a mixing cost, a stop, three costs, a score below a pathwise node."""
    score = scg.ScoreFunction()
    choice = {"b": score, "z": scg.Reparameterization() if pathwise else score, "k": score}
    g = model()
    step = scg.compile(g, choice)
    explanation = step.explain()
    summands = explanation.derivation.summands
    nodes = {"b", "z", "k", None}
    assert {summand.node for summand in summands} == nodes
    values, sizes, _ = step.checked(g.init(seed=0), {"x": X}, None)
    found, _ = entries(step.surrogate)
    outputs = {(part, name): e for part, own in found.items() for name, e in own.items()}
    program = finish(outputs)
    for seed in range(5):
        noise = step.program.draw_noise(seed, range(1), sizes)
        hand = ByHand({name: value[0] for name, value in noise.items()}, pathwise)
        whole = step.outcomes(values, noise, sizes)
        parts = program.run(values, {name: noise[name] for name in program.noise}, sizes)
        total = np.zeros(3)
        for node in nodes:
            own = [summand for summand in summands if summand.node == node]
            by_hand = sum(slope(functools.partial(hand.value, s), node) for s in own)
            compiled = np.zeros(3)
            for (part, name), value in parts.items():
                if part.node == node:
                    compiled[slice(0, 2) if name == "w" else slice(2, 3)] += value[0].ravel()
            np.testing.assert_allclose(by_hand, compiled, atol=1e-12)
            total += by_hand
        grads = [*whole["grads", "w"][0], float(whole["grads", "s"][0])]
        np.testing.assert_allclose(total, grads, atol=1e-12)


def test_formulas_of_summands_say_what_they_are():
    choice = {"b": scg.ScoreFunction(), "z": scg.Reparameterization(), "k": scg.ScoreFunction()}
    derivation = scg.compile(model(), choice).explain().derivation
    assert [plain(summand.formula) for summand in derivation.summands] == [
        "(own + last) ∇θ log p(b | x; θ)",
        "mix Σ_{batch} ∇θ log p(b | x; θ)",
        "(∂(own + mix)/∂z + last ∂log p(k | x, z; θ)/∂z)ᵀ ∇θ T(θ, ε)",
        "last ∇θ log p(k | x, z; θ)",
        "∇θ own",
        "∇θ mix",
        "∇θ last",
        "∇θ apart",
    ]
    drops = [plain(line.words) for line in derivation.lines if line.kind == "drop"]
    assert "every path b → apart leads through stop_gradient: no credit" in drops
    assert "no path k → own, mix, apart" in drops and "no path z → apart" in drops
    assert any(text.startswith("'logsumexp' mixes the elements of batch") for text in drops)


@pytest.mark.filterwarnings("ignore::scg.StopWarning", "ignore::scg.BiasWarning")
@pytest.mark.parametrize("choice", ["score", "path", "enumeration", "muprop", "disarm"])
def test_each_part_of_the_gradient_is_in_a_summand_and_each_summand_has_parts(choice):
    """On graphs of the laws: what is credited, differentiated and dropped is so."""
    checked = 0
    for row in [*EVERY[::6], PATHWISE, *MIXED]:
        try:
            step = compiled(row, choice)
        except scg.EstimatorError:
            continue
        influence, estimators = step.plan.influence, step.plan.estimators
        credited = {n.name: [c.name for c in influence.credited(n)] for n in influence.nodes}
        injected = {n.name for n in influence.nodes if estimators[n].credit == "along"}
        told, free = set(), set()
        for summand in step.explain().derivation.summands:
            own = {(summand.node, cost) for cost in summand.costs}
            own |= {(summand.node, cost) for n in summand.through for cost in credited[n]}
            told |= own
            if injected & {summand.node, *summand.through}:
                free |= own  # the terms of these nodes have this credit
        parts, _ = entries(step.surrogate)
        real = {(part.node, part.summand) for part in parts if not part.term}
        assert real <= told and told - real <= free, row.name
        checked += 1
    assert checked


# --- names ----------------------------------------------------------------------------------------
def test_letters_give_way_to_names_of_the_user():
    """Baselines are not called b where a node is; no letter means two things."""
    g = scg.Graph("names")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("θ", 0.2)))
    f = g.sample("f", scg.Normal(b * 0.5, 1.0))
    g.cost("p", f**2)
    estimator = scg.ScoreFunction(scg.baselines.Constant(2.0))
    step = scg.compile(g, {"b": estimator, "f": scg.Reparameterization()})
    explanation = step.explain()
    about = explanation.nodes[0]
    new = replacements(g.roles)
    assert {"b", "f", "p", "θ"} <= new.keys() and len(set(new.values())) == len(new)
    one = {old: new[old] for old in "bfpθ"}
    expected = "({f}(b) − {b}) ∇{θ} log {p}(b; {θ})".format(**one)
    assert plain(about.formula) == expected
    assert about.symbols[one["b"]] == "Constant(constant=2.0)" and one["f"] in about.symbols
    assert f"J({one['θ']}) = E[p]" in str(explanation)
    assert renamed("(f(‹b›) − b̄)", {"b": "γ"}) == "(f(‹b›) − γ̄)"


#: Commands of LaTeX with amsmath and amssymb that formulas may use, besides Greek letters.
COMMANDS = (
    "mathrm|operatorname|sum|prod|int|nabla|log|top|prime|hat|tilde|bar|boxtimes|partial|dots|in|to|"
    "cdot|ne|approx|sim|backslash|neg|text|ge|le"
)


def test_latex_has_no_command_that_amsmath_and_amssymb_lack():
    greek = "|".join(name for name in notation._GREEK.values())
    known = re.compile(rf"(?:{COMMANDS}|{greek})")
    names = ["^", "~\\", "a<b>c", "}_{x}", "日"]
    texts = [e.formula for e in ESTIMATORS] + [f"Σ_{{{notation.quoted(n)}}} p" for n in names]
    for text in [*texts, "∇p = p ∇log p", "‹z›_{< ‹t›}", "(−1)^bᵢ"]:
        made = notation.latex(text)
        assert all(known.fullmatch(c) for c in re.findall(r"\\([A-Za-z]+)", made)), made
        assert not set(made) & set("ᵢⱼ‹›"), made
    assert notation.latex("∇p") == r"\nabla p" and notation.latex("(−1)^bᵢ") == "(-1)^{b_{i}}"
    assert notation.latex("Σ_{‹}›}") == r"\sum_{\mathrm{\}}}"


HOSTILE = ["x y", "a|b", "$\\frac", "<script>", "‹q›", "∇", "1 + 1", "‮", "_{", "a & b", "θ", "%"]


def test_hostile_names_stay_names():
    g = scg.Graph("<g>")
    value = g.parameter("w", 0.3)
    for name in HOSTILE:
        if name.isprintable():
            value = g.sample(name, scg.Bernoulli(logits=value * 0.5))
    g.cost("c_{1}^2", value * 1.0)
    explanation = scg.compile(g, scg.ScoreFunction()).explain()
    for text in (str(explanation), explanation.to_markdown(), explanation.to_latex()):
        assert text
    latex = explanation.to_latex()
    assert latex.isascii(), sorted({c for c in latex if not c.isascii()})
    assert latex.count("{") - latex.count("}") == latex.count("\\{") - latex.count("\\}")
    assert "<script>" not in explanation.to_markdown().replace("\\<script\\>", "")
    assert "“x y”" in str(explanation)


# --- graphs of other kinds ------------------------------------------------------------------------
def test_integrals_sums_and_what_has_no_parameter():
    g = scg.Graph("kinds")
    n = g.sample("n", scg.Poisson(rate=np.exp(g.parameter("t", 0.1))))
    e = g.sample("e", scg.Normal(0.0, 1.0))
    z = g.sample("z", scg.Normal(n * 0.1, 1.0))
    g.cost("loss", np.where(z > e, 1.0, 0.3) * n)
    lines = scg.compile(g, scg.ScoreFunction()).explain().derivation.lines
    assert "Σ_{n}" in plain(lines[0].formula)
    assert "∫ de" in plain(lines[0].formula) and "∫ dz" in plain(lines[0].formula)
    words = {line.nodes[0]: line.words for line in lines if line.kind == "interchange"}
    assert "the sum, which converges uniformly" in words["n"]
    idle = [text for text in words.values() if text.startswith("no parameter enters at ")]
    assert len(idle) == 1 and "at ‹z›, ‹e›: there" in idle[0]
    assert [line.nodes for line in lines if line.kind == "estimate"] == [("n",)]
    (gradient,) = [line for line in lines if line.kind == "gradient"]
    assert plain(gradient.formula) == "∇θ J = E[loss ∇θ log p(n; θ)]"


def test_bias_is_not_derived():
    g = scg.Graph("biased")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.1)))
    g.cost("loss", (b - 0.3) ** 2)
    step = scg.compile(g, scg.StraightThrough(allow_biased=True))
    lines = step.explain().derivation.lines
    assert all("≈" in line.formula for line in lines if line.kind in ("interchange", "gradient"))
    assert sum("BIASED" in line.words for line in lines) == 2
    assert "≈" in lines[-1].formula


def test_without_samples_there_is_only_the_derivative():
    g = scg.Graph("plain")
    g.cost("loss", g.parameter("w", 1.0) ** 2)
    lines = scg.compile(g).explain().derivation.lines
    assert [plain(line.formula) for line in lines] == [
        "J(θ) = E[loss]",
        "∇θ J = E[∇θ loss]",
        "∇θ J = E[∇θ S]",
    ]


def test_ops_of_the_user_and_second_order():
    g = scg.Graph("black")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", [0.1, 0.2])))
    g.cost("loss", scg.op(lambda b: float(b.sum() > 1), name="reward")(b))
    step = scg.compile(g, scg.LeaveOneOut(samples=2), order=2)
    (summand,) = step.explain().derivation.summands
    assert plain(summand.formula) == "loss ∇θ log p(b; θ)"


def long(length, name="z{}"):
    g = scg.Graph("long")
    z = g.parameter("t", 0.3)
    for i in range(length):
        z = g.sample(name.format(i), scg.Bernoulli(logits=g.parameter(f"t{i}", 0.3) + z * 0.5))
    g.cost("loss", z * 1.0)
    return scg.compile(g, scg.ScoreFunction(), backend="numpy")


def test_a_long_chain_is_told_by_the_first_nodes_of_its_repetition():
    explanation = long(40, "z[{}]").explain()
    derivation = explanation.derivation
    assert derivation.left_out == 0
    about = [line.nodes for line in derivation.lines if line.kind == "estimate"]
    assert about == [("z[0]",), ("z[1]",)]  # the first has no parent
    (alike,) = [line for line in derivation.lines if line.kind == "alike"]
    assert alike.nodes == tuple(f"z[{i}]" for i in range(2, 40))
    assert "‹z[2]› to ‹z[39]›, 38 nodes, are derived like ‹z[1]›" in alike.words
    objective = plain(derivation.lines[0].formula)
    assert "Σ_{z[0]} Σ_{z[1]} … p(z[0]; θ) p(z[1] | z[0]; θ) … loss" in objective
    assert len(str(explanation)) < 20_000
    assert long(40, "{}").explain().derivation.left_out == 0


def test_nodes_that_differ_are_not_told_alike():
    g = scg.Graph("mixed")
    t = g.parameter("t", 0.3)
    for i in range(20):
        g.sample(f"b{i}", scg.Bernoulli(logits=t))
    for i in range(20, 40):
        g.sample(f"b{i}", scg.Bernoulli(logits=t + g.named("b0")))
    g.cost("loss", sum(g.named(f"b{i}") for i in range(40)) * 1.0)
    choice = {f"b{i}": scg.MuProp() if i == 7 else scg.ScoreFunction() for i in range(40)}
    lines = scg.compile(g, choice, backend="numpy").explain().derivation.lines
    told = [line.nodes[0] for line in lines if line.kind == "estimate"]
    assert told == ["b0", "b7", "b8", "b20"]
    assert [len(line.nodes) for line in lines if line.kind == "alike"] == [6, 11, 19]


def test_a_large_graph_without_repetitions_is_told_by_its_first_nodes():
    g = scg.Graph("names")
    value = g.parameter("t", 0.3)
    for letter in "abcdefghijklmnopqrs":
        value = g.sample(f"node_{letter}", scg.Bernoulli(logits=value * 0.5))
    g.cost("loss", value * 1.0)
    derivation = scg.compile(g, scg.ScoreFunction(), backend="numpy").explain().derivation
    assert derivation.left_out == 19 - MOST
    assert "the other 3 nodes" in " ".join(line.words for line in derivation.lines)


def test_the_second_order_has_its_line():
    g = scg.Graph("second")
    z = g.sample("z", scg.Normal(g.parameter("m", 0.1), 1.0))
    b = g.sample("b", scg.Bernoulli(logits=z))
    g.cost("loss", (b - 0.3) ** 2)
    lines = {}
    for order in (1, 2):
        for estimator in ("path", "score"):
            choice = {"b": scg.Enumeration() if estimator == "path" else scg.ScoreFunction()}
            step = scg.compile(g, choice, order=order, backend="numpy")
            lines[order, estimator] = step.explain().derivation.lines
    assert not [line for line in lines[1, "score"] if line.kind == "second"]
    (line,) = [line for line in lines[2, "score"] if line.kind == "second"]
    assert plain(line.formula) == (
        "∇²θ J = E[∇²θ S], ∇²(⊠(ℓ) c) = c (∇ℓ ∇ℓᵀ + ∇²ℓ) + ∇ℓ ∇cᵀ + ∇c ∇ℓᵀ + ∇²c"
    )
    assert notation.latex(line.formula).startswith(r"\nabla^{2}")
    (line,) = [line for line in lines[2, "path"] if line.kind == "second"]
    assert plain(line.formula) == "∇²θ J = E[∇²θ S]"


# --- credit ---------------------------------------------------------------------------------------
def test_the_credit_matrix():
    choice = {"b": scg.ScoreFunction(), "z": scg.Reparameterization(), "k": scg.Enumeration()}
    matrix = scg.compile(model(), choice).explain().matrix
    assert (matrix.nodes, matrix.costs) == (("b", "z", "k"), ("own", "mix", "last", "apart"))
    assert matrix.cells == {
        ("b", "own"): "score, each batch",
        ("b", "mix"): "score, Σ batch",
        ("b", "last"): "score, each batch",
        ("b", "apart"): "stopped",
        ("z", "own"): "value",
        ("z", "mix"): "value",
        ("z", "last"): "value",
        ("k", "last"): "weights, each batch",
    }
    assert str(matrix).splitlines()[3].split() == ["k", "·", "·", "weights,", "each", "batch", "·"]
    assert len(matrix.rows()) == 8


def test_a_large_credit_matrix_is_folded():
    g = scg.Graph("wide")
    for i, j in itertools.product(range(40), range(1)):
        z = g.sample(f"z{i}", scg.Bernoulli(logits=g.parameter(f"t{i}", 0.1 + j)))
        g.cost(f"c{i}", z * 1.0)
    matrix = scg.compile(g, scg.ScoreFunction()).explain().matrix
    assert matrix.left_out == (24, 32) and len(matrix.table()) == 18
    assert matrix.table()[-1] == ["…"] * 10


@pytest.mark.parametrize(("reverse", "sign"), [(False, "<"), (True, ">")])
def test_what_carries_bring_is_a_parent_and_carries_parameters(reverse, sign):
    time = scg.Time("t", length=3)
    g = scg.Graph("carried")
    theta, x, first = g.parameter("theta", 0.3), g.data("x", plates=time), g.data("first")

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=h))
        g.cost("c", (z - h) ** 2)
        return np.tanh(theta * h + z + x)

    g.scan(cell, init=first, over=time, reverse=reverse)
    explained = scg.compile(g, scg.ScoreFunction(), backend="numpy").explain()
    parents = f"p(z | first, z_{{{sign} t}}, x_{{{sign} t}}; θ)"
    assert f"J(θ) = E[c] = Σ_{{z}} Π_{{t}} {parents} c" in str(explained)
    assert f"∇θ J = E[c ∇θ log {parents} + ∇θ c]" in str(explained)
