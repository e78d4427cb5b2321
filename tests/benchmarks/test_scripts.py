"""The scripts beside the cases: each says what it does, and the one over made-up records runs."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(path.name for path in (*BENCHMARKS.glob("check_*.py"), BENCHMARKS / "record_runs.py"))

pytestmark = pytest.mark.slow


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / words[0]), *words[1:]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_says_what_it_does(script: str, tmp_path: Path) -> None:
    """`--help` prints how a script is called, and starts nothing."""
    done = ran(tmp_path, script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {script}")
    assert not list(tmp_path.iterdir())


def test_made_up_records_are_read(tmp_path: Path) -> None:
    """Records of every task that the script makes up become tables, findings and a page."""
    done = ran(tmp_path, "check_size.py", "12", "10")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("holds") == 3


def test_a_check_before_any_run_is_one_line(tmp_path: Path) -> None:
    """Where there are no records yet, the check of the embedded family says how there will be."""
    done = ran(tmp_path, "check_family.py")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("run pytest benchmarks first, and give the folder that it prints")
