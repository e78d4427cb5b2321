"""What a deployment must keep to, as given on a command line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ByteSize, TypeAdapter, ValidationError

from tunescale_core.errors import ResultsError
from tunescale_core.results.results import Results
from tunescale_core.study.serving import EAGER
from tunescale_core.tasks import TASKS, Metric

LatencyStat = Literal["mean", "median", "p95", "p99"]
STATS: tuple[LatencyStat, ...] = ("mean", "median", "p95", "p99")
_BAR = re.compile(r"(?P<task>[A-Za-z0-9._-]+):(?P<metric>\w+)(?:=(?P<bar>[-+.\deE]+))?")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|m|h|d)?")
_SIZE = re.compile(r"\d+(\.\d+)?\s*[A-Za-z]*")
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


@dataclass(frozen=True)
class Bar:
    """A quality that must be reached: at least, or for a metric that is better lower, at most."""

    task: str
    metric: Metric
    value: float | None
    """None where the metric is only what to maximise."""

    @property
    def text(self) -> str:
        """The bar as it is read."""
        sign = "≥" if self.metric.better == "higher" else "≤"
        return f"{self.task} {self.metric.name} {sign} {self.value:g}"


@dataclass(frozen=True)
class Constraints:
    """What is asked of a deployment; None asks nothing."""

    objective: Bar
    """What is made as good as can be."""
    bars: tuple[Bar, ...] = ()
    max_latency: float | None = None
    """Seconds of one call, on every task in `tasks`."""
    stat: LatencyStat = "mean"
    max_memory: int | None = None
    """Peak bytes of a cell."""
    max_cost: float | None = None
    """Device seconds of training."""
    serving: str = EAGER
    """How the deployment will be served: whose latency and memory count."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that the deployment serves: the objective's, and those with a bar."""
        return tuple(dict.fromkeys([self.objective.task, *(bar.task for bar in self.bars)]))


def parse_bar(results: Results, text: str) -> Bar:
    """Read `task:metric=value`, or `task:metric` for what is only to be maximised.

    Raises:
        ResultsError: It is of another form, or the results have no such task or metric.
    """
    found = _BAR.fullmatch(text.strip())
    if not found:
        raise ResultsError(f"cannot read {text!r}: give TASK:METRIC=VALUE, as arc:macro_f1=0.5")
    if found["task"] not in results.tasks:
        raise ResultsError(f"no task {found['task']!r} in {results.source}; there are {', '.join(results.tasks)}")
    task = TASKS[next(cell.kind for cell in results.cells if cell.task == found["task"])]
    metric = task.metric(found["metric"])
    if metric is None:
        known = ", ".join(one.name for one in task.metrics)
        raise ResultsError(f"task {found['task']} has no metric {found['metric']!r}; it has {known}")
    try:
        value = None if found["bar"] is None else float(found["bar"])
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise ResultsError(f"cannot read {text!r}: {found['bar']!r} is no number")
    if value is not None and (told := metric.misread(value)):
        raise ResultsError(f"{text!r}: {told}")
    return Bar(found["task"], metric, value)


def parse_minimum(results: Results, text: str) -> Bar:
    """Read a bar that must be reached, `task:metric=value`.

    Raises:
        ResultsError: As `parse_bar`, or it has no value.
    """
    bar = parse_bar(results, text)
    if bar.value is None:
        raise ResultsError(f"cannot read {text!r}: give what must be reached, as {text.strip()}=0.5")
    return bar


def checked_latency(seconds: float | None) -> float | None:
    """Return a latency limit as it is.

    Raises:
        ResultsError: It is no positive number of seconds.
    """
    if seconds is not None and not 0 < seconds < math.inf:
        raise ResultsError(f"a latency limit must be more than 0 seconds, got {seconds:g}")
    return seconds


def parse_memory(text: str) -> int:
    """Read a size as `8GiB`.

    Raises:
        ResultsError: It is no size.
    """
    if re.fullmatch(r"[1-9]\d{0,2}", text.strip()):
        raise ResultsError(f"cannot read {text!r} as a size: {text.strip()} bytes are too few, so give a unit, as 8GiB")
    if not _SIZE.fullmatch(text.strip()):
        raise ResultsError(f"cannot read {text!r} as a size: give a number of bytes, or as 8GiB")
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise ResultsError(f"cannot read {text!r} as a size: give a number of bytes, or as 8GiB") from error


def parse_duration(text: str) -> float:
    """Read seconds, or a number with s, m, h or d.

    Raises:
        ResultsError: It is no duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ResultsError(f"cannot read {text!r} as a duration: give seconds, or as 90m, 2h, 1d")
    return float(found["number"]) * SECONDS[found["unit"]]


def parse_stat(text: str) -> LatencyStat:
    """Read a latency statistic by name.

    Raises:
        ResultsError: There is none of that name.
    """
    for stat in STATS:
        if text == stat:
            return stat
    raise ResultsError(f"no latency statistic {text!r}; known are {', '.join(STATS)}")


def objective_of(results: Results, wish: str | None, bars: Sequence[Bar]) -> Bar:
    """Return what is maximised: as wished, else the first bar's metric, else the only task's primary one.

    Raises:
        ResultsError: It cannot be told.
    """
    if wish is not None:
        return parse_bar(results, wish)
    if bars:
        return Bar(bars[0].task, bars[0].metric, None)
    if len(results.tasks) == 1:
        return Bar(results.tasks[0], results.metric(results.tasks[0]), None)
    raise ResultsError(f"which task is it for? Give --maximise TASK:METRIC or --min; tasks: {', '.join(results.tasks)}")
