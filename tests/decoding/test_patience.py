"""Asking a server again: what is tried again, how long is waited, and what is not timed."""

import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.asking import HI, answered, asker, complaint
from tests.playing import Played, Reply, streamed
from tunescale_core.decoding import patience

YES = streamed({"content": "yes"})
LOADING = Reply('{"error": {"code": 503, "message": "Loading model"}}', 503)


def test_a_failure_is_not_timed(server: Played) -> None:
    """An answer that took a second try has the seconds of that try alone."""
    one = answered(server, Reply("busy", 503, pause=1.0), YES)
    assert one.seconds is not None
    assert one.seconds < 1.0
    assert len(server.asked) == 2


def test_a_wait_is_not_timed(server: Played) -> None:
    """A server that asks to be left alone for a second is; the answer's seconds are of the try after it."""
    began = time.perf_counter()
    one = answered(server, Reply("slow down", 429, headers={"Retry-After": "1"}), YES)
    assert time.perf_counter() - began >= 1.0
    assert (one.seconds or 9) < 1.0


def test_a_date_is_waited_for(server: Played) -> None:
    """A server may name the time from which it is to be asked again."""
    until = datetime.now(UTC) + timedelta(seconds=2)
    answered(server, Reply("slow down", 503, headers={"Retry-After": format_datetime(until, usegmt=True)}), YES)
    assert datetime.now(UTC) >= until.replace(microsecond=0)


@pytest.mark.parametrize("asked", ["", "soon", "-5", "Mon, 99 Nov 1999 00:00:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_what_is_no_time_is_not_waited_for(server: Played, asked: str) -> None:
    """Where a server names no time to come, our own waits hold."""
    began = time.perf_counter()
    answered(server, Reply("slow down", 429, headers={"Retry-After": asked}), YES)
    assert time.perf_counter() - began < 1.0


def test_nobody_waits_for_ever(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a server wants to be left alone, there is a longest wait."""
    monkeypatch.setattr(patience, "LONGEST_WAIT", 0.1)
    began = time.perf_counter()
    answered(server, Reply("slow down", 429, headers={"Retry-After": "86400"}), YES)
    assert time.perf_counter() - began < 1.0


def test_a_model_that_loads_is_waited_for(server: Played) -> None:
    """A server that says that it loads its model is asked until it has, far more often than one that fails."""
    assert answered(server, *[LOADING] * 20, YES).text == "yes"
    server.replies["/models"] = [LOADING, *server.replies["/models"]]
    asker(server.url).check()


def test_a_model_that_loads_for_ever_is_given_up(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some minutes a server that still loads is said to."""
    monkeypatch.setattr(patience, "LOADING", 0.2)
    assert "still loads after 0.2 s (HTTP 503): Loading model; its log" in complaint(lambda: answered(server, LOADING))


def test_a_dropped_connection_is_tried_again(server: Played) -> None:
    """A connection that a server drops before any answer is set up again; one that always does is said to."""
    assert answered(server, Reply(drops=True), YES).text == "yes"
    assert "drops the connection 3 times in a row (" in complaint(lambda: answered(server, Reply(drops=True)))
    assert len(server.asked) == 5


def test_a_broken_answer_is_not_asked_for_again(server: Played) -> None:
    """An answer that breaks off in the middle is an error: nobody knows what was counted of it."""
    complaint(lambda: answered(server, streamed({"content": "so"}, missing=9), YES))
    assert len(server.asked) == 1


def test_a_timeout_is_not_tried_again(server: Played) -> None:
    """A server that is late once is not waited for again."""
    complaint(lambda: answered(server, streamed({"content": "yes"}, pause=0.3), timeout=0.1))
    assert len(server.asked) == 1


def test_a_refused_connection_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens, that is said at once."""
    monkeypatch.setattr(patience, "WAITS", (9.0, 9.0))
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    began = time.perf_counter()
    complaint(asker(url).ask, HI)
    assert time.perf_counter() - began < 8.0


def test_an_interrupt_ends_a_wait(server: Played) -> None:
    """Ctrl-C while a server wants to be left alone is an interrupt at once."""
    server.replies["/models"] = [Reply("slow down", 429, headers={"Retry-After": "30"})]
    threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        asker(server.url).check()
    assert time.perf_counter() - began < 5.0


def test_a_failure_ends_the_waits_of_the_rest(server: Played) -> None:
    """Where one request fails, those that wait for another try are not waited for."""
    server.replies["/chat/completions"] = [Reply("slow down", 429, headers={"Retry-After": "30"}), Reply("{}", 400)]
    began = time.perf_counter()
    complaint(lambda: list(asker(server.url).together([HI] * 2, 2)))
    assert time.perf_counter() - began < 5.0
