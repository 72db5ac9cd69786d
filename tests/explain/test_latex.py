"""LaTeX of explanations, parsed: formulas by MathJax, documents by their structure."""

import json
import re
from pathlib import Path

import pytest

import scg
from scg.estimators import ESTIMATORS
from scg.explain.notation import latex
from tests.explain.test_derivation import HOSTILE, model

MATHJAX = Path(__file__).parents[2] / "docs" / "_static" / "mathjax" / "tex-svg-full.js"


def explanations():
    yield scg.compile(model(), {"b": scg.MuProp(), "k": scg.Enumeration()}, backend="numpy")
    g = scg.Graph("50 % & more")
    value = g.parameter("w", 0.3)
    for name in filter(str.isprintable, HOSTILE):
        value = g.sample(name, scg.Bernoulli(logits=value * 0.5))
    g.cost("c_{1}^2 \\x", value * 1.0)
    yield scg.compile(g, scg.LeaveOneOut(samples=2), order=2, backend="numpy")


@pytest.fixture(scope="module")
def documents():
    return [step.explain().to_latex() for step in explanations()]


def test_mathjax_parses_every_formula(browser, tmp_path, documents):
    formulas = [latex(cls.formula) for cls in ESTIMATORS if cls.formula]
    for text in documents:
        formulas += re.findall(r"\\\[ (.*) \\\]", text)
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
        begun = re.findall(r"\\(begin|end)\{(\w+)\}", text)
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
