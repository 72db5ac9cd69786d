"""What all tests share: threads, seeds, hypothesis profiles."""

import os

# Before NumPy is imported: with one test process per core, threaded BLAS only gets in the way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Thousands of small models: the interpreter is ready at once. Tests of the engine name it.
os.environ.setdefault("SCG_BACKEND", "numpy")
# What must hold between the passes of the compiler is checked whenever a test compiles.
os.environ.setdefault("SCG_CHECK", "1")

import hypothesis
import pytest

from tests.browser import browser  # noqa: F401 - a fixture

DEFAULT_SEED = 20160502

hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("scg-ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("scg-ci" if os.environ.get("CI") else "local")


def pytest_configure(config):
    config.addinivalue_line("markers", "site: looks at the built documentation.")
    config.addinivalue_line(
        "markers",
        "statistical: fails by chance at a stated rate; runs a second time with another seed.",
    )


def pytest_runtest_setup(item):
    """Refuse a statistical test that the second seed would only repeat."""
    if item.get_closest_marker("statistical") and "seed" not in item.fixturenames:
        pytest.fail(
            "marked statistical, but without the fixture 'seed': a run with another "
            "SCG_TEST_SEED would repeat its draws. Take `seed` as an argument.",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def seed() -> int:
    """Seed of the statistical tests: ``SCG_TEST_SEED`` if set, else a fixed one."""
    return int(os.environ.get("SCG_TEST_SEED", DEFAULT_SEED))
