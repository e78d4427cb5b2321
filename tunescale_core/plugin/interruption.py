"""Runs that are interrupted: what is forgotten at a proper end, and what is said where there is none."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tunescale_core.plugin.session import SESSION, cell_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunescale_core.measuring.cell import Bench
    from tunescale_core.plugin.session import Session

UNDONE = {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}
SHOWN = 5
"""Cells that are named, at most."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what is to be measured; where there is anything, a request to end is an interrupt from here on."""
    mine = session.config.stash[SESSION]
    mine.cells = [cell.id for item in session.items if (cell := cell_of(item)) is not None]
    if mine.cells and threading.current_thread() is threading.main_thread():
        _take_requests_to_end()


def _take_requests_to_end() -> None:
    """Take SIGTERM, which schedulers and CI send some seconds before they kill, for Ctrl-C, unless it is taken."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _leave_requests_to_end() -> None:
    if signal.getsignal(signal.SIGTERM) is signal.default_int_handler:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Leave out frames without a line, where Python may raise an interrupt too: pytest fails at showing them."""
    excinfo.traceback = excinfo.traceback.filter(lambda entry: entry._rawentry.tb_lineno is not None)  # noqa: SLF001


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Note whether the run came to its end."""
    session.config.stash[SESSION].ended = exitstatus not in UNDONE


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget what was measured, where the run came to its end and has told of it; else leave it for the next run."""
    _leave_requests_to_end()
    mine = config.stash.get(SESSION, None)
    if mine is None or mine.bench is None:
        return
    if mine.ended:
        mine.bench.notes.end({record.cell for record in mine.records})
    else:
        mine.bench.notes.close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> Iterator[None]:
    """Say first what was taken over; of a run that was interrupted what is done, what is left, and how to go on.

    Where the rest of the summary is interrupted, the run has not told of what it measured, and has not ended.
    """
    session = config.stash[SESSION]
    for line in _said(session, interrupted=exitstatus in UNDONE):
        terminalreporter.write_line(line)
    try:
        yield
    except KeyboardInterrupt:
        session.ended = False
        raise


def _said(session: Session, *, interrupted: bool) -> Iterator[str]:
    if session.bench is None:
        return
    if taken := session.bench.taken:
        yield f"took over {_cells(len(taken))} that an interrupted run had measured; --no-resume measures them anew"
    if interrupted:
        yield from _left(session.bench, session.cells, {one.cell for one in session.records if one.error is None})


def _left(bench: Bench, cells: list[str], done: set[str]) -> Iterator[str]:
    left = [cell for cell in cells if cell not in done]
    named = ", ".join(left[:SHOWN]) + (f" and {len(left) - SHOWN} more" if len(left) > SHOWN else "")
    yield f"interrupted: {_cells(len(cells) - len(left))} done, {len(left)} left" + (f": {named}" if left else "")
    yield f"what is done stands in {bench.records}; give the same command again to go on from there"


def _cells(number: int) -> str:
    return f"{number} cell{'s' * (number != 1)}"
