"""Under what circumstances something was made: versions, machine, and the state of the source."""

from __future__ import annotations

import platform
import subprocess
import time
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import psutil
from pydantic import BaseModel, ConfigDict

PACKAGES = ("tunescale", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers")
WEIGHT_PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate")
"""Whose versions can change trained weights."""


class Provenance(BaseModel):
    """Where a measurement comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: dict[str, str]
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
    return Provenance(
        versions=versions(),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        device=_device_name(device),
        git_commit=commit,
        git_dirty=dirty,
        created=now(),
    )


def now() -> str:
    """Return the present time, UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


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
