"""The files of a folder and what they hash to: how damage is told before it is used."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tunescale_core.errors import StoreError

Signature = tuple[tuple[str, int, int, int, int, int], ...]
"""Of a folder's files, what costs no reading: another signature means that they must be hashed again."""


class FileSum(BaseModel):
    """What a file must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    sha256: str


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def found(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything in a folder but plain directories, by its path there; no link is followed.

    Raises:
        OSError: A directory cannot be listed.
    """
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if entry.is_dir(follow_symlinks=False):
            for name, status in found(Path(entry.path)):
                yield f"{entry.name}/{name}", status
        else:
            yield entry.name, entry.stat(follow_symlinks=False)


def sums(folder: Path, but: str) -> dict[str, FileSum]:
    """Return what every file of a folder hashes to.

    Args:
        folder: Of plain files alone.
        but: The file that will hold the sums.

    Raises:
        StoreError: There is a link or a device in it.
    """
    made = {}
    for name, status in found(folder):
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{folder / name} is no plain file: a checkpoint holds nothing else")
        if name != but:
            made[name] = FileSum(size=status.st_size, sha256=sha256_of(folder / name))
    return made


def faults(folder: Path, expected: Mapping[str, FileSum], but: str) -> tuple[str, ...]:
    """Return in what a folder is not what it should be, a phrase a file; sizes are compared before anything is read.

    Args:
        folder: What is there.
        expected: What should be.
        but: The file that holds the sums.

    Raises:
        OSError: A file cannot be read.
    """
    there = dict(found(folder))
    told = [f"{name} is missing" for name in sorted(expected.keys() - there.keys())]
    for name, status in there.items():
        if not stat.S_ISREG(status.st_mode):
            told.append(f"{name} is no plain file")
        elif name == but:
            continue
        elif name not in expected:
            told.append(f"{name} does not belong there")
        elif status.st_size != expected[name].size:
            told.append(f"{name} has {status.st_size} bytes, not {expected[name].size}")
        elif sha256_of(folder / name) != expected[name].sha256:
            told.append(f"{name} is not what was written")
    return tuple(told)


def signature(folder: Path) -> Signature:
    """Return what changes when a file of a folder does, without reading any.

    Raises:
        OSError: A directory cannot be listed.
    """
    return tuple(
        (name, one.st_mode, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for name, one in found(folder)
    )


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder; a link counts as itself, what has just gone nothing."""
    try:
        if path.is_dir() and not path.is_symlink():
            return sum(status.st_size for _, status in found(path))
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def leads_out(path: Path, root: Path) -> bool:
    """Tell whether a path in a store leads, through a link, out of it."""
    return not path.resolve().is_relative_to(root.resolve())
