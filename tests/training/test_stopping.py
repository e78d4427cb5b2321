"""Requests to end are held back once, where they would be an interrupt, and no longer than the block."""

import io
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.interrupting import interruptible
from tunescale_core.progress import Progress
from tunescale_core.training import stopping as module
from tunescale_core.training.stopping import ASKED, REQUESTS, UNSAVED, Stopping


@pytest.fixture(autouse=True)
def _interrupts() -> Iterator[None]:
    with interruptible(signal.SIGINT):
        yield


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing forwards requests: each counts, however soon it comes."""
    monkeypatch.setattr(module, "FORWARDED", 0.0)


def handlers() -> list[Any]:
    return [signal.getsignal(one) for one in REQUESTS]


def asked(times: int, reached: list[str], say: Callable[[str], object] | None = None) -> None:
    """Ask a block to end so often; what it reaches and what it is told are noted."""
    with Stopping(say or reached.append) as stopping:
        stopping.hold()
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


@pytest.mark.usefixtures("one_at_a_time")
def test_a_second_request_is_not_held_back() -> None:
    """It interrupts where it comes."""
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        asked(2, reached)
    assert reached == [ASKED]


def test_a_forwarded_request_is_no_second_one() -> None:
    """What comes within a second of the first is the same request, sent on by the program that started the run."""
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        asked(3, reached)
    assert reached == [ASKED, "end of the block"]


def test_before_it_holds_a_request_is_an_interrupt() -> None:
    """Where nothing has been learnt yet there is nothing to wait for."""
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt), Stopping(told.append):
        signal.raise_signal(signal.SIGINT)
    assert told == []


def ended_by(error: BaseException, told: list[str], times: int = 1) -> None:
    """Ask a block to end so often, and end it by an error."""
    with Stopping(told.append) as stopping:
        stopping.hold()
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("wrong\nat length"), "wrong"),
        (MemoryError(), "MemoryError"),
        (OSError(28, "no room"), "[Errno 28] no room"),
    ],
)
def test_an_error_does_not_make_a_request_forgotten(error: Exception, line: str) -> None:
    """Who deals with an error would go on: a block that was asked to end is interrupted, and its error told."""
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt) as caught:
        ended_by(error, told)
    assert caught.value.__cause__ is error
    assert told == [ASKED, f"{UNSAVED}: {line}"]


def test_an_error_without_a_request_is_an_error() -> None:
    """A block that nobody asks to end ends as it would without."""
    told: list[str] = []
    with pytest.raises(ValueError, match="wrong"):
        ended_by(ValueError("wrong"), told, times=0)
    assert told == []


def test_an_end_of_the_program_stays_one() -> None:
    """What nobody catches needs no interrupt in its place."""
    with pytest.raises(SystemExit):
        ended_by(SystemExit(3), [])


def test_a_closed_stream_does_not_end_the_block() -> None:
    """A request that cannot be told is held back all the same."""
    stream = io.StringIO()
    stream.close()
    reached: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        asked(1, reached, Progress(stream).say)
    assert reached == ["end of the block"]


def test_handlers_are_as_before_afterwards() -> None:
    """Outside the block a request means what it meant."""
    before = handlers()
    with Stopping(lambda _: None) as stopping:
        assert handlers() == before
        stopping.hold()
        assert handlers()[0] != before[0]
    assert handlers() == before


def asked_in_changing(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a request of either kind come just before and just after a handler is changed for the nth time."""
    change = signal.signal
    seen: list[int] = []

    def changing(one: signal.Signals, handler: Callable[..., Any]) -> Any:
        seen.append(one)
        if len(seen) != which:
            return change(one, handler)
        for each in REQUESTS:
            signal.raise_signal(each)
        before = change(one, handler)
        for each in REQUESTS:
            signal.raise_signal(each)
        return before

    monkeypatch.setattr(signal, "signal", changing)


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("which", [1, 2, 3, 4])
def test_requests_while_handlers_change_leave_none_behind(which: int) -> None:
    """Whichever of the four changes of a handler they come in, the block is interrupted and handlers are as before."""
    with interruptible(*REQUESTS), pytest.MonkeyPatch.context() as patch:
        before = handlers()
        asked_in_changing(which, patch)
        with pytest.raises(KeyboardInterrupt), Stopping(lambda _: None) as stopping:
            stopping.hold()
        assert handlers() == before


def test_what_others_handle_is_left_to_them() -> None:
    """A SIGTERM that is nobody's interrupt, and an interrupt that another program handles, are not touched."""
    mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stopping(lambda _: None) as stopping:
            stopping.hold()
            assert handlers() == [signal.SIG_IGN, signal.SIG_DFL]
        assert not stopping.asked
    finally:
        signal.signal(signal.SIGINT, mine)


def test_other_threads_hold_nothing_back() -> None:
    """Python lets only the main thread handle signals; in another one the block just runs."""
    ran: list[bool] = []

    def work() -> None:
        with Stopping(lambda _: None) as stopping:
            stopping.hold()
            ran.append(stopping.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [False]
