"""Every product of the pipeline is a value that prints."""

import pytest

import scg

NAMES = ["graph", "influence", "plan", "surrogate", "program", "schedule", "table"]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_stage_prints(backend):
    g, items = scg.Graph("toy"), scg.Plate("items", length=3, reduce="sum")
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("t", 0.3)), plates=items)
    g.cost("total", scg.plate_sum(z, items) ** 2)
    g.cost("each", z * 1.0)
    step = scg.compile(g, scg.MuProp(), backend=backend)
    stages = step.stages
    assert list(stages) == (NAMES if backend == "numba" else NAMES[:5])
    assert all("object at 0x" not in str(stage) for stage in stages.values())
    assert str(stages["influence"]) == "z influences total, each (on items)"
    assert str(stages["surrogate"]).startswith("S = ⊠(Σ[items] ℓ(z)) · total\n  + ")
    if backend == "numba":
        assert "entries" in str(stages["schedule"]) and "kernels" in str(stages["table"])
