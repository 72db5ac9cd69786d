"""What every row of the table of ops is held to; see `check`."""

import numpy as np

import scg
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter

# Central differences of order 8: their error is far below the tolerance for smooth functions.
COEFFICIENTS = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
STEP = 5e-3
PLATE_LENGTH = 3


class Case:
    """An op's value, and derivatives along random directions, as one program."""

    def __init__(self, function, arguments, plate=None, dtype=np.float64, seed=0):
        self.graph = scg.Graph()
        rng = np.random.default_rng(seed)
        self.leaves, floats = [], []
        for i, argument in enumerate(arguments):
            argument = np.asarray(argument)
            kind = "int" if argument.dtype.kind in "iu" else "float"
            node = self.graph.data(f"x{i}", shape=argument.shape, kind=kind, plates=plate)
            self.leaves.append(node)
            if kind == "float":
                floats.append(i)
        self.floats = floats
        value = function(*self.leaves)
        self.weight = rng.normal(size=value.shape)
        self.directions = {i: rng.normal(size=np.shape(arguments[i])) for i in floats}
        wrt = [self.leaves[i] for i in floats]
        outputs = {"value": value}
        if value.kind == "float" and floats:
            first = gradients((value * self.weight).sum(), wrt)
            slope = sum((d * self.directions[i]).sum() for d, i in zip(first, floats, strict=True))
            second = gradients(slope, wrt)
            outputs |= {("first", i): d for d, i in zip(first, floats, strict=True)}
            outputs |= {("second", i): d for d, i in zip(second, floats, strict=True)}
        self.outputs = outputs
        self.engine = Interpreter(outputs, dtype)
        self.dtype = np.dtype(dtype)
        self.plate = plate

    def run(self, arguments, length=None):
        leaves = {}
        for leaf, argument in zip(self.leaves, arguments, strict=True):
            argument = np.asarray(argument)
            leaves[leaf] = argument.astype(self.dtype) if leaf.kind == "float" else argument
        leaves = {leaf: value for leaf, value in leaves.items() if leaf in self.engine.leaves}
        return self.engine.run(leaves, {self.plate: length} if self.plate else {})


def shifted(arguments, directions, step):
    return [
        np.asarray(x) + step * directions[i] if i in directions else x
        for i, x in enumerate(arguments)
    ]


def differences(case, arguments, directions, key, step=STEP):
    """Directional derivative of an output by central differences."""
    total = 0.0
    for k, c in COEFFICIENTS.items():
        above = case.run(shifted(arguments, directions, k * step))[key]
        below = case.run(shifted(arguments, directions, -k * step))[key]
        total = total + c * (np.asarray(above) - below)
    return total / step


def close(actual, expected, rtol, what):
    scale = np.max(np.abs(expected), initial=0.0) + 1e-3
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale, err_msg=what)


def check(function, arguments, reference=None, *, step=STEP, order=2, float32=2e-5):
    """Hold a function of nodes to its NumPy value, finite differences, float32 and a loop.

    Parameters
    ----------
    function
        From nodes to a node; it must also take arrays.
    arguments
        Arrays; integer ones are not differentiated.
    reference
        From arrays to the expected value.
    step
        Of the finite differences: the function must be smooth that far.
    order
        The highest derivative that is compared.
    float32
        Tolerance in single precision.
    """
    case = Case(function, arguments)
    out = case.run(arguments)
    order = order if ("first", 0) in out else 0  # integers have no derivative
    if reference is not None:
        np.testing.assert_allclose(out["value"], reference(*arguments), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(function(*map(np.asarray, arguments)), out["value"], rtol=1e-13)

    # first derivative: <w, J v> two ways; second: v ↦ ∇<∇f, v> two ways
    if order >= 1:
        numeric = np.sum(case.weight * differences(case, arguments, case.directions, "value", step))
        exact = sum(np.sum(out["first", i] * case.directions[i]) for i in case.floats)
        close(exact, numeric, 1e-8, "first derivative")
    if order >= 2:
        for i in case.floats:
            numeric = differences(case, arguments, case.directions, ("first", i), step)
            close(out["second", i], numeric, 1e-7, f"second derivative in argument {i}")

    single = Case(function, arguments, dtype=np.float32).run(arguments)
    for key, value in out.items():
        if order >= (key[0] == "first") + 2 * (key[0] == "second"):
            assert single[key].dtype == (np.float32 if value.dtype.kind == "f" else value.dtype)
            close(single[key], value, float32, f"{key} in float32")

    # under a plate as in a loop; the last argument alone without a plate, too
    rng = np.random.default_rng(1)
    rows = [
        shifted(arguments, {i: rng.normal(size=np.shape(arguments[i])) for i in case.floats}, step)
        for _ in range(PLATE_LENGTH)
    ]
    stacked = [np.stack(column) for column in zip(*rows, strict=True)]
    together = Case(function, arguments, scg.Plate("row")).run(stacked, PLATE_LENGTH)
    for k, row in enumerate(rows):
        alone = case.run(row)
        for key, value in alone.items():
            if order >= (key[0] == "first") + 2 * (key[0] == "second"):
                close(together[key][k], value, 1e-9, f"{key} under a plate")
