"""The same study on the same machine under the same versions comes to the same, whoever else is at the store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.check_kills import STUDY, content

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
RUN = """
import sys, time
from pathlib import Path
from tunescale_core.study.grid import cells
from tunescale_core.progress import Progress
from tunescale_core.measuring.cell import Bench
from tunescale_core.study.loading import load

study, store, name = sys.argv[1:]
bench = Bench(load(study), Path(store), Progress())
Path(store, f"ready-{name}").touch()
while len(list(Path(store).glob("ready-*"))) < int(name.partition("of")[2]):
    time.sleep(0.01)
for cell in cells(bench.study):
    bench.keep(bench.measure(cell, bench.subjects.subject(cell)))
print("trained", *bench.subjects.trained)
"""


def together(folder: Path, store: str, number: int) -> list[str]:
    """Run the study in so many processes at once on one store; return all that they trained."""
    (folder / "killed.toml").write_text(STUDY)
    (folder / store).mkdir()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, "killed.toml", store, f"{one}of{number}"],
            cwd=folder, env=environment, stdout=subprocess.PIPE, text=True,
        )
        for one in range(number)
    ]  # fmt: skip
    said = [process.communicate(timeout=240)[0] for process in started]
    assert [process.returncode for process in started] == [0] * number
    return sorted(name for one in said for name in one.split()[1:])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What one process comes to."""
    folder = tmp_path_factory.mktemp("alone")
    together(folder, "store", 1)
    return content(folder / "store")


def test_it_comes_to_the_same_again(tmp_path: Path, alone: dict[str, object]) -> None:
    """Two runs, each from an empty store, have the same weights by hash, the same completions and the same scores."""
    together(tmp_path, "again", 1)
    assert len(alone) == 5
    assert content(tmp_path / "again") == alone


def test_four_at_one_store_build_each_once(tmp_path: Path, alone: dict[str, object]) -> None:
    """Of four processes that start together on one store one builds a checkpoint, and all do what one alone does."""
    trained = together(tmp_path, "shared", 4)
    assert trained == ["m-full-on-squad_v2", "m-lora-r4-on-squad_v2"]
    assert content(tmp_path / "shared") == alone
