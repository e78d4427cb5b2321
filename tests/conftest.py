"""What holds for every test, however the suite is run."""

import gc
import os

import pytest
from hypothesis import settings

CROWD = 100_000
"""Objects that the garbage collector may have to look through: a tenth of a second."""


def pytest_configure() -> None:
    """Studies that tests start are runs of their own, and not workers of this one: workers have no benchmarks."""
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    os.environ.pop("PYTEST_XDIST_WORKER_COUNT", None)


# A test's time is the machine's: beside others one that takes sixty milliseconds took 277.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.fixture(autouse=True, scope="module")
def _settled() -> None:
    """What a file's tests find imported is set aside, or it is looked through whenever memory or a test is done with.

    Libraries ask for that themselves: statsmodels each time that it corrects p values.
    """
    if len(gc.get_objects()) > CROWD:
        gc.collect()
        gc.freeze()
