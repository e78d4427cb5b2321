"""A run's paces against its baseline's: measured when they are first asked for, an alarm confirmed by fresh blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tunescale_core.errors import TuneScaleError
from tunescale_core.gates.pace import confirmed, judge
from tunescale_core.gates.verdict import Verdict
from tunescale_core.pace.classes import PaceClass
from tunescale_core.pace.pace import Measured, Pace
from tunescale_core.study.margins import Gate, Margin

Measure = Callable[[Sequence[PaceClass]], Measured]
"""Measures the paces of classes."""
PACE = "pace"


class Paces:
    """The paces of one run, and their verdicts."""

    def __init__(
        self,
        gate: Gate,
        old: Sequence[Pace],
        classes: Sequence[PaceClass],
        measure: Measure | None,
        before: tuple[Pace, ...],
    ) -> None:
        """Take what is to be judged.

        Args:
            gate: What is allowed.
            old: The baseline's.
            classes: What is measured.
            measure: Measures them; None where none can be.
            before: Those measured before, for where none can be now.
        """
        self._gate, self._old, self._classes, self._measure = gate, old, classes, measure
        self._measured = None if measure else Measured(before)
        self.verdicts: dict[str, Verdict] = {}
        """Those given so far, by class."""

    @property
    def measurable(self) -> bool:
        """Whether they can be measured now."""
        return self._measure is not None

    @property
    def already(self) -> tuple[Pace, ...]:
        """What has been measured so far."""
        return self._measured.paces if self._measured else ()

    @property
    def measured(self) -> Measured:
        """What came of measuring, which is done when this is first asked for."""
        if self._measured is None:
            self._measured = self._measure_now(self._classes)
        return self._measured

    def verdict(self, subject: str) -> Verdict:
        """Return the verdict on a class's pace."""
        if subject not in self.verdicts:
            self.verdicts[subject] = replace(self._judged(subject), strict=self._gate.undecided == "fail")
        return self.verdicts[subject]

    def _judged(self, subject: str) -> Verdict:
        """Judge a pace; an alarm counts only where fresh blocks confirm it."""
        old = next((one for one in self._old if one.subject == subject), None)
        now, fault = self.measured.pace(subject), self.measured.faults.get(subject, "")
        margin = self._gate.margin(subject, "", PACE, "lower")
        if now is None and (old is None or not fault):
            note = fault or "no pace was measured"
            return Verdict(subject, PACE, "refused", better="lower", unit="×", margin=margin, note=note, required=False)
        first = judge(now, old, margin, fault)
        if first.outcome == "regression" and old is not None:
            return self._confirmed(first, old, margin)
        return first

    def _confirmed(self, first: Verdict, old: Pace, margin: Margin) -> Verdict:
        again = self._again(first.cell)
        if again is None:
            return replace(first, outcome="undecided", note="an alarm that no fresh blocks confirmed: run it again")
        return confirmed(first, judge(again, old, margin))

    def _again(self, subject: str) -> Pace | None:
        """Return a second measurement of a pace, which stays beside the first; None where there can be none."""
        if self._measure is not None:
            fresh = self._measure_now([one for one in self._classes if one.id == subject])
            self._measured = Measured(self.measured.paces + fresh.paces, {**self.measured.faults, **fresh.faults})
        found = [one for one in self.measured.paces if one.subject == subject]
        return found[1] if len(found) > 1 else None

    def _measure_now(self, classes: Sequence[PaceClass]) -> Measured:
        """Measure classes; data that cannot be read is a fault of each of them, and no verdict's on quality."""
        if self._measure is None or not classes:
            return Measured(())
        try:
            return self._measure(classes)
        except TuneScaleError as error:
            return Measured((), {one.id: str(error) for one in classes})
