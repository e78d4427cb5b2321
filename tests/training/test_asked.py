"""A study's training that is asked to end does end, and loses nothing that it need not, whatever goes wrong then."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.interrupting import interruptible
from tests.shortages import FULL
from tunescale_core.measuring import subjects as subjects_module
from tunescale_core.measuring.subjects import Subjects
from tunescale_core.progress import Progress
from tunescale_core.store.checkpoints import Store
from tunescale_core.study.grid import Cell, cells
from tunescale_core.study.loading import load
from tunescale_core.training import tune as tuning
from tunescale_core.training.health import Curve
from tunescale_core.training.order import Trainer
from tunescale_core.training.stopping import ASKED, UNSAVED

pytestmark = pytest.mark.slow

STUDY = """
[study]
name = "asked"
train_examples = 16
eval_examples = 2
save_seconds = 3600
[models.mini-small]
source = "embedded:mini-small"
[methods.full]
{rate}
batch = 4
accumulation = 1
[tasks.squad_v2]
[trials]
train_examples = 16
"""
ONE = "learning_rate = 1e-3"


@pytest.fixture(autouse=True)
def _interrupts() -> Iterator[None]:
    with interruptible(signal.SIGINT):
        yield


class Work:
    """A study in a folder of its own, and what it says."""

    def __init__(self, folder: Path, rate: str = ONE) -> None:
        (folder / "asked.toml").write_text(STUDY.format(rate=rate))
        self.study = load(str(folder / "asked.toml"))
        self.store = Store(folder / "store")
        self.said = io.StringIO()

    def obtain(self) -> Subjects:
        """Have the one checkpoint of the study, as a run does."""
        subjects = Subjects(self.study, self.store, Progress(self.said))
        subjects.built(self.cell.variant)
        return subjects

    @property
    def cell(self) -> Cell:
        """The tuned one."""
        return next(one for one in cells(self.study) if one.variant.settings is not None)

    def left(self, folder: str) -> list[Path]:
        """Return what lies in a folder of the store."""
        return sorted((self.store.root / folder).glob("[!.]*"))


def ask() -> None:
    signal.raise_signal(signal.SIGINT)


def asking_before(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have each call of a function preceded by a request; the calls are noted."""
    real: Callable[..., object] = getattr(owner, name)
    calls: list[str] = []

    def asking(*arguments: Any, **named: Any) -> object:
        calls.append(name)
        ask()
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, asking)
    return calls


def test_memory_that_runs_out_in_the_step_is_no_reason_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to end, a training whose step runs out of memory tries no smaller plan; it says so and is interrupted."""
    work = Work(tmp_path)

    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Trainer, "training_step", exhausted)
    calls = asking_before(Trainer, "training_step", monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        work.obtain()
    assert len(calls) == 1
    assert ASKED in work.said.getvalue()
    assert f"{UNSAVED}: checkpoint mini-small-full-on-squad_v2: memory ran out" in work.said.getvalue()


@pytest.mark.parametrize("way", FULL)
def test_a_save_that_fails_is_told(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fills as a training that was asked to end saves, it is interrupted and the disk is named."""
    work = Work(tmp_path)
    calls = asking_before(Trainer, "training_step", monkeypatch)
    with FULL[way](work.store.root, 5_000_000) as make_room:
        with pytest.raises(KeyboardInterrupt):
            work.obtain()
        assert len(calls) == 1
        assert f"{UNSAVED}: checkpoint mini-small-full-on-squad_v2 cannot be written to " in work.said.getvalue()
        assert "the disk is full" in work.said.getvalue()
        make_room()
        monkeypatch.undo()
        assert work.obtain().trained == ["mini-small-full-on-squad_v2"]


def test_a_trial_that_diverges_is_not_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to end as it diverges, a trial is interrupted: it is not kept, and the next one does not begin."""
    work = Work(tmp_path, "learning_rates = [1e30, 1e-3]")
    calls = asking_before(Curve, "_diverged", monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        work.obtain()
    assert len(calls) == 1
    assert f"{UNSAVED}: training mini-small-full-on-squad_v2 diverged" in work.said.getvalue()
    assert not [one for one in work.left("trials") if one.suffix == ".json"]


@pytest.mark.parametrize(
    ("module", "moment"),
    [(tuning, "save_tuned"), (tuning, "same_weights"), (subjects_module, "weights_digest"), (Curve, "check_finite")],
)
def test_a_training_whose_steps_are_done_is_kept(
    module: ModuleType | type, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to end after the last step, it is interrupted once its checkpoint is in place; the next run takes that."""
    work = Work(tmp_path)
    calls = asking_before(module, moment, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        work.obtain()
    assert len(calls) == 1
    assert UNSAVED not in work.said.getvalue()
    (made,) = work.left("checkpoints")
    assert json.loads((made / "manifest.json").read_text())["cost"]["steps"] == 4
    assert work.obtain().reused == ["mini-small-full-on-squad_v2"]
