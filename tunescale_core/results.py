"""What tables, findings, advice and reports read: a study's cells with their figures, from records or a table.

Figures of a published table stand where a record's aggregates stand; what only single examples can tell
(intervals, tokens, percentiles) is then missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from tunescale_core.apart import apart
from tunescale_core.errors import ResultsError
from tunescale_core.lines import SCORE, read_rows, table_of
from tunescale_core.records import Record, paths, read_head
from tunescale_core.serving import EAGER
from tunescale_core.tasks import TASKS, Metric
from tunescale_core.tasks.task import Figures


@dataclass(frozen=True)
class Candidate:
    """What one chooses between: model × method × training task, all seeds together."""

    model: str
    method: str
    trained_on: str | None = None
    rank: int | None = None
    adapter: bool = field(default=False, compare=False)
    """Whether an adapter was trained that has no rank, IA3 say."""

    @property
    def id(self) -> str:
        """`qwen3-0.6b-lora-r32-on-arc`; an untuned model has no `-on-`."""
        return f"{self.model}-{self.method}" + (f"-on-{self.trained_on}" if self.trained_on else "")

    @property
    def tuned(self) -> bool:
        """Tell whether it was trained in the study."""
        return self.trained_on is not None

    @property
    def is_full(self) -> bool:
        """Tell whether all its weights were trained."""
        return self.tuned and self.rank is None and not self.adapter

    @property
    def family(self) -> str:
        """The method without its rank: `lora` of `lora-r32`."""
        return self.method.removesuffix(f"-r{self.rank}")

    @property
    def base(self) -> Candidate:
        """The untuned model it comes from."""
        return Candidate(self.model, "base")


@dataclass(frozen=True)
class Rows:
    """A cell's examples as columns; every array has the shape `(n,)`."""

    example: tuple[str, ...]
    group: tuple[str, ...]
    figures: dict[str, Figures]
    """Of each metric, what each example contributes; NaN where it does not count."""
    tokens: Figures
    reasoning_tokens: Figures
    stopped: Figures
    """Whether the model ended its answer itself."""
    seconds: Figures
    """NaN where an example was not timed."""
    first_token_seconds: Figures

    @cached_property
    def timed(self) -> Figures:
        """Whether each example was timed."""
        import numpy as np

        return ~np.isnan(self.seconds)


@dataclass(frozen=True)
class Result:
    """One cell's figures."""

    candidate: Candidate
    task: str
    metric: Metric
    """The task's primary metric."""
    quality: float | None
    latency: float | None
    """Mean seconds of one `generate()` call."""
    seed: int | None = None
    kind: str = ""
    """Which of `TASKS` the task is."""
    record: Record | None = None
    """The record it comes from, without its lines; None for a published figure."""
    serving: str = EAGER
    """How it was served."""
    source: Any = None
    """Where the rows are: a Parquet file's path, an Arrow table, or None."""

    @cached_property
    def rows(self) -> Rows | None:
        """The cell's examples; None where the source has none."""
        return None if self.source is None else _columns(self.table)

    @property
    def table(self) -> Any:
        """The same as an Arrow table, read anew each time.

        Raises:
            RecordError: They cannot be read.
        """
        return read_rows(self.source) if isinstance(self.source, Path) else self.source

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What was answered, in the order of the rows; empty where the source has none."""
        if self.source is None:
            return ()
        table = read_rows(self.source, ["text"]) if isinstance(self.source, Path) else self.source
        return tuple(table["text"].to_pylist())

    @property
    def judged(self) -> str:
        """The metric by which one answer is judged."""
        return TASKS[self.kind].judged

    def metric_value(self, name: str) -> float | None:
        """Return one of the task's metrics, the primary one included."""
        if name == self.metric.name:
            return self.quality
        return self.record.metrics.get(name) if self.record else None


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
        return _mean([cell.quality for cell in self.at(candidate, task)])

    def latency(self, candidate: Candidate, task: str) -> float | None:
        """Return the mean seconds of a call, its mean over seeds; None where it is missing."""
        return _mean([cell.latency for cell in self.at(candidate, task)])

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

    def metric(self, task: str) -> Metric:
        """Return a task's primary metric."""
        return next(cell.metric for cell in self.cells if cell.task == task)


def _flags(cell: Result) -> tuple[str, ...]:
    record = cell.record
    if record is None:
        return ()
    trained = record.cost.doubts if record.cost else ()
    return (*trained, *((f"failed for {cell.task}: {record.error.splitlines()[0]}",) if record.error else ()))


def from_record(record: Record, source: Any = None) -> Result:
    """Return a record's result; its rows are in `source`, or else its lines."""
    trained = record.trained_on
    candidate = Candidate(record.model, record.method, trained, record.rank, adapter=record.adapter is not None)
    metric = TASKS[record.kind].primary
    if record.error:
        source = None
    return Result(
        candidate,
        record.task,
        metric,
        None if record.error else record.metrics.get(metric.name),
        record.summary.latency if record.summary and not record.error else None,
        record.seed,
        record.kind,
        record,
        record.serving,
        table_of(record.lines) if source is None and record.lines and not record.error else source,
    )


def from_folder(folder: Path) -> Results:
    """Read a folder of records, without their rows until they are asked for.

    Raises:
        RecordError: One cannot be read, or there is none.
        ResultsError: Two are of one candidate, task and seed.
    """
    cells = tuple(from_record(*read_head(path)) for path in paths(folder))
    try:
        check_distinct(cells)
    except ResultsError as error:
        raise ResultsError(f"folder {folder}: {error} (records of an earlier form of the study: delete them)") from None
    results = gathered(cells, str(folder))
    if not results.cells:
        raise ResultsError(f"folder {folder} holds no cell served eagerly: run those without -via- in their names too")
    return results


def gathered(cells: Iterable[Result], source: str = "") -> Results:
    """Return cells as results, those served otherwise than eagerly apart."""
    every = tuple(cells)
    eager = tuple(cell for cell in every if cell.serving == EAGER)
    return Results(eager, source, tuple(cell for cell in every if cell.serving != EAGER))


def _columns(table: Any) -> Rows:
    import numpy as np

    def column(name: str) -> Figures:
        return table[name].to_numpy(zero_copy_only=False)

    return Rows(
        example=tuple(table["example"].to_pylist()),
        group=tuple(table["group"].to_pylist()),
        figures={name.removeprefix(SCORE): column(name) for name in table.column_names if name.startswith(SCORE)},
        tokens=column("tokens").astype(float),
        reasoning_tokens=column("reasoning_tokens").astype(float),
        stopped=np.array(table["finish"].to_numpy(zero_copy_only=False) == "stop"),
        seconds=column("seconds").astype(float),
        first_token_seconds=column("first_token_seconds").astype(float),
    )


def relative_gain(metric: Metric, new: float | None, old: float | None) -> float | None:
    """Return how much better `new` is than `old`, in percent of `old`; None where that cannot be said."""
    if new is None or not old:
        return None
    return 100 * (1 if metric.better == "higher" else -1) * (new - old) / abs(old)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def check_distinct(cells: Iterable[Result]) -> None:
    """Refuse two figures for one place.

    Raises:
        ResultsError: A candidate's task and seed come twice.
    """
    seen: set[tuple[Candidate, str, int | None, str]] = set()
    for cell in cells:
        place = (cell.candidate, cell.task, cell.seed, cell.serving)
        if place in seen:
            raise ResultsError(f"{cell.candidate.id} for {cell.task} comes twice; leave one out")
        seen.add(place)
