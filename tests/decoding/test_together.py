"""Several requests at once, and their end where one fails or somebody interrupts."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asking import HI, asker, complaint
from tests.playing import Played, Reply, streamed
from tunescale_core.decoding import patience
from tunescale_core.decoding.together import makespan


@pytest.mark.parametrize("size", [1, 3])
def test_requests_overlap(server: Played, size: int) -> None:
    """As many requests as asked for are under way at once, and no more; each has its own seconds, places are kept."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=0.2)]
    ones = list(asker(server.url).together([HI] * 4, size))
    assert server.most == size
    assert [place for place, _ in ones] == [0, 1, 2, 3]
    assert all(one.seconds is not None and one.seconds > 0.2 for _, one in ones)


def test_the_next_is_asked_as_soon_as_one_is_answered(server: Played) -> None:
    """A slow answer holds up nothing but itself: beside it, another sender asks all the others."""
    pauses = [1.2, 0.2, 0.2, 0.2, 0.2]
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=pause) for pause in pauses]
    began = time.perf_counter()
    ones = list(asker(server.url).together([HI] * 5, 2))
    took = time.perf_counter() - began
    assert [place for place, _ in ones] == [0, 1, 2, 3, 4]
    assert took < sum(pauses) - 0.4
    assert took == pytest.approx(makespan([one.seconds or 0.0 for _, one in ones], 2), abs=0.3)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=30), st.integers(1, 8))
def test_a_makespan_lies_between_its_bounds(seconds: list[float], size: int) -> None:
    """So many senders are at work no less than their share or the longest, and no more than both (Graham, 1966)."""
    share, longest = sum(seconds) / size, max(seconds)
    assert max(share, longest) - 1e-6 <= makespan(seconds, size) <= share + longest + 1e-6
    assert makespan(seconds, 1) == pytest.approx(sum(seconds))


def test_the_first_failure_is_told(server: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one request fails while another waits to be tried again, that failure is told, not what was waited for."""
    monkeypatch.setattr(patience, "WAITS", (5.0, 5.0))
    server.replies["/chat/completions"] = [Reply("busy", 503), Reply("too long", 400, pause=0.3)]
    assert "(HTTP 400): too long" in complaint(lambda: list(asker(server.url).together([HI] * 2, 2)))


INTERRUPTED = """
import os, signal, sys, threading
from tunescale_core.decoding.endpoint import Endpoint

asking = Endpoint(sys.argv[1], "tiny", max_new_tokens=9, count=len)
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
list(asking.together([({"role": "user", "content": "Hi"},)] * 4, 2))
"""


def test_a_process_that_was_interrupted_ends(server: Played) -> None:
    """Ctrl-C ends the process too, and not only once the server has answered what is under way."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=20.0)]
    began = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED, server.url], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in ran.stderr
    assert time.perf_counter() - began < 15


def test_an_interrupt_waits_for_no_answer(server: Played) -> None:
    """Ctrl-C while requests are under way is an interrupt at once, however long the server takes to answer."""
    server.replies["/chat/completions"] = [streamed({"content": "yes"}, pause=3.0)]
    asking = asker(server.url)
    threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        list(asking.together([HI] * 4, 2))
    assert time.perf_counter() - began < 2.5


def test_one_failure_ends_the_rest(server: Played) -> None:
    """After a failed request no more are sent."""
    server.replies["/chat/completions"] = [Reply("{}", 400)]
    assert "HTTP 400" in complaint(lambda: list(asker(server.url).together([HI] * 50, 2)))
    assert len(server.asked) < 10
