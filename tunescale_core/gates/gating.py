"""A run's gates from beginning to end: what is expected, what was measured, the verdicts, the baseline saved."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from tunescale_core.errors import BaselineError, TuneScaleError
from tunescale_core.gates.baseline import HEAD, Baseline, find, read, save
from tunescale_core.gates.cases import trained_otherwise
from tunescale_core.gates.judged import Run, expected, judged
from tunescale_core.gates.pace import confirmed, judge
from tunescale_core.gates.shown import counted, counts, line, markdown, told
from tunescale_core.gates.verdict import CASE, Verdict
from tunescale_core.pace.classes import PaceClass, paced, unpaced
from tunescale_core.pace.pace import Measured, Pace
from tunescale_core.records.record import Record
from tunescale_core.results.result import from_record
from tunescale_core.study.grid import Cell, cells
from tunescale_core.study.margins import Margin
from tunescale_core.study.study import Study

Measure = Callable[[Sequence[PaceClass]], Measured]
"""Measures the paces of classes."""
PACE = "pace"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Gating:
    """The gates of one run."""

    def __init__(self, study: Study, baseline: Baseline | None, wanted: str | None, saved: Path | None) -> None:
        self.study, self.baseline, self.wanted, self.saved_to = study, baseline, wanted, saved
        self.selected: tuple[Cell, ...] = ()
        self.records: tuple[Record, ...] = ()
        self.stopped = False
        """Whether the run ended before all gates were asked."""
        self._measure: Measure | None = None
        self._taken = self._saved = False
        self._asked: set[tuple[str, str]] = set()
        self._measured: Measured | None = None
        self._pace_verdicts: dict[str, Verdict] = {}

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
        if baseline is not None and not _names(baseline) & {cell.id for cell in cells(study)}:
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
        if not paces and {one.subject for one in there.paces} & {one.id for one in self._classes}:
            return "it would lose its paces: measure them too (pytest without --no-pace), or save under another name"
        return ""

    def expected(self) -> list[tuple[str, str]]:
        """Return (case, metric) of every verdict there will be, as far as it is known before anything has run."""
        if self.baseline is None:
            return []
        own = [(cell.id, metric) for cell in self.selected for metric in self._metrics(cell)]
        known = {cell.id for cell in cells(self.study)}
        missing = [name for name in (*self.baseline.results, *self.baseline.timings) if name not in known]
        paces = [one.id for one in self._classes] if self.baseline.paces else []
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
        if not self._taken:
            last = {one.cell: one for one in records}  # a case that was run again counts once
            self.records, self._measure, self._taken = tuple(last.values()), measure, True
            self._measured = None if measure else Measured(paces)

    def verdict(self, cell: str, metric: str) -> Verdict | None:
        """Return a verdict; None where the case is not comparable, which its own verdict tells."""
        self._asked.add((cell, metric))
        if metric == PACE:
            if cell not in self._pace_verdicts:
                self._pace_verdicts[cell] = self._pace_verdict(cell)
            return self._pace_verdicts[cell]
        return self._of_records.get((cell, metric))

    @cached_property
    def _of_records(self) -> dict[tuple[str, str], Verdict]:
        assert self.baseline is not None  # noqa: S101  only a baseline gives verdicts
        run = Run(
            results={one.cell: from_record(one) for one in self.records},
            paces=self.measured.paces,  # a machine's own speed says whether its times can be compared
            known=frozenset(cell.id for cell in cells(self.study)),
            selected=frozenset(cell.id for cell in self.selected),
        )
        return {(one.cell, one.metric): one for one in judged(run, self.baseline, self.study.gate)}

    def _pace_verdict(self, subject: str) -> Verdict:
        """Judge a pace; an alarm counts only where fresh blocks confirm it."""
        assert self.baseline is not None  # noqa: S101  only a baseline gives verdicts
        old = next((one for one in self.baseline.paces if one.subject == subject), None)
        now, fault = self.measured.pace(subject), self.measured.faults.get(subject, "")
        margin = self.study.gate.margin(subject, "", PACE, "lower")
        if now is None and (old is None or not fault):
            note = fault or "no pace was measured"
            return Verdict(subject, PACE, "refused", better="lower", unit="×", margin=margin, note=note, required=False)
        verdict = judge(now, old, margin, fault)
        if verdict.outcome == "regression" and old is not None:
            verdict = self._confirmed(verdict, old, margin)
        return replace(verdict, strict=self.study.gate.undecided == "fail")

    def _confirmed(self, first: Verdict, old: Pace, margin: Margin) -> Verdict:
        again = self._again(first.cell)
        if again is None:
            return replace(first, outcome="undecided", note="an alarm that no fresh blocks confirmed: run it again")
        return confirmed(first, judge(again, old, margin))

    def _again(self, subject: str) -> Pace | None:
        """Return a second measurement of a pace, which stays beside the first; None where there can be none."""
        if self._measure is not None:
            fresh = self._measured_of([one for one in self._classes if one.id == subject])
            self._measured = Measured(self.measured.paces + fresh.paces, {**self.measured.faults, **fresh.faults})
        found = [one for one in self.measured.paces if one.subject == subject]
        return found[1] if len(found) > 1 else None

    @property
    def _classes(self) -> tuple[PaceClass, ...]:
        return paced(self.study, self.selected)

    @property
    def measured(self) -> Measured:
        """The paces of this run, measured when they are first asked for."""
        if self._measured is None:
            wanted = self.saved_to is not None or (self.baseline is not None and self.baseline.paces)
            self._measured = self._measured_of(self._classes) if wanted else Measured(())
        return self._measured

    @property
    def measured_already(self) -> tuple[Pace, ...]:
        """The paces of this run as far as they have been measured."""
        return self._measured.paces if self._measured else ()

    def _measured_of(self, classes: Sequence[PaceClass]) -> Measured:
        """Measure classes; data that cannot be read is a fault of each of them, and no verdict's on quality."""
        if self._measure is None:
            return Measured(())
        try:
            return self._measure(classes)
        except TuneScaleError as error:
            return Measured((), {one.id: str(error) for one in classes})

    @property
    def given(self) -> tuple[Verdict, ...]:
        """The verdicts given so far, those of records as soon as one of them was asked for."""
        of_records = self.__dict__.get("_of_records", {})
        return (*of_records.values(), *self._pace_verdicts.values())

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
    def unsaved(self) -> bool:
        """Tell whether the run was to be saved and is not."""
        return self.saved_to is not None and not self._saved

    def save(self, *, texts: bool) -> None:
        """Save the run as a baseline.

        Raises:
            BaselineError: A case failed or left no record, a pace could not be measured, the files cannot be written,
                or the gates against another baseline do not hold.
        """
        assert self.saved_to is not None  # noqa: S101  told by the caller
        if why := self._unfit():
            raise BaselineError(f"baseline {self.saved_to.name} is not saved: {why}")
        last = {one.subject: one for one in self.measured.paces}  # an alarm's fresh blocks take its place
        save(self.records, last.values(), self.saved_to, texts=texts)
        self._saved = True

    def _unfit(self) -> str:
        """Return why the run is nothing to hold later ones against; "" where it is."""
        if self.outcome not in {"first run", "holds"}:
            return f"against {self.wanted}: {self.outcome}"
        absent = [cell.id for cell in self.selected if cell.id not in {one.cell for one in self.records}]
        if self._measure is not None and absent:
            return f"{len(absent)} of {len(self.selected)} cases left no record, {absent[0]} first"
        if self.measured.faults:
            return "; ".join(f"no pace of {name}: {why}" for name, why in self.measured.faults.items())
        return self.losing({one.cell for one in self.records}, paces=bool(self.measured.paces))

    @property
    def title(self) -> str:
        """What stands above the verdicts in the terminal."""
        if self.wanted is None:
            return "baseline"
        if self.baseline is None:
            return f"no baseline {self.wanted} yet"
        return f"against baseline {self.baseline.name}: {self.outcome}"

    def lines(self) -> list[str]:
        """Return the verdicts that are not plain, a line each, and what else is to be said."""
        return [*map(line, told(self.given)), *self.notes()]

    def notes(self) -> list[str]:
        """Return sentences on what was compared, what was not and why, and what was saved."""
        found = []
        if self.baseline is not None:
            found.append(f"gates: {counts(self.given)}")
            if self.stopped and {*self.expected()} - self._asked:
                found.append("the run was stopped before all of them were asked")
            if left := len({*self.baseline.results, *self.baseline.timings} & self._unselected):
                found.append(f"not selected in this run, so not compared: {counted(left)} of the baseline")
            if (whose := _studies(self.baseline)) and self.study.name not in whose:
                found.append(f"the baseline is of study {', '.join(whose)}, this run of {self.study.name}")
            found += self._trained_otherwise()
            found += [f"no pace of {one.id}: {one.why}" for one in unpaced(self.study, self.selected)]
            if not self.baseline.paces:
                found.append("the baseline has no paces, so none is gated; latency is, where it can be compared")
        elif self.wanted is not None:
            found.append(
                f"first run: there is no baseline {self.wanted} to compare with"
                + ("" if self.saved_to else f"; --save-baseline {self.wanted} makes one")
            )
        if self.unsaved and not self.records:
            found.append("no case of the study ran, so no baseline is saved")
        if self._saved and self.saved_to is not None:
            size = sum(file.stat().st_size for file in self.saved_to.iterdir())
            found.append(f"saved baseline {self.saved_to}: {counted(len(self.records))}, {size / 1e3:.0f} kB")
        return found

    def _trained_otherwise(self) -> list[str]:
        """Return what cases were trained by that the baseline's were not, a line each: it may be why they differ."""
        cases: dict[str, list[str]] = {}
        before = self.baseline.results if self.baseline else {}
        for one in self.records:
            if one.cell in before and (note := trained_otherwise(before[one.cell], from_record(one))):
                cases.setdefault(note, []).append(one.cell)
        return [f"{note} ({', '.join(names)})" for note, names in cases.items()]

    @property
    def _unselected(self) -> set[str]:
        return {cell.id for cell in cells(self.study)} - {cell.id for cell in self.selected}

    def markdown(self) -> str:
        """Return the summary for a pull request."""
        return markdown(self.wanted or "", self.outcome, self.given, self.notes())


def _names(baseline: Baseline) -> set[str]:
    return {*baseline.results, *baseline.timings}


def _studies(baseline: Baseline) -> list[str]:
    """Return the names of the studies that a baseline's records are of."""
    return sorted({one.record.study for one in baseline.results.values() if one.record is not None})


def _whose(baseline: Baseline) -> str:
    """Return what a baseline of something else is of, and what to do."""
    if studies := _studies(baseline):
        return f"it is of study {', '.join(studies)}; name a baseline of this one"
    return f"its cases are others, {min(_names(baseline), default='none')} first; name a baseline of this one"
