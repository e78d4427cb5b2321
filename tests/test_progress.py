"""Bars: what they show, and that they show nothing where nobody asked."""

import io

import pytest

from tunescale_core.progress import Progress


class Terminal(io.StringIO):
    """A stream that says somebody watches."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_a_bar_tells_what_and_how_much(stream: io.StringIO) -> None:
    """A bar on a stream names its task and its total from the start."""
    with Progress(stream).bar("training m-full-on-arc", 7) as bar:
        bar.update()
    assert "training m-full-on-arc" in stream.getvalue()
    assert "0/7" in stream.getvalue()


def test_a_bar_on_a_terminal_is_cleared() -> None:
    """A bar leaves nothing of itself on the line once it is done."""
    stream = Terminal()
    with Progress(stream).bar("asking", 1) as bar:
        bar.update()
    assert stream.getvalue().endswith("\r")
    assert stream.getvalue().rstrip("\r").rpartition("\r")[2].strip() == ""


def test_a_bar_is_ascii() -> None:
    """What is written survives any log's encoding."""
    stream = io.StringIO()
    with Progress(stream).bar("asking", 3) as bar:
        bar.update(3)
    assert stream.getvalue().isascii()
    assert stream.getvalue()


def test_no_stream_shows_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a stream nothing is written, and counting works all the same."""
    with Progress().bar("asking", 2) as bar:
        bar.update()
        bar.update(1)
    assert capfd.readouterr() == ("", "")


def test_errors_pass_through() -> None:
    """What goes wrong under a bar is not swallowed by it."""
    with pytest.raises(RuntimeError, match="inside"), Progress(io.StringIO()).bar("asking", 2):
        raise RuntimeError("inside")


def test_a_line_is_said_beside_a_bar() -> None:
    """A line said while a bar is shown stands alone; without a stream nobody is told."""
    stream = io.StringIO()
    with Progress(stream).bar("asking", 2):
        Progress(stream).say("asked to end")
    Progress().say("nobody")
    assert "\nasked to end\n" in stream.getvalue()


@pytest.mark.parametrize(
    "error", [RuntimeError("reentrant call"), BrokenPipeError(32, "Broken pipe"), ValueError("closed file")]
)
def test_a_line_that_cannot_be_said_is_lost_and_no_error(error: Exception) -> None:
    """Streams refuse a write within a write, as a signal's may be, and one that nobody reads, and one once closed."""

    class Refusing(io.StringIO):
        def write(self, _: str) -> int:
            raise error

    Progress(Refusing()).say("asked to end")
