"""Holds a run of the study `shapes` against its estimates: peak memory of training, and time a token.

    pytest benchmarks --study shapes --store STORE    (or shapes-endpoint, which needs a server)
    python benchmarks/check_shapes.py STORE/records/shapes [--bandwidth BYTES_A_SECOND] [--overhead BYTES]

Bandwidth is measured here unless given, by reading a matrix too large for any cache; so run it where the study ran.
That of records kept in `benchmarks/results` was measured beside them and is read from `bandwidths.json` there. What the
libraries themselves take of a process is measured too for a CPU's records, where a peak is the process's. Exits with 1
where a peak is more than 15 % from its estimate, and with 2 where the records are of another device than this one, or
kept, and no bandwidth is known.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tunescale_core.estimate.costs import HELD, training_bytes
from tunescale_core.estimate.shapes import Shape
from tunescale_core.estimate.sizes import read_shape
from tunescale_core.models.device import device
from tunescale_core.provenance import provenance
from tunescale_core.results.recorded import from_folder
from tunescale_core.results.result import Result
from tunescale_core.results.results import Results
from tunescale_core.study.grid import variants
from tunescale_core.study.loading import load
from tunescale_core.study.study import Study
from tunescale_core.tables.formats import markdown
from tunescale_core.tables.table import Block, Column, Entry, Row, Table, number, words
from tunescale_core.training.plan import Plan

WITHIN = 0.15
KEPT = Path(__file__).parent / "results" / "bandwidths.json"
"""Bytes a second that were measured where records that are kept were made, by the folder and the model."""
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
    on_cpu = made_on(results).startswith("cpu")
    speeds = known_speeds(asked.records, asked.bandwidth, shapes)
    if speeds is None and (is_kept(asked.records) or made_on(results) != provenance(device()).device):
        print(f"{asked.records} are of another device or time: give --bandwidth, as measured there")  # noqa: T201
        return 2
    speeds = speeds or dict.fromkeys(shapes, bandwidth())
    overhead = asked.overhead if asked.overhead is not None else process_bytes() if on_cpu else 0.0
    width = 4 if on_cpu else 2  # bytes a number of weights: float32 on a CPU, bfloat16 on an accelerator
    memory, worst = memory_table(results, study, shapes, Held(width, overhead))
    if memory.blocks[0].rows:  # shapes-endpoint trains nothing
        print(markdown(memory))  # noqa: T201
        print(f"worst peak is {worst:.0%} from its estimate (bar {WITHIN:.0%})\n")  # noqa: T201
    print(markdown(time_table(results, shapes, width, speeds)))  # noqa: T201
    return int(worst > WITHIN)


@dataclass(frozen=True)
class Held:
    """What memory holds on a device."""

    width: int
    """Bytes a number of weights."""
    overhead: float
    """Bytes of a process that are not the model's."""


def made_on(results: Results) -> str:
    """Return the device that records were made on."""
    found = next(cell.record.provenance for cell in results.cells if cell.record and cell.record.provenance)
    return found.device


def known_speeds(records: Path, given: float | None, shapes: dict[str, Shape]) -> dict[str, float] | None:
    """Return bytes a second for each model: as given, or as measured beside records that are kept; else None."""
    if given is not None:
        return dict.fromkeys(shapes, given)
    kept: dict[str, dict[str, float]] = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept.get(records.name) if is_kept(records) else None


def is_kept(records: Path) -> bool:
    """Tell whether records are of a run that is kept in the repository."""
    return records.resolve().parent == KEPT.parent


def memory_table(results: Results, study: Study, shapes: dict[str, Shape], held: Held) -> tuple[Table, float]:
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
        own = training_bytes(shapes[variant.model], variant.settings, variant.rank, held.width, plan)
        estimated = held.overhead + own
        ratio = cost.peak_memory_bytes / estimated
        worst = max(worst, abs(ratio - 1))
        entries = (words(variant.id), words(plan.short), number(cost.trainable_parameters / 1e6, 1))
        sizes = (number(estimated / GB, 2), number(cost.peak_memory_bytes / GB, 2), number(ratio, 2))
        rows.append(Row(variant.id, (*entries, *sizes, number(cost.tokens / cost.seconds, 1))))
    return Table("memory", "Peak memory of training", tuple(columns), (Block("", tuple(rows)),)), worst


def time_table(results: Results, shapes: dict[str, Shape], width: int, speeds: dict[str, float]) -> Table:
    """Return time a token beside what reading a model's weights once takes at `speeds` bytes a second."""
    columns = [Column("variant", words=True), Column("served", words=True)]
    columns += [
        Column(head) for head in ("s to first token", "ms a token", "limit ms", "times the limit", "tokens a s")
    ]
    rows = []
    for cell in (*results.cells, *results.served):
        pace = _pace(cell)
        if pace is None or cell.record is None:
            continue
        limit = read_bytes(cell, shapes[cell.candidate.model], width) / speeds[cell.candidate.model]
        first = cell.record.summary.first_token if cell.record.summary else None
        entries: list[Entry] = [words(cell.candidate.id), words(cell.serving), number(first, 3), number(1000 * pace, 1)]
        entries += [number(1000 * limit, 1), number(pace / limit, 2), number(cell.record.throughput, 2)]
        rows.append(Row(f"{cell.candidate.id} {cell.serving}", tuple(entries)))
    told = ", ".join(f"{speed / GB:,.1f} GB/s for {model}" for model, speed in speeds.items())
    note = f"limit: weights read once, at {told}"
    return Table("time", "Time a token", tuple(columns), (Block("", tuple(rows)),), (note,))


def read_bytes(cell: Result, shape: Shape, width: int) -> float:
    """Return the bytes of weights that a token reads, linear ones in as few bits as they are served in."""
    bits = cell.record.serving_settings.get("quantize") if cell.record else None
    return shape.read_per_token * width - (shape.linear * (width - HELD[bits]) if bits else 0)


def _pace(cell: Result) -> float | None:
    rows = cell.rows
    if rows is None or not rows.timed.any():
        return None
    steps = (rows.tokens - 1)[rows.timed].sum()
    return float((rows.seconds - rows.first_token_seconds)[rows.timed].sum() / steps)


def bandwidth() -> float:
    """Measure how many bytes a second a matrix-vector product reads: the best of ten."""
    import torch

    matrix = torch.ones(16384, 16384, device=device(), dtype=torch.float32 if device() == "cpu" else torch.bfloat16)
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
    """Return what the libraries take of a process."""
    return float(subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True).stdout)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
