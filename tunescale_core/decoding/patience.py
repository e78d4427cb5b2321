"""Asking a server again where that helps: it is busy, it still loads its model, or it drops a connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tunescale_core.decoding.refusal import is_busy, is_dropped, is_loading, retry_after

if TYPE_CHECKING:
    from tenacity import RetryCallState

_Answer = TypeVar("_Answer")
WAITS = (1.0, 4.0)
"""Seconds before each further try of a request that a server was too busy or too broken to take."""
LONGEST_WAIT = 60.0
"""Seconds before a further try, at most, however many a server asks for."""
LOADING, BETWEEN = 300.0, 2.0
"""Seconds for which a server may load its model, and those between two looks at it."""


def patiently(request: Callable[[], _Answer], over: threading.Event) -> _Answer:
    """Make a request, and again while that helps; what cannot be helped by waiting is raised at once.

    Args:
        request: With a clock of its own, so that no wait is timed.
        over: Ends every wait, with the error that it is for.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_fixed

    def wait(state: RetryCallState) -> None:
        if over.wait(state.upcoming_sleep):
            raise _failure(state)

    loaded = Retrying(
        retry=retry_if_exception(is_loading),
        stop=stop_after_delay(LOADING),
        wait=wait_fixed(BETWEEN),
        before_sleep=wait,
        sleep=_awake,
        reraise=True,
    )
    taken = Retrying(
        retry=retry_if_exception(_passing),
        stop=stop_after_attempt(len(WAITS) + 1),
        wait=_pause,
        before_sleep=wait,
        sleep=_awake,
        reraise=True,
    )
    answer: _Answer = taken(loaded, request)
    return answer


def _awake(_: float) -> None:
    """Sleep no more: `before_sleep` has waited, for it knows the error that a wait is for."""


def _passing(error: BaseException) -> bool:
    return (is_busy(error) or is_dropped(error)) and not is_loading(error)


def _pause(state: RetryCallState) -> float:
    """Return seconds to wait: our own, or as many as the server asks for."""
    ours = (*WAITS, 0.0)[state.attempt_number - 1]  # asked for after the last try too
    return max(ours, min(LONGEST_WAIT, retry_after(_failure(state))))


def _failure(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or RuntimeError("nothing failed")
