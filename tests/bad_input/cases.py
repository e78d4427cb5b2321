"""What a bad-input case is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

USAGE = 4
"""Exit code of what cannot be started as asked."""
CLICK = 2
"""Exit code of an option that the command line itself refuses."""


@dataclass(frozen=True)
class Case:
    """Input, and how it must end."""

    id: str
    make: Callable[[Path], list[str]]
    """Writes what is bad into a folder and returns the words of a `tunescale` command; `{}` stands for the folder."""
    said: str
    """A pattern that the one line of the error matches."""
    code: int = USAGE


def written(name: str, content: str | bytes) -> Callable[[Path], None]:
    """Return what writes a file of a folder."""

    def write(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))

    return write
