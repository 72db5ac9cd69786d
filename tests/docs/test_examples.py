"""Every example runs alone, is short, and prints what it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PRINTS = {
    "cartpole": r"updates +10 +mean return \d+\.\d.*variance after 10 updates: trace +\d",
    "hidden_markov": r"forward +\d.*\nq +\d.* ± .*\nprior +\d.* ± ",
    "logistic_regression": r"Adam: .*accuracy 0\.\d+\nSignDescent: .*accuracy 0\.\d+",
    "policy_gradient": r"before -?\d.*\n.*after -?\d.*\n.*going right.*\d",
    "rbm_prior": r"independent +seed 0 +bound -2\d\.\d.*\nrbm +seed 0 +bound -2\d.*likelihood -2\d",
    "sbn_digits": r"∂/∂theta.*before -\d+\.\d+, after -\d+\.\d+ ± 0\.\d+.*independent pixels: -24",
    "structured_prediction": r"MuProp.* \d+\.\d\d +\d.*\n.*\n.*straight-through .*\d",
    "torch_layer": r"DisARM .*nats.*\nLeaveOneOut .*nats.*\nScoreFunction .*nats",
    "variational_autoencoders": r"Reparameterization\(\) +-\d.*mixture.*Enumeration\(\) +-\d",
}


def test_every_example_is_tested():
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_example(name, tmp_path):
    path = EXAMPLES / f"{name}.py"
    extra = {"cartpole": "gymnasium", "torch_layer": "torch"}
    if name in extra:
        pytest.importorskip(extra[name])  # extras that CI does not install
    assert len(path.read_text(encoding="utf-8").splitlines()) < 80
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(PRINTS[name], done.stdout, re.S), done.stdout
