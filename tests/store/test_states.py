"""Saved states of trainings that did not end: listed, verified and pruned like all that a store keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from filelock import FileLock
from typer.testing import CliRunner

from tests.storing import stored
from tunescale_core.cli import app
from tunescale_core.store.checkpoints import Store
from tunescale_core.study.method import Method
from tunescale_core.training.plan import Plan
from tunescale_core.training.saves import INDEX, Saves, Spent
from tunescale_core.training.searches import TRIAL
from tunescale_core.upkeep import verifying

STATE = "0123456789abcdef01234567"
TRIALS = f"{TRIAL}{STATE}-1"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["store", *map(str, words)])


def saved(root: Path, name: str, variant: str) -> Path:
    """Save the state of a training at its step 3, as a training does."""
    saves = Saves(root / "unfinished" / name, root, 0, variant)
    saves.path(3).mkdir(parents=True, exist_ok=True)
    (saves.path(3) / "weights").write_text("half learnt")
    saves.keep(3, Plan.literal(Method()), Spent(seconds=7.5))
    return saves.folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a checkpoint, the state of another, that of a trial, and one that was never saved whole."""
    store = tmp_path / "store"
    stored(store, "m-full-on-arc")
    saved(store, STATE, "m-lora-r4-on-arc")
    saved(store, TRIALS, "m-full-on-squad_v2")
    (store / "unfinished" / "empty").mkdir()
    (store / "unfinished" / "run-s.json").write_text("{}")
    return store


def states(root: Path) -> set[str]:
    return {path.name for path in (root / "unfinished").iterdir() if path.is_dir()}


def test_ls_lists_them(root: Path) -> None:
    """A state has a row with its variant and the seconds that it saves; one that is not whole is left over."""
    found = {Path(one["path"]).name: one for one in json.loads(run("ls", "--store", root, "--json").stdout)}
    assert [found[name]["state"] for name in (STATE, TRIALS, "empty")] == ["unfinished", "unfinished", "left over"]
    assert (found[STATE]["variant"], found[STATE]["seconds"]) == ("m-lora-r4-on-arc", 7.5)
    assert "run-s.json" not in found


@pytest.mark.parametrize("harm", [INDEX, "checkpoint-3/weights"])
def test_verify_holds_them_against_their_hashes(root: Path, harm: str) -> None:
    """A whole state verifies; one that was changed is named, and stays where it is."""
    assert run("verify", "--store", root).exit_code == 0
    path = root / "unfinished" / STATE / harm
    path.write_text(path.read_text().replace("h", "H"))
    ran = run("verify", "--store", root)
    assert ran.exit_code == 1
    assert f"state of a training {root / 'unfinished' / STATE} is damaged" in ran.stdout
    assert states(root) == {STATE, TRIALS, "empty"}


@pytest.mark.parametrize("later", ["saved", "ended"])
def test_a_state_that_changes_meanwhile_is_not_damaged(root: Path, monkeypatch: pytest.MonkeyPatch, later: str) -> None:
    """A save whose files are going, since its training saves a later one or ends, is whole when looked at again."""
    folder = root / "unfinished" / STATE
    (folder / "checkpoint-3" / "weights").unlink()  # as while it is let go of

    def go_on(_: float) -> None:
        if later == "saved":
            saved(root, STATE, "m-lora-r4-on-arc")
        else:
            shutil.rmtree(folder)

    monkeypatch.setattr(verifying.time, "sleep", go_on)
    assert [told for _, told in verifying.verified(Store(root)) if told] == []


def test_keep_takes_those_of_other_variants(root: Path) -> None:
    """With --keep the states of the variants that match stay, all other whole ones go."""
    assert run("prune", "--keep", "*lora*", "--store", root).exit_code == 0
    assert states(root) == {STATE, "empty"}


def test_stale_takes_what_nobody_can_go_on_from(root: Path) -> None:
    """With --stale a state that is damaged or was not saved whole goes, and a whole one stays."""
    (root / "unfinished" / STATE / INDEX).write_text("{")
    assert run("prune", "--stale", "--store", root).exit_code == 0
    assert states(root) == {TRIALS}


@pytest.mark.parametrize(("name", "lock"), [(STATE, f"locks/{STATE}{'0' * 40}.lock"), (TRIALS, f"trials/{STATE}.lock")])
def test_one_that_is_under_way_stays(root: Path, name: str, lock: str) -> None:
    """The state of a checkpoint or trial that another process is at work on is told and kept, exit code 1."""
    (root / lock).parent.mkdir(exist_ok=True)
    with FileLock(root / lock, is_singleton=False):
        ran = run("prune", "--keep", "nothing", "--store", root)
    assert (ran.exit_code, states(root)) == (1, {name, "empty"})
    assert f"in use, kept {root / 'unfinished' / name}" in ran.stdout
