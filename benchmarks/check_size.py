"""How long and how large tables, findings and a report over a million examples are, held against what is promised.

    python benchmarks/check_size.py [CELLS] [EXAMPLES]

Makes up records of 1,000 cells with 1,000 examples each (kept nowhere), then reads them in a process of their own,
prints what was measured, and exits with 1 where a promise is missed. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tabulate import tabulate

from tunescale_core.records.files import write
from tunescale_core.records.lines import Line
from tunescale_core.records.record import Record
from tunescale_core.tasks import TASKS, Answer

GIB = 2**30
READING = """
import sys
from pathlib import Path
from tunescale_core.findings.answers import answers
from tunescale_core.report.page import write_page
from tunescale_core.results.recorded import from_folder
from tunescale_core.tables.every import FORMATS, every_table

results = from_folder(Path(sys.argv[1]))
tables = every_table(results)
for show in FORMATS.values():
    show(tables)
print(len(answers(results)), "findings,", len(tables), "tables")
write_page(results, Path(sys.argv[2]))
"""
GOLDS = {"arc": ("A", "B", "C", "D"), "openmath": tuple(map(str, range(40))), "squad_v2": ("mill", "goat", "")}


def make(folder: Path, cells: int, examples: int) -> None:
    """Write made-up records: two models, the first tuned on three tasks by LoRA of many ranks and in full."""
    tasks = list(GOLDS)
    ranks = max(1, (cells // len(tasks) - 5) // len(tasks))
    variants = [("small", "base", None), ("large", "base", None)]
    variants += [
        ("small", method, on) for on in tasks for method in ("full", *(f"lora-r{r}" for r in range(1, ranks + 1)))
    ]
    for number, (model, method, on) in enumerate(variants):
        for task in tasks:
            write(record(model, method, on, task, examples, number), folder)


def record(model: str, method: str, on: str | None, task: str, examples: int, number: int) -> Record:  # noqa: PLR0913, PLR0917
    """Return one cell's record with answers drawn by chance."""
    rng = random.Random(f"{number} {task}")
    right = 0.4 + 0.4 * rng.random()
    lines = tuple(line(rng, task, place, right) for place in range(examples))
    answers = [Answer(one.gold, one.answer) for one in lines]
    rank = int(method.removeprefix("lora-r")) if method.startswith("lora") else None
    cell = f"{model}-{method}" + (f"-on-{on}" if on else "") + f"-for-{task}"
    return Record(
        study="made-up", cell=cell, model=model, method=method, rank=rank, trained_on=on, task=task, kind=task,
        seed=None if on is None else 0, key="made-up", metrics=TASKS[task].measure(answers), lines=lines,
    )  # fmt: skip


def line(rng: random.Random, task: str, place: int, right: float) -> Line:
    """Return one example's line, its gold the same for every cell."""
    gold = GOLDS[task][place % len(GOLDS[task])]
    said = gold if rng.random() < right else rng.choice(GOLDS[task])
    answer = Answer((gold,) if gold else (), said)
    tokens = rng.randint(4, 160)
    return Line(
        example=str(place), group=str(place // 3) if task == "squad_v2" else "",
        prompt=f"Question {place}: what is it that the passage says of the old mill by the river? " * 3,
        gold=answer.gold, text=f"<think>{'so on and on ' * (tokens // 8)}</think>\\boxed{{{said}}}", answer=said,
        tokens=tokens, finish="stop", reasoning_tokens=tokens // 2, seconds=0.003 * tokens * rng.uniform(0.9, 1.3),
        first_token_seconds=0.004, scores=TASKS[task].score(answer),
    )  # fmt: skip


def main() -> int:
    """Print the promises; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", type=int, nargs="?", default=1000)
    parser.add_argument("examples", type=int, nargs="?", default=1000, help="of each cell")
    asked = parser.parse_args()
    cells, examples = asked.cells, asked.examples
    with tempfile.TemporaryDirectory() as scratch:
        folder, page = Path(scratch) / "records", Path(scratch) / "report.html"
        make(folder, cells, examples)
        made = len(list(folder.glob("*.json")))
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", READING, str(folder), str(page)])  # noqa: S603
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status):
            return 1
        size = page.stat().st_size
    measured = [
        (f"tables, findings and report of {made:,} × {examples:,} examples", seconds, "s", 30),
        ("peak memory", usage.ru_maxrss * 1024 / GIB, "GiB", 2),
        ("the page", size / 1e6, "MB", 25),
    ]
    rows = [
        [what, f"{v:.2f} {unit}", f"{bar} {unit}", "holds" if v <= bar else "MISSED"] for what, v, unit, bar in measured
    ]
    print(tabulate(rows, ["bar", "measured", "at most", ""], disable_numparse=True))  # noqa: T201
    return 0 if all(value <= bar for _, value, _, bar in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
