"""What every task has: examples from rows, answers from text, metrics from answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from tunescale_core.arrays import Figures, Flags
from tunescale_core.errors import MetricError
from tunescale_core.tasks.boxed import last_boxed

Direction = Literal["higher", "lower"]
Law = Literal["binary", "mean", "composite", "error"]
"""Of each answer: right or wrong; a number whose mean is the figure; a part of a figure that is no mean (macro-F1);
a distance whose tail is long."""
Row = Mapping[str, object]
Message = dict[str, str]


@dataclass(frozen=True)
class Example:
    """One question as a model sees it, with what is right."""

    id: str
    messages: tuple[Message, ...]
    """The prompt: a system and a user message."""
    gold: tuple[str, ...]
    """Accepted answers; empty where the right answer is that there is none."""
    target: str
    """What supervised fine-tuning teaches the model to say."""
    group: str = ""
    """What the question shares with others that are not independent of it, a passage say; "" where nothing."""

    @property
    def conversation(self) -> tuple[Message, ...]:
        """What is learnt: the prompt, and the target as its answer."""
        return (*self.messages, {"role": "assistant", "content": self.target})


@dataclass(frozen=True)
class LeftOut:
    """A data row that is not asked or learnt, and why."""

    reason: str
    """In few words, the same for all rows of its kind: rows are counted by it."""


@dataclass(frozen=True)
class Answer:
    """One scored question: what was accepted and what was said."""

    gold: tuple[str, ...]
    said: str | None
    """The parsed answer; "" says that there is none, None that no answer could be read."""


@dataclass(frozen=True)
class Metric:
    """One figure over a task's answers; it owns its unit and its direction."""

    name: str
    label: str
    unit: str
    better: Direction
    each: Callable[[Answer], float]
    """The number that one answer contributes; NaN where it does not count (an answerable question to NoAns, say)."""
    over: Callable[[Figures, Figures], Figures] | None = None
    """How these numbers, shape `(n,)`, become the figure where each example counts so many times, shape `(B, n)`:
    shape `(B,)`. The weighted mean of those that count unless given. A resample is a row of weights, so resampling
    needs only this: texts are not looked at again."""
    digits: int = 4
    law: Law = "mean"
    """What decides which test and which interval suit it."""

    def __call__(self, answers: Sequence[Answer]) -> float | None:
        """Return the figure; None where it is undefined for these answers.

        Raises:
            MetricError: `answers` is empty.
        """
        import numpy as np

        if not answers:
            raise MetricError(f"{self.name} of no answers is undefined: give at least one example")
        figures = np.array([self.each(answer) for answer in answers])
        value = float(self.combine(figures, np.ones((1, len(answers))))[0])
        return None if math.isnan(value) else value

    def combine(self, figures: Figures, weights: Figures) -> Figures:
        """Return the figure under each row of weights: shapes `(n,)` and `(B, n)` to `(B,)`, NaN where undefined."""
        return (self.over or weighted_mean)(figures, weights)

    @property
    def arrow(self) -> str:
        """The direction, for a table's head."""
        return "↑" if self.better == "higher" else "↓"

    @property
    def sign(self) -> int:
        """What a figure is multiplied by so that more of it is better: 1 or -1."""
        return 1 if self.better == "higher" else -1

    def bound(self, value: float | None) -> str:
        """Return in symbols that a value must be reached."""
        return f"{'≥' if self.better == 'higher' else '≤'} {value:g}"

    def reaches(self, figure: Figures | float, value: float) -> Flags:
        """Tell of a figure, or of each of an array's, whether it is as good as a value."""
        import numpy as np

        return self.sign * np.asarray(figure) >= self.sign * value

    def misread(self, value: float) -> str | None:
        """Return why a value seems to be in another unit than the metric's; None where it can be one of its own."""
        if self.unit == "fraction" and not 0 <= value <= 1:
            return f"{self.name} is a share from 0 to 1"
        if self.unit == "%" and (not 0 <= value <= 100 or 0 < value <= 1):
            return f"{self.name} is in percent, so 60 for 60 %"
        return None

    def improves(self, new: float, old: float) -> bool:
        """Tell whether `new` is strictly better than `old`."""
        return self.sign * new > self.sign * old


class Task(ABC):
    """A kind of question: its prompt, its parser and its metrics."""

    name: ClassVar[str]
    system: ClassVar[str]
    """The instruction before every question; "" where only a study can know it, and must give one."""
    columns: ClassVar[tuple[str, ...]] = ()
    """Columns of a row that it may read: what a study's `columns` can be for."""
    metrics: ClassVar[tuple[Metric, ...]]
    """The primary metric first; every task ends with the parse rate."""
    trivial_rule: ClassVar[str]
    """In words, how the trivial answer is chosen."""
    judged: ClassVar[str]
    """The metric that tells of a single answer how good it is; a mean over answers."""
    teaches_solutions: ClassVar[bool] = False
    """Whether a row may bring a worked solution, which a study's `target` asks for."""

    @property
    def primary(self) -> Metric:
        """The metric that tables lead with."""
        return self.metrics[0]

    def metric(self, name: str) -> Metric | None:
        """Return the metric of that name, if the task has it."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    @abstractmethod
    def example(self, row: Row, style: str) -> Example | LeftOut:
        """Return the example of a data row, or why the task cannot ask it.

        Args:
            row: In the data set's own columns.
            style: What the target is: "answer" (the box alone) or "solution" (the row's own worked solution).

        Raises:
            DataError: A column is missing, of the wrong kind, or contradicts another.
        """

    def parse(self, text: str) -> str | None:
        """Return the answer a completion gives, "" for "no answer", None where none can be read: that of the last box.

        For a task to override whose answers stand elsewhere, or whose box may be empty.
        """
        inside = last_boxed(text)
        return None if inside is None else self.plain(inside)

    @abstractmethod
    def plain(self, text: str) -> str | None:
        """Return the answer that a bare text (no box) gives, as prediction files hold it."""

    @abstractmethod
    def trivial(self, golds: Sequence[tuple[str, ...]]) -> str:
        """Return the one answer that does best without looking at the questions, chosen knowing what is right."""

    def score(self, answer: Answer) -> dict[str, float]:
        """Return what one answer contributes to each metric, by the metric's name."""
        return {metric.name: metric.each(answer) for metric in self.metrics}

    def prompt(self, user: str) -> tuple[Message, ...]:
        """Return the messages that ask `user` under this task's system prompt."""
        return ({"role": "system", "content": self.system}, {"role": "user", "content": user})

    def measure(self, answers: Sequence[Answer]) -> dict[str, float | None]:
        """Return every metric by name."""
        return {metric.name: metric(answers) for metric in self.metrics}


def weighted_mean(figures: Figures, weights: Figures) -> Figures:
    """Return the weighted mean of what is not NaN: shapes `(n,)` and `(B, n)` to `(B,)`; NaN where nothing counts."""
    import numpy as np

    counted = ~np.isnan(figures)
    total = weights @ np.where(counted, figures, 0.0)
    number = weights @ counted.astype(float)
    mean: Figures = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return mean


def weighted_median(figures: Figures, weights: Figures) -> Figures:
    """Return the median where each figure stands so many times: shapes `(n,)` and `(B, n)` to `(B,)`."""
    import numpy as np

    order = np.argsort(figures)
    reached = np.cumsum(weights[:, order], axis=1)
    total = reached[:, -1:]
    middle = [np.argmax(reached > place, axis=1) for place in (np.floor((total - 1) / 2), np.floor(total / 2))]
    median: Figures = (figures[order][middle[0]] + figures[order][middle[1]]) / 2
    return median


PARSE_RATE = Metric(
    "parse_rate", "parsed", "fraction", "higher", lambda answer: float(answer.said is not None), law="binary"
)
