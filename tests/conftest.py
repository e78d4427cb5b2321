"""What holds for every test, however the suite is run."""

import os


def pytest_configure() -> None:
    """Studies that tests start are runs of their own, and not workers of this one: workers have no benchmarks."""
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    os.environ.pop("PYTEST_XDIST_WORKER_COUNT", None)
