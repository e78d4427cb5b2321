"""A training that is asked to end: it finishes the step at hand and saves its state before it does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

ASKED = "asked to end: the step at hand is finished and saved first; ask again to end at once"
REQUESTS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Holds back a first request to end while the block runs; a second is an interrupt at once.

    Only requests that would be a `KeyboardInterrupt` are held back, and only in the main thread, where Python has them.

    Args:
        say: Told at once that a request is held back.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._held: list[signal.Signals] = []
        self.asked = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._held = [one for one in REQUESTS if signal.getsignal(one) is signal.default_int_handler]
        for one in self._held:
            signal.signal(one, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._held:
            signal.signal(one, signal.default_int_handler)
        if self.asked and error is None:
            raise KeyboardInterrupt

    def _take(self, *_: int | FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._say(ASKED)
