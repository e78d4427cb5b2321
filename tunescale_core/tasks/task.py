"""What every task has: examples from rows, answers from text, metrics from answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from tunescale_core.errors import MetricError

Direction = Literal["higher", "lower"]
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
    each: Callable[[Answer], float] | None = None
    """Where the figure is a mean over the answers: of this. Resampling then need not look at texts again."""
    compute: Callable[[Sequence[Answer]], float | None] | None = None
    """Any other figure; None where it is undefined for these answers (no unanswerable question among them, say)."""
    digits: int = 4

    def __post_init__(self) -> None:
        if (self.each is None) == (self.compute is None):
            raise ValueError(f"metric {self.name} needs exactly one of each and compute")

    def __call__(self, answers: Sequence[Answer]) -> float | None:
        """Return the figure.

        Raises:
            MetricError: `answers` is empty.
        """
        if not answers:
            raise MetricError(f"{self.name} of no answers is undefined: give at least one example")
        if self.compute is not None:
            return self.compute(answers)
        return mean([self.each(answer) for answer in answers]) if self.each else None

    @property
    def arrow(self) -> str:
        """The direction, for a table's head."""
        return "↑" if self.better == "higher" else "↓"

    def improves(self, new: float, old: float) -> bool:
        """Tell whether `new` is strictly better than `old`."""
        return new > old if self.better == "higher" else new < old


class Task(ABC):
    """A kind of question: its prompt, its parser and its metrics."""

    name: ClassVar[str]
    system: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    """The primary metric first; every task ends with the parse rate."""

    @property
    def primary(self) -> Metric:
        """The metric that tables lead with."""
        return self.metrics[0]

    def metric(self, name: str) -> Metric | None:
        """Return the metric of that name, if the task has it."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    @abstractmethod
    def example(self, row: Row, style: str) -> Example | None:
        """Return the example of a data row, or None where the task cannot ask it.

        Args:
            row: In the data set's own columns.
            style: What the target is: "answer" (the box alone) or "solution" (the row's own worked solution).

        Raises:
            DataError: A column is missing or of the wrong kind.
        """

    @abstractmethod
    def parse(self, text: str) -> str | None:
        """Return the answer a completion gives, "" for "no answer", None where none can be read."""

    @abstractmethod
    def plain(self, text: str) -> str | None:
        """Return the answer that a bare text (no box) gives, as prediction files hold it."""

    @abstractmethod
    def score(self, answer: Answer) -> dict[str, float]:
        """Return one answer's own scores, by name."""

    def prompt(self, user: str) -> tuple[Message, ...]:
        """Return the messages that ask `user` under this task's system prompt."""
        return ({"role": "system", "content": self.system}, {"role": "user", "content": user})

    def measure(self, answers: Sequence[Answer]) -> dict[str, float | None]:
        """Return every metric by name."""
        return {metric.name: metric(answers) for metric in self.metrics}


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean of at least one value."""
    return sum(values) / len(values)


PARSE_RATE = Metric("parse_rate", "parsed", "fraction", "higher", lambda answer: float(answer.said is not None))
