"""A training that is asked to end: what it has learnt by then is saved before it does."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from tunescale_core.errors import first_line

if TYPE_CHECKING:
    from types import FrameType, TracebackType

ASKED = "asked to end: what is at hand is finished and saved first; ask again to end at once"
UNSAVED = "ended before it was saved"
REQUESTS = (signal.SIGINT, signal.SIGTERM)
FORWARDED = 1.0
"""Seconds after a request within which another is the same: a terminal and the program that started the run both send
it."""


class Stopping:
    """Holds back a first request to end, from `hold` to the end of the block; a second is an interrupt at once.

    Only requests that would be a `KeyboardInterrupt` are held back, and only in the main thread, where Python has them.
    A block that was asked to end ends in a `KeyboardInterrupt`, also where an error ends it: whoever deals with the
    error would go on. The error is told, and is the interrupt's cause.

    Args:
        say: Told at once that a request is held back, and of an error what it was.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._held: list[signal.Signals] = []
        self._asked_at: float | None = None

    @property
    def asked(self) -> bool:
        """Whether there was a request."""
        return self._asked_at is not None

    def hold(self) -> None:
        """Hold a request back from here on; before, one ends the block at once."""
        if self._held or threading.current_thread() is not threading.main_thread():
            return
        self._held = [one for one in REQUESTS if signal.getsignal(one) is signal.default_int_handler]
        for one in self._held:
            signal.signal(one, self._take)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()
        if not self.asked or not isinstance(error, Exception | None):
            return
        if error is not None:
            self._say(f"{UNSAVED}: {first_line(error)}")
        raise KeyboardInterrupt from error

    def _let_go(self) -> None:
        """Restore the handlers, all of them whatever comes meanwhile."""
        try:
            while self._held:
                signal.signal(self._held[-1], signal.default_int_handler)
                self._held.pop()
        except KeyboardInterrupt:  # a second request, or one by a handler that is restored already
            self._asked_at = time.perf_counter()
            self._let_go()

    def _take(self, *_: int | FrameType | None) -> None:
        now = time.perf_counter()
        if self._asked_at is None:
            self._asked_at = now
            self._say(ASKED)
        elif now - self._asked_at >= FORWARDED:
            raise KeyboardInterrupt
