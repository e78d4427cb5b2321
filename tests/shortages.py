"""Machines with little left, for tests: a disk that is full in two ways, and no file more that may be opened."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """Put a disk of so many bytes in a folder's place, over what is in it; skip where that is not permitted.

    Yields what makes room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    except FileNotFoundError:
        pytest.skip("there is no mount command here: the same test by a limit of file sizes runs all the same")
    if done.returncode:
        pytest.skip(f"a small disk may not be mounted here ({done.stderr.strip()}): the same test by a limit runs")
    try:
        yield lambda: _run("mount", "-o", "remount,size=1g", str(folder)).check_returncode()
    finally:
        _run("umount", "--lazy", str(folder)).check_returncode()


@contextmanager
def small_files(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """Let no file grow beyond so many bytes: what a quota does, with errors of the same kind.

    Yields what lifts the limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


FULL = {"a small disk": small_disk, "a limit of file sizes": small_files}


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let no further file be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
