"""What the embedded family must show, held against the records of a whole `mini` run.

    python benchmarks/check_family.py [.tunescale/records/mini]

Prints each claim with its figures and exits with 1 where one fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tabulate import tabulate

from tunescale_core.errors import TuneScaleError
from tunescale_core.records.lines import read_rows
from tunescale_core.results.candidate import Candidate
from tunescale_core.results.comparison import Comparisons
from tunescale_core.results.recorded import from_folder
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results
from tunescale_core.stats.interval import Interval
from tunescale_core.tasks import TASKS

QUALITY = {"arc": "macro_f1", "openmath": "accuracy", "squad_v2": "f1"}
POINTS = {"arc": 0.01, "openmath": 0.01, "squad_v2": 1.0}
"""One point of each metric, in its unit."""
Claim = tuple[str, str, bool]
SMALL, LARGE = Candidate("mini-small", "base"), Candidate("mini-large", "base")


def full_on(task: str) -> Candidate:
    """Return the small model with all weights tuned on a task."""
    return Candidate("mini-small", "full", task)


class Family:
    """A whole `mini` run, and any two of its candidates compared."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.comparisons = Comparisons(results)

    def cell(self, candidate: Candidate, task: str) -> Result:
        """Return a cell.

        Raises:
            SystemExit: The run did not measure it.
        """
        found = self.results.at(candidate, task)
        if not found or found[0].rows is None:
            raise SystemExit(f"{candidate.id} for {task} was not measured; run pytest benchmarks first")
        return found[0]

    def tokens(self, candidate: Candidate, task: str) -> float:
        """Return the mean tokens of a cell's answers."""
        rows = self.cell(candidate, task).rows
        return float(rows.tokens.mean()) if rows else 0.0

    def gain(self, new: Candidate, old: Candidate, task: str) -> Interval:
        """Return how much better `new` does than `old` on a task, paired by example."""
        metric = TASKS[task].metric(QUALITY[task])
        self.cell(new, task), self.cell(old, task)
        found = self.comparisons.quality(new, old, task, metric)
        if found is None or found.interval is None:
            raise SystemExit(f"{new.id} and {old.id} did not answer the same questions for {task}")
        return found.interval


def claims(family: Family) -> Iterator[Claim]:
    """Yield every claim with its figures and whether it holds."""
    f1 = family.cell(SMALL, "arc").quality or 0.0
    yield "small base on arc is neither at chance nor solved", f"{f1:.3f} in [0.35, 0.85]", 0.35 <= f1 <= 0.85
    yield from larger_is_better(family)
    yield from tuning_helps(family)
    yield from ranks_change(family)
    yield from transfer(family)


def larger_is_better(family: Family) -> Iterator[Claim]:
    """The large base beats the small one on every task."""
    for task in QUALITY:
        found = family.gain(LARGE, SMALL, task)
        yield f"large base beats small base on {task}", shown(found), found.low > 0


def tuning_helps(family: Family) -> Iterator[Claim]:
    """Full fine-tuning improves two tasks of three, harms none by 3 points, and shortens answers threefold."""
    gains = {task: family.gain(full_on(task), SMALL, task) for task in QUALITY}
    for task, found in gains.items():
        yield f"full tuning costs {task} less than 3 points", shown(found), found.value > -3 * POINTS[task]
        shorter = family.tokens(SMALL, task) / family.tokens(full_on(task), task)
        yield f"full tuning on {task} shortens answers threefold", f"{shorter:.1f} times", shorter >= 3
    better = [task for task, found in gains.items() if found.low > 0]
    yield "full tuning improves at least two tasks", ", ".join(better), len(better) >= 2


def ranks_change(family: Family) -> Iterator[Claim]:
    """Every LoRA variant answers its own task differently from its base."""
    for candidate in family.results.candidates:
        task = candidate.trained_on
        if candidate.rank is None or task is None:
            continue
        texts = [read_rows(family.cell(one, task).source, ["text"])["text"].to_pylist() for one in (candidate, SMALL)]
        changed = sum(a != b for a, b in zip(*texts, strict=True)) / len(texts[0])
        yield f"{candidate.id} differs from its base", f"{changed:.0%} of the answers", changed > 0.05


def transfer(family: Family) -> Iterator[Claim]:
    """Tuning on one task moves another."""
    pairs = [(trained, asked) for trained in QUALITY for asked in QUALITY if asked != trained]
    moved = [
        f"{trained}→{asked}" for trained, asked in pairs if family.gain(full_on(trained), SMALL, asked).excludes_zero
    ]
    yield "tuning on one task moves the others", ", ".join(sorted(moved)), bool(moved)


def shown(interval: Interval) -> str:
    """Return an interval as text."""
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def main() -> int:
    """Print the claims; 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, nargs="?", default=Path(".tunescale/records/mini"), help="of a whole run")
    try:
        found = list(claims(Family(from_folder(parser.parse_args().records))))
    except TuneScaleError as error:
        parser.error(str(error))
    rows = [[claim, figures, "holds" if holds else "FAILS"] for claim, figures, holds in found]
    print(tabulate(rows, ["claim", "measured", ""], disable_numparse=True))  # noqa: T201
    return 0 if all(holds for _, _, holds in found) else 1


if __name__ == "__main__":
    sys.exit(main())
