"""One cell's figures, from its record or a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tunescale_core.arrays import Figures, Flags
from tunescale_core.records.lines import SCORE, read_rows, table_of
from tunescale_core.records.record import Record
from tunescale_core.results.candidate import Candidate
from tunescale_core.study.serving import EAGER
from tunescale_core.tasks import TASKS, Metric


@dataclass(frozen=True)
class Rows:
    """A cell's examples as columns; every array has the shape `(n,)`."""

    example: tuple[str, ...]
    group: tuple[str, ...]
    figures: dict[str, Figures]
    """Of each metric, what each example contributes; NaN where it does not count."""
    tokens: Figures
    reasoning_tokens: Figures
    stopped: Flags
    """Whether the model ended its answer itself."""
    seconds: Figures
    """NaN where an example was not timed."""
    first_token_seconds: Figures

    @cached_property
    def timed(self) -> Flags:
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
    paced: tuple[object, ...] | None = None
    """Cells of which this is the same serve a token at one pace: of one model, merged or with one adapter beside it,
    under one protocol on one machine. None where that is not known, or several questions share a call."""

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
    def beside(self) -> float | None:
        """Others' load that leaves its seconds doubtful, in cores or processes on its card; None where there was none.

        So it is where the machine did not say, too.
        """
        readings = self.record.readings if self.record else None
        return readings.others if readings and readings.busy else None

    @property
    def judged(self) -> str:
        """The metric by which one answer is judged."""
        return TASKS[self.kind].judged

    def metric_value(self, name: str) -> float | None:
        """Return one of the task's metrics, the primary one included."""
        if name == self.metric.name:
            return self.quality
        return self.record.metrics.get(name) if self.record else None


def on_cpu(cell: Result) -> bool:
    """Tell whether a cell was measured on a CPU, where memory is the whole process's."""
    found = cell.record.provenance if cell.record else None
    return found is not None and found.device.startswith("cpu")


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
        _paced(record),
    )


def _paced(record: Record) -> tuple[object, ...] | None:
    if record.at_once != 1:  # of several at once, each waits for the others, which write as much as they do
        return None
    # A server may keep an adapter beside the weights; it does not say.
    beside = record.serving_settings.get("mode") == "adapter" or (record.by_endpoint and record.adapter is not None)
    adapter = record.method if beside else None
    return record.model, adapter, record.base, record.machine, repr(sorted(record.protocol.items()))


def _columns(table: Any) -> Rows:
    import numpy as np

    def column(name: str) -> Figures:
        values: Figures = table[name].to_numpy(zero_copy_only=False)
        return values

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
