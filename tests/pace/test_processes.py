"""Blocks in processes of their own, real ones."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.siding import Dying, Failing, Hanging, Identified, Printing, Steady
from tunescale_core.errors import PaceError
from tunescale_core.pace.block import Times, Work
from tunescale_core.pace.processes import Processes
from tunescale_core.pace.sides import Side

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """One process that blocks are forked from."""
    with Processes() as found:
        yield found


def work(side: Side) -> Work:
    return Work((side, Steady(2.0)), ((),), rounds=(2, 2))


def test_each_block_is_a_process_of_its_own(processes: Processes) -> None:
    """Two blocks run in two processes, forked from one that is not ours."""
    own = [processes.block(work(Identified())).seconds for _ in range(2)]
    parents = [processes.block(work(Identified(parent=True))).seconds for _ in range(2)]
    assert len({*own, parents[0], float(os.getpid())}) == 4
    assert parents[0] == parents[1]


def test_a_side_that_fails_is_one_line(processes: Processes) -> None:
    """What a child raises comes back as one line that names it."""
    with pytest.raises(PaceError) as caught:
        processes.block(work(Failing()))
    assert str(caught.value) == "ModelError: no weights for 1 prompts"


def test_a_child_that_dies_is_an_error(processes: Processes) -> None:
    """A child that is killed, as for want of memory, ends at once in an error with its signal."""
    with pytest.raises(PaceError, match="its process ended with -9"):
        processes.block(work(Dying()))


def test_a_child_that_hangs_is_given_up(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that does not end is ended, and the error says after how long."""
    monkeypatch.setattr(processes, "patience", 0.5)
    with pytest.raises(PaceError, match=r"it did not end within 0.5 s"):
        processes.block(work(Hanging()))


def test_what_a_child_prints_is_no_answer(processes: Processes) -> None:
    """Whatever a side writes to the standard output, its figures arrive."""
    assert processes.block(work(Printing())) == Times(1.0, 2.0, 2)


def test_blocks_go_on_after_the_process_died(processes: Processes) -> None:
    """When the process that is forked from dies there is an error, and the next block has another one."""
    before = processes.block(work(Identified(parent=True)))
    os.kill(int(before.seconds), 9)
    with pytest.raises(PaceError, match="the process it was to be forked from ended"):
        processes.block(work(Steady(1.0)))
    assert processes.block(work(Identified(parent=True))) != before
