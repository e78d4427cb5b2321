"""A wheel, built and unpacked, works where there is no clone."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tunescale_core.results.published import reference

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
READ = """
import sys
from tunescale_core.results.published import reference
from tunescale_core.study.loading import load, locate

print(locate("mini"), load("paper").name, len(reference("paper").cells))
"""


@pytest.mark.slow
def test_a_wheel_has_the_studies_and_the_papers_figures(tmp_path: Path) -> None:
    """What can be named in a clone can be named where TuneScale is installed: `--study mini`, `--reference paper`."""
    source, unpacked = tmp_path / "source", tmp_path / "unpacked"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607  git as it is found
    for name in tracked.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, "-c", BUILD, str(tmp_path)], cwd=source, check=True, capture_output=True)
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(unpacked)
    there = os.environ | {"PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(
        [sys.executable, "-c", READ], cwd=tmp_path, env=there, capture_output=True, text=True, check=True
    )
    figures = len(reference("paper").cells)
    assert said.stdout.split() == [str(unpacked / "tunescale_core" / "studies" / "mini.toml"), "paper", str(figures)]
