"""Runs that pytest-xdist shares out among processes: cells would be timed against each other there, and are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tunescale_core.plugin.session import SESSION

ALONE = "cells are timed, and want the machine and one process for themselves: leave out -n, or give -n 0"
"""Said where xdist would share them out."""


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this is a process of xdist's, which is replaced without end where it refuses to be configured."""
    return hasattr(config, "workerinput")


def is_shared_out(config: pytest.Config) -> bool:
    """Tell whether xdist shares this run out: its own rule, by which -n, -d and --tx come to the same."""
    if is_worker(config):
        return True
    shares = config.getoption("dist", "no") != "no" and bool(config.getoption("tx", None))
    return shares and not config.option.collectonly


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
    from tunescale_core.grid import cells

    study = node.config.stash[SESSION].load()
    if not named.isdisjoint(cell.id for cell in cells(study)):
        raise pytest.UsageError(ALONE)
