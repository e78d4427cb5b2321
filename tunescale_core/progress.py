"""How long steps tell that they are alive: an interface for the core, tqdm behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase
from typing import Protocol, TextIO


class Bar(Protocol):
    """A bar under way."""

    def update(self, n: int = 1) -> object:
        """Count `n` more done."""


class Progress:
    """Bars with the time left, written to a stream; to nowhere without one."""

    def __init__(self, stream: TextIOBase | TextIO | None = None) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        """Write a line, in the middle of whatever is being written."""
        if self._stream is not None:
            # A signal that comes in a write cannot have another begin; and a reader may be gone, or the stream closed.
            with suppress(RuntimeError, OSError, ValueError):
                self._stream.write(f"\n{text}\n")

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """Show a bar of `total` units while the block runs."""
        from tqdm import tqdm

        terminal = self._stream is not None and self._stream.isatty()
        with tqdm(
            total=total,
            desc=what,
            file=self._stream,
            disable=self._stream is None,
            leave=False,
            ascii=True,
            dynamic_ncols=terminal,
            ncols=None if terminal else 100,
            mininterval=0.5 if terminal else 10.0,
        ) as bar:
            yield bar
