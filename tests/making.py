"""Records made up for tests: one place that knows their fields."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.tasks import TASKS, Answer

COST = TrainingCost(
    seconds=12.34, tokens=1, steps=1, peak_memory_bytes=1, trainable_parameters=1, parameters=1, losses=()
)


def line(answer: Answer = Answer(("A",), "A"), kind: str = "arc", place: int = 0, **fields: object) -> Line:  # noqa: B008  frozen
    """Return an example's line: what it said, scored by its task."""
    return Line.model_validate(
        {
            "example": str(place),
            "gold": answer.gold,
            "text": "" if answer.said is None else f"\\boxed{{{answer.said}}}",
            "answer": answer.said,
            "tokens": 4,
            "finish": "stop",
            "reasoning_tokens": 0,
            "seconds": 0.5,
            "first_token_seconds": 0.1,
            "scores": TASKS[kind].score(answer),
            **fields,
        }
    )


def took(seconds: float) -> dict[str, float | int]:
    """Return a line's fields for a call that took so long because its answer has as many tokens, a millisecond each.

    Cells of one model that differ in seconds but not in tokens would show that the machine drifted between them.
    """
    return {"seconds": seconds, "first_token_seconds": 0.001, "tokens": max(1, round(1000 * seconds))}


def record(
    method: str = "base", trained_on: str | None = None, task: str = "arc", lines: Sequence[Line] = (), **fields: object
) -> Record:
    """Return a cell's record; its metrics are the lines' unless given."""
    answers = [Answer(one.gold, one.answer) for one in lines]
    ranked = re.search(r"-r(\d+)$", method)
    rank = int(ranked[1]) if ranked else None
    return Record.model_validate(
        {
            "study": "s",
            "cell": f"{fields.get('model', 'm')}-{method}-on-{trained_on}-for-{task}-s{fields.get('seed')}",
            "model": "m",
            "method": method,
            "rank": rank,
            "trained_on": trained_on,
            "task": task,
            "kind": task,
            "seed": None,
            "key": "k",
            "metrics": TASKS[task].measure(answers) if answers else {},
            "lines": lines,
            "cost": COST if trained_on else None,
            **fields,
        }
    )
