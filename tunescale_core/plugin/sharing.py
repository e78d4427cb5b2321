"""Runs that pytest-xdist shares out among processes: cells would be timed against each other there, and are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tunescale_core.plugin.session import ALONE, SESSION


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """Refuse in the controller, which collects nothing itself, once a worker has found cells of the study.

    Raises:
        pytest.UsageError: It has; no case has been started.
    """
    # A suite without cells needs no study, and every cell's id says what it is asked for.
    named = {one.partition("[")[2].partition("]")[0] for one in ids if "-for-" in one}
    if not named:
        return
    from tunescale_core.study.grid import cells

    study = node.config.stash[SESSION].load()
    if not named.isdisjoint(cell.id for cell in cells(study)):
        raise pytest.UsageError(ALONE)
