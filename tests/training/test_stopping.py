"""Requests to end are held back once, where they would be an interrupt, and no longer than the block."""

import signal
import threading

import pytest

from tunescale_core.training.stopping import ASKED, Stopping


def asked(times: int, reached: list[str]) -> None:
    """Ask a block to end so often; what it reaches and what it is told are noted."""
    with Stopping(reached.append) as stopping:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        assert stopping.asked
        reached.append("end of the block")


def test_a_first_request_is_held_back_and_told() -> None:
    """The block goes on after it, and is interrupted when it ends."""
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        asked(1, reached)
    assert reached == [ASKED, "end of the block"]


def test_a_second_request_is_not_held_back() -> None:
    """It interrupts where it comes."""
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        asked(2, reached)
    assert reached == [ASKED]


def failing() -> None:
    with Stopping(lambda _: None):
        signal.raise_signal(signal.SIGINT)
        raise ValueError("wrong")


def test_an_error_is_told_rather_than_a_request() -> None:
    """What went wrong in the block is what comes out of it."""
    with pytest.raises(ValueError, match="wrong"):
        failing()


def test_handlers_are_as_before_afterwards() -> None:
    """Outside the block a request means what it meant."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with Stopping(lambda _: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_what_others_handle_is_left_to_them() -> None:
    """A SIGTERM that is nobody's interrupt, and an interrupt that another program handles, are not touched."""
    mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stopping(lambda _: None) as stopping:
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert not stopping.asked
    finally:
        signal.signal(signal.SIGINT, mine)


def test_other_threads_hold_nothing_back() -> None:
    """Python lets only the main thread handle signals; in another one the block just runs."""
    ran: list[bool] = []

    def work() -> None:
        with Stopping(lambda _: None) as stopping:
            ran.append(stopping.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [False]
