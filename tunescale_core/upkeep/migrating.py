"""Checkpoints of an earlier schema brought up to date, so that nothing is trained again for the sake of a manifest."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tunescale_core.errors import DamagedError, StoreError
from tunescale_core.reading import json_of
from tunescale_core.store.checkpoints import Store
from tunescale_core.store.files import sums
from tunescale_core.store.identity import weights_digest
from tunescale_core.store.manifest import ADVICE, MANIFEST, SCHEMA_VERSION, Manifest, written

FIRST = 1
"""The schema that had the hash of the weights alone."""


def migrate(store: Store, folder: Path) -> bool:
    """Bring a checkpoint's manifest up to date where it is of an earlier schema, and say whether it was.

    Its weights must be what the old manifest says. Of the other files there was no hash: they are taken as they are.

    Args:
        store: The checkpoint's.
        folder: The checkpoint.

    Raises:
        DamagedError: The manifest cannot be read, or the weights are not what it says.
        StoreError: It cannot be read or written.
    """
    try:
        content = json_of((folder / MANIFEST).read_text(encoding="utf-8"))
        if content.get("schema_version") != FIRST:
            return False
        made = Manifest.model_validate(content | {"schema_version": SCHEMA_VERSION, "files": sums(folder, MANIFEST)})
    except (ValueError, AttributeError) as error:
        raise DamagedError(f"{folder / MANIFEST} cannot be read{ADVICE}") from error
    except OSError as error:
        raise StoreError(f"{folder} cannot be read: {error.strerror}") from error
    if weights_digest(folder / "model") != made.weights_sha256:
        raise DamagedError(f"{folder} is damaged: its weights are not what was written{ADVICE}")
    with store.lock(made.key, f"{folder / MANIFEST} must be written"):
        _replace(folder, written(made))
    return True


def _replace(folder: Path, text: str) -> None:
    """Write the manifest beside the folder and then into it: half of one would be damage."""
    try:
        handle, aside = tempfile.mkstemp(prefix=f".{folder.name[:12]}-", dir=folder.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(aside).chmod(0o644)
        Path(aside).replace(folder / MANIFEST)
    except OSError as error:
        raise StoreError(f"{folder / MANIFEST} cannot be written: {error.strerror}") from error
