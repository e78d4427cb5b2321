"""Sides of blocks made up for tests; they travel to child processes, so they live in a module of their own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunescale_core.decoding.completion import Prompt
from tunescale_core.errors import ModelError


@dataclass(frozen=True)
class Steady:
    """A side that says it took so many seconds."""

    seconds: float

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Return what says so."""
        del prompts
        return lambda: self.seconds


@dataclass(frozen=True)
class Identified:
    """A side whose seconds are the number of the process it runs in, or of that one's parent."""

    parent: bool = False

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Return what says the number."""
        del prompts
        return lambda: float(os.getppid() if self.parent else os.getpid())


@dataclass(frozen=True)
class Reading:
    """A side whose seconds are the length of what it is asked."""

    batch: int = 1

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Return what says the length of the first prompts' last messages."""
        return lambda: float(sum(len(prompt[-1]["content"]) for prompt in prompts))


@dataclass(frozen=True)
class Failing:
    """A side that cannot be opened."""

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Raise."""
        raise ModelError(f"no weights for {len(prompts)} prompts\nsecond line")


@dataclass(frozen=True)
class Dying:
    """A side whose process is killed."""

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Die, as of memory."""
        del prompts
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@dataclass(frozen=True)
class Hanging:
    """A side that never ends."""

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Wait."""
        del prompts
        time.sleep(600)
        raise AssertionError


@dataclass(frozen=True)
class Printing:
    """A side that writes where answers are written."""

    def ready(self, prompts: Sequence[Prompt]) -> Callable[[], float]:
        """Print, and return a call of a second."""
        print("not an answer", len(prompts), flush=True)  # noqa: T201  that is the point
        return lambda: 1.0
