"""Provenance: versions, machine, and the state of the source."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cards import GIGA, Answer, installed, refuse, torch_with_card
from tunescale_core import provenance as provenance_module
from tunescale_core.provenance import PACKAGES, WEIGHT_PACKAGES, Provenance, now, provenance, versions
from tunescale_core.tasks import TASKS

ASK = "from tunescale_core.provenance import provenance; print(provenance('cpu').model_dump_json())"


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def asked_in(folder: Path) -> dict[str, object]:
    """Return the provenance that a process started in a folder finds."""
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    run = subprocess.run(
        [sys.executable, "-c", ASK], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return dict(json.loads(run.stdout))


def test_versions_are_the_installed_ones() -> None:
    """Every package asked for is listed with its installed version; one that is not there is left out."""
    assert versions(("pytest", "no-such-package-anywhere")) == {"pytest": version("pytest")}
    assert set(versions()) == set(PACKAGES)


def test_weight_packages_are_recorded_too() -> None:
    """Whatever can change weights is among the versions that a record shows."""
    assert set(WEIGHT_PACKAGES) <= set(PACKAGES)


def test_packages_that_provide_tasks_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of a task that was asked for stands among the versions, for its code scores the answers."""
    monkeypatch.setattr(TASKS, "packages", lambda name=None: {"own-task": "1.2"})  # noqa: ARG005
    assert provenance("cpu").versions == versions() | {"own-task": "1.2"}


def test_machine() -> None:
    """The machine is described as it is."""
    found = provenance("cpu")
    assert found.python == platform.python_version()
    assert found.device == f"cpu ({platform.machine()})"
    assert found.cpu_count == os.cpu_count()
    assert found.memory_bytes > 2**28


@pytest.mark.parametrize(
    ("written", "asked", "cpu"),
    [
        ("processor\t: 0\nmodel name\t: Chip 9: fast\n", "x86_64", "Chip 9: fast"),
        ("processor\t: 0\n", "x86_64", "x86_64"),
        (None, "x86_64", "x86_64"),
        (None, "", None),
    ],
)
def test_processor_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, asked: str, cpu: str | None
) -> None:
    """The processor's model is what Linux says, or else what the platform does, or else None."""
    if written is not None:
        (tmp_path / "cpuinfo").write_text(written)
    monkeypatch.setattr(provenance_module, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: asked)
    assert provenance_module._cpu.__wrapped__() == cpu


def test_torch_is_asked_only_if_it_is_there(tmp_path: Path) -> None:
    """On a CPU, torch's threads are told where torch is loaded, and it is not loaded for their sake."""
    assert asked_in(tmp_path)["threads"] is None
    import torch

    assert provenance("cpu").threads == torch.get_num_threads()


def test_cpu_has_no_card() -> None:
    """On a CPU nothing is said of a driver."""
    found = provenance("cpu")
    assert (found.driver, found.cuda, found.device_memory_bytes) == (None, None, None)


@pytest.mark.parametrize(("answer", "driver"), [(lambda: "580.1", "580.1"), (refuse, None)])
def test_card(monkeypatch: pytest.MonkeyPatch, answer: Answer, driver: str | None) -> None:
    """A card has its memory and what torch was built for, and its driver's version where that is told."""
    import torch

    for cached in ("_card", "_device_name"):
        monkeypatch.setattr(provenance_module, cached, getattr(provenance_module, cached).__wrapped__)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    torch_with_card(monkeypatch)
    installed(monkeypatch, nvmlSystemGetDriverVersion=answer)
    found = provenance("cuda")
    assert (found.driver, found.cuda, found.device_memory_bytes) == (driver, "13.0", 80 * GIGA)
    assert found.device == "Card 1000"


def test_earlier_provenance_can_be_read() -> None:
    """What was written before the card was described is still provenance."""
    newer = {"cpu", "threads", "driver", "cuda", "device_memory_bytes"}
    assert Provenance.model_validate(provenance("cpu").model_dump(exclude=newer)).threads is None


def test_round_trip() -> None:
    """Provenance survives JSON."""
    found = provenance("cpu")
    assert Provenance.model_validate_json(found.model_dump_json()) == found


def test_now_is_utc() -> None:
    """The time is the present one, in UTC, ISO 8601."""
    said = datetime.fromisoformat(now())
    assert said.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - said) < timedelta(seconds=5)


def test_git_state(tmp_path: Path) -> None:
    """In a repository the commit is named, and changed files make it dirty."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    clean = asked_in(tmp_path)
    assert clean["git_commit"] == git(tmp_path, "rev-parse", "HEAD")
    assert clean["git_dirty"] is False
    (tmp_path / "file").write_text("two")
    assert asked_in(tmp_path)["git_dirty"] is True


@pytest.mark.parametrize("path", ["", None])
def test_no_git_state_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None) -> None:
    """Outside a repository, or without git, there is no commit and no guess at one."""
    if path is not None:
        monkeypatch.setenv("PATH", path)
    found = asked_in(tmp_path)
    assert (found["git_commit"], found["git_dirty"]) == (None, None)
