"""Pictures of the gallery and of the tutorials; a Sphinx extension that draws them for each build.

``python docs/drawings.py`` writes the pictures that the repository keeps, for tutorials and README.
"""

from __future__ import annotations

import contextlib
import doctest
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.models.sbn import sbn
from scg.models.vae import gaussian_vae

HERE = Path(__file__).parent
KEPT = {
    name: HERE / "tutorials" / "pictures" / f"{name}.svg" for name in ("belief_network", "tracker")
}


def compiled(g: scg.Graph, estimator: Any = None) -> Any:
    """A step of the interpreter, which compiles nothing."""
    return scg.compile(g, estimator, backend="numpy")


def coin() -> scg.Graph:
    """One coin with one cost."""
    g = scg.Graph("a coin")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.499) ** 2)
    return g


def elbo() -> scg.Graph:
    """A normal guide of a normal model."""
    g = scg.Graph("evidence lower bound")
    x, mu, sigma = g.data("x"), g.parameter("mu", 0.0), g.parameter("sigma", 1.0)
    z = g.sample("z", scg.Normal(mu, np.exp(sigma)))
    g.cost("loss", z.log_prob() - scg.Normal(0.0, 1.0).log_prob(z) - scg.Normal(z, 1.0).log_prob(x))
    return g


def two_costs() -> scg.Graph:
    """The fifth simple graph of Schulman et al. (2015): a chain with a cost at each node."""
    g = scg.Graph("a chain with two costs")
    theta = g.parameter("theta", 0.4)
    a = g.sample("x1", scg.Bernoulli(logits=theta))
    b = g.sample("x2", scg.Bernoulli(logits=theta * a))
    g.cost("f1", a * 1.0)
    g.cost("f2", (b - 0.5) ** 2)
    return g


def lesson(name: str) -> Any:
    """The step that a tutorial compiles first, by the code of its page."""
    text = (HERE / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # it may write pictures
        for example in doctest.DocTestParser().get_examples(text):
            exec(example.source, names)
            if "step" in names:
                return names["step"]
    raise ValueError(f"{name} compiles no step")


def markov(length: int) -> scg.Graph:
    """A hidden Markov model."""
    g = scg.Graph("hidden Markov model")
    A, B = g.parameter("A", shape=(3, 3)), g.parameter("B", shape=(3, 4))
    z = g.sample("z[0]", scg.OneHotCategorical(logits=g.parameter("pi", shape=3)))
    for t in range(length):
        if t:
            z = g.sample(f"z[{t}]", scg.OneHotCategorical(logits=z @ A))
        g.observe(f"x[{t}]", scg.Categorical(logits=z @ B), g.data(f"data[{t}]", kind="int"))
    return g


def mixture() -> scg.Graph:
    """A mixture with local classes in a plate and one global scale, which is constrained."""
    g = scg.Graph("mixture")
    points = scg.Plate("points", length=100)
    k = g.sample("k", scg.OneHotCategorical(logits=g.parameter("pi", shape=3)), plates=points)
    scale = g.parameter("sigma", 1.0, constraint=scg.positive)
    centre = np.sum(k * g.parameter("mu", [-1.0, 0.0, 1.0]))
    g.observe("x", scg.Normal(centre, scale), g.data("y", plates=points))
    return g


def regression() -> scg.Graph:
    """A hierarchical regression: an intercept for each county, one slope for all houses."""
    g = scg.Graph("hierarchical regression")
    county = scg.Plate("county", length=6, reduce="sum")
    house = scg.Plate("house", length=10, reduce="sum")
    tau, sigma = (g.parameter(name, 1.0, constraint=scg.positive) for name in ("tau", "sigma"))
    alpha = g.sample("alpha", scg.Normal(g.parameter("mu", 0.0), tau), plates=county)
    floor = g.data("floor", plates=(county, house))
    eta = g.deterministic("eta", alpha + g.parameter("beta", 0.0) * floor)
    g.observe("y", scg.Normal(eta, sigma), g.data("level", plates=(county, house)))
    return g


def recurrence() -> scg.Graph:
    """A recurrence that is declared as a scan: what the carry holds reaches the next step."""
    g, t = scg.Graph("a scan"), scg.Time("steps", length=20)
    theta, w, u = (g.parameter(name, 0.4) for name in ("theta", "w", "u"))

    def cell(h: Any) -> Any:
        z = g.sample("z", scg.Bernoulli(logits=w * h + theta))
        g.cost("fit", (z - h) ** 2)
        return np.tanh(u * h + z)

    g.scan(cell, init=0.5, over=t)
    return g


def stops() -> scg.Graph:
    """A critic: the cost of the policy sees its value through a stop, and a jump."""
    g = scg.Graph("stops and jumps")
    a = g.sample("a", scg.Normal(g.parameter("mu", 0.2), 1.0))
    value = g.deterministic("value", g.parameter("w", 0.1) * g.data("s"))
    g.cost("policy", np.where(a > 0.0, 1.0, 2.0) - scg.stop_gradient(value))
    g.cost("critic", (value - a) ** 2)
    return g


#: The pictures by the name of their file.
PICTURES: dict[str, Callable[[], Any]] = {
    "coin": lambda: coin().draw(labels="formulas"),
    "score": lambda: compiled(coin(), scg.ScoreFunction()).draw(labels="formulas"),
    "surrogate": lambda: compiled(coin(), scg.ScoreFunction()).draw(level="surrogate"),
    "muprop": lambda: compiled(coin(), scg.MuProp()).draw(labels="formulas"),
    "samples": lambda: compiled(coin(), scg.LeaveOneOut(samples=4)).draw(labels="formulas"),
    "rebar": lambda: compiled(coin(), scg.REBAR()).draw(),
    "exact": lambda: compiled(coin(), scg.Enumeration()).draw(),
    "elbo": lambda: compiled(elbo()).draw(),
    "chain_plan": lambda: compiled(two_costs(), scg.ScoreFunction()).draw(),
    "chain_influence": lambda: compiled(two_costs()).draw(level="influence"),
    "chain_surrogate": lambda: compiled(two_costs(), scg.ScoreFunction()).draw(level="surrogate"),
    "markov": lambda: markov(4).draw(),
    "markov_plan": lambda: compiled(markov(1000), scg.ScoreFunction()).draw(),
    "scan": lambda: compiled(recurrence(), scg.ScoreFunction()).draw(),
    "mixture": lambda: compiled(mixture(), scg.LeaveOneOut(samples=2)).draw(),
    "regression": lambda: regression().draw(labels="formulas"),
    "stops": lambda: compiled(stops(), scg.ScoreFunction()).draw(),
    "vae": lambda: compiled(gaussian_vae(np.full(20, 0.5))).draw(),
    "vae_shapes": lambda: gaussian_vae(np.full(20, 0.5)).draw(
        labels="shapes", fold=False, direction="right", hide=["pixels", "log_weight"]
    ),
    "sbn": lambda: compiled(sbn(np.full(20, 0.5), (8, 6, 4)), scg.MuProp()).draw(hide="pixels"),
    "sbn_heat": lambda: compiled(sbn(np.full(20, 0.5), (8, 6)), scg.MuProp()).draw(
        hide="pixels", heat={"h1": 0.8, "h2": 0.2}, notes=False, style="paper"
    ),
    "program": lambda: compiled(coin(), scg.ScoreFunction()).draw(level="program"),
    "schedule": lambda: schedule(),
}

#: Those that are also in a page with boxes that open.
OPENING = ("vae",)


def schedule() -> Any:
    """The entries of a compiled variational autoencoder, and how long each takes."""
    g = gaussian_vae(np.full(20, 0.5))
    step = scg.compile(g)
    data = {"x": np.ones((8, 20))}
    profile = step.profile(g.init(seed=0), data=data, rounds=20)
    return step.draw(level="schedule", heat=profile)


def write(folder: Path) -> None:
    """Draw all pictures of the gallery into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        picture = draw()
        picture.save(folder / f"{name}.svg")
        if name in OPENING:
            (folder / f"{name}.html").write_text(picture.to_html(), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Draw before Sphinx reads the pages."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir, "gallery", "pictures")))
    app.add_css_file("pictures.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    for kept, path in KEPT.items():
        lesson(kept).draw(path)
