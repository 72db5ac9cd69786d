"""The language of kernels computes what Python does, and refuses what it cannot."""

import ctypes
import itertools
import math

import pytest

pytest.importorskip("llvmlite")

from scg.engine.codegen import native
from scg.engine.codegen.functions import define
from scg.engine.codegen.language import kernel

C = {"f4": ctypes.c_float, "f8": ctypes.c_double, "i8": ctypes.c_int64, "u8": ctypes.c_uint64}
NUMBERS = (-3.5, -1.0, 0.0, 0.5, 2.0, 7.25)


def source_of(text):
    lines = text.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n"


def compiled(text, codes=("f8", "f8"), result=None):
    source = source_of(text)
    function = ctypes.CFUNCTYPE(*(C[code] for code in (result or codes[0], *codes)))
    return function(native.address(source, codes)), source


TEXTS = {
    "branches": """
        def kernel(x, y):
            if x > y:
                z = x - y
            elif x == y:
                return 1.0
            else:
                z = y - x
                if z > 2.0:
                    z = z * z
            return z + 0.25
    """,
    "nested conditions": """
        def kernel(x, y):
            return x * 2.0 if x > y else (y if not (x < 0.0 or y < 0.0) else -abs(x))
    """,
    "loops": """
        def kernel(x, y):
            total = 0.0
            for i in range(2, 9, 3):
                for _ in range(i):
                    total += x
                    if total > 10.0:
                        break
                if total < y:
                    continue
                total = total - 0.5
            n = 0
            while total > -20.0 and n < 5:
                total, y = y - 1.0, total * 0.5
                n = n + 1
            return total + n
    """,
    "a loop without end": """
        def kernel(x, y):
            while True:
                x = x + 1.0
                if x > y:
                    return x
    """,
    "library": """
        def kernel(x, y):
            return arctan(-abs(x)) * sinh(y) + max(x, y) - min(x, 0.5) + x ** 2 + (y * y) ** x
    """,
    "integers": """
        def kernel(x, y):
            a, b = i8(x), i8(y)
            c = a * 3 - b
            d = 0.0 if b == 0 else a % b
            return c + d + (a == b) + (a & 3) + abs(a - 2) + -b
    """,
    "truth": """
        def kernel(x, y):
            both = x > 0.0 and y > 0.0
            return 1.0 if both != (x < y) else (2.0 if (x > y) | both else 3.0)
    """,
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_kernel_computes_what_python_does(name):
    found, source = compiled(TEXTS[name])
    scope = {"i8": int, "arctan": math.atan, "sinh": math.sinh}
    exec(source, scope)
    for x, y in itertools.product(NUMBERS, NUMBERS[:2] + NUMBERS[3:]):
        assert found(x, y) == pytest.approx(scope["kernel"](x, y), rel=1e-14)


def test_calls_that_decide_a_condition_are_not_made_in_vain():
    """The second condition would never end."""
    text = """
        def kernel(x, y):
            if x > 0.0 or endless(y):
                return 1.0
            return 2.0
    """

    def endless(y):
        while y == y:
            y = y + 1.0 if y < 1e9 else 0.0
        return True

    names = {"endless": define(contract=True)(endless)}
    text = str(kernel(source_of(text), "tried", names, ("f8", "f8")))
    assert "br i1" in text and "call i1" in text.replace('"', "")


def test_words_wrap_and_shift_without_a_sign():
    text = """
        def kernel(x, y):
            return (x - y) >> u8(60) | (x % y) << u8(4) | x // y << u8(8)
    """
    found, _ = compiled(text, ("u8", "u8"))
    assert found(2, 3) == ((2 - 3) % 2**64 >> 60 | (2 % 3) << 4)
    assert found(17, 5) == (2 << 4 | 3 << 8)


def test_numbers_take_the_type_that_they_meet():
    found, _ = compiled("def kernel(x):\n    return x / 3 + 2\n", ("f4",))
    expected = ctypes.c_float(ctypes.c_float(1 / 3).value + 2).value
    assert found(1.0) == expected


def test_nan_is_no_number():
    text = "def kernel(x):\n    return {}\n"
    for condition, expected in (("x != x", 1), ("x == x", 0), ("x < 1.0", 0), ("not x > 1.0", 1)):
        found, _ = compiled(text.format(f"1.0 if {condition} else 0.0"), ("f8",))
        assert found(math.nan) == expected
    found, _ = compiled(text.format("max(x, 0.0)"), ("f8",))
    assert math.isnan(found(math.nan))  # as Python's


def test_a_remainder_by_zero_does_not_stop_the_program():
    found, _ = compiled("def kernel(x, y):\n    return x % y\n", ("i8", "i8"))
    assert [found(7, 0), found(-7, 3), found(7, -3), found(-7, -3)] == [0, 2, -2, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return u8(x) + i8(x)", "a signed word meets an unsigned one"),
        ("y = u8(1)\n    y = 2.5\n    return x", "y of kernel is u8, not f8"),
        ("return sorted(x)", r"sorted\(x\) calls what kernels do not know"),
        ("return u8(x) / u8(2)", "Div of u8"),
        ("return missing", "missing"),
    ],
)
def test_what_the_language_does_not_have_is_named(text, message):
    with pytest.raises((TypeError, AttributeError), match=message):
        native.address(f"def kernel(x):\n    {text}\n", ("f8",))


def test_a_kernel_that_raises_returns_so():
    source = "def kernel(table):\n    if word(table, 0) > 5:\n        raise IndexError\n"
    words = (ctypes.c_uint64 * 1)()
    call = native.caller(source, ctypes.addressof(words))
    assert call() == 0
    words[0] = 6
    assert call() != 0


def test_one_function_serves_several_types_of_arguments():
    def double(x):
        return x + x

    names = {"double": define(contract=True)(double)}
    source = "def kernel(x, k):\n    return double(x) + double(k) + double(x)\n"
    text = str(kernel(source, "twice", names, ("f8", "i8")))
    assert text.count("define") == 3
