"""Record what an unchanged program's paces look like on this machine, run after run.

    python benchmarks/record_paces.py FILE [RUNS]

Measures the classes that the mini study's gate measures, and appends a line of JSON a run: whether two busy processes
ran beside it, as in every second run; how many seconds it took; and its paces. The variants that would need training
are stood for by the untuned model, which has their shape. Each run's blocks are forked from a process of its own, as
those of two runs of the gate are. A run takes some 45 seconds on two idle cores; nothing else should run meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tunescale_core.checkpoints import Store
from tunescale_core.grid import cells
from tunescale_core.pace.classes import PaceClass, paced, reference_of
from tunescale_core.pace.measure import pairs_of, questions, run_blocks
from tunescale_core.pace.sides import Pair
from tunescale_core.progress import Progress
from tunescale_core.study import Study, load
from tunescale_core.subjects import Subjects

BUSY = """
import random, sys, time
import numpy
drawn = random.Random(int(sys.argv[1]))
rows = numpy.random.rand(300, 300)
while True:
    until = time.monotonic() + drawn.expovariate(1)
    while time.monotonic() < until:
        rows @ rows
    time.sleep(drawn.expovariate(1))
"""
"""A neighbour's job: busy for a second, idle for a second, on the average."""


@contextmanager
def busy(seed: int, processes: int = 2) -> Iterator[None]:
    """Let so many processes be busy, on and off, while the block runs."""
    words = [[sys.executable, "-c", BUSY, str(processes * seed + one)] for one in range(processes)]
    started = [subprocess.Popen(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}) for command in words]  # noqa: S603
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def pairs(study: Study) -> list[Pair]:
    """Return what the gate of the study measures, every class of a model by its untuned variant."""
    untuned = {cell.variant.model: cell.variant for cell in cells(study) if cell.variant.settings is None}
    reference = reference_of(study)
    with tempfile.TemporaryDirectory() as empty:
        subjects = Subjects(study, Store(Path(empty)), Progress())
        wanted = [reference] + [PaceClass(variant) for model, variant in untuned.items()]
        made = {pair.subject: pair for pair in pairs_of(subjects, wanted)[0]}
    side = made[reference.id].sides[0]
    return [made.get(one.id) or Pair(one.id, reference.id, (replace(side), side)) for one in paced(study, cells(study))]


def main() -> None:
    """Measure run after run, and append what was found."""
    file, runs = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    study = load("mini")
    measured, asked = pairs(study), questions(study)
    for run in range(runs):
        began, loaded = time.perf_counter(), run % 2 == 1
        with busy(run, 2 if loaded else 0):
            found = run_blocks(measured, asked, study.gate.blocks, Progress(sys.stderr))
        if found.faults:
            raise SystemExit(f"faults: {found.faults}")
        line = {"loaded": loaded, "seconds": time.perf_counter() - began}
        line["paces"] = [pace.model_dump(mode="json") for pace in found.paces]
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
