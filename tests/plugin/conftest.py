"""What tests of the plugin share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.starting import BENCHMARKS, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs pytest on the benchmarks in a folder of the test's own."""

    def ran(*words: str, start: tuple[str, ...] = ("-m", "pytest")) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *start, str(BENCHMARKS), "-p", "no:cacheprovider", *words]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return ran
