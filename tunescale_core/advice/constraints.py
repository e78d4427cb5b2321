"""What a deployment must keep to, as a study declares it or a command line gives it, held against results."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tunescale_core.arrays import Figures, Flags
from tunescale_core.errors import ResultsError
from tunescale_core.results.results import Results
from tunescale_core.study.constraints import STATS, Deployment, LatencyStat, duration, latency_limit, size
from tunescale_core.study.serving import ANY, EAGER
from tunescale_core.tasks import TASKS, Metric

_BAR = re.compile(r"(?P<task>[A-Za-z0-9._-]+):(?P<metric>\w+)(?:=(?P<bar>[-+.\deE]+))?")
GIB = 2**30


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
        return f"{self.task} {self.metric.name} {self.metric.bound(self.value)}"

    def reached(self, figure: Figures | float) -> Flags:
        """Tell of a figure, or of each of an array's, whether it is as good as the bar asks."""
        import numpy as np

        if self.value is None:
            return np.ones(np.shape(figure), dtype=bool)
        return self.metric.reaches(figure, self.value)


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

    @property
    def latency_text(self) -> str:
        """The limit on latency as it is read."""
        return f"{self.stat} latency ≤ {self.max_latency:g} s"

    @property
    def memory_text(self) -> str:
        """The limit on memory as it is read."""
        return f"memory ≤ {(self.max_memory or 0) / GIB:g} GiB"

    @property
    def cost_text(self) -> str:
        """The limit on training as it is read."""
        return f"cost ≤ {self.max_cost:g} s"

    @property
    def text(self) -> str:
        """All of it in words."""
        aim = "the best" if self.objective.metric.better == "higher" else "the lowest"
        way = {EAGER: "", ANY: ", by any way of serving"}.get(self.serving, f", served by {self.serving}")
        asked = ", ".join(self._limits()) or "no limit"
        wanted = f"{self.objective.metric.name} for {self.objective.task}"
        return f"constraints: {asked}{way}; of what keeps to them {aim} {wanted}"

    def _limits(self) -> Iterator[str]:
        yield from (bar.text for bar in self.bars)
        if self.max_latency is not None:
            yield self.latency_text
        if self.max_memory is not None:
            yield self.memory_text
        if self.max_cost is not None:
            yield self.cost_text


def parse_bar(results: Results, text: str) -> Bar:
    """Read `task:metric=value`, or `task:metric` for what is only to be maximised.

    Raises:
        ResultsError: It is of another form, or the results have no such task or metric.
    """
    found = _BAR.fullmatch(text.strip())
    if not found:
        raise ResultsError(f"cannot read {text!r}: give TASK:METRIC=VALUE, as arc:macro_f1=0.5")
    try:
        value = None if found["bar"] is None else float(found["bar"])
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise ResultsError(f"cannot read {text!r}: {found['bar']!r} is no number")
    try:
        return bar_of(results, found["task"], found["metric"], value)
    except ValueError as error:
        raise ResultsError(f"{text!r}: {error}") from error


def bar_of(results: Results, task: str, name: str, value: float | None) -> Bar:
    """Return a bar on one of a task's metrics.

    Raises:
        ResultsError: The results have no such task or metric.
        ValueError: The value is none that the metric can have.
    """
    if task not in results.tasks:
        raise ResultsError(f"no task {task!r} in {results.source}; there are {', '.join(results.tasks)}")
    kind = TASKS[next(cell.kind for cell in results.cells if cell.task == task)]
    metric = kind.metric(name)
    if metric is None:
        known = ", ".join(one.name for one in kind.metrics)
        raise ResultsError(f"task {task} has no metric {name!r}; it has {known}")
    if value is not None and (told := metric.misread(value)):
        raise ValueError(told)
    return Bar(task, metric, value)


def parse_minimum(results: Results, text: str) -> Bar:
    """Read a bar that must be reached, `task:metric=value`.

    Raises:
        ResultsError: As `parse_bar`, or it has no value.
    """
    bar = parse_bar(results, text)
    if bar.value is None:
        raise ResultsError(f"cannot read {text!r}: give what must be reached, as {text.strip()}=0.5")
    return bar


def parse_latency(text: str) -> float:
    """Read seconds, or a number with ms, s, m, h or d.

    Raises:
        ResultsError: It is no time above zero.
    """
    return _asked(latency_limit, text)


def parse_memory(text: str) -> int:
    """Read a size as `8GiB`.

    Raises:
        ResultsError: It is no size.
    """
    return _asked(size, text)


def parse_duration(text: str) -> float:
    """Read seconds, or a number with ms, s, m, h or d.

    Raises:
        ResultsError: It is no duration.
    """
    return _asked(duration, text)


def parse_stat(text: str) -> LatencyStat:
    """Read a latency statistic by name.

    Raises:
        ResultsError: There is none of that name.
    """
    for stat in STATS:
        if text == stat:
            return stat
    raise ResultsError(f"no latency statistic {text!r}; known are {', '.join(STATS)}")


def constraints_of(results: Results, asked: Deployment) -> Constraints:
    """Return what is asked of a deployment, held against what was measured.

    Raises:
        ResultsError: The results have no such task or metric, a value is none that it can have, or what is maximised
            cannot be told.
    """
    bars = tuple(_asked(lambda bar: bar_of(results, *bar), bar) for bar in asked.bars)
    objective = objective_of(results, asked.maximise, bars)
    limits = (asked.max_latency, asked.latency_stat, asked.max_memory, asked.max_cost)
    return Constraints(objective, bars, *limits, asked.serving)


def objective_of(results: Results, wish: str | None, bars: Sequence[Bar]) -> Bar:
    """Return what is maximised: as wished, else the first bar's metric, else the only task's primary one.

    Raises:
        ResultsError: It cannot be told.
    """
    if wish is not None:
        return _wished(results, wish)
    if bars:
        return Bar(bars[0].task, bars[0].metric, None)
    if len(results.tasks) == 1:
        return Bar(results.tasks[0], results.metric(results.tasks[0]), None)
    there = ", ".join(results.tasks)
    raise ResultsError(
        f"which task is it for? Give --maximise TASK:METRIC or --min, or a --study with [constraints]; tasks: {there}"
    )


def _wished(results: Results, wish: str) -> Bar:
    """Read `task:metric`; a package's metrics may be called anything."""
    task, colon, name = wish.strip().partition(":")
    return bar_of(results, task, name, None) if colon and "=" not in name else parse_bar(results, wish)


Given = TypeVar("Given")
Read = TypeVar("Read")


def _asked(read: Callable[[Given], Read], given: Given) -> Read:
    """Read what a command line gives; a fault in it is one of what is asked of results."""
    try:
        return read(given)
    except ValueError as error:
        raise ResultsError(str(error)) from error
