"""A clock that jumps, by a day, back or forth: durations, locks, records and the store do not follow it."""

import ast
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tunescale_core
from tests.making import line
from tests.making import record as made
from tests.storing import stored
from tunescale_core.cli import app
from tunescale_core.measuring.cell import Bench
from tunescale_core.placing import ASIDE
from tunescale_core.progress import Progress
from tunescale_core.records.files import write
from tunescale_core.store.checkpoints import CHECKPOINTS, Store
from tunescale_core.study.grid import cells
from tunescale_core.study.loading import load
from tunescale_core.upkeep.pruning import doomed

DAY = 86400.0
SOURCE = Path(tunescale_core.__file__).parent
WALL = {"time", "time_ns", "utcnow", "today"}
"""Functions of the clock that a person sets; `now` of `provenance` is asked for dates alone."""
STUDY = """
[study]
name = "jumping"
train_examples = 16
eval_examples = 3
[protocol]
max_new_tokens = 4
timed_examples = 2
[models.mini-small]
source = "embedded:mini-small"
methods = ["full"]
[methods.full]
learning_rate = 1e-3
batch = 8
accumulation = 1
[tasks.arc]
"""
JUMPS = {"back": lambda n: -DAY * n, "forth": lambda n: DAY * n, "to and fro": lambda n: DAY * (-1) ** n}


@pytest.fixture(params=JUMPS)
def jumping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that jumps by a day whenever somebody looks at it."""
    real, looked = time.time, itertools.count()
    jump: Callable[[int], float] = JUMPS[request.param]
    monkeypatch.setattr(time, "time", lambda: real() + jump(next(looked)))


def test_no_duration_comes_from_the_wall_clock() -> None:
    """In all the package the wall clock is asked in one place, where a file's age is compared with an hour."""
    asked = [
        f"{path.relative_to(SOURCE)}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WALL
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"time", "datetime", "date"}
    ]
    assert asked == ["upkeep/pruning.py"]


@pytest.mark.slow
@pytest.mark.usefixtures("jumping")
def test_a_run_does_not_follow_the_clock(tmp_path: Path) -> None:
    """Training, stages and calls take the seconds that they took, no less than none and no more than the whole."""
    (tmp_path / "jumping.toml").write_text(STUDY)
    bench = Bench(load(str(tmp_path / "jumping.toml")), tmp_path / "store", Progress())
    began = time.perf_counter()
    (cell,) = (one for one in cells(bench.study) if one.variant.method == "full")
    record = bench.measure(cell, bench.subjects.subject(cell))
    whole = time.perf_counter() - began
    assert record.cost is not None
    assert record.stages is not None
    timed = [one.seconds for one in record.lines if one.seconds is not None]
    assert len(timed) == 2
    for seconds in (record.cost.seconds, *record.stages.model_dump().values(), *timed):
        assert 0 <= seconds <= whole
    assert record.summary is not None
    assert 0 < (record.summary.latency or 0) <= whole


@pytest.mark.usefixtures("jumping")
def test_locks_and_the_list_do_not_follow_the_clock(tmp_path: Path) -> None:
    """A lock is waited for and taken, a checkpoint is found whole, and `ls` tells dates and no age."""
    made_now = stored(tmp_path)
    store = Store(tmp_path)
    began = time.perf_counter()
    with store.lock(made_now.manifest.key, "a test"), pytest.raises(TimeoutError):
        Store(tmp_path).lock(made_now.manifest.key, "a test", timeout=0.3)
    assert 0.2 < time.perf_counter() - began < 10
    assert not stored(tmp_path).built
    listed = json.loads(CliRunner().invoke(app, ["store", "ls", "--store", str(tmp_path), "--json"]).output)
    assert [one["seconds"] for one in listed] == [made_now.manifest.cost.seconds]
    assert [one["created"] for one in listed] == [made_now.manifest.provenance.created]
    assert len(list((tmp_path / CHECKPOINTS).iterdir())) == 1


def test_what_is_being_written_is_not_left_over_when_the_clock_went_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a jump back no file is old, and none that was written since is deleted; once the clock caught up, it is."""
    write(made(lines=[line()]), tmp_path / "records" / "s")
    half = tmp_path / "records" / "s" / f"{ASIDE}half"
    half.write_bytes(b"half")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - DAY)
    assert doomed(Store(tmp_path), None, stale=True) == ()
    monkeypatch.setattr(time, "time", lambda: real() + DAY)
    assert [one.path for one in doomed(Store(tmp_path), None, stale=True)] == [half]
