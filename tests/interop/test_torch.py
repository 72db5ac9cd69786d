"""Steps as PyTorch modules, against PyTorch's own derivatives of the expected cost."""

import copy
import pickle

import numpy as np
import pytest

import scg

torch = pytest.importorskip("torch")
from scg.interop.torch import module  # noqa: E402

Y = torch.tensor([0, 1, 2, 1, 0])


def model():
    g = scg.Graph("m")
    batch = scg.Plate("batch")
    x, y = g.data("x", 3, plates=batch), g.data("y", plates=batch, kind="int")
    w = g.parameter("w", [-0.2, 0.1, 0.4])
    z = g.sample("z", scg.Bernoulli(logits=x @ w))
    g.cost("loss", (z - 0.25 * y + x @ w) ** 2)
    return g


def expected(x, w):
    """The expected cost, in PyTorch."""
    logits = x @ w
    p = torch.sigmoid(logits)
    zero, one = ((z - 0.25 * Y + logits) ** 2 for z in (0.0, 1.0))
    return (p * one + (1 - p) * zero).mean()


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(5, 3, dtype=torch.float64, requires_grad=True)


def compiled(estimator, **options):
    return scg.compile(model(), estimator, data_grads=("x",), **options)


def weights(layer):
    return layer.get_parameter("w")


def test_derivatives_of_parameters_and_inputs(x):
    layer = module(compiled(scg.Enumeration()))
    w = weights(layer).detach().clone().requires_grad_()
    ours = torch.autograd.grad(layer(x=x * x, y=Y) ** 2, [x, weights(layer)])
    theirs = torch.autograd.grad(expected(x * x, w) ** 2, [x, w])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_a_double_backward_pass(x):
    layer = module(compiled(scg.Enumeration(), order=2))
    w = weights(layer).detach().clone().requires_grad_()

    def along(cost, leaves):
        first = torch.autograd.grad(cost, leaves, create_graph=True)
        return torch.autograd.grad(sum((g * g).sum() for g in first), leaves)

    ours = along(layer(x=x * x, y=Y) ** 2, [x, weights(layer)])
    theirs = along(expected(x * x, w) ** 2, [x, w])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)
    first = module(compiled(scg.Enumeration()))
    slope = torch.autograd.grad(first(x=x, y=Y), x, create_graph=True)[0]
    with pytest.raises(scg.CallError, match="order=2"):
        slope.sum().backward()


def test_estimators_learn_and_their_state_is_saved(x):
    step = compiled(scg.ScoreFunction(scg.baselines.Network(hidden=(4,))), dtype="float32")
    layer, data = module(step, runs=20), {"x": x.detach(), "y": Y}
    optimizer = torch.optim.Adam(layer.parameters(), 2e-2)
    before = layer(seed=1, **data).item()
    for _ in range(60):
        optimizer.zero_grad()
        layer(**data).backward()
        optimizer.step()
    assert layer(seed=1, **data).item() < before
    assert layer.get_parameter("z@out").grad is not None
    assert layer.get_buffer("z@weight") > 0.9
    other = module(step, runs=20)
    other.load_state_dict(layer.state_dict())
    assert other(seed=3, **data).item() == layer(seed=3, **data).item()
    layer.eval()
    kept = layer.get_buffer("z@average").clone()
    layer(**data)
    assert layer.get_buffer("z@average") == kept


def test_seeds_come_from_pytorch(x):
    layer = module(compiled(scg.ScoreFunction()))
    found = []
    for _ in range(2):
        torch.manual_seed(4)
        found.append([layer(x=x, y=Y).item() for _ in range(3)])
    assert found[0] == found[1] and len(set(found[0])) == 3


def test_mistakes_are_errors(x):
    layer = module(scg.compile(model(), scg.Enumeration()))
    with pytest.raises(scg.CallError, match=r"data_grads=\('x',\)"):
        layer(x=x, y=Y)
    with pytest.raises(scg.CallError, match="missing"):
        layer(x=x.detach())
    with pytest.raises(scg.CallError, match=r"call .cpu\(\)"):
        layer(x=torch.empty(5, 3, device="meta"), y=Y)


@pytest.mark.parametrize(
    "other",
    [
        torch.Tensor.to_sparse,
        lambda x: x.to(torch.float8_e5m2),
        lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8),
    ],
    ids=["sparse", "float8", "quantized"],
)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_tensors_that_are_no_arrays_are_errors(x, other):
    layer = module(scg.compile(model(), scg.Enumeration()))
    with pytest.raises(
        scg.CallError, match=r"'x' is not an array that scg can read.*a dense tensor"
    ):
        layer(x=other(x.detach()), y=Y)


def test_transforms_and_pickles_are_refused(x):
    layer = module(compiled(scg.Enumeration()))
    with pytest.raises(scg.CallError, match=r"outside of torch\.func"):
        torch.func.grad(lambda x: layer(x=x, y=Y))(x.detach())
    with pytest.raises(TypeError, match="save its state_dict"):
        pickle.dumps(layer)


@pytest.mark.filterwarnings("ignore")  # of the compiler
def test_torch_compile_breaks_its_graph_at_a_call(x):
    layer, scale = module(compiled(scg.DisARM())), torch.ones(3, dtype=torch.float64)

    def cost(x):
        return 2 * layer(x=torch.tanh(scale * x), y=Y, seed=1)

    for function in (cost, torch.compile(cost, backend="aot_eager")):
        slope = torch.autograd.grad(function(x), x)[0]
        torch.testing.assert_close(slope, torch.autograd.grad(cost(x), x)[0])
    torch.compiler.reset()
    with pytest.raises(Exception, match="disable"):
        torch.compile(cost, backend="aot_eager", fullgraph=True)(x)


def test_a_negated_view_is_read(x):
    layer, imaginary = module(compiled(scg.Enumeration())), torch.complex(x, x).detach()
    found = layer(x=imaginary.conj().imag, y=Y)
    assert found.item() == layer(x=-x, y=Y).item()


def test_a_constrained_parameter_is_the_number_behind_it():
    g = scg.Graph("s")
    scale = g.parameter("scale", 2.0, constraint=scg.positive)
    g.cost("c", g.sample("z", scg.Normal(0.0, scale)) ** 2)
    layer = module(scg.compile(g, scg.Reparameterization(), order=2))
    (number,) = layer.parameters()
    assert layer.params["scale"] == pytest.approx(2.0) and number.item() != 2.0

    def cost(x):
        return torch.func.functional_call(layer, {"scale": x}, (), {"seed": 0})

    assert torch.autograd.gradcheck(cost, number) and torch.autograd.gradgradcheck(cost, number)
    optimizer = torch.optim.SGD([number], 5.0)
    for _ in range(20):
        optimizer.zero_grad()
        layer().backward()
        optimizer.step()
    assert 0 < layer.params["scale"] < 1


def test_arrays_are_read_in_place():
    layer = module(compiled(scg.Enumeration(), dtype="float64"))
    array = np.ones((5, 3))
    assert layer(x=torch.from_numpy(array), y=Y).dtype is torch.float64


def test_a_double_backward_pass_has_the_state_of_its_call(x):
    step = compiled(scg.ScoreFunction(scg.baselines.MovingAverage()), order=2)
    layer = module(step, runs=4)
    layer(x=x, y=Y, seed=0)
    before = {key: value.clone() for key, value in layer.state_dict().items()}

    def second():
        slope = torch.autograd.grad(layer(x=x, y=Y, seed=1), weights(layer), create_graph=True)[0]
        return torch.autograd.grad(slope.sum(), weights(layer))[0]

    training = second()
    layer.load_state_dict(before)
    layer.eval()  # the state stays as it is
    torch.testing.assert_close(training, second())


@pytest.mark.parametrize("changed", ["parameter", "data"])
def test_a_double_backward_pass_refuses_what_has_changed(x, changed):
    layer, y = module(compiled(scg.Enumeration(), order=2)), Y.clone()
    slope = torch.autograd.grad(layer(x=x, y=y), weights(layer), create_graph=True)[0]
    with torch.no_grad():
        (weights(layer) if changed == "parameter" else y).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        slope.sum().backward()


def test_copies_share_the_step_and_nothing_else(x):
    layer = module(compiled(scg.ScoreFunction(scg.baselines.MovingAverage())))
    other = copy.deepcopy(torch.nn.Sequential(layer))[0]
    assert other.step is layer.step
    assert other(x=x, y=Y, seed=1).item() == layer(x=x, y=Y, seed=1).item()
    with torch.no_grad():
        weights(other).add_(1.0)
    assert weights(other)[0] == weights(layer)[0] + 1


def test_parameters_may_be_tensors_of_another_function(x):
    layer = module(compiled(scg.Enumeration()))
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    cost = torch.func.functional_call(layer, {"w": w + 0.1}, (), {"x": x, "y": Y})
    ours = torch.autograd.grad(cost, w)[0]
    theirs = torch.autograd.grad(expected(x, w + 0.1), w)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)


def test_bfloat16_and_calls_without_gradients(x):
    layer = module(compiled(scg.Enumeration())).bfloat16()
    layer(x=x.bfloat16(), y=Y).backward()
    assert weights(layer).grad.dtype == torch.bfloat16
    with torch.no_grad():
        module(scg.compile(model(), scg.Enumeration()))(x=x, y=Y)


def test_a_parameter_named_as_an_attribute_of_modules_is_an_error():
    for name in ("half", "params", "runs"):
        g = scg.Graph("m")
        g.cost("c", g.parameter(name, 1.0) ** 2)
        with pytest.raises(scg.CallError, match=f"modules have an attribute {name!r}"):
            module(scg.compile(g))
