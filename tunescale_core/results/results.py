"""What tables, findings, advice and reports read: a study's cells with their figures, from records or a table.

Figures of a published table stand where a record's aggregates stand; what only single examples can tell
(intervals, tokens, percentiles) is then missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from statistics import fmean

from tunescale_core.errors import ResultsError
from tunescale_core.results.apart import apart
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.result import Result
from tunescale_core.tasks import TASKS, Metric


@dataclass(frozen=True, eq=False)
class Results:
    """All cells that were read, in the order of their source."""

    cells: tuple[Result, ...]
    """Served eagerly, which is what candidates are compared by."""
    source: str = ""
    """What was read, for messages."""
    served: tuple[Result, ...] = ()
    """The same variants served otherwise."""
    by_place: dict[tuple[Candidate, str], tuple[Result, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        places: dict[tuple[Candidate, str], tuple[Result, ...]] = {}
        for cell in self.cells:
            place = (cell.candidate, cell.task)
            places[place] = (*places.get(place, ()), cell)
        object.__setattr__(self, "by_place", places)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The evaluation tasks, in the tasks' own order, others after them."""
        found = dict.fromkeys(cell.task for cell in self.cells)
        known = [task for task in TASKS if task in found]
        return tuple(dict.fromkeys([*known, *found]))

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Everything that was measured: tuned ones by training task, ranks falling, full tuning after; untuned last."""
        found = dict.fromkeys(cell.candidate for cell in self.cells)
        order = [*self.tasks, *(c.trained_on for c in found if c.trained_on not in self.tasks)]
        return tuple(sorted(found, key=lambda c: (not c.tuned, order.index(c.trained_on), -(c.rank or 0))))

    @cached_property
    def tuned(self) -> tuple[str, ...]:
        """The models that were tuned: the small ones."""
        return tuple(dict.fromkeys(one.model for one in self.candidates if one.tuned))

    @cached_property
    def larger(self) -> tuple[str, ...]:
        """The models that were only asked untuned: what one would scale to."""
        return tuple(dict.fromkeys(one.model for one in self.candidates if one.model not in self.tuned))

    def candidate(self, name: str) -> Candidate:
        """Return the candidate of an id.

        Raises:
            ResultsError: There is none; the nearest ids are named.
        """
        known = {one.id: one for one in self.candidates}
        if name not in known:
            near = ", ".join(get_close_matches(name, known, 3)) or ", ".join(list(known)[:3])
            raise ResultsError(f"no candidate {name!r} in {self.source}; nearest are {near}")
        return known[name]

    def label(self, candidate: Candidate) -> str:
        """Return what a candidate is called by its part in the study, the model's name only where there are several.

        So `full-on-arc` and `larger-base` name the same parts of different studies.
        """
        several = self.tuned if candidate.model in self.tuned else self.larger
        model = f"{candidate.model}-" if len(several) > 1 else "larger-" if candidate.model in self.larger else ""
        return f"{model}{candidate.method}" + (f"-on-{candidate.trained_on}" if candidate.tuned else "")

    def at(self, candidate: Candidate, task: str) -> tuple[Result, ...]:
        """Return a place's cells, one a seed; empty where nothing was measured."""
        return self.by_place.get((candidate, task), ())

    def quality(self, candidate: Candidate, task: str) -> float | None:
        """Return the primary metric, its mean over seeds; None where it is missing."""
        return mean_if_known([cell.quality for cell in self.at(candidate, task)])

    def latency(self, candidate: Candidate, task: str) -> float | None:
        """Return the mean seconds of a call, its mean over seeds; None where it is missing."""
        return mean_if_known([cell.latency for cell in self.at(candidate, task)])

    def improvement(self, candidate: Candidate, task: str) -> float | None:
        """Return the gain in quality over the same model untuned, in percent of it, plus being better.

        None where either is missing, or the untuned model's quality is zero.
        """
        return relative_gain(self.metric(task), self.quality(candidate, task), self.quality(candidate.base, task))

    @cached_property
    def flags(self) -> dict[Candidate, tuple[str, ...]]:
        """What makes a candidate doubtful, a phrase each, with the seed where it has several; sound ones are not in it.

        What is wrong with its training, whatever it was asked and however it was served, why a cell of it failed, and
        in what it cannot be held against the others.
        """
        found: dict[Candidate, dict[str, None]] = {}
        seeds: dict[Candidate, set[int | None]] = {}
        for cell in (*self.cells, *self.served):
            seeds.setdefault(cell.candidate, set()).add(cell.seed)
        own = [(cell, flag) for cell in (*self.cells, *self.served) for flag in _flags(cell)]
        for cell, flag in (*own, *apart(self.cells, self.served)):
            seed = f"seed {cell.seed}: " if len(seeds[cell.candidate]) > 1 else ""
            found.setdefault(cell.candidate, {})[f"{seed}{flag}"] = None
        return {one: tuple(flags) for one, flags in found.items()}

    def seeds(self, candidate: Candidate, task: str) -> int:
        """Return of how many trainings a candidate's cells on a task are."""
        return len(self.at(candidate, task))

    def metric(self, task: str) -> Metric:
        """Return a task's primary metric."""
        return next(cell.metric for cell in self.cells if cell.task == task)


def _flags(cell: Result) -> tuple[str, ...]:
    record = cell.record
    if record is None:
        return ()
    trained = record.cost.doubts if record.cost else ()
    return (*trained, *((f"failed for {cell.task}: {record.error.splitlines()[0]}",) if record.error else ()))


def relative_gain(metric: Metric, new: float | None, old: float | None) -> float | None:
    """Return how much better `new` is than `old`, in percent of `old`; None where that cannot be said."""
    if new is None or not old:
        return None
    return 100 * metric.sign * (new - old) / abs(old)


def mean_if_known(values: Sequence[float | None]) -> float | None:
    """Return the mean of values; None where one is missing, or there are none."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
