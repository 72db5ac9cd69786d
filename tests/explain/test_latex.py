"""LaTeX of explanations: typeset by pdflatex where it is installed, and parsed by MathJax."""

import json
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import scg
from scg.estimators import ESTIMATORS
from scg.explain.notation import latex, plain, wrapped
from scg.models.sbn import sbn
from scg.models.vae import gaussian_vae
from tests.docs.test_drawings import drawings
from tests.explain.test_derivation import HOSTILE, model
from tests.laws.random_graphs import random_row
from tests.laws.test_random import placed

MATHJAX = Path(__file__).parents[2] / "docs" / "_static" / "mathjax" / "tex-svg-full.js"


TEX = r"\documentclass{article}\usepackage{amsmath,amssymb}\begin{document}%s\end{document}"
RANDOM = 20
SLACK = 10.0  # points that a line may stand out: words that TeX cannot hyphenate


def steps():
    """Graphs that try the notation, those of the gallery, and random ones."""
    yield scg.compile(model(), {"b": scg.MuProp(), "k": scg.Enumeration()}, backend="numpy")
    g = scg.Graph("50 % & more")
    value = g.parameter("w", 0.3)
    for name in filter(str.isprintable, HOSTILE):
        value = g.sample(name, scg.Bernoulli(logits=value * 0.5))
    g.cost("c_{1}^2 \\x", value * 1.0)
    yield scg.compile(g, scg.LeaveOneOut(samples=2), order=2, backend="numpy")
    g = scg.Graph("Größe und 値")
    g.cost("coût", g.sample("größe", scg.Bernoulli(logits=g.parameter("w", 0.3))) * 1.0)
    yield scg.compile(g, scg.ScoreFunction(), backend="numpy")
    made, pixels = drawings(), np.full(20, 0.5)
    for estimator in (scg.MuProp(), scg.LeaveOneOut(samples=4), scg.REBAR(), scg.Enumeration()):
        yield made.compiled(made.coin(), estimator)
    for graph in (made.elbo(), made.markov(4), made.recurrence(), gaussian_vae(pixels)):
        yield made.compiled(graph)
    for graph in (made.two_costs(), made.markov(40), made.stops()):
        yield made.compiled(graph, scg.ScoreFunction())
    yield made.compiled(made.mixture(), scg.LeaveOneOut(samples=2))
    yield made.compiled(sbn(pixels, (8, 6, 4)), scg.MuProp())
    for number in range(RANDOM):
        yield placed(random_row(number), np.random.default_rng(number))[0]


@pytest.fixture(scope="module")
def documents():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", scg.StopWarning)
        warnings.simplefilter("ignore", scg.PathsWarning)
        return [step.explain().to_latex() for step in steps()]


def test_pdflatex_typesets_every_document_within_its_margins(tmp_path, documents):
    program = shutil.which("pdflatex")
    if program is None:
        sys.stdout.write("pdflatex is not installed: MathJax alone parses the formulas\n")
        return
    latin = [text for text in documents if "値" not in text]  # Han needs LuaLaTeX and a font
    assert len(latin) == len(documents) - 1 > 30
    (tmp_path / "all.tex").write_text(TEX % "\\clearpage\n".join(latin), encoding="utf-8")
    call = [program, "-interaction=nonstopmode", "-no-shell-escape", "all.tex"]
    run = subprocess.run(call, cwd=tmp_path, capture_output=True, errors="replace", check=False)
    log = run.stdout if isinstance(run.stdout, str) else run.stdout.decode(errors="replace")
    assert run.returncode == 0, re.findall(r"(?m)^! .*\n(?:.*\n){3}", log)[:5]
    wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)
    assert all(float(points) < SLACK for points in wide), wide
    assert "LaTeX Warning" not in log


def test_mathjax_parses_every_formula(browser, tmp_path, documents):
    formulas = [latex(cls.formula) for cls in ESTIMATORS if cls.formula]
    for text in documents:
        formulas += re.findall(r"\\\[ (.*) \\\]", text)
        assert {c for c in text if not c.isascii()} <= {*"ûöß値"}
        formulas += re.findall(r"(?<!\\)\$((?:[^$\\]|\\.)+)\$", text)
    assert len(formulas) > 80
    path = tmp_path / "formulas.html"
    path.write_text(f'<!DOCTYPE html><script src="{MATHJAX.as_uri()}"></script>')
    page = browser.open(path)
    page.settle()
    faulty = page.evaluate(
        f"[...{json.dumps(formulas)}, '\\\\frac{{x'].filter(formula =>"
        " MathJax.tex2mml(formula).includes('<merror'))"
    )
    page.close()
    assert faulty == ["\\frac{x"]  # the control


def test_documents_are_balanced(documents):
    for text in documents:
        begun = re.findall(r"\\(begin|end)\{(?!aligned)(\w+)\}", text)
        assert text.count(r"\begin{aligned}") == text.count(r"\end{aligned}")
        assert begun == [
            ("begin", "enumerate"), ("end", "enumerate"), ("begin", "tabular"), ("end", "tabular"),
        ]  # fmt: skip
        bare = re.sub(r"\\.", "", text)
        depth = 0
        for sign in bare:
            depth += (sign == "{") - (sign == "}")
            assert depth >= 0
        assert depth == 0 and bare.count("$") % 2 == 0 and "#" not in bare and "%" not in bare
        (columns,) = re.findall(r"\\begin\{tabular\}\{(l+)\}", text)
        rows = text[text.index(r"\begin{tabular}") :].splitlines()[1:-1]
        assert all(len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1 for row in rows)


def test_gradients_of_functions_and_letters_of_names():
    assert latex("c (∇ℓ ∇ℓᵀ + ∇²ℓ)") == r"c (\nabla\ell \nabla\ell^{\top} + \nabla^{2}\ell)"
    assert latex("‹größe›") == r"\mathrm{gr\text{ö}\text{ß}e}"
    assert latex("∇θ J ≥ 0") == r"\nabla_{\theta}\, J \ge  0"


def test_lines_end_before_signs_and_not_in_indices_or_names():
    formula = "J = E[‹a› + ‹x y›] = Σ_{‹a›, ‹b›} p(‹a›; θ) (‹a› + ‹x y›), ‹a› = T(θ, ε)"
    assert wrapped(formula, 22) == [
        "J = E[‹a› + ‹x y›]", "= Σ_{‹a›, ‹b›} p(‹a›; θ)", "(‹a› + ‹x y›),", "‹a› = T(θ, ε)",
    ]  # fmt: skip
    for width in (1, 5, 10, 30, 1000):
        assert " ".join(wrapped(formula, width)) == formula
    assert wrapped(formula, 1000) == [formula] and len(plain(formula)) < 1000
    assert wrapped("", 5) == [""] and wrapped("‹a very long name›", 5) == ["‹a very long name›"]
