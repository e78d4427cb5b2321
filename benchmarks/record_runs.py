"""Record what an unchanged program's runs look like on this machine, one after another, for `check_gates.py`.

    python benchmarks/record_runs.py [FOLDER] [--runs 20] [-k EXPRESSION]

Each run is a pytest of its own over a slice of the mini study, saved as a baseline: answers, times and paces. Two busy
processes run beside every second one. A run takes about two minutes on two idle cores; nothing else should run
meanwhile. Train the checkpoints first (`pytest benchmarks`), or the first run does.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from tunescale_core.gates.baseline import FOLDER

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "benchmarks" / "results" / "gate-runs"
SLICE = "for-arc and (base or on-arc)"
"""One task, asked of the untuned models and of what was tuned on it: every pace, and few cases."""
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
    started = [subprocess.Popen(command) for command in words]  # noqa: S603
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def record(name: str, chosen: str) -> None:
    """Run the slice and save it as a baseline of that name."""
    command = [sys.executable, "-m", "pytest", "benchmarks", "-q", "-p", "no:cacheprovider", "-k", chosen]
    subprocess.run([*command, "--save-baseline", name], cwd=ROOT, check=True)  # noqa: S603


def main() -> None:
    """Record the runs that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=RUNS)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("-k", dest="chosen", default=SLICE, help="which cases")
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    for place in range(wanted.runs):
        name = f"run-{place:02}-{'busy' if place % 2 else 'alone'}"
        if (wanted.folder / name).exists():
            continue
        with busy(place) if place % 2 else nullcontext():
            record(name, wanted.chosen)
        shutil.move(ROOT / FOLDER / name, wanted.folder / name)


if __name__ == "__main__":
    main()
