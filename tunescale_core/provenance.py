"""Under what circumstances something was made: versions, machine, and the state of the source."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from tunescale_core.sensors.nvml import driver_version
from tunescale_core.tasks import TASKS

PACKAGES = ("tunescale", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "bitsandbytes")
WEIGHT_PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate")
"""Whose versions can change trained weights."""
ANSWER_PACKAGES = ("tunescale", "torch", "transformers", "tokenizers", "peft")
"""Whose versions can change what a model answers, or what its answer is worth."""
FEW_BITS_PACKAGES = ("bitsandbytes",)
"""What weights in few bits come about by."""
CPUINFO = Path("/proc/cpuinfo")
"""Where Linux describes its processors; other systems have no such file."""


class Provenance(BaseModel):
    """Where a measurement comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: dict[str, str]
    """Of the packages that it depends on, those that provide tasks included."""
    python: str
    platform: str
    cpu_count: int
    memory_bytes: int
    device: str
    git_commit: str | None
    """Of the working directory; None outside a repository."""
    git_dirty: bool | None
    created: str
    """UTC, ISO 8601."""
    cpu: str | None = None
    """The processor's model; None where the system does not name it."""
    threads: int | None = None
    """That torch computes with on the CPU; None where torch was not in use."""
    driver: str | None = None
    """Version of the NVIDIA driver; None but for CUDA."""
    cuda: str | None = None
    """Version that torch was built for; None where models did not run on CUDA."""
    device_memory_bytes: int | None = None
    """Of the card; None but for CUDA."""


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the installed versions of `packages`."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def provenance(device: str) -> Provenance:
    """Describe the present circumstances; `device` is what models run on."""
    commit, dirty = _git()
    card = _card(device)
    return Provenance(
        versions=versions() | TASKS.packages(),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        device=_device_name(device),
        git_commit=commit,
        git_dirty=dirty,
        created=now(),
        cpu=_cpu(),
        threads=_threads(),
        driver=card.driver,
        cuda=card.cuda,
        device_memory_bytes=card.memory_bytes,
    )


def now() -> str:
    """Return the present time, UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass(frozen=True)
class _Card:
    driver: str | None = None
    cuda: str | None = None
    memory_bytes: int | None = None


@cache
def _card(device: str) -> _Card:
    if device != "cuda":
        return _Card()
    import torch

    return _Card(driver_version(), torch.version.cuda, int(torch.cuda.get_device_properties().total_memory))


@cache
def _cpu() -> str | None:
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or None


def _threads() -> int | None:
    torch = sys.modules.get("torch")  # what has not been loaded has computed nothing, and takes seconds to load
    return torch.get_num_threads() if torch else None


@cache
def _device_name(device: str) -> str:
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    return f"{device} ({platform.machine()})"


@cache
def _git() -> tuple[str | None, bool | None]:
    try:
        commit = _ask_git("rev-parse", "HEAD")
        return commit, bool(_ask_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _ask_git(*words: str) -> str:
    asked = subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=10)  # noqa: S603, S607
    return asked.stdout.strip()
