"""What the embedded family must show, held against the records of a whole `mini` run.

    python benchmarks/check_family.py [.tunescale/records/mini]

Prints each claim with its figures and exits with 1 where one fails.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from tunescale_core.records import Record, read_all
from tunescale_core.stats import Interval, paired_difference
from tunescale_core.tasks import TASKS, Answer, Metric

QUALITY = {"arc": "macro_f1", "openmath": "accuracy", "squad_v2": "f1"}
POINTS = {"arc": 0.01, "openmath": 0.01, "squad_v2": 1.0}
"""One point of each metric, in its unit."""
Claim = tuple[str, str, bool]


def metric_of(task: str) -> Metric:
    """Return the metric that quality is judged by."""
    metric = TASKS[task].metric(QUALITY[task])
    if metric is None:
        raise LookupError(f"{task} has no metric {QUALITY[task]}")
    return metric


def answers(record: Record) -> list[Answer]:
    """Return a record's answers."""
    return [Answer(line.gold, line.answer) for line in record.lines]


def gain(records: dict[str, Record], new: str, old: str, task: str) -> Interval:
    """Return how much better `new` does than `old` on a task, paired by example."""
    return paired_difference(
        metric_of(task), answers(records[f"{new}-for-{task}"]), answers(records[f"{old}-for-{task}"])
    )


def claims(records: dict[str, Record]) -> Iterator[Claim]:
    """Yield every claim with its figures and whether it holds."""
    base = {task: records[f"mini-small-base-for-{task}"] for task in QUALITY}
    f1 = base["arc"].metrics["macro_f1"] or 0.0
    yield "small base on arc is neither at chance nor solved", f"{f1:.3f} in [0.35, 0.85]", 0.35 <= f1 <= 0.85
    yield from larger_is_better(records)
    yield from tuning_helps(records)
    yield from ranks_change(records)
    yield from transfer(records)


def larger_is_better(records: dict[str, Record]) -> Iterator[Claim]:
    """The large base beats the small one on every task."""
    for task in QUALITY:
        found = gain(records, "mini-large-base", "mini-small-base", task)
        yield f"large base beats small base on {task}", shown(found), found.low > 0


def tuning_helps(records: dict[str, Record]) -> Iterator[Claim]:
    """Full fine-tuning improves two tasks of three, harms none by 3 points, and shortens answers threefold."""
    gains = {task: gain(records, f"mini-small-full-on-{task}", "mini-small-base", task) for task in QUALITY}
    for task, found in gains.items():
        yield f"full tuning costs {task} less than 3 points", shown(found), found.value > -3 * POINTS[task]
        shorter = (records[f"mini-small-base-for-{task}"].mean_tokens or 0.0) / (
            records[f"mini-small-full-on-{task}-for-{task}"].mean_tokens or 1.0
        )
        yield f"full tuning on {task} shortens answers threefold", f"{shorter:.1f} times", shorter >= 3
    better = [task for task, found in gains.items() if found.low > 0]
    yield "full tuning improves at least two tasks", ", ".join(better), len(better) >= 2


def ranks_change(records: dict[str, Record]) -> Iterator[Claim]:
    """Every LoRA variant answers its own task differently from its base."""
    for name, record in records.items():
        if record.method.startswith("lora") and record.trained_on == record.task:
            base = records[f"mini-small-base-for-{record.task}"]
            changed = sum(a.text != b.text for a, b in zip(record.lines, base.lines, strict=True)) / len(base.lines)
            yield f"{name} differs from its base", f"{changed:.0%} of the answers", changed > 0.05


def transfer(records: dict[str, Record]) -> Iterator[Claim]:
    """Tuning on one task moves another."""
    pairs = [(trained, asked) for trained in QUALITY for asked in QUALITY if asked != trained]
    moved = [
        f"{trained}→{asked}"
        for trained, asked in pairs
        if gain(records, f"mini-small-full-on-{trained}", "mini-small-base", asked).excludes_zero
    ]
    yield "tuning on one task moves the others", ", ".join(sorted(moved)), bool(moved)


def shown(interval: Interval) -> str:
    """Return an interval as text."""
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def main() -> int:
    """Print the claims; 1 where one fails."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".tunescale/records/mini")
    found = list(claims({record.cell: record for record in read_all(folder)}))
    rows = [[claim, figures, "holds" if holds else "FAILS"] for claim, figures, holds in found]
    print(tabulate(rows, ["claim", "measured", ""], disable_numparse=True))  # noqa: T201
    return 0 if all(holds for _, _, holds in found) else 1


if __name__ == "__main__":
    sys.exit(main())
