"""What the plugin knows of the run under way, and how it speaks to the terminal meanwhile."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tunescale_core.errors import StudyError, TuneScaleError
from tunescale_core.harmless import harmless

if TYPE_CHECKING:
    from tunescale_core.measuring.cell import Bench
    from tunescale_core.records.record import Record
    from tunescale_core.study.grid import Cell
    from tunescale_core.study.study import Study


@dataclass
class Session:
    """What the plugin knows of the run under way."""

    name: str
    store: Path
    overrides: dict[str, dict[str, object]]
    study: Study | None = None
    bench: Bench | None = None
    records: list[Record] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    """Ids of those that were selected."""
    unasked: bool = False
    """Whether no test that was found asks for any."""
    ended: bool = False
    """Whether the run came to its end."""
    untold: list[str] = field(default_factory=list)
    """What went wrong after the last case, a line each, for the summary."""

    def add(self, record: Record) -> None:
        """Take a record; of a case that was run again the last counts."""
        self.records = [*(one for one in self.records if one.cell != record.cell), record]

    def load(self) -> Study:
        """Read the study once.

        Raises:
            pytest.UsageError: It is not valid; nothing has been started.
        """
        if self.study is None:
            from tunescale_core.study.grid import cells
            from tunescale_core.study.loading import load

            try:
                self.study = load(self.name, self.overrides)
                cells(self.study)
            except StudyError as error:
                raise pytest.UsageError(harmless(str(error))) from None
        return self.study


def is_worker(config: pytest.Config) -> bool:
    """Tell whether this is a process of xdist's, which is replaced without end where it refuses to be configured."""
    return hasattr(config, "workerinput")


def is_shared_out(config: pytest.Config) -> bool:
    """Tell whether xdist shares this run out: its own rule, by which -n, -d and --tx come to the same."""
    if is_worker(config):
        return True
    shares = config.getoption("dist", "no") != "no" and bool(config.getoption("tx", None))
    return shares and not config.option.collectonly


def cell_of(item: pytest.Item) -> Cell | None:
    """Return the cell that a case measures; None of another test."""
    callspec = getattr(item, "callspec", None)
    found = callspec.params.get("cell") if callspec else None
    if found is None:
        return None
    from tunescale_core.study.grid import Cell

    return found if isinstance(found, Cell) else None


SESSION = pytest.StashKey[Session]()
NOT_OURS = (
    ".torch.jit.script_method. is deprecated:DeprecationWarning",
    ".(is_)?gradient_checkpointing. is deprecated:FutureWarning",
)
"""What torch, TRL and PEFT are told about their own calls of torch and transformers, which no user can change."""
MARKS = (pytest.mark.tunescale, *(pytest.mark.filterwarnings(f"ignore:{said}") for said in NOT_OURS))
"""What each case carries: a marker to select by, and filters that hold against a user's `-W error` too."""
ALONE = "cells are timed, and want the machine and one process for themselves: leave out -n, or give -n 0"
"""Said where xdist would share them out."""


def one_line(error: TuneScaleError) -> BaseException:
    """Return the failure of a case that shows an error's own line and no traceback."""
    return pytest.fail.Exception("\n".join(map(harmless, str(error).splitlines())), pytrace=False)


class Uncaptured(io.TextIOBase):
    """A stream to the terminal that pytest's capture does not swallow."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._capture = config.pluginmanager.getplugin("capturemanager")
        self._writer = config.get_terminal_writer()

    def write(self, text: str) -> int:
        """Write at once, capture suspended; with -p no:capture there is none."""
        with self._capture.global_and_fixture_disabled() if self._capture else nullcontext():
            self._writer.write(text, flush=True)
        return len(text)

    def flush(self) -> None:
        """Everything is written at once."""

    def isatty(self) -> bool:
        """Tell whether somebody watches."""
        return bool(self._writer.hasmarkup)
