"""Checks of streams: the gradient of a sequence, summed over its windows, against the exact one."""

import numpy as np
import pytest

import scg

XS = [0.13, -0.9, 0.64]
PARAMS = {"theta": 0.4, "w": 0.7}


def stream(drawn=True, length=None):
    """A bit a step, or none, that the carry keeps."""
    g, t = scg.Graph("stream"), scg.Time("t", length=length)
    x = g.data("x", plates=t)
    theta, w = g.parameter("theta", 0.4), g.parameter("w", 0.7)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=theta * h + x)) if drawn else theta * x
        g.cost("fit", 2.0 * (z - 0.3 * h) ** 2 + w * z * h)
        return np.tanh(h + w * z + x)

    g.scan(cell, init=0.3, xs=x, over=t)
    return g


def check(how, windows, drawn=True, runs=1000, **options):
    step = scg.compile(stream(drawn), truncate=how, stream=True, backend="numpy", **options)
    return scg.check(step, PARAMS, seed=0, data=[{"x": x} for x in windows], runs=runs)


WINDOWS = [XS[:2], XS[2:]]


@pytest.mark.parametrize("how", [scg.UORO(), scg.ARTBP(mean=2)], ids=str)
def test_windows_add_up_to_the_gradient_of_the_sequence(how):
    found = check(how, WINDOWS)
    assert found.unbiased and found.reference == "the exact gradient" and found.bound < 0.2


def test_what_is_cut_between_windows_is_found():
    found = check(scg.Truncated(3, allow_biased=True), WINDOWS, drawn=False)
    assert not found and "'w'" in str(found)
    assert str(found).endswith("; Truncated(allow_biased=True, k=3) is biased by design")


def test_without_noise_the_sum_is_exact():
    found = check(scg.RTRL(), [XS[:1], XS[1:]], drawn=False)
    assert found.unbiased and found.bound < 1e-12


def test_segments_are_cut_anew_in_each_run():
    # As one window each boundary had a factor of 2, and nothing would be cut.
    found = check(scg.ARTBP(mean=2), [XS], drawn=False)
    assert found.unbiased and 1e-6 < found.bound < 0.1


def test_errors():
    g = stream()
    whole = scg.compile(g, truncate=scg.RTRL(), backend="numpy")
    data = [{"x": XS[:2]}, {"x": XS[2:]}]
    with pytest.raises(scg.CallError, match=r"several windows need a step .* stream=True"):
        scg.check(whole, PARAMS, seed=0, data=data)
    with pytest.raises(scg.CallError, match="mapping or a list of windows, got a float"):
        scg.check(whole, PARAMS, seed=0, data=0.5)
    step = scg.compile(g, truncate=scg.UORO(), stream=True, backend="numpy")
    with pytest.raises(scg.EnumerationError, match=r"loops alone.*scg.check\(step"):
        scg.moments(step, PARAMS, data={"x": XS})
    fixed = scg.compile(stream(length=2), truncate=scg.UORO(), stream=True, backend="numpy")
    with pytest.raises(scg.CallError, match=r"plate 't' has the length 2, .* leave its length out"):
        scg.check(fixed, PARAMS, seed=0, data=[{"x": XS[:2]}, {"x": XS[1:]}])
    fixed = scg.compile(stream(length=2), truncate=scg.ARTBP(mean=3), stream=True, backend="numpy")
    with pytest.raises(scg.CallError, match="random lengths, but no data give plate 't'"):
        scg.check(fixed, PARAMS, seed=0, data={"x": XS[:2]})
