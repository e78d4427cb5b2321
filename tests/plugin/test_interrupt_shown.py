"""An interrupt is told wherever it strikes."""

from __future__ import annotations

import sys
from types import TracebackType

import pytest

from tunescale_core.plugin.interruption import pytest_keyboard_interrupt


def interrupted() -> KeyboardInterrupt:
    """Return an interrupt that struck where there is no line: the clean-up after a handler belongs to none."""
    try:
        raise ValueError  # noqa: TRY301
    except ValueError as error:
        frame, where = sys._getframe(), error.__traceback__
    places = [start for start, _, line in frame.f_code.co_lines() if line is None]
    if not places:
        pytest.skip("this Python has a line for every instruction")
    nowhere = TracebackType(None, frame, places[0], -1)
    if nowhere.tb_lineno is not None:
        pytest.skip("this Python counts a place without a line as line -1")
    assert where is not None
    return KeyboardInterrupt().with_traceback(TracebackType(nowhere, where.tb_frame, where.tb_lasti, where.tb_lineno))


def test_an_interrupt_where_there_is_no_line_is_shown() -> None:
    """Pytest itself fails at a frame without a line; with such frames left out it shows the others."""
    caught = pytest.ExceptionInfo.from_exception(interrupted())
    with pytest.raises(TypeError):
        caught.getrepr()
    pytest_keyboard_interrupt(caught)
    assert "KeyboardInterrupt" in str(caught.getrepr())
    assert len(caught.traceback) == 1
