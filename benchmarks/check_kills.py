"""Kills a small study anywhere, goes on, and holds what comes of it against a run that nobody killed.

    python benchmarks/check_kills.py [--points 50] [--by-time 10] [--seed 0] [--json FILE]

Points are drawn from all that an uninterrupted run does to its store, every step of training and every call, each phase
getting its share; the process sends itself SIGKILL just before. Some more are drawn by time, and strike from outside.
Exits with 1 where a weight, an answer or a score differs by a byte, something half-written can be read, or more is done
again than the step or the cell that was under way. Needs fork: runs begin where everything is imported already.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tunescale_core.progress import Progress

ROOT = Path(__file__).parent.parent
STUDY = """
[study]
name = "killed"
train_examples = 32
eval_examples = 4
save_seconds = 0

[protocol]
max_new_tokens = 48
timed_examples = 3
warmup_calls = 0
threads = 1
dtype = "float32"

[models.m]
source = "embedded:mini-small"

[methods.full]
learning_rate = 1e-3

[methods.lora]
ranks = [4]
learning_rate = 1e-2

[tasks.squad_v2]
"""
STEP, CALL = "training", "timing"
PHASES = (
    ("unfinished/run-", "notes"), ("unfinished/", "state"), ("checkpoints/", "checkpoint"), ("records/", "record"),
    ("locks/", "locks"),
)  # fmt: skip
FILE_EVENTS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Ran:
    """A run of the study."""

    code: int
    """Exit code, negative where a signal ended it."""
    events: tuple[str, ...]
    """Phases of what it did, in order."""
    seconds: float

    def count(self, phase: str) -> int:
        """Return how often it did something."""
        return self.events.count(phase)


@dataclass(frozen=True)
class Outcome:
    """What came of one kill."""

    where: str
    killed: Ran
    after: Ran
    faults: tuple[str, ...]


class Watch:
    """Notes what a run does, and ends its process before the event of a number."""

    def __init__(self, store: Path, log: Path, kill: int | None) -> None:
        self._store, self._kill, self._count = f"{store}/", kill, 0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, phase: str) -> None:
        """Take in that something is about to be done, or a step or call has been."""
        if self._count == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        self._count += 1
        os.write(self._log, f"{phase}\n".encode())

    def audit(self, event: str, details: tuple[Any, ...]) -> None:
        """Note what changes the store's files."""
        if event not in FILE_EVENTS or not isinstance(details[0], (str, os.PathLike)):
            return
        path = os.path.abspath(details[0])  # noqa: PTH100  called for every file that is opened
        if not path.startswith(self._store) or (event == "open" and not details[2] & WRITES):
            return
        inside = path.removeprefix(self._store)
        self.note(next((phase for start, phase in PHASES if inside.startswith(start)), "store"))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note steps, calls and the summary too while the block runs."""
        from tunescale_core.tables import every

        sys.addaudithook(self.audit)
        bar, tables = Progress.bar, every.run_tables

        @contextmanager
        def noted(progress: Progress, what: str, total: int) -> Iterator[Any]:
            with bar(progress, what, total) as inner:
                update = inner.update
                inner.update = lambda *n: (update(*n), None if n else self.note(what.split(maxsplit=1)[0]))  # type: ignore[method-assign]
                yield inner

        def summarised(results: Any) -> Any:
            self.note("summary")
            return tables(results)

        with mock.patch.object(Progress, "bar", noted), mock.patch.object(every, "run_tables", summarised):
            yield


def run(folder: Path, name: str, kill: int | None = None, after: float | None = None) -> Ran:
    """Run the study in a child of this process.

    Args:
        folder: Holds the study, and the store of that name.
        name: Of the store.
        kill: The number of the event before which it ends itself.
        after: Seconds until it is killed from outside.
    """
    log = folder / f"{name}.events"
    log.unlink(missing_ok=True)
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        os._exit(_study(folder, name, log, kill))
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    events = tuple(log.read_text(encoding="ascii").split()) if log.exists() else ()
    return Ran(code, events, time.perf_counter() - began)


def _study(folder: Path, name: str, log: Path, kill: int | None) -> int:
    import pytest

    store = folder / name
    said = os.open(folder / f"{name}.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(folder)
    words = [str(ROOT / "benchmarks"), "--study", str(folder / "killed.toml"), "--store", str(store)]
    try:
        with Watch(store, log, kill).watched():
            return int(pytest.main([*words, "-q", "-p", "no:cacheprovider"]))
    except BaseException as error:  # noqa: BLE001  a child that came back would go on as its parent
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 99


def content(store: Path) -> dict[str, Any]:
    """Return what a run is worth: the files of its checkpoints by hash, its answers and scores; no times."""
    from tunescale_core.records.files import read
    from tunescale_core.store.checkpoints import Store
    from tunescale_core.upkeep.inventory import children, record_paths
    from tunescale_core.upkeep.verifying import verified

    opened = Store(store)
    faults = [fault for _, fault in verified(opened) if fault]
    found: dict[str, Any] = {}
    for path in children(opened, "checkpoints"):
        manifest = opened.verified(path)
        found[manifest.variant] = {name: one.sha256 for name, one in manifest.files.items()}
    for path in record_paths(opened):
        record = read(path)
        lines = [(one.example, one.prompt, one.text, one.answer, one.tokens, one.scores) for one in record.lines]
        found[record.cell] = json.dumps([record.key, record.metrics, lines])  # as text a score of NaN equals itself
    return found | ({"faults": faults} if faults else {})


def whole(store: Path) -> tuple[str, ...]:
    """Return what is half-written where somebody could read it, straight after a kill."""
    from tunescale_core.store.checkpoints import Store
    from tunescale_core.upkeep.verifying import verified

    told = [fault for _, fault in verified(Store(store)) if fault] if store.is_dir() else []
    for path in store.glob("unfinished/*.json"):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            told.append(f"{path.name} is half-written")
    return tuple(told)


def killed(folder: Path, name: str, wanted: dict[str, Any], full: Ran, point: tuple[str, float]) -> Outcome:
    """Kill a run at a point, go on, and compare.

    Args:
        folder: Holds the study.
        name: Of a store of its own.
        wanted: What an uninterrupted run is worth.
        full: That run.
        point: A phase and the number of its event, or `time` and seconds.
    """
    where, at = point
    first = run(folder, name, after=at) if where == "time" else run(folder, name, kill=int(at))
    faults = list(whole(folder / name))
    second = run(folder, name)
    found = content(folder / name)
    faults += [f"{one} differs" for one in wanted if found.get(one) != wanted[one]]
    faults += [f"{one} is new" for one in found if one not in wanted]
    if first.code not in {-signal.SIGKILL, 0} or second.code != 0:
        faults.append(f"exit codes {first.code} and {second.code}")
    if len(first.events) < len(full.events):  # struck by time, it may have come to its end
        faults += _again(first, second, full)
    return Outcome(where, first, second, tuple(faults))


def _again(first: Ran, second: Ran, full: Ran) -> Iterator[str]:
    """Say where more was done again than what was under way."""
    steps = first.count(STEP) + second.count(STEP) - full.count(STEP)
    calls = first.count(CALL) + second.count(CALL) - full.count(CALL)
    a_cell = full.count(CALL) // 3
    if steps > 1:
        yield f"{steps} steps were trained again"
    if calls > a_cell:
        yield f"{calls} calls were made again"


def points(events: tuple[str, ...], number: int, drawn: random.Random) -> list[tuple[str, float]]:
    """Draw events to kill before: from every phase in turn, so that the rare ones are struck as well."""
    places: dict[str, list[int]] = collections.defaultdict(list)
    for place, phase in enumerate(events):
        places[phase].append(place)
    for one in places.values():
        drawn.shuffle(one)
    found: list[tuple[str, float]] = []
    while len(found) < min(number, len(events)):
        found += [(phase, one.pop()) for phase, one in places.items() if one]
    return found[:number]


def warm() -> None:
    """Import what a run needs, on one thread: a child has none but the one that forked."""
    import torch

    torch.set_num_threads(1)
    import datasets
    import peft
    import pytest_benchmark.plugin
    import trl

    import tunescale_core.decoding.static
    import tunescale_core.measuring.cell
    import tunescale_core.training.tune

    del datasets, peft, pytest_benchmark, trl, tunescale_core


def check(folder: Path, number: int, by_time: int, seed: int) -> Iterator[Outcome]:
    """Run the study once in peace, then kill it at so many points by event and by time."""
    (folder / "killed.toml").write_text(STUDY, encoding="utf-8")
    warm()
    full = run(folder, "whole")
    if full.code != 0:
        raise SystemExit(f"the study does not run: {(folder / 'whole.out').read_text(encoding='utf-8')[-2000:]}")
    wanted = content(folder / "whole")
    drawn = random.Random(seed)
    wished = points(full.events, number, drawn)
    wished += [("time", drawn.uniform(0.1, 0.95) * full.seconds) for _ in range(by_time)]
    for place, point in enumerate(wished):
        yield killed(folder, f"store-{place}", wanted, full, point)


def report(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    """Print each outcome, and return by phase how often it was struck, and what was done again."""
    table: dict[str, dict[str, int]] = collections.defaultdict(lambda: {"kills": 0, "faults": 0})
    for place, one in enumerate(outcomes):
        row = table[one.where]
        row["kills"] += one.killed.code != 0
        row["faults"] += len(one.faults)
        told = "; ".join(one.faults) or "as if nothing had happened"
        print(f"{place + 1:3} {one.where:10} after {len(one.killed.events):3} events: {told}", flush=True)  # noqa: T201
    return dict(table)


def main() -> int:
    """Kill and compare; 1 where anything is amiss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--by-time", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = report(check(Path(folder), asked.points, asked.by_time, asked.seed))
    kills, faults = (sum(row[name] for row in table.values()) for name in ("kills", "faults"))
    print(f"{kills} kills in {len(table)} phases, {faults} faults")  # noqa: T201
    if asked.json:
        from tunescale_core.provenance import provenance

        made = provenance("cpu").model_dump()
        asked.json.write_text(json.dumps({"phases": table, "seed": asked.seed, "provenance": made}, indent=1) + "\n")
    return int(faults > 0 or kills < asked.points)


if __name__ == "__main__":
    sys.exit(main())
