"""A training that was killed goes on from its last saved state, and ends as if nothing had happened."""

from __future__ import annotations

import io
import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interrupting import interruptible
from tunescale_core.data.examples import load_examples
from tunescale_core.errors import DamageWarning
from tunescale_core.models.base import resolve
from tunescale_core.progress import Progress
from tunescale_core.store.files import sha256_of, size_of
from tunescale_core.store.manifest import TrainingCost
from tunescale_core.study.grid import Variant
from tunescale_core.study.loading import load
from tunescale_core.study.method import Method
from tunescale_core.study.model import Model
from tunescale_core.training import running
from tunescale_core.training import saves as saving
from tunescale_core.training import tune as tuning
from tunescale_core.training.footprint import state_bytes
from tunescale_core.training.lesson import Lesson
from tunescale_core.training.plan import Plan
from tunescale_core.training.saves import INDEX, Saved, Saves
from tunescale_core.training.stopping import ASKED, FORWARDED, REQUESTS, Stopping
from tunescale_core.training.tune import tune

pytestmark = pytest.mark.slow

BASE = resolve(Model(source="embedded:mini-small"), Path()).folder
ROWS = load_examples(load("mini"), "squad_v2", "train").rows[:28]
STEPS = 8
METHODS = {
    "full": Method(learning_rate=1e-3, epochs=2.0),
    "lora": Method(ranks=(4,), learning_rate=1e-2, target_modules="all-linear", epochs=2.0),
    "dora": Method.model_validate(
        {"ranks": (4,), "learning_rate": 1e-2, "peft": {"use_dora": True}, "epochs": 2.0, "loss": "completion"}
    ),
}


class Killed(BaseException):
    """Ends a training as a signal would: nothing catches it."""


def lesson(settings: Method) -> Lesson:
    rank = settings.ranks[0] if settings.ranks else None
    return Lesson(Variant("m", "method", "squad_v2", 0, rank, settings, "m-method-on-squad_v2"), BASE, ROWS)


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next training end when it begins that step."""

    def die() -> None:
        raise Killed

    at_step(step, die, monkeypatch)


def at_step(step: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something done when the next training begins a step."""
    stepper = running._stepper

    def dying(*args: object) -> object:
        made = stepper(*args)  # type: ignore[arg-type]
        begin = made.on_step_begin

        def on_step_begin(args: object, state: object, *rest: object, **named: object) -> None:
            if state.global_step == step:  # type: ignore[attr-defined]
                act()
            begin(args, state, *rest, **named)

        made.on_step_begin = on_step_begin
        return made

    monkeypatch.setattr(running, "_stepper", dying)


def trained(settings: Method, folder: Path, saves: Saves | None = None) -> tuple[TrainingCost, dict[str, str]]:
    cost = tune(lesson(settings), folder, Progress(), "planned", saves)
    files = {str(one.relative_to(folder)): sha256_of(one) for one in sorted(folder.rglob("*")) if one.is_file()}
    return cost, files


@pytest.fixture
def saves(tmp_path: Path) -> Saves:
    """A place for states, one saved at the end of every step."""
    return Saves(tmp_path / "store" / "unfinished" / "key", tmp_path / "store", 0)


def interrupted(settings: Method, steps: list[int], saves: Saves, folder: Path) -> Iterator[Saved]:
    """Train and be killed at each of some steps in turn; yield what was saved by then."""
    for step in steps:
        with pytest.MonkeyPatch.context() as patch:
            killed_at(step, patch)
            with pytest.raises(Killed):
                tune(lesson(settings), folder / f"killed-{step}", Progress(), "planned", saves)
        found = saves.last()
        assert found is not None
        yield found


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_training_ends_as_an_uninterrupted_one(method: str, saves: Saves, tmp_path: Path) -> None:
    """Killed in the first epoch and again in the second, it ends with the same files, byte for byte."""
    whole, files = trained(METHODS[method], tmp_path / "whole")
    assert whole.steps == STEPS
    states = list(interrupted(METHODS[method], [3, 6], saves, tmp_path))
    assert [state.step for state in states] == [3, 6]
    assert [state.spent.resumed_at for state in states] == [(), (3,)]
    cost, again = trained(METHODS[method], tmp_path / "again", saves)
    assert again == files
    assert cost.resumed_at == (3, 6)
    assert (cost.steps, cost.tokens) == (whole.steps, whole.tokens)
    assert cost.seconds > states[1].spent.seconds > states[0].spent.seconds > 0
    assert (cost.peak_memory_bytes or 0) >= (states[1].spent.peak_memory_bytes or 0) > 0
    assert [step for step, _ in cost.losses] == list(range(1, STEPS + 1))
    assert cost.losses == whole.losses


def test_saving_changes_nothing(saves: Saves, tmp_path: Path) -> None:
    """A training that saves at every step ends with the files of one that saves at none."""
    assert trained(METHODS["lora"], tmp_path / "saved", saves)[1] == trained(METHODS["lora"], tmp_path / "whole")[1]


def test_no_room_for_a_state_ends_no_training(
    saves: Saves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the disk is too full for a state, the training says so and goes on to the end that it would have had."""
    whole = trained(METHODS["lora"], tmp_path / "whole")[1]
    monkeypatch.setattr(saving, "free_bytes", lambda _: 1000)
    cost = tune(lesson(METHODS["lora"]), tmp_path / "full", Progress(sys.stdout), "planned", saves)
    said = capsys.readouterr().out
    assert re.search(r"step 1 is not saved, for the disk lacks [\d,]{7,} bytes; training goes on", said)
    assert saves.last() is None
    assert cost.steps == STEPS
    assert sha256_of(tmp_path / "full" / "model" / "model.safetensors") == whole["model/model.safetensors"]


@pytest.mark.parametrize("method", METHODS)
def test_a_states_size_is_known_before(method: str, saves: Saves, tmp_path: Path) -> None:
    """What is held against the room on the disk is a state's size, to a tenth and a few files."""
    trainer, _ = tuning.trainer_for(lesson(METHODS[method]), Plan.literal(METHODS[method]), tmp_path)
    (state,) = interrupted(METHODS[method], [2], saves, tmp_path)
    assert size_of(saves.path(state.step)) == pytest.approx(state_bytes(trainer), rel=0.1, abs=700_000)


def test_only_the_last_state_is_kept(saves: Saves, tmp_path: Path) -> None:
    """However many were saved, one is on disk."""
    list(interrupted(METHODS["full"], [5], saves, tmp_path))
    assert sorted(one.name for one in saves.folder.iterdir()) == ["checkpoint-5", INDEX]


def test_an_interval_is_kept(tmp_path: Path) -> None:
    """Where the interval is longer than the training, nothing is saved and nothing is left."""
    saves = Saves(tmp_path / "store" / "unfinished" / "key", tmp_path / "store", 3600)
    with pytest.MonkeyPatch.context() as patch:
        killed_at(4, patch)
        with pytest.raises(Killed):
            tune(lesson(METHODS["full"]), tmp_path / "killed", Progress(), "planned", saves)
    assert saves.last() is None


def asked(step: int, ask: Callable[[], None], saves: Saves, folder: Path) -> str:
    """Ask a training to end when it begins a step, and have it interrupted; what it was told."""
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, interruptible(*REQUESTS):
        at_step(step, ask, patch)
        patch.setattr(saves, "stopping", stopping := Stopping(Progress(told).say))
        with pytest.raises(KeyboardInterrupt), stopping:
            tune(lesson(METHODS["lora"]), folder, Progress(told), "planned", saves)
    return told.getvalue()


@pytest.mark.parametrize(("step", "sign"), [(3, signal.SIGTERM), (STEPS, signal.SIGINT)])
def test_a_training_asked_to_end_saves_first(step: int, sign: signal.Signals, tmp_path: Path) -> None:
    """However long the interval, the step under way is finished and saved, the last one too, and gone on from."""
    saves = Saves(tmp_path / "store" / "unfinished" / "key", tmp_path / "store", 3600)
    assert ASKED in asked(step - 1, lambda: signal.raise_signal(sign), saves, tmp_path / "asked")
    found = saves.last()
    assert found is not None
    assert found.step == step
    cost, files = trained(METHODS["lora"], tmp_path / "again", saves)
    assert cost.resumed_at == (step,)
    whole, wanted = trained(METHODS["lora"], tmp_path / "whole")
    assert files == wanted
    assert (cost.steps, cost.tokens, cost.losses) == (whole.steps, whole.tokens, whole.losses)


def test_a_training_asked_twice_ends_at_once(tmp_path: Path) -> None:
    """A second request in the same step waits for no save."""
    saves = Saves(tmp_path / "store" / "unfinished" / "key", tmp_path / "store", 3600)

    def ask() -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(FORWARDED)
        signal.raise_signal(signal.SIGTERM)

    asked(3, ask, saves, tmp_path / "asked")
    assert saves.last() is None


@pytest.mark.parametrize(
    "harmed", ["checkpoint-3/model.safetensors", "checkpoint-3/optimizer.pt", "checkpoint-3/rng_state.pth", INDEX]
)
@pytest.mark.parametrize("how", ["flip", "truncate", "remove"])
def test_a_damaged_state_is_set_aside(harmed: str, how: str, saves: Saves, tmp_path: Path) -> None:
    """Harm to a saved state is seen before use; it is set aside and training starts anew, with the same end."""
    list(interrupted(METHODS["full"], [3], saves, tmp_path))
    victim = saves.folder / harmed
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "remove":
        victim.unlink()
    else:
        victim.write_bytes(content if how == "flip" else content[: len(content) // 2])
    if (how, harmed) == ("remove", INDEX):  # a state without its index was never whole
        assert saves.last() is None
        return
    with pytest.warns(DamageWarning, match="state of a training .* is damaged"):
        assert saves.last() is None
    assert [one.name for one in (saves.root / "damaged").iterdir()] == ["key-1"]
    assert not saves.folder.exists()


def test_a_half_written_state_is_not_gone_on_from(saves: Saves, tmp_path: Path) -> None:
    """A state that the trainer had not finished writing does not count: the one before it does."""
    list(interrupted(METHODS["full"], [3], saves, tmp_path))
    (saves.folder / "checkpoint-4").mkdir()
    (saves.folder / "checkpoint-4" / "model.safetensors").write_bytes(b"half")
    found = saves.last()
    assert found is not None
    assert found.step == 3
    cost, _ = trained(METHODS["full"], tmp_path / "again", saves)
    assert cost.resumed_at == (3,)


def test_a_saved_plan_is_kept_to(saves: Saves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state is gone on from as its steps were cut, whatever memory is at hand now: another cut rounds otherwise."""
    monkeypatch.setattr(tuning, "memory_at_hand", lambda _: 1)
    state = next(interrupted(METHODS["full"], [3], saves, tmp_path))
    assert state.plan.micro_batch == 1
    monkeypatch.undo()
    cost, _ = trained(METHODS["full"], tmp_path / "again", saves)
    assert cost.plan["micro_batch"] == 1
    assert json.loads((tmp_path / "again" / "model" / "config.json").read_text())["model_type"] == "qwen3"
