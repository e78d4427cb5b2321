"""A store on a disk that fills up: what is whole stays, nothing half is left, and with room the run goes on."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.shortages import FULL, small_disk, small_files
from tunescale_core.errors import ResourceError
from tunescale_core.measuring import subjects as subjects_room
from tunescale_core.measuring.cell import Bench
from tunescale_core.models.base import resolve, weight_files_bytes
from tunescale_core.progress import Progress
from tunescale_core.records.files import read_all
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.study.grid import Cell, cells
from tunescale_core.study.loading import load
from tunescale_core.study.model import Model
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.tune import tune

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WEIGHTS = weight_files_bytes(resolve(Model(source="embedded:mini-small"), Path()).folder)
STATE = 2 * WEIGHTS
"""Bytes of the optimiser's state, two moments a weight."""
OPTIONS = ["-p", "no:cacheprovider", "-k", "base", "--study", "filling.toml", "--store", "store"]
STUDY = """
[study]
name = "filling"
train_examples = 16
eval_examples = 2
[protocol]
max_new_tokens = 4
timed_examples = 1
warmup_calls = 0
[models.mini-small]
source = "embedded:mini-small"
[methods.full]
learning_rate = 1e-3
batch = 8
accumulation = 1
[methods.lora]
ranks = [64]
learning_rate = 1e-3
batch = 8
accumulation = 1
target_modules = "all-linear"
[tasks.arc]
"""


def bench(tmp_path: Path, save_seconds: float = 600) -> Bench:
    (tmp_path / "filling.toml").write_text(STUDY.replace("[study]", f"[study]\nsave_seconds = {save_seconds}"))
    return Bench(load(str(tmp_path / "filling.toml")), tmp_path / "store", Progress())


def cell(work: Bench, method: str) -> Cell:
    return next(one for one in cells(work.study) if one.variant.method.startswith(method))


def left(work: Bench) -> list[str]:
    """Return what is in the store's folder of checkpoints."""
    return sorted(path.name for path in (work.store.root / "checkpoints").glob("*"))


def test_too_little_room_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the weights alone do not fit nothing is trained: bytes needed and free are in the line."""
    monkeypatch.setattr(subjects_room, "tune", lambda *_: pytest.fail("trained all the same"))
    work = bench(tmp_path)
    with small_disk(work.store.root, WEIGHTS // 2), pytest.raises(ResourceError) as caught:
        work.subjects.subject(cell(work, "full"))
    assert f"the disk is full (it needs {WEIGHTS:,} bytes and " in str(caught.value)
    assert str(caught.value).startswith("checkpoint mini-small-full-on-arc cannot be written to ")


@pytest.mark.slow
@pytest.mark.parametrize("way", FULL)
def test_a_checkpoint_that_does_not_fit_is_not_there(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills while a model is saved leaves no half checkpoint and the one before; the next run goes on.

    The first checkpoint fits; the second finds its preflight's room, and runs out with its adapter.
    """
    begun: list[str] = []

    def tuned(lesson: Lesson, *rest: Any) -> TrainingCost:
        begun.append(lesson.variant.method)
        return tune(lesson, *rest)

    monkeypatch.setattr(subjects_room, "tune", tuned)
    work = bench(tmp_path)
    size = 3 * WEIGHTS if way == "a small disk" else WEIGHTS + 200_000
    with FULL[way](work.store.root, size) as make_room:
        work.subjects.subject(cell(work, "full"))
        whole = left(work)
        assert len(whole) == 1
        if way == "a limit of file sizes":  # below what a shard takes, though not below what is small
            with small_files(tmp_path / "unused", WEIGHTS // 2), pytest.raises(ResourceError) as caught:
                work.subjects.subject(cell(work, "lora"))
        else:
            (work.store.root / "other").write_bytes(b"x" * (size - int(2.2 * WEIGHTS)))
            with pytest.raises(ResourceError) as caught:
                work.subjects.subject(cell(work, "lora"))
        assert "checkpoint mini-small-lora-r64-on-arc cannot be written to " in str(caught.value)
        assert "the disk is full (it needs " in str(caught.value)
        assert begun == ["full", "lora-r64"]
        assert left(work) == whole
        make_room()
        again = Bench(work.study, work.store.root, Progress())
        again.subjects.subject(cell(again, "full"))
        again.subjects.subject(cell(again, "lora"))
        assert again.subjects.reused == ["mini-small-full-on-arc"]
        assert again.subjects.trained == ["mini-small-lora-r64-on-arc"]
        assert len(left(again)) == 2


@pytest.mark.slow
def test_a_training_goes_on_where_no_state_fits(tmp_path: Path) -> None:
    """A disk with room for the result and for no state beside it ends no training: it saves none and is whole."""
    work = bench(tmp_path, save_seconds=0)
    with small_disk(work.store.root, WEIGHTS + STATE // 2):
        built = work.subjects.subject(cell(work, "full")).built
        assert built.cost is not None
        assert (built.cost.resumed_at, built.cost.steps) == ((), 2)
        assert len(left(work)) == 1


@pytest.mark.slow
def test_a_training_state_that_does_not_fit_is_not_gone_on_from(tmp_path: Path) -> None:
    """A quota that is met while a training saves its state ends it with a line; with room it starts anew."""
    work = bench(tmp_path, save_seconds=0)
    with small_files(work.store.root, WEIGHTS + STATE // 2) as make_room:
        with pytest.raises(
            ResourceError, match=r"^checkpoint mini-small-full-on-arc cannot .*: the disk is full \(it needs"
        ):
            work.subjects.subject(cell(work, "full"))
        assert left(work) == []
        make_room()
        again = bench(tmp_path, save_seconds=0)
        built = again.subjects.subject(cell(again, "full")).built
        assert built.cost is not None
        assert (built.cost.resumed_at, built.cost.steps) == ((), 2)
        assert len(left(again)) == 1


def run(tmp_path: Path, limit: int | None) -> subprocess.CompletedProcess[str]:
    """Run the untuned cell with pytest, no file larger than so many bytes."""
    import resource

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    (tmp_path / "filling.toml").write_text(STUDY)
    return subprocess.run(
        [sys.executable, "-m", "pytest", str(BENCHMARKS), *OPTIONS],
        cwd=tmp_path,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_a_run_on_a_full_disk_ends_with_a_line(tmp_path: Path) -> None:
    """`pytest benchmarks` fails the case with one line and no traceback, and passes once there is room."""
    done = run(tmp_path, 1000)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    lines = [text for text in done.stdout.splitlines() if "the disk is full (it needs " in text]
    assert lines, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert run(tmp_path, None).returncode == 0
    assert [one.error for one in read_all(tmp_path / "store" / "records" / "filling")] == [None]
