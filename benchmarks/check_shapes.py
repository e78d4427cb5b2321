"""Holds a run of the study `shapes` against its estimates: peak memory of training, and time a token.

    pytest benchmarks --study shapes --store STORE    (or shapes-endpoint, which needs a server)
    python benchmarks/check_shapes.py STORE/records/shapes [--bandwidth BYTES_A_SECOND] [--overhead BYTES]

Bandwidth is measured here unless given, by reading a matrix too large for any cache; so run it where the study ran.
What the libraries themselves take of a process is measured too on a CPU, where a peak is the process's. Exits with 1
where a peak is more than 15 % from its estimate.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tunescale_core.estimate.costs import training_bytes
from tunescale_core.estimate.shapes import Shape, read_shape
from tunescale_core.grid import variants
from tunescale_core.models import device
from tunescale_core.results import Result, Results, from_folder
from tunescale_core.study import Study, load
from tunescale_core.tables.formats import markdown
from tunescale_core.tables.table import Block, Column, Entry, Row, Table, number, words
from tunescale_core.training.plan import Plan

WITHIN = 0.15
GB = 1e9
IMPORTS = "import psutil, torch, trl, peft, datasets, accelerate; print(psutil.Process().memory_info().rss)"


def main() -> int:
    """Print both tables; 1 where a peak is too far from its estimate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("--bandwidth", type=float)
    parser.add_argument("--overhead", type=float)
    asked = parser.parse_args()
    results = from_folder(asked.records)
    study = load(next(cell.record.study for cell in results.cells if cell.record))
    shapes = {name: read_shape(model, study.folder) for name, model in study.models.items()}
    overhead = asked.overhead if asked.overhead is not None else process_bytes()
    memory, worst = memory_table(results, study, shapes, overhead)
    if memory.blocks[0].rows:  # shapes-endpoint trains nothing
        print(markdown(memory))  # noqa: T201
    print(markdown(time_table(results, shapes, asked.bandwidth or bandwidth())))  # noqa: T201
    print(f"worst peak is {worst:.0%} from its estimate (bar {WITHIN:.0%})")  # noqa: T201
    return int(worst > WITHIN)


def memory_table(results: Results, study: Study, shapes: dict[str, Shape], overhead: float) -> tuple[Table, float]:
    """Return training peaks beside their estimates, and the worst relative distance."""
    columns = [Column("variant", words=True), Column("plan", words=True), Column("trained, M")]
    columns += [Column(f"{what} GB") for what in ("estimated", "measured")]
    columns += [Column("measured / estimated"), Column("tokens a s")]
    rows, worst = [], 0.0
    for variant in variants(study):
        cost = next(
            (c.record.cost for c in results.cells if c.record and c.record.cell.startswith(f"{variant.id}-for")), None
        )
        if cost is None or cost.peak_memory_bytes is None or variant.settings is None:
            continue
        plan = Plan.model_validate(cost.plan)
        estimated = overhead + training_bytes(shapes[variant.model], variant.settings, variant.rank, width(), plan)
        ratio = cost.peak_memory_bytes / estimated
        worst = max(worst, abs(ratio - 1))
        entries = (words(variant.id), words(plan.short), number(cost.trainable_parameters / 1e6, 1))
        sizes = (number(estimated / GB, 2), number(cost.peak_memory_bytes / GB, 2), number(ratio, 2))
        rows.append(Row(variant.id, (*entries, *sizes, number(cost.tokens / cost.seconds, 1))))
    return Table("memory", "Peak memory of training", tuple(columns), (Block("", tuple(rows)),)), worst


def time_table(results: Results, shapes: dict[str, Shape], speed: float) -> Table:
    """Return time a token beside what reading the weights once takes at that many bytes a second."""
    columns = [Column("variant", words=True), Column("served", words=True)]
    columns += [
        Column(head) for head in ("s to first token", "ms a token", "limit ms", "times the limit", "tokens a s")
    ]
    rows = []
    for cell in (*results.cells, *results.served):
        pace = _pace(cell)
        if pace is None or cell.record is None:
            continue
        weights = held_bytes_served(shapes[cell.candidate.model])
        limit = weights / speed
        first = cell.record.summary.first_token if cell.record.summary else None
        entries: list[Entry] = [words(cell.candidate.id), words(cell.serving), number(first, 3), number(1000 * pace, 1)]
        entries += [number(1000 * limit, 1), number(pace / limit, 2), number(cell.record.throughput, 2)]
        rows.append(Row(f"{cell.candidate.id} {cell.serving}", tuple(entries)))
    note = f"limit: weights read once at {speed / GB:.1f} GB/s"
    return Table("time", "Time a token", tuple(columns), (Block("", tuple(rows)),), (note,))


def held_bytes_served(shape: Shape) -> float:
    """Return the bytes of weights that decoding one token reads."""
    return shape.read_per_token * width()


def _pace(cell: Result) -> float | None:
    rows = cell.rows
    if rows is None or not rows.timed.any():
        return None
    steps = (rows.tokens - 1)[rows.timed].sum()
    return float((rows.seconds - rows.first_token_seconds)[rows.timed].sum() / steps)


def width() -> int:
    """Return bytes a number of weights here: bfloat16 on an accelerator, float32 on a CPU."""
    return 4 if device() == "cpu" else 2


def bandwidth() -> float:
    """Measure how many bytes a second a matrix-vector product reads: the best of ten."""
    import torch

    matrix = torch.ones(16384, 16384, device=device(), dtype=torch.float32 if width() == 4 else torch.bfloat16)
    vector = torch.ones(16384, 1, device=device(), dtype=matrix.dtype)
    synchronise = torch.accelerator.synchronize if device() != "cpu" else lambda: None
    seconds = []
    for _ in range(10):
        synchronise()
        began = time.perf_counter()
        matrix @ vector
        synchronise()
        seconds.append(time.perf_counter() - began)
    return matrix.nbytes / min(seconds)


def process_bytes() -> float:
    """Return what the libraries take of a process on a CPU; nothing counts on an accelerator."""
    if device() != "cpu":
        return 0.0
    return float(subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True).stdout)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
