"""A run's gates from beginning to end: what is expected, what was measured, the verdicts, the baseline saved."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from tunescale_core.errors import BaselineError
from tunescale_core.gates.baseline import HEAD, Baseline, find, read, save
from tunescale_core.gates.judged import Run, expected, judged
from tunescale_core.gates.paces import PACE, Measure, Paces
from tunescale_core.gates.verdict import CASE, Verdict
from tunescale_core.pace.classes import paced
from tunescale_core.pace.pace import Pace
from tunescale_core.records.record import Record
from tunescale_core.results.result import from_record
from tunescale_core.study.grid import Cell, cells
from tunescale_core.study.study import Study

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Gating:
    """The gates of one run."""

    def __init__(self, study: Study, baseline: Baseline | None, wanted: str | None, saved: Path | None) -> None:
        self.study, self.baseline, self.wanted, self.saved_to = study, baseline, wanted, saved
        self.selected: tuple[Cell, ...] = ()
        self.records: tuple[Record, ...] = ()
        self.stopped = False
        """Whether the run ended before all gates were asked."""
        self.size: int | None = None
        """Bytes of the baseline that was saved; None where none was."""
        self.paces: Paces | None = None
        """Of this run, once it has handed over what was measured."""
        self._asked: set[tuple[str, str]] = set()

    @classmethod
    def opened(cls, study: Study, wanted: str | None, saved: str | None, folder: Path) -> Gating:
        """Find and read the baseline.

        Args:
            study: Whose `[gate]` says what is allowed.
            wanted: The baseline's name or path; None where there is only one to save.
            saved: The name to save the run under.
            folder: Where baselines are found by name.

        Raises:
            BaselineError: There is no such baseline, it cannot be read, or the name to save is none.
            RecordError: A record or a file of pytest-benchmark's in it cannot be read.
        """
        if wanted == "":
            raise BaselineError("--baseline is empty: give a baseline's name or path")
        if saved is not None and not _NAME.fullmatch(saved):
            raise BaselineError(
                f"--save-baseline {saved!r} is no name: letters, digits, dot, hyphen and underscore make one"
            )
        fresh = wanted is None or (wanted == saved and not (folder / wanted).exists())
        path = None if wanted is None or fresh else find(wanted, folder)
        baseline = read(path) if path else None
        if baseline is not None and not baseline.names & {cell.id for cell in cells(study)}:
            raise BaselineError(f"baseline {path} has no case of study {study.name}: {_whose(baseline)}")
        return cls(study, baseline, wanted, folder / saved if saved else None)

    def select(self, chosen: Sequence[Cell]) -> None:
        """Take the cells that are to run."""
        self.selected = tuple(dict.fromkeys(chosen))

    def losing(self, kept: Collection[str], *, paces: bool) -> str:
        """Return that a baseline which is there already would lose cases or paces of the study; "" where it would not.

        Args:
            kept: Ids of the cases that would be in it.
            paces: Whether paces would be in it.
        """
        if self.saved_to is None or not (self.saved_to / HEAD).is_file():
            return ""
        there = read(self.saved_to)
        known = {cell.id for cell in cells(self.study)}
        lost = [name for name in there.results if name in known and name not in kept]
        if lost:
            return f"it would lose {len(lost)} of its cases, {lost[0]} first: run them all, or save under another name"
        if not paces and {one.subject for one in there.paces} & {one.id for one in paced(self.study, self.selected)}:
            return "it would lose its paces: measure them too (pytest without --no-pace), or save under another name"
        return ""

    def expected(self) -> list[tuple[str, str]]:
        """Return (case, metric) of every verdict there will be, as far as it is known before anything has run."""
        if self.baseline is None:
            return []
        own = [(cell.id, metric) for cell in self.selected for metric in self._metrics(cell)]
        known = {cell.id for cell in cells(self.study)}
        missing = [name for name in (*self.baseline.results, *self.baseline.timings) if name not in known]
        paces = [one.id for one in paced(self.study, self.selected)] if self.baseline.paces else []
        return [*own, *((name, CASE) for name in missing), *((name, PACE) for name in paces)]

    def _metrics(self, cell: Cell) -> tuple[str, ...]:
        assert self.baseline is not None  # noqa: S101  told by the caller
        return expected(cell.id, self.study.gate, self.baseline)

    def take(self, records: Sequence[Record], measure: Measure | None, paces: tuple[Pace, ...] = ()) -> None:
        """Take what was measured, once.

        Args:
            records: With their lines.
            measure: Measures paces when they are asked for; None where none can be.
            paces: Measured before, for where they cannot be now.
        """
        if self.paces is None:
            last = {one.cell: one for one in records}  # a case that was run again counts once
            self.records = tuple(last.values())
            old = self.baseline.paces if self.baseline else ()
            classes = paced(self.study, self.selected) if old or self.saved_to else ()
            self.paces = Paces(self.study.gate, old, classes, measure, paces)

    def verdict(self, cell: str, metric: str) -> Verdict | None:
        """Return a verdict; None where the case is not comparable, which its own verdict tells."""
        self._asked.add((cell, metric))
        if metric == PACE:
            return self._taken.verdict(cell)
        return self._of_records.get((cell, metric))

    @property
    def _taken(self) -> Paces:
        assert self.paces is not None  # noqa: S101  nothing is asked before a run has handed over what was measured
        return self.paces

    @cached_property
    def _of_records(self) -> dict[tuple[str, str], Verdict]:
        assert self.baseline is not None  # noqa: S101  only a baseline gives verdicts
        run = Run(
            results={one.cell: from_record(one) for one in self.records},
            paces=self._taken.measured.paces,  # a machine's own speed says whether its times can be compared
            known=frozenset(cell.id for cell in cells(self.study)),
            selected=frozenset(cell.id for cell in self.selected),
        )
        return {(one.cell, one.metric): one for one in judged(run, self.baseline, self.study.gate)}

    @property
    def given(self) -> tuple[Verdict, ...]:
        """The verdicts given so far, those of records as soon as one of them was asked for."""
        of_records = self.__dict__.get("_of_records", {})
        return (*of_records.values(), *(self.paces.verdicts.values() if self.paces else ()))

    @property
    def outcome(self) -> Literal["first run", "regression", "nothing compared", "holds"]:
        """What the gates say of the run as a whole; a refusal alone compares nothing, beside others it is a failure."""
        if self.baseline is None:
            return "first run"
        if any(one.outcome == "regression" for one in self.given):
            return "regression"
        if not any(one.compared for one in self.given):
            return "nothing compared"
        return "regression" if any(one.failed for one in self.given) else "holds"

    @property
    def unasked(self) -> set[tuple[str, str]]:
        """The verdicts there should have been and that were not asked for."""
        return {*self.expected()} - self._asked

    @property
    def unsaved(self) -> bool:
        """Tell whether the run was to be saved and is not."""
        return self.saved_to is not None and self.size is None

    def save(self, *, texts: bool) -> None:
        """Save the run as a baseline.

        Raises:
            BaselineError: A case failed or left no record, a pace could not be measured, the files cannot be written,
                or the gates against another baseline do not hold.
        """
        assert self.saved_to is not None  # noqa: S101  told by the caller
        if why := self._unfit():
            raise BaselineError(f"baseline {self.saved_to.name} is not saved: {why}")
        last = {one.subject: one for one in self._taken.measured.paces}  # an alarm's fresh blocks take its place
        save(self.records, last.values(), self.saved_to, texts=texts)
        self.size = sum(file.stat().st_size for file in self.saved_to.iterdir())

    def _unfit(self) -> str:
        """Return why the run is nothing to hold later ones against; "" where it is."""
        if self.outcome not in {"first run", "holds"}:
            return f"against {self.wanted}: {self.outcome}"
        absent = [cell.id for cell in self.selected if cell.id not in {one.cell for one in self.records}]
        if self._taken.measurable and absent:
            return f"{len(absent)} of {len(self.selected)} cases left no record, {absent[0]} first"
        if self._taken.measured.faults:
            return "; ".join(f"no pace of {name}: {why}" for name, why in self._taken.measured.faults.items())
        return self.losing({one.cell for one in self.records}, paces=bool(self._taken.measured.paces))


def _whose(baseline: Baseline) -> str:
    """Return what a baseline of something else is of, and what to do."""
    if studies := baseline.studies:
        return f"it is of study {', '.join(studies)}; name a baseline of this one"
    return f"its cases are others, {min(baseline.names, default='none')} first; name a baseline of this one"
