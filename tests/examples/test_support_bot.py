"""The example repository, used exactly as its README says."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.following import follow

EXAMPLE = Path(__file__).parents[2] / "examples" / "support-bot"


@pytest.mark.slow
def test_the_readme_works_as_written(tmp_path: Path) -> None:
    """Each command of the README passes in a copy of the folder alone: a baseline, a gate, the verdicts again."""
    folder = shutil.copytree(EXAMPLE, tmp_path / "bot")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    printed = follow(folder, environment)
    assert len(printed) == 3
    assert "saved baseline" in printed[0]
    assert "against baseline main: holds" in printed[1]
    assert "trained nothing, took 1 checkpoint from the store" in printed[1]
    assert "holds" in (folder / "gate.md").read_text(encoding="utf-8").splitlines()[0]
    saved = json.loads((folder / "benchmarks" / "baselines" / "main" / "baseline.json").read_text(encoding="utf-8"))
    assert len(saved["records"]) == 2
    assert {one["subject"] for one in saved["paces"]} == {"small-base", "small-lora-r4"}
    assert sum(file.stat().st_size for file in (folder / "benchmarks" / "baselines" / "main").iterdir()) < 50_000


def test_the_example_is_a_study_file_and_three_lines() -> None:
    """Beside its README and workflow the example has two files, and its test module has three lines."""
    own = {path.name for path in EXAMPLE.iterdir() if path.is_file()}
    assert own == {"README.md", "study.toml", "test_support_bot.py"}
    assert len((EXAMPLE / "test_support_bot.py").read_text(encoding="utf-8").splitlines()) == 3
