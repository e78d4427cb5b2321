"""What a machine runs out of, told in one line: disk, memory, open files."""

from __future__ import annotations

import errno
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunescale_core.errors import ResourceError, TuneScaleError, first_line

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""No space left, a quota reached, a file larger than may be."""
OPEN = {errno.EMFILE, errno.ENFILE}
OUT_OF_MEMORY = (
    "can't allocate memory",
    "Cannot allocate memory",
    "can't start new thread",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)
"""What plain runtime errors say of it: PyTorch's on a CPU and in mapping a file, Python's where
a thread's stack does not fit, CUDA's, its linear algebra's, and that of Apple's processors."""
UNWRITTEN = ("PytorchStreamWriter failed writing file", "] . unexpected pos ", "iostream error")
"""All that `torch.save` says where a file cannot be written on: of a regular file the disk is full."""
_NUMBER = re.compile(r"\(os error (\d+)\)|\[errno (\d+)\]", re.IGNORECASE)
"""How libraries in Rust and C++ pass a system error on."""


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on an accelerator or the host."""
    torch = sys.modules.get("torch")  # what is not loaded has raised nothing
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    if _number(error) == errno.ENOMEM:
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)


def exhausted(error: BaseException, what: str, where: Path, needed: int | None = None) -> ResourceError | None:
    """Return the line for an error that says that something ran out; None for any other.

    Args:
        error: As a library raised it.
        what: What could not be done for it: `checkpoint m-full-on-arc`.
        where: The folder that was being written to.
        needed: Bytes that it takes on disk, where that is known.
    """
    if isinstance(error, TuneScaleError):
        return None
    if out_of_memory(error):
        return ResourceError(
            f"{what}: memory ran out ({first_line(error)}); use a smaller batch or model, or a larger machine"
        )
    number = _number(error)
    if number in OPEN:
        return ResourceError(
            f"{what}: too many files are open; allow more (ulimit -n 4096), or end other programs that hold them"
        )
    if number in FULL:
        return no_room(what, _place(error, where) if number == errno.ENOSPC else where, needed)
    return None


def no_room(what: str, where: Path, needed: int | None = None) -> ResourceError:
    """Return the line for a disk that is full.

    Args:
        what: What could not be written.
        where: The file or folder that it was for.
        needed: Its bytes, where that is known.
    """
    wants = f"it needs {needed:,} bytes and " if needed is not None else ""
    return ResourceError(
        f"{what} cannot be written to {where}: the disk is full ({wants}{free_bytes(where):,} are free); "
        "make room, with tunescale store prune say, and run again: what is done is kept"
    )


def check_room(what: str, where: Path, needed: int) -> None:
    """Make sure that there is room before hours are spent on what would not fit.

    Raises:
        ResourceError: There is not.
    """
    if free_bytes(where) < needed:
        raise no_room(what, where, needed)


def free_bytes(where: Path) -> int:
    """Return the bytes that may still be written to where a path is, or will be."""
    there = where.absolute()
    return shutil.disk_usage(next(one for one in (there, *there.parents) if one.exists())).free


@contextmanager
def telling(what: str, where: Path, needed: int | None = None) -> Iterator[None]:
    """Turn what runs out inside the block into one line; the arguments are those of `exhausted`.

    Raises:
        ResourceError: Disk, memory or open files ran out.
    """
    try:
        yield
    except Exception as error:
        told = exhausted(error, what, where, needed)
        if told is None:
            raise
        raise told from error


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if any(words in str(error) for words in UNWRITTEN):
        return errno.ENOSPC
    found = _NUMBER.search(str(error))
    return int(found[1] or found[2]) if found else None


def _place(error: BaseException, where: Path) -> Path:
    """Return what was full: what the error names, or of the target and the temporary folder the fuller one."""
    named = getattr(error, "filename", None)
    if isinstance(named, str):
        return Path(named)
    return min((where, Path(tempfile.gettempdir())), key=free_bytes)
