"""Signals that are an interrupt, for tests: scripts start their background jobs with SIGINT ignored."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(*signs: signal.Signals) -> Iterator[None]:
    """Take these for Ctrl-C, as a run of a study takes SIGTERM; processes started meanwhile do not ignore them."""
    before = [signal.signal(one, signal.default_int_handler) for one in signs]
    try:
        yield
    finally:
        for one, handler in zip(signs, before, strict=True):
            signal.signal(one, handler)
