"""Corrections for many tests collect garbage at every call, which takes as long as there are objects to look at."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def frozen() -> Iterator[None]:
    """Have the collector pass over what is there before a module's tests."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
