"""Files written whole or not at all: aside, then in one step into their place."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tunescale_core.exhausted import telling

ASIDE = ".record-"
"""What the name of a file that is being written begins with."""


def place(target: Path, content: bytes) -> None:
    """Write a file whole or not at all: aside, then in one step into its place.

    Raises:
        ResourceError: The disk is full, or too many files are open; what was there is left as it was.
        OSError: It cannot be written for another reason.
    """
    place_all({target: content})


def place_all(files: Mapping[Path, bytes]) -> None:
    """Write several files, none before there is room for all; in their order, so that the last is that of a whole set.

    Raises:
        ResourceError: The disk is full, or too many files are open; what was there is left as it was.
        OSError: One cannot be written for another reason.
    """
    aside: dict[Path, Path] = {}
    last = list(files)[-1]
    try:
        with telling(last.name, last.parent, sum(map(len, files.values()))):
            for target, content in files.items():
                aside[target] = _aside(target, content)
            for target, path in aside.items():
                path.replace(target)
    except BaseException:
        for path in aside.values():
            path.unlink(missing_ok=True)
        raise


def _aside(target: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=ASIDE)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        path.chmod(0o644)  # a store may be shared: others may read
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
