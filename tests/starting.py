"""Runs of pytest on the benchmarks, in other processes, as a user starts them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
STUDY = """
[study]
name = "small"
[models.m]
source = "embedded:mini-small"
[methods.full]
[methods.lora]
ranks = [2]
[tasks.arc]
[tasks.squad_v2]
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


def study_file(folder: Path, text: str = STUDY) -> str:
    path = folder / "small.toml"
    path.write_text(text)
    return str(path)
