r"""OpenMathInstruct-2: problems with a numeric answer (Toshniwal et al., 2024).

GSM8K's columns (Cobbe et al., 2021) are read too: it is the usual held-out set, and this one has no test split.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tunescale_core.errors import DataError
from tunescale_core.tasks.boxed import boxed
from tunescale_core.tasks.columns import column, identity, text_of
from tunescale_core.tasks.numerals import number_in
from tunescale_core.tasks.task import PARSE_RATE, Answer, Example, LeftOut, Metric, Row, Task, weighted_median

TOLERANCE = 1e-4
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_GSM8K_GOLD = "####"


@dataclass(frozen=True)
class _Problem:
    """A row as the task reads it, whatever its data set calls the columns."""

    text: str
    gold: str
    solution: str | None
    """None where the target asks for none."""


def difference(answer: Answer) -> float:
    """Return |said − gold|; where nothing could be read, 0 counts as said, so that silence is not free."""
    gold = number_in(answer.gold[0])
    if gold is None:
        return math.inf
    return abs((number_in(answer.said) or 0.0) - gold)


def is_right(answer: Answer) -> bool:
    """Tell whether a number was given and lies within `TOLERANCE` of the gold one."""
    return number_in(answer.said) is not None and difference(answer) <= TOLERANCE


class OpenMath(Task):
    """Numeric answers; rows whose gold answer is not one number are left out."""

    name: ClassVar[str] = "openmath"
    system: ClassVar[str] = (
        "Solve the problem. Put the final answer, as a number, in \\boxed{}, for example \\boxed{42}."
    )
    columns: ClassVar[tuple[str, ...]] = ("id", "problem", "expected_answer", "generated_solution")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("abs_diff", "AbsDiff", "", "lower", difference, digits=2, law="error"),
        Metric("accuracy", "accuracy", "fraction", "higher", lambda answer: float(is_right(answer)), law="binary"),
        Metric("median_diff", "median diff", "", "lower", difference, weighted_median, law="error"),
        Metric("log_diff", "log diff", "nats", "lower", lambda answer: math.log1p(difference(answer))),
        PARSE_RATE,
    )
    trivial_rule: ClassVar[str] = "median number"
    judged: ClassVar[str] = "accuracy"
    teaches_solutions: ClassVar[bool] = True

    def example(self, row: Row, style: str) -> Example | LeftOut:
        """Teach the box alone, or with style "solution" the row's worked solution."""
        problem = _gsm8k(row) if _is_gsm8k(row) else _openmath(row, style)
        if not problem.text.strip():
            return LeftOut("empty question")
        if not problem.gold.strip():
            return LeftOut("empty gold answer")
        if number_in(problem.gold) is None:
            return LeftOut("gold answer is not a number")
        if style == "solution" and problem.solution is not None and not problem.solution.strip():
            return LeftOut("empty solution")
        target = problem.solution if style == "solution" and problem.solution is not None else boxed(problem.gold)
        return Example(identity(row, problem.text), self.prompt(problem.text), (problem.gold,), target)

    def trivial(self, golds: Sequence[tuple[str, ...]]) -> str:
        """Return the lower median of the right numbers, which no other number beats in mean absolute difference."""
        return sorted((gold[0] for gold in golds), key=lambda text: number_in(text) or 0.0)[(len(golds) - 1) // 2]

    def plain(self, text: str) -> str | None:
        """Read a bare number."""
        return text.strip() if number_in(text) is not None else None


def _openmath(row: Row, style: str) -> _Problem:
    solution = column(row, "generated_solution", str) if style == "solution" else None
    return _Problem(column(row, "problem", str), text_of(row, "expected_answer"), solution)


def _is_gsm8k(row: Row) -> bool:
    return {"question", "answer"} <= row.keys() and not {"problem", "expected_answer"} & row.keys()


def _gsm8k(row: Row) -> _Problem:
    """The last line is `#### 1,234`; the lines before it work it out, with `<<48/2=24>>` for a calculator."""
    worked, _, last = column(row, "answer", str).strip().rpartition("\n")
    if not last.startswith(_GSM8K_GOLD):
        raise DataError(f"column 'answer' does not end in a line '{_GSM8K_GOLD} NUMBER'")
    gold = last.removeprefix(_GSM8K_GOLD).strip()
    solution = "\n".join(filter(None, (_CALCULATOR.sub("", worked).rstrip(), boxed(gold))))
    return _Problem(column(row, "question", str), gold, solution)
