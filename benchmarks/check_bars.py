"""How fast and small the embedded study is, each run a process of its own, held against what is promised.

    python benchmarks/check_bars.py [EMPTY_FOLDER] [--fair] [--json FILE]

Takes some ten minutes on two idle cores, and twenty with `--fair`, which runs the study `mini-fair` too. Prints each
bar with what was measured, and exits with 1 where one is missed. Nothing else should run meanwhile. The folder keeps
the stores, and with them the records, for `check_family.py`. Opening a checkpoint counts as overhead of the cell that
opens it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from tabulate import tabulate

from tunescale_core.provenance import provenance
from tunescale_core.records.files import read_all

GIB = 2**30
BENCHMARKS = Path(__file__).parent


@dataclass(frozen=True)
class Ran:
    """A process that has ended: wall-clock seconds and peak resident bytes."""

    seconds: float
    peak: int


@dataclass(frozen=True)
class Bar:
    """A promise, and what was measured."""

    what: str
    unit: str
    measured: float
    at_most: float

    @property
    def row(self) -> list[str]:
        """The bar as a line of the table."""
        verdict = "holds" if self.measured <= self.at_most else "MISSED"
        return [self.what, f"{self.measured:.2f} {self.unit}", f"{self.at_most:g} {self.unit}", verdict]


def run(*words: str) -> Ran:
    """Run pytest on the benchmarks from start to end.

    Raises:
        SystemExit: It failed, so its time means nothing.
    """
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "pytest", str(BENCHMARKS), "-q", *words], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"pytest {' '.join(words)} ended with {code}; mend that first")
    return Ran(seconds, usage.ru_maxrss * 1024)


def overhead(records: Path, junit: Path) -> float:
    """Return the share of a run's cases' time, fixtures included, that was neither generation nor scoring.

    The first case is left out: the process's own start-up falls into it, and counts in the whole run's time.
    """
    took = {case.get("name"): float(case.get("time", "nan")) for case in ET.parse(junit).iter("testcase")}  # noqa: S314
    total = inside = 0.0
    first = next(iter(took))
    for record in read_all(records):
        if f"test_generate[{record.cell}]" == first:
            continue
        if record.stages is None:
            raise SystemExit(f"{record.cell} failed: {record.error}")
        total += took[f"test_generate[{record.cell}]"]
        inside += record.stages.generate + record.stages.batch + record.stages.score
    return 1 - inside / total


def measure(folder: Path) -> list[Bar]:
    """Make every run and return the bars."""
    folder.mkdir(parents=True, exist_ok=True)
    store, junit = folder / "store", folder / "warm.xml"
    collect = run("--collect-only")
    slice_ = run("-k", "base and for-arc", "--store", str(folder / "other"))
    cold = run("--store", str(store))
    warm = run("--store", str(store), f"--junit-xml={junit}")
    outside = overhead(store / "records" / "mini", junit)
    return [
        Bar("collecting the cases", "s", collect.seconds, 2),
        Bar('-k "base and for-arc"', "s", slice_.seconds, 25),
        Bar("whole study, empty store", "s", cold.seconds, 300),
        Bar("whole study, checkpoints in the store", "s", warm.seconds, 150),
        Bar("outside generation and scoring, warm cells", "%", 100 * outside, 5),
        Bar("peak memory of the whole study", "GiB", max(cold.peak, warm.peak) / GIB, 2),
    ]


def measure_fair(folder: Path) -> Bar:
    """Run the fair study of the embedded family from an empty store."""
    whole = run("--study", "mini-fair", "--store", str(folder / "fair"))
    return Bar("mini-fair, empty store", "s", whole.seconds, 900)


def main() -> int:
    """Print the bars; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--fair", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    kept: Path | None = asked.folder
    if kept is not None and kept.is_dir() and any(kept.iterdir()):
        raise SystemExit(f"{kept} is not empty, and the first run is to start from nothing")
    with tempfile.TemporaryDirectory() as scratch:
        folder = kept or Path(scratch)
        bars = measure(folder) + ([measure_fair(folder)] if asked.fair else [])
    if asked.json:
        told = {"provenance": provenance("cpu").model_dump(), "bars": [asdict(bar) for bar in bars]}
        asked.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    print(tabulate([bar.row for bar in bars], ["bar", "measured", "at most", ""], disable_numparse=True))  # noqa: T201
    return 0 if all(bar.measured <= bar.at_most for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
