"""Measures many cells in one process, and looks whether memory, files, threads or anything else grows with them.

    python benchmarks/check_soak.py [--cells 200] [--json FILE]

After each cell: resident memory, open files, threads, child processes, and what lies in the temporary folder. The slope
over the cells after a run-in is Theil and Sen's, which single outliers do not move. Exits with 1 where memory grows by
more than `MEMORY` a hundred cells, or any count by more than one.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
from scipy.stats import theilslopes

from tunescale_core.measuring.cell import Bench
from tunescale_core.progress import Progress
from tunescale_core.provenance import provenance
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load

MEMORY = 10 << 20
"""Bytes a hundred cells. The libraries keep some 20 kB of every training; a copy of the small model that is leaked by
each would be 180 MB."""
RUN_IN = 0.25
"""Share of the cells that come first, in which libraries load what they load once."""
STUDY = """
[study]
name = "soak"
seeds = [{seeds}]
train_examples = 8
eval_examples = 2

[protocol]
max_new_tokens = 4
timed_examples = 1
warmup_calls = 0
threads = 1
dtype = "float32"

[models.m]
source = "embedded:mini-small"

[methods.full]
learning_rate = 1e-3

[methods.lora]
ranks = [2]
learning_rate = 1e-2

[tasks.arc]
[tasks.squad_v2]
"""
EACH = 8
"""Cells a seed: two methods tuned on two tasks, asked two."""
Sample = dict[str, float]


def sample(temporary: Path) -> Sample:
    """Return what there is of each kind now."""
    gc.collect()
    process = psutil.Process()
    return {
        "memory_bytes": float(process.memory_info().rss),
        "files": float(process.num_fds()),
        "threads": float(threading.active_count()),
        "os_threads": float(process.num_threads()),
        "children": float(len(process.children(recursive=True))),
        "temporary": float(sum(1 for _ in temporary.rglob("*"))),
        "objects": float(len(gc.get_objects())),
    }


def soak(folder: Path, number: int) -> Iterator[Sample]:
    """Build, ask and record so many cells; yield a sample after each.

    Args:
        folder: For the study, its store, and temporary files.
        number: Of cells.
    """
    seeds = range(-(-number // EACH))
    (folder / "soak.toml").write_text(STUDY.format(seeds=", ".join(map(str, seeds))), encoding="utf-8")
    temporary = folder / "tmp"
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    bench = Bench(load(str(folder / "soak.toml")), folder / "store", Progress())
    bench.notes.begin()
    for cell in cells(bench.study)[:number]:
        bench.check(cell)
        bench.keep(bench.measure(cell, bench.subjects.subject(cell)))
        yield sample(temporary)
    bench.notes.end(cell.id for cell in cells(bench.study))


def growth(samples: list[Sample]) -> dict[str, float]:
    """Return how much each figure grows in a hundred cells, the run-in left out."""
    kept = samples[int(RUN_IN * len(samples)) :]
    return {name: 100 * float(theilslopes([one[name] for one in kept]).slope) for name in samples[0]}


def faults(grown: dict[str, float]) -> list[str]:
    """Say what grows that should not; objects are told and not judged, for records are kept for the tables."""
    found = [f"memory grows by {grown['memory_bytes'] / 1e6:.1f} MB a hundred cells"] * (grown["memory_bytes"] > MEMORY)
    counted = ("files", "threads", "os_threads", "children", "temporary")
    return found + [f"{name}: {grown[name]:+.1f} a hundred cells" for name in counted if grown[name] > 1]


def main() -> int:
    """Soak and judge; 1 where something grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = []
        for place, one in enumerate(soak(Path(folder), asked.cells)):
            samples.append(one)
            if place % 10 == 0:
                shown = ", ".join(f"{name} {value:,.0f}" for name, value in one.items())
                print(f"{place + 1:4} {shown}", flush=True)  # noqa: T201
    tempfile.tempdir = None
    grown = growth(samples)
    told = faults(grown)
    print("a hundred cells: " + ", ".join(f"{name} {value:+,.1f}" for name, value in grown.items()))  # noqa: T201
    print("; ".join(told) or f"nothing grows over {len(samples)} cells")  # noqa: T201
    if asked.json:
        content = {"growth": grown, "first": samples[0], "last": samples[-1], "cells": len(samples)}
        asked.json.write_text(json.dumps(content | {"provenance": provenance("cpu").model_dump()}, indent=1) + "\n")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
