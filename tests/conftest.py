"""What holds for every test, however the suite is run."""

import os
import sys

import pytest

HEAVY = ("numpy", "scipy", "statsmodels", "pyarrow", "torch", "transformers", "peft", "trl", "datasets")


def pytest_configure() -> None:
    """Studies that tests start are runs of their own, and not workers of this one: workers have no benchmarks."""
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    os.environ.pop("PYTEST_XDIST_WORKER_COUNT", None)


@pytest.fixture(autouse=True)
def _settled() -> None:
    """What tests have imported is set aside once, or each model given back would have it looked through again."""
    if here := [name for name in HEAVY if name in sys.modules]:
        from tunescale_core.models.release import settle

        settle(*here)
