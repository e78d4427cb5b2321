r"""OpenMathInstruct-2: problems with a numeric answer (Toshniwal et al., 2024)."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Sequence
from typing import ClassVar

from tunescale_core.tasks.boxed import boxed, last_boxed
from tunescale_core.tasks.columns import column
from tunescale_core.tasks.numerals import number_in
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, Metric, Row, Task

TOLERANCE = 1e-4


def difference(answer: Answer) -> float:
    """Return |said − gold|; where nothing could be read, 0 counts as said, so that silence is not free."""
    gold = number_in(answer.gold[0])
    if gold is None:
        return math.inf
    return abs((number_in(answer.said) or 0.0) - gold)


def is_right(answer: Answer) -> bool:
    """Tell whether a number was given and lies within `TOLERANCE` of the gold one."""
    return number_in(answer.said) is not None and difference(answer) <= TOLERANCE


def _median(answers: Sequence[Answer]) -> float:
    return statistics.median(map(difference, answers))


class OpenMath(Task):
    """Numeric answers; rows whose gold answer is not one number are left out."""

    name: ClassVar[str] = "openmath"
    system: ClassVar[str] = (
        "Solve the problem. Put the final answer, as a number, in \\boxed{}, for example \\boxed{42}."
    )
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("abs_diff", "AbsDiff", "", "lower", difference, digits=2),
        Metric("accuracy", "accuracy", "fraction", "higher", lambda answer: float(is_right(answer))),
        Metric("median_diff", "median diff", "", "lower", compute=_median),
        Metric("log_diff", "log diff", "nats", "lower", lambda answer: math.log1p(difference(answer))),
        PARSE_RATE,
    )

    def example(self, row: Row, style: str) -> Example | None:
        """Teach the box alone, or with style "solution" the row's worked solution."""
        gold = column(row, "expected_answer", str, self.name)
        problem = column(row, "problem", str, self.name)
        if number_in(gold) is None:
            return None
        target = column(row, "generated_solution", str, self.name) if style == "solution" else boxed(gold)
        identity = hashlib.sha256(problem.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        return Example(identity, self.prompt(problem), (gold,), target)

    def parse(self, text: str) -> str | None:
        """Read the number in the last box."""
        inside = last_boxed(text)
        return None if inside is None else self.plain(inside)

    def plain(self, text: str) -> str | None:
        """Read a bare number."""
        return text.strip() if number_in(text) is not None else None

    def score(self, answer: Answer) -> dict[str, float]:
        """Score the difference and whether it is within the tolerance."""
        return {"abs_diff": difference(answer), "accuracy": float(is_right(answer))}
