"""Which models' own code may be run, and why one cannot be opened."""

from __future__ import annotations

from pathlib import Path

from tunescale_core.errors import first_line

UNSAFE = (
    "it has no weights in safetensors, and others are not read, for they may run what they like; "
    "open it where you trust it and save it with save_pretrained, which writes safetensors"
)
_TRUSTED: set[Path] = set()
"""Folders whose own code may be run."""


def trust(folder: Path) -> None:
    """Let the code in a model's folder be run."""
    _TRUSTED.add(folder.resolve())


def is_trusted(folder: Path) -> bool:
    """Whether the code in a model's folder may be run."""
    return folder.resolve() in _TRUSTED


def reason(error: Exception) -> str:
    """Say in a line why a model cannot be opened; of code that it wants to run, how that is allowed."""
    if "trust_remote_code" in str(error):
        return "it brings Python of its own; having read it, set trust_remote_code = true for the model to run it"
    if "no file named model.safetensors" in str(error):
        return UNSAFE
    return first_line(error)
