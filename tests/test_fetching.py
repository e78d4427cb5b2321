"""A hub that is busy, breaks off or lies: it is asked again where that helps, and no part of a file is taken for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.hubs import HELD, NEWEST, hub
from tunescale_core.fetching import LONGEST_WAIT, _pause, advice, again, set_damaged_aside, transient
from tunescale_core.store.files import sha256_of

SMALL = Path(__file__).parent.parent / "tunescale_core" / "embedded" / "mini-small"
RESOLVE = """
import sys
from pathlib import Path
from tunescale_core import fetching
from tunescale_core.errors import ModelError
from tunescale_core.models.base import resolve
from tunescale_core.store.files import sha256_of
from tunescale_core.study.model import Model

fetching.LONGEST_WAIT, fetching.PATIENCE = 0.1, 4.0
try:
    base = resolve(Model(source=sys.argv[1]), Path())
    print(base.revision, sha256_of(base.folder / "model.safetensors"))
except ModelError as error:
    print(error)
"""
WHOLE = f"{NEWEST} {sha256_of(SMALL / 'model.safetensors')}\n"


def fetched(faults: list[int | str], home: Path) -> subprocess.CompletedProcess[str]:
    """Resolve a model from a hub with faults, in a process of its own."""
    with hub(SMALL, faults) as url:
        environment = os.environ | {"HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
            environment.pop(name, None)
        command = [sys.executable, "-c", RESOLVE, HELD]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=90)


@pytest.mark.parametrize(
    "faults",
    [[503], [503, 500, 502], [429], ["reset"], ["reset", "reset", "reset"], [503, "reset", 504, "reset"]],
    ids=lambda faults: "-".join(map(str, faults)),
)
def test_what_passes_is_waited_for(faults: list[int | str], tmp_path: Path) -> None:
    """After errors of a busy hub, and connections that break in the middle of a file, the weights are there, whole."""
    assert fetched(faults, tmp_path).stdout == WHOLE


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "it is gated"), (403, "it is gated"), (404, "there is no such repository, revision or file")],
)
def test_what_does_not_pass_ends_at_once(status: int, said: str, tmp_path: Path) -> None:
    """A refusal ends in one line with what to do, and is not asked again."""
    run = fetched([status] * 50, tmp_path)
    assert run.stdout.startswith(f"model {HELD} cannot be opened: {said}")
    assert run.stdout.count("\n") == 1


@pytest.mark.slow
def test_a_hub_that_stays_busy_is_given_up(tmp_path: Path) -> None:
    """A hub that stays busy ends the wait after its time, in one line."""
    assert fetched([503] * 10_000, tmp_path).stdout == (
        f"model {HELD} cannot be opened: the hub is busy (status 503) and stayed so: try later\n"
    )


def test_a_file_that_is_not_the_hubs_is_fetched_again(tmp_path: Path) -> None:
    """Weights of the right length with a bit flipped on the way are seen by their hash, set aside and fetched again."""
    run = fetched(["flip"], tmp_path)
    assert run.stdout == WHOLE
    assert "is not what the hub holds; set aside as" in run.stderr
    assert len(list(tmp_path.rglob("*.damaged"))) == 1


def test_what_is_whole_stays(tmp_path: Path) -> None:
    """A snapshot whose files are what they are called is left alone."""
    blob = tmp_path / sha256_of(SMALL / "config.json")
    blob.write_bytes((SMALL / "config.json").read_bytes())
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "model.safetensors").symlink_to(blob)
    assert not set_damaged_aside(tmp_path / "snapshot")
    assert blob.is_file()


class RefusedError(Exception):
    """An answer of a status."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(str(status))
        self.response = SimpleNamespace(
            status_code=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (RefusedError(503), True),
        (RefusedError(429), True),
        (RefusedError(401), False),
        (RefusedError(404), False),
        (ConnectionResetError(), True),
        (ConnectionError("Couldn't reach 'a/b' on the Hub"), False),
        (TimeoutError(), True),
        (ValueError("no"), False),
        (FileNotFoundError(), False),
    ],
    ids=repr,
)
def test_what_may_pass(error: Exception, *, passes: bool) -> None:
    """What waiting can help is told from what it cannot, also where another error hides it."""
    hidden = OSError("hidden")
    hidden.__cause__ = error
    assert transient(error) is transient(hidden) is passes
    assert (advice(RefusedError(503)) or "").startswith("the hub is busy")
    assert advice(ValueError()) is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Dataset 'a/b' is a gated dataset on the Hub. You must be authenticated to access it.", "it is gated"),
        ("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed.", "there is no such repository"),
        ("Revision 'r' doesn't exist for dataset 'a/b' on the Hub.", "there is no such repository, revision"),
    ],
)
def test_a_data_set_that_is_refused(said: str, told: str) -> None:
    """The data sets' client keeps a refusal's status to itself; what it says of it is enough for advice."""
    from datasets.exceptions import DatasetNotFoundError

    assert (advice(DatasetNotFoundError(said)) or "").startswith(told)


def test_a_refusal_is_not_repeated() -> None:
    """What cannot be helped is asked once."""
    asked: list[int] = []

    def refusing() -> None:
        asked.append(1)
        raise RefusedError(404)

    with pytest.raises(RefusedError):
        again(refusing)
    assert len(asked) == 1


def test_pauses_grow_and_are_the_hubs_own_where_it_says() -> None:
    """Pauses double up to a longest; where the hub asks for a time it is given, up to that too."""

    def pause(number: int, error: Exception) -> float:
        return _pause(SimpleNamespace(attempt_number=number, outcome=SimpleNamespace(exception=lambda: error)))  # type: ignore[arg-type]

    assert [pause(number, RefusedError(503)) for number in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert pause(30, RefusedError(503)) == LONGEST_WAIT
    assert pause(1, RefusedError(429, Retry_After="7")) == 7
    assert pause(1, RefusedError(429, Retry_After="7000")) == LONGEST_WAIT
    assert pause(1, RefusedError(429, Retry_After="soon")) == 0.5


OFFLINE = """
import time
from pathlib import Path
from tunescale_core.errors import DataError, ModelError
from tunescale_core.models.base import resolve
from tunescale_core.data.sources import source_of
from tunescale_core.study.model import Model
from tunescale_core.study.task_data import TaskData

began = time.perf_counter()
for fetch in (
    lambda: resolve(Model(source="a/b"), Path()),
    lambda: source_of(TaskData(data="a/b"), "arc", "train", Path()),
):
    try:
        fetch()
    except (DataError, ModelError) as error:
        print(error)
print(time.perf_counter() - began < 10)
"""


def test_offline_is_said_at_once(tmp_path: Path) -> None:
    """Where the hub's client is told to stay offline, what its cache lacks is one line each, without waiting."""
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE"):
        environment.pop(name, None)
    run = subprocess.run(
        [sys.executable, "-c", OFFLINE], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    model, data, soon = run.stdout.splitlines()
    assert model.startswith(
        "model a/b cannot be opened: there is no such folder, it is not in the local cache, and the hub"
    )
    assert data.startswith("data set a/b (default, split train) cannot be loaded: ")
    assert "give a local file as data" in data
    assert soon == "True"
